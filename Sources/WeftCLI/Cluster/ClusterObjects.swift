import WeftConfig
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
        return objects
    }
}
