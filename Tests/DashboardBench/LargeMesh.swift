import WeftCore
import WeftDashboard
import WeftTelemetry

/// 500 workloads in ten namespaces, each with ten callees: what their proxies count, and what the control plane tells.
struct LargeMesh: DashboardSource {
    private static let count = 500
    private static let calls = 10
    private static let bounds = [
        "0.5", "1", "5", "10", "25", "50", "100", "250", "500", "1000", "2500", "5000", "10000", "30000", "60000",
        "300000", "600000", "1800000", "3600000", "+Inf",
    ]

    private static func namespace(_ index: Int) -> String { "team-\(index / 50)" }

    // MARK: - Telemetry

    /// Every proxy as it is scraped, every 15 seconds from five minutes before `now` until fifteen after it, so that
    /// the bench may take its time.
    static func fill(_ store: TimeSeriesStore, now: Int64) {
        for proxy in 0..<count {
            let session = ScrapeSession(
                store: store,
                labels: ["job": "kubernetes-pods", "instance": "10.244.\(proxy / 250).\(proxy % 250):15020"])
            for step in 0..<80 {
                _ = session.ingest(
                    body(proxy, seconds: step * 15), openMetrics: false, at: now - 300_000 + Int64(step) * 15_000,
                    seconds: 0.01)
            }
        }
    }

    private static func body(_ proxy: Int, seconds: Int) -> [UInt8] {
        var text = ""
        for call in 0..<calls {
            // The distances are all different: no edge twice.
            let callee = (proxy + 1 + call * 17) % count
            let caller = (proxy + count * 2 - 1 - call * 17) % count
            let done = seconds * (1 + (proxy * calls + call) % 20)
            count(labels(proxy, callee, "source", "unknown"), done, isLong: true, to: &text)
            count(labels(caller, proxy, "destination", "mutual_tls"), done, isLong: false, to: &text)
        }
        return Array(text.utf8)
    }

    private static func count(_ labels: String, _ requests: Int, isLong: Bool, to text: inout String) {
        text += "istio_requests_total{\(labels)} \(requests)\n"
        guard isLong else { return }
        for (place, bound) in bounds.enumerated() {
            let below = min(requests, requests * (place + 1) / 8)
            text += "istio_request_duration_milliseconds_bucket{\(labels),le=\"\(bound)\"} \(below)\n"
        }
        for name in ["istio_request_bytes", "istio_response_bytes"] {
            text += "\(name)_sum{\(labels)} \(requests * 800)\n\(name)_count{\(labels)} \(requests)\n"
        }
    }

    private static func labels(_ from: Int, _ to: Int, _ reporter: String, _ policy: String) -> String {
        [
            ("reporter", reporter), ("source_workload", "w\(from)-v1"), ("source_workload_namespace", namespace(from)),
            ("source_canonical_service", "w\(from)"), ("source_canonical_revision", "v1"), ("source_app", "w\(from)"),
            ("source_version", "v1"), ("source_cluster", "Kubernetes"),
            ("source_principal", "spiffe://cluster.local/ns/\(namespace(from))/sa/w\(from)"),
            ("destination_service", "w\(to).\(namespace(to)).svc.cluster.local"),
            ("destination_service_name", "w\(to)"), ("destination_service_namespace", namespace(to)),
            ("destination_workload", "w\(to)-v1"), ("destination_workload_namespace", namespace(to)),
            ("destination_canonical_service", "w\(to)"), ("destination_canonical_revision", "v1"),
            ("destination_app", "w\(to)"), ("destination_version", "v1"), ("destination_cluster", "Kubernetes"),
            ("destination_principal", "spiffe://cluster.local/ns/\(namespace(to))/sa/w\(to)"),
            ("request_protocol", "http"), ("response_code", "200"), ("response_flags", "-"),
            ("connection_security_policy", policy),
        ].map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",")
    }

    // MARK: - DashboardSource

    func edges() async -> JSONValue { [] }
    func proxies() async -> JSONValue { [] }
    func proxy(named name: String) async -> JSONValue? { nil }
    func services() async -> JSONValue { [] }
    func mesh() async -> JSONValue { [:] }
    func object(_ reference: ResourceReference, group: String?) async -> JSONValue? { nil }

    func workloads() async -> JSONValue {
        .array(
            (0..<Self.count).map { index in
                [
                    "namespace": .string(Self.namespace(index)), "name": .string("w\(index)-v1"),
                    "app": .string("w\(index)"), "kind": "Deployment", "pods": 1, "ready": 1, "meshed": 1,
                    "gateway": false, "labels": ["app": .string("w\(index)"), "version": "v1"],
                    "services": [.string("w\(index)")],
                    "instances": [
                        [
                            "name": .string("w\(index)-v1-abc-1"), "address": "10.244.0.1", "version": "v1",
                            "ready": true, "meshed": true, "containers": ["app", "istio-proxy"],
                        ]
                    ],
                ]
            })
    }

    /// A virtual service and a destination rule for each.
    func configuration() async -> JSONValue {
        .array(
            (0..<Self.count).flatMap { index -> [JSONValue] in
                ["VirtualService", "DestinationRule"].map { kind in
                    let spec: JSONValue =
                        kind == "VirtualService"
                        ? [
                            "hosts": [.string("w\(index)")],
                            "http": [["timeout": "2s", "route": [["destination": ["host": .string("w\(index)")]]]]],
                        ] : ["host": .string("w\(index)"), "trafficPolicy": ["outlierDetection": [:]]]
                    return [
                        "group": "networking.istio.io", "kind": .string(kind),
                        "namespace": .string(Self.namespace(index)), "name": .string("w\(index)"),
                        "created": "2026-01-01T00:00:00Z", "spec": spec, "messages": [],
                    ]
                }
            })
    }
}
