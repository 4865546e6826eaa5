import ArgumentParser
import WeftConfig
import WeftCore
import WeftKubernetes
import WeftManifests

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
        name: .customLong("set"), help: "The settings given to install; default: the components that are there.")
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
        guard names.contains(where: { $0.hasPrefix("istiod") }) else {
            throw CommandFailure(
                "no mesh in namespace \(global.istioNamespace): install one with 'install -y', or name its namespace "
                    + "with -i.")
        }
        var found = InstallSettings(profile: .minimal)
        found.ingressGateway = names.contains("istio-ingressgateway")
        found.egressGateway = names.contains("istio-egressgateway")
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
