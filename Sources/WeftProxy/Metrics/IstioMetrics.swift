import WeftMetrics

/// Istio's standard metrics: names, and labels in Istio's order. Dashboards and Kiali read exactly these.
enum IstioMetrics {
    static let baseLabels = [
        "reporter", "source_workload", "source_canonical_service", "source_canonical_revision",
        "source_workload_namespace", "source_principal", "source_app", "source_version", "source_cluster",
        "destination_workload", "destination_workload_namespace", "destination_principal", "destination_app",
        "destination_version", "destination_service", "destination_canonical_service",
        "destination_canonical_revision", "destination_service_name", "destination_service_namespace",
        "destination_cluster",
    ]
    static let httpLabels =
        baseLabels + [
            "request_protocol", "response_code", "grpc_response_status", "response_flags", "connection_security_policy",
        ]
    static let tcpLabels = baseLabels + ["request_protocol", "response_flags", "connection_security_policy"]

    /// Places in ``families``.
    enum Index {
        static let requests = 0
        static let duration = 1
        static let requestBytes = 2
        static let responseBytes = 3
        static let opened = 4
        static let closed = 5
        static let sent = 6
        static let received = 7
        static let requestMessages = 8
        static let responseMessages = 9
    }

    static let families = [
        http("istio_requests_total", "Requests that this proxy handled.", .counter),
        http("istio_request_duration_milliseconds", "From the first byte of a request to the end.", .envoyHistogram),
        http("istio_request_bytes", "Size of request bodies.", .envoyHistogram),
        http("istio_response_bytes", "Size of response bodies.", .envoyHistogram),
        tcp("istio_tcp_connections_opened_total", "TCP connections opened."),
        tcp("istio_tcp_connections_closed_total", "TCP connections closed."),
        tcp("istio_tcp_sent_bytes_total", "Bytes sent to the client of TCP connections."),
        tcp("istio_tcp_received_bytes_total", "Bytes received from the client of TCP connections."),
        messages("istio_request_messages_total", "gRPC messages received from clients."),
        messages("istio_response_messages_total", "gRPC messages sent to clients."),
    ]

    static let build = MetricFamily(
        "istio_build", help: "Version of this component.", kind: .gauge, labels: ["component", "tag"])

    static let series = MetricFamily(
        "weft_proxy_metric_series", help: "Series of Istio's metrics that this proxy keeps, each worker's by itself.",
        kind: .gauge, labels: [])
    static let seriesLimit = MetricFamily(
        "weft_proxy_metric_series_limit", help: "The most series of Istio's metrics that this proxy keeps.",
        kind: .gauge, labels: [])
    static let overflowed = MetricFamily(
        "weft_proxy_metric_series_overflow_total",
        help: "Label sets that found no room and are counted in the series whose labels read overflow.",
        kind: .counter, labels: [])

    private static func http(_ name: String, _ help: String, _ kind: MetricKind) -> MetricFamily {
        MetricFamily(name, help: help, kind: kind, labels: httpLabels)
    }
    /// Told before a call has ended: nothing of how it ended is in their labels.
    private static func messages(_ name: String, _ help: String) -> MetricFamily {
        MetricFamily(name, help: help, kind: .counter, labels: baseLabels)
    }
    private static func tcp(_ name: String, _ help: String) -> MetricFamily {
        MetricFamily(name, help: help, kind: .counter, labels: tcpLabels)
    }
}

/// The labels that all of Istio's metrics share, before they become an array in Istio's order.
struct BaseLabels {
    var reporter = ""
    var source = WorkloadLabels()
    var sourcePrincipal = ""
    var destination = WorkloadLabels()
    var destinationPrincipal = ""
    var service = ""
    var serviceName = ""
    var serviceNamespace = ""

    /// In the order of ``IstioMetrics/baseLabels``; what is missing reads `unknown`.
    var values: [String] {
        [
            reporter, source.workload, source.canonicalService, source.canonicalRevision, source.namespace,
            sourcePrincipal, source.app, source.version, source.cluster,
            destination.workload, destination.namespace, destinationPrincipal, destination.app, destination.version,
            service, destination.canonicalService, destination.canonicalRevision, serviceName, serviceNamespace,
            destination.cluster,
        ].map { $0.isEmpty ? "unknown" : $0 }
    }
}
