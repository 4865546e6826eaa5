package import WeftConfig
import WeftCore

/// The Services under which tools look for Prometheus, Jaeger and Zipkin in a mesh: those of Istio's samples. Weft's
/// control plane answers at them; who installs the real ones later replaces them by name.
extension MeshInstallation {
    private static let telemetry: [(service: String, ports: [(name: String, port: Int64, target: Int64)])] = [
        ("prometheus", [("http", 9090, 9090)]), ("tracing", [("http-query", 80, 16686)]),
        ("zipkin", [("http-query", 9411, 9411)]),
        (
            "jaeger-collector",
            [("grpc-otlp", 4317, 4317), ("http-otlp", 4318, 4318), ("http-zipkin", 9411, 9411)]
        ),
    ]

    /// Leads each of them to this revision, always in the same order. There is one set for all revisions, so they are no
    /// part of ``objects`` of a further one: it takes them only while they are nobody else's.
    package var telemetryServices: [KubernetesObject] {
        Self.telemetry.map { service, ports in
            object(
                "v1", "Service", service,
                [
                    "spec": [
                        "selector": selector,
                        "ports": .array(
                            ports.map {
                                [
                                    "name": .string($0.name), "port": .int($0.port), "targetPort": .int($0.target),
                                    "protocol": "TCP",
                                ]
                            }),
                    ]
                ])
        }
    }
}
