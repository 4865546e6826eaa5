import WeftConfig
import WeftCore
import WeftKubernetes

/// Everything in a cluster that says something about the mesh.
enum ClusterObjects {
    private static let groups = [
        "networking.istio.io/v1", "security.istio.io/v1", "telemetry.istio.io/v1", "networking.istio.io/v1alpha3",
    ]

    static func all(_ client: KubernetesClient) async throws -> [KubernetesObject] {
        var resources: [APIResource] = [.namespaces, .services, .pods, .deployments]
        var seen: Set<String> = []
        for group in groups {
            for resource in try await client.resources(apiVersion: group) where seen.insert(resource.kind).inserted {
                resources.append(resource)
            }
        }
        var objects: [KubernetesObject] = []
        for resource in resources { objects += try await client.list(resource).items }
        for resource in readable {
            do {
                objects += try await client.list(resource).items.filter(concernsTheMesh)
            } catch let error as KubernetesError where error.code == 403 {
                // Who may not read Secrets is told of everything else.
                say("note: \(error.message); what is wrong with them is not looked for")
            }
        }
        return objects
    }

    /// What says something about the mesh, and not everybody may read.
    private static let readable: [APIResource] = [
        .mutatingWebhookConfigurations, .validatingWebhookConfigurations, .configMaps, .secrets,
    ]

    private static func concernsTheMesh(_ object: KubernetesObject) -> Bool {
        switch object.kind {
        case "ConfigMap": object.name.hasPrefix("istio-sidecar-injector")
        case "Secret": object.json[path: "data", "tls.crt"] != nil || object.json[path: "data", "cert"] != nil
        default: true
        }
    }
}
