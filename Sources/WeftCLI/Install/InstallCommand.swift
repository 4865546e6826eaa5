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
    @Flag(help: "Check everything with the server, change nothing.")
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
                for object in installation.objects { print("\(object.reference) (dry run)") }
                return
            }
            try await installer.apply(installation.objects)
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

/// `uninstall`: removes what `install` made.
struct UninstallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uninstall", abstract: "Remove the mesh from a cluster.",
        discussion: """
            With --purge also the custom kinds, and with them every mesh object of every namespace.
            Example:
              weft uninstall --purge -y
            """)

    @OptionGroup var global: GlobalOptions
    @Flag(help: "Also remove cluster-wide objects: custom kinds and the namespace.")
    var purge = false
    @Flag(name: [.customShort("y"), .customLong("skip-confirmation")], help: "Do not ask.")
    var yes = false

    func run() async throws {
        var settings = InstallSettings(profile: .demo)
        settings.namespace = global.istioNamespace
        try await global.withClient { client in
            if !yes { try confirm("This removes the mesh from \(client.configuration.server). Proceed?") }
            for object in MeshInstallation(settings).objects.reversed() {
                let isShared = object.kind == "CustomResourceDefinition" || object.kind == "Namespace"
                if isShared && !purge { continue }
                guard let resource = try await client.resource(for: object.groupVersionKind) else { continue }
                do {
                    try await client.delete(
                        resource, namespace: resource.isNamespaced ? object.namespace : nil, name: object.name)
                    print("Removed \(object.reference)")
                } catch let error as KubernetesError where error.isNotFound {
                    continue
                }
            }
            print("✔ Uninstall complete")
        }
    }
}

/// `verify-install`: every object of the profile, and whether the cluster has it.
struct VerifyInstallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify-install", abstract: "Check that everything of an installation is there and runs.",
        discussion: """
            Example:
              weft verify-install --set profile=demo
            """)

    @OptionGroup var global: GlobalOptions
    @Option(
        name: .customLong("set"), help: "The settings given to install; default: profile=demo or default, as found.")
    var settings: [String] = []

    func run() async throws {
        try await global.withClient { client in
            let installation = MeshInstallation(try await chosen(client))
            var missing = 0
            for object in installation.objects {
                let problem = try await problem(object, client)
                missing += problem == nil ? 0 : 1
                print(problem.map { "✘ \(object.reference): \($0)" } ?? "✔ \(object.reference) checked successfully")
            }
            guard missing == 0 else {
                throw CommandFailure("\(missing) objects are missing or not ready; repair with 'install -y'.")
            }
            print("✔ Installation is complete: \(installation.objects.count) objects checked.")
        }
    }

    private func chosen(_ client: KubernetesClient) async throws -> InstallSettings {
        guard settings.isEmpty else {
            return try InstallSettings(assignments: ["namespace=\(global.istioNamespace)"] + settings)
        }
        let names = try await client.list(.deployments, namespace: global.istioNamespace).items.map(\.name)
        var found = InstallSettings(profile: names.contains("istio-egressgateway") ? .demo : .default)
        found.namespace = global.istioNamespace
        return found
    }

    private func problem(_ object: KubernetesObject, _ client: KubernetesClient) async throws -> String? {
        guard let resource = try await client.resource(for: object.groupVersionKind) else {
            return "the server has no kind \(object.groupVersionKind)"
        }
        do {
            let stored = try await client.get(
                resource, namespace: resource.isNamespaced ? object.namespace : nil, name: object.name)
            guard object.kind == "Deployment" else { return nil }
            let wanted = stored.json[path: "spec", "replicas"]?.intValue ?? 1
            let available = stored.json[path: "status", "availableReplicas"]?.intValue ?? 0
            return available >= wanted ? nil : "\(available) of \(wanted) replicas are available"
        } catch let error as KubernetesError where error.isNotFound {
            return error.message
        }
    }
}
