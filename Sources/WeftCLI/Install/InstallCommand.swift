import ArgumentParser
import WeftConfig
import WeftCore
import WeftKubernetes
import WeftManifests

/// `install`: applies a profile's objects and waits until they run.
struct InstallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install", abstract: "Install or change the mesh in a cluster.",
        discussion: """
            Applying again changes what differs and nothing else.
            Example:
              weft install --set profile=demo -y
            """)

    @OptionGroup var global: GlobalOptions
    @Option(name: .customLong("set"), help: "A setting, e.g. profile=demo or meshConfig.accessLogFile=/dev/stdout.")
    var settings: [String] = []
    @Option(help: "Revision of the control plane.")
    var revision: String?
    @Flag(name: [.customShort("y"), .customLong("skip-confirmation")], help: "Do not ask.")
    var yes = false
    @Flag(help: "Print what would be applied, change nothing.")
    var dryRun = false

    func run() async throws {
        let assignments =
            ["namespace=\(global.istioNamespace)"] + settings + (revision.map { ["revision=\($0)"] } ?? [])
        let installation = MeshInstallation(try InstallSettings(assignments: assignments))
        try await global.withClient { client in
            let profile = installation.settings.profile.rawValue
            if !yes, !dryRun {
                try confirm("This installs profile \"\(profile)\" at \(client.configuration.server). Proceed?")
            }
            let installer = Installer(client: client)
            if dryRun {
                for object in installation.objects { print("\(object.reference) would be applied") }
                return
            }
            try await installer.apply(installation.objects)
            if installation.settings.profile != .empty {
                try await TelemetryServices(client: client).claimMissing(installation)
            }
            print("✔ \(installation.objects.count) objects of profile \(profile) applied")
            try await installer.waitForDeployments(installation.deployments, namespace: installation.settings.namespace)
            print("✔ Installation complete. Check it with '\(WeftCommand.invokedName) verify-install'.")
        }
    }
}

/// Asks a yes-or-no question; throws when the answer is no, or when nobody can answer.
func confirm(_ question: String) throws {
    print("\(question) (y/N) ", terminator: "")
    let answer = readLine()?.lowercased() ?? ""
    guard answer == "y" || answer == "yes" else {
        throw CommandFailure("cancelled; give -y to go on without a question.")
    }
}
