import WeftCLI

/// The entry point of the command line; everything is in WeftCLI.
@main
struct Main {
    static func main() async { await CommandLineEntry.run() }
}
