import WeftConfig
import WeftCore

/// What the template `grpc-agent` gives the application's containers: the bootstrap of gRPC's own xDS client, and the
/// folders in which the agent keeps it and the certificates.
enum ProxylessPod {
    static let bootstrap = "/etc/istio/proxy/grpc-bootstrap.json"
    static let certificates = "/var/lib/istio/data"

    /// What the agent's own environment has on top of a sidecar's.
    static let agentEnvironment: [JSONValue] = [
        ProxyPod.variable("DISABLE_ENVOY", "true"), ProxyPod.variable("ISTIO_META_GENERATOR", "grpc"),
        ProxyPod.variable("OUTPUT_CERTS", certificates), ProxyPod.variable("GRPC_XDS_BOOTSTRAP", bootstrap),
    ]

    /// The container as one that finds its bootstrap; what the user has set stays.
    static func equipped(_ original: JSONValue) -> JSONValue {
        var container = original
        let environment = [
            ProxyPod.variable("GRPC_XDS_BOOTSTRAP", bootstrap),
            ProxyPod.variable("GRPC_XDS_EXPERIMENTAL_SECURITY_SUPPORT", "true"),
        ]
        add(environment, to: &container, "env", by: "name")
        let mounts = ProxyPod.mounts.filter { ["istio-data", "istio-envoy"].contains($0["name"]?.stringValue) }
        add(mounts, to: &container, "volumeMounts", by: "mountPath")
        return container
    }

    private static func add(_ items: [JSONValue], to container: inout JSONValue, _ list: String, by identity: String) {
        let own = container[list]?.arrayValue ?? []
        let missing = items.filter { item in !own.contains { $0[identity] == item[identity] } }
        container[list] = .array(own + missing)
    }
}
