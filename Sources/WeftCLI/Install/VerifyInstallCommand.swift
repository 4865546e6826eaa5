import ArgumentParser
import WeftConfig
import WeftCore
import WeftKubernetes
import WeftManifests

/// `verify-install`: every object of each installed revision, and whether the cluster has it.
struct VerifyInstallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify-install", abstract: "Check that everything of an installation is there and runs.",
        discussion: """
            Looks at every revision of the control plane that is installed, or at the one that --revision names.
            Examples:
              weft verify-install
              weft verify-install --revision canary
              weft verify-install --set profile=demo
            """)

    @OptionGroup var global: GlobalOptions
    @Option(name: [.customShort("r"), .long], help: "Only this revision of the control plane; default: all of them.")
    var revision: String?
    @Option(
        name: .customLong("set"), help: "The settings given to install; default: the components that are there.")
    var settings: [String] = []

    func run() async throws {
        try await global.withClient { client in
            let installations = try await chosen(client).map(MeshInstallation.init)
            var missing = 0
            var seen: Set<ResourceReference> = []
            for installation in installations {
                if installations.count > 1 { print("Revision \(installation.settings.revision):") }
                // What revisions have in common is looked at once.
                for object in installation.objects where seen.insert(object.reference).inserted {
                    let problem = try await problem(object, client)
                    missing += problem == nil ? 0 : 1
                    print(
                        problem.map { "✘ \(object.reference): \($0)" }
                            ?? "✔ \(object.reference) checked successfully")
                }
            }
            guard missing == 0 else {
                throw CommandFailure("\(missing) objects are missing or not ready; repair with 'install -y'.")
            }
            let names = installations.map(\.settings.revision)
            let which = names == ["default"] ? "" : " (\(names.joined(separator: ", ")))"
            print("✔ Installation is complete\(which): \(seen.count) objects checked.")
        }
    }

    private func chosen(_ client: KubernetesClient) async throws -> [InstallSettings] {
        guard settings.isEmpty else {
            let revision = revision.map { ["revision=\($0)"] } ?? []
            return [try InstallSettings(assignments: ["namespace=\(global.istioNamespace)"] + settings + revision)]
        }
        let deployments = try await client.list(.deployments, namespace: global.istioNamespace).items
        return try Self.installed(deployments, namespace: global.istioNamespace, revision: revision)
    }

    /// What is installed, told by the Deployments of the control plane's namespace: one for each revision, the default
    /// one first. Gateways belong to no revision; they are looked at with the first.
    /// - Throws: `CommandFailure` when there is no control plane, or none of that revision.
    static func installed(
        _ deployments: [KubernetesObject], namespace: String, revision: String? = nil
    ) throws -> [InstallSettings] {
        let all = Set(
            deployments.filter { $0.labels["app"] == "istiod" }.map { $0.labels["istio.io/rev"] ?? "default" }
        )
        .sorted { ($0 == "default" ? 0 : 1, $0) < ($1 == "default" ? 0 : 1, $1) }
        guard !all.isEmpty else {
            throw CommandFailure(
                "no mesh in namespace \(namespace): install one with 'install -y', or name its namespace with -i.")
        }
        let wanted = revision.map { name in all.filter { $0 == name } } ?? all
        guard !wanted.isEmpty else {
            throw CommandFailure(
                "revision \(revision ?? "") is not installed in namespace \(namespace): there is "
                    + "\(all.joined(separator: ", ")). A tag is no revision: 'tag list' says what it stands for.")
        }
        let names = Set(deployments.map(\.name))
        return wanted.enumerated().map { index, revision in
            var found = InstallSettings(profile: .minimal)
            found.revision = revision
            found.namespace = namespace
            found.ingressGateway = index == 0 && names.contains("istio-ingressgateway")
            found.egressGateway = index == 0 && names.contains("istio-egressgateway")
            return found
        }
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
