import ArgumentParser
import WeftSamples

/// Starts a sample workload.
@main struct Main {
    static func main() async {
        ProcessSignals.install()
        await SamplesCommand.main()
    }
}
