import ArgumentParser
import Foundation

/// The root of the command line: the same tree under the names `weft` and `istioctl`.
struct WeftCommand: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: invokedName, abstract: "Weft: run, install, configure and inspect a service mesh.",
            discussion: """
                Examples:
                  weft up --demo bookinfo
                  weft analyze -n dev
                  weft proxy-config routes deploy/productpage-v1.bookinfo
                """,
            subcommands: [
                UpCommand.self, DownCommand.self, StatusCommand.self, InstallCommand.self, UninstallCommand.self,
                VerifyInstallCommand.self, TagCommand.self, AnalyzeCommand.self, ProxyConfigCommand.self,
                ProxyStatusCommand.self,
                KubeInjectCommand.self, ValidateCommand.self, VersionCommand.self, DashboardCommand.self,
                StatCommand.self, TopCommand.self, EdgesCommand.self, TapCommand.self, CompletionCommand.self,
                WaitCommand.self, ExperimentalCommand.self,
            ])
    }

    /// `istioctl` when started under that name, so that help texts and completions fit what the user types.
    static var invokedName: String {
        URL(filePath: CommandLine.arguments.first ?? "weft").lastPathComponent == "istioctl" ? "istioctl" : "weft"
    }
}

/// Where the executable enters: parses the arguments, runs the command, exits with its status.
package enum CommandLineEntry {
    package static func run() async { await WeftCommand.main() }
}
