import ArgumentParser
import WeftControlPlane

/// The control plane's entry point; everything is in WeftControlPlane.
@main
struct Main {
    static func main() async { await WeftdCommand.main() }
}
