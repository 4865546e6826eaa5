import ArgumentParser
import WeftConfig
import WeftCore
import WeftKubernetes
import WeftManifests

/// `uninstall`: removes what `install` made, and what the control plane made while it ran.
struct UninstallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uninstall", abstract: "Remove the mesh from a cluster.",
        discussion: """
            Your mesh objects and their kinds stay, so that a later install finds them again. With --purge they go too, and
            so do the mesh's signing key and its namespace. With --revision, or when another revision is installed too, what
            the others need stays. Sidecars of running pods stay until the pods are restarted.
            Example:
              weft uninstall --purge -y
            """)

    @OptionGroup var global: GlobalOptions
    @Option(help: "Revision of the control plane.")
    var revision: String?
    @Flag(help: "Also remove the custom kinds with all mesh objects, the signing key and the namespace.")
    var purge = false
    @Flag(name: [.customShort("y"), .customLong("skip-confirmation")], help: "Do not ask.")
    var yes = false

    func run() async throws {
        var settings = InstallSettings(profile: .demo)
        settings.namespace = global.istioNamespace
        if let revision { settings.revision = revision }
        let installation = MeshInstallation(settings)
        try await global.withClient { client in
            if !yes {
                let what = purge ? "the mesh, every mesh object and its signing key" : "the mesh"
                try confirm("This removes \(what) from \(client.configuration.server). Proceed?")
            }
            let removal = Removal(client: client)
            let others = try await otherRevisions(client, settings)
            if purge, !others.isEmpty {
                throw CommandFailure(
                    "--purge takes away what revisions \(others.joined(separator: ", ")) need too: uninstall them first, "
                        + "each with --revision")
            }
            let kept = Self.objects(of: others, namespace: settings.namespace)
            let services = try await telemetryServices(client, installation, heir: others.first)
            let common = kept.union(installation.telemetryServices.map(\.reference))
            let (shared, own) = Self.split(installation.objects.filter { !common.contains($0.reference) })
            for object in (services + own).reversed() { try await removal.remove(object) }
            // While it lives, a control plane writes its ConfigMaps again.
            try await removal.waitUntilGone(podsOf: installation.deployments, namespace: settings.namespace)
            if others.isEmpty {
                for object in try await leftovers(client, settings) { try await removal.remove(object) }
            }
            if purge {
                let installer = Installer(client: client)
                var owned: [KubernetesObject] = []
                for object in shared {
                    let isOwn = object.kind == "CustomResourceDefinition" ? try await installer.mayOwn(object) : true
                    if isOwn { owned.append(object) }
                }
                for object in owned.reversed() { try await removal.remove(object) }
                for object in owned { try await removal.waitUntilGone(object) }
            }
            print(removal.count == 0 ? "Nothing of the mesh was found." : "✔ Uninstall complete")
        }
    }

    /// Revisions of the control plane that stay.
    private func otherRevisions(_ client: KubernetesClient, _ settings: InstallSettings) async throws -> [String] {
        try await client.list(.deployments, namespace: settings.namespace).items
            .filter { $0.labels["app"] == "istiod" }
            .map { $0.labels["istio.io/rev"] ?? "default" }
            .filter { $0 != settings.revision }.sorted()
    }

    /// Those that nobody answers at any more; an heir gets them all.
    private func telemetryServices(
        _ client: KubernetesClient, _ installation: MeshInstallation, heir: String?
    ) async throws -> [KubernetesObject] {
        let services = TelemetryServices(client: client)
        if let heir {
            var settings = installation.settings
            settings.revision = heir
            try await services.handOver(from: installation, to: MeshInstallation(settings))
            return []
        }
        var gone: [KubernetesObject] = []
        for service in installation.telemetryServices where try await services.isOf(installation, service) {
            gone.append(service)
        }
        return gone
    }

    /// What control planes of these revisions cannot do without: accounts and rights are common to all revisions.
    private static func objects(of revisions: [String], namespace: String) -> Set<ResourceReference> {
        revisions.reduce(into: []) { kept, revision in
            var settings = InstallSettings(profile: .minimal)
            settings.namespace = namespace
            settings.revision = revision
            kept.formUnion(MeshInstallation(settings).objects.map(\.reference))
        }
    }

    /// Kinds and namespace, which others may use too, and the rest.
    private static func split(_ objects: [KubernetesObject]) -> (shared: [KubernetesObject], own: [KubernetesObject]) {
        let kinds = ["CustomResourceDefinition", "Namespace"]
        return (objects.filter { kinds.contains($0.kind) }, objects.filter { !kinds.contains($0.kind) })
    }

    /// What the control plane made: the root in every namespace; with `--purge` its key.
    private func leftovers(_ client: KubernetesClient, _ settings: InstallSettings) async throws -> [KubernetesObject] {
        var found = try await client.list(
            .configMaps, options: ListOptions(fieldSelector: "metadata.name=istio-ca-root-cert")
        ).items
        if purge {
            found += try await client.list(
                .secrets, namespace: settings.namespace,
                options: ListOptions(fieldSelector: "metadata.name=istio-ca-secret")
            ).items
        }
        return found
    }
}

/// Deletes objects one by one and counts them; what is not there is passed over.
private final class Removal {
    private let client: KubernetesClient
    private let installer: Installer
    private(set) var count = 0

    init(client: KubernetesClient) {
        self.client = client
        installer = Installer(client: client)
    }

    func remove(_ object: KubernetesObject) async throws {
        guard let resource = try await client.resource(for: object.groupVersionKind) else { return }
        do {
            try await client.delete(
                resource, namespace: resource.isNamespaced ? object.namespace : nil, name: object.name)
            count += 1
            say("Removed \(object.reference)")
        } catch let error as KubernetesError where error.isNotFound {
            return
        }
    }

    func waitUntilGone(_ object: KubernetesObject) async throws {
        guard let resource = try await client.resource(for: object.groupVersionKind) else { return }
        try await installer.wait("the end of \(object.reference)") {
            do {
                _ = try await client.get(
                    resource, namespace: resource.isNamespaced ? object.namespace : nil, name: object.name)
                return "it is still there"
            } catch let error as KubernetesError where error.isNotFound {
                return nil
            }
        }
    }

    func waitUntilGone(podsOf deployments: [String], namespace: String) async throws {
        try await installer.wait("the end of the pods in \(namespace)") {
            let pods = try await client.list(.pods, namespace: namespace).items.filter { pod in
                // DEPLOYMENT-HASH-SUFFIX: `istiod-canary` is another deployment than `istiod`.
                let owner = pod.name.split(separator: "-").dropLast(2).joined(separator: "-")
                return deployments.contains(owner)
            }
            return pods.isEmpty ? nil : pods.map(\.name).joined(separator: ", ") + " still there"
        }
    }
}
