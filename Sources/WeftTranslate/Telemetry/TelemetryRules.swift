import WeftConfig
import WeftCore
import WeftIR

/// The Telemetries in force for one proxy, and the mesh's defaults beneath them.
///
/// The root namespace's Telemetry without a selector comes first, then the namespace's, then the one that selects the
/// workload; of several in one place the oldest counts. What comes later has the last word, field by field.
struct TelemetryRules {
    /// Which side of a request the proxy is on. Gateways are clients of what they forward to.
    enum Side { case client, server }

    let scope: Scope
    /// The widest first.
    let inForce: [Config<Telemetry>]

    init(scope: Scope) {
        self.scope = scope
        let root = scope.mesh.effectiveRootNamespace
        let attachment = PolicyAttachment(scope: scope)
        let wide = scope.snapshot.telemetries.filter { $0.spec.isNamespaceWide }
        let narrow = scope.snapshot.telemetries.first { config in
            !config.spec.isNamespaceWide && config.namespace == scope.proxy.namespace
                && attachment.holds(
                    namespace: config.namespace, selector: config.spec.selector, targets: config.spec.targets)
        }
        let own = scope.proxy.namespace == root ? nil : wide.first { $0.namespace == scope.proxy.namespace }
        inForce = [wide.first { $0.namespace == root }, own, narrow].compactMap { $0 }
    }

    // MARK: - Access logs

    /// Providers that log for a side, in order of their names, each with the expression that its entries must meet.
    func logging(_ side: Side) -> [(provider: String, filter: String?)] {
        let defaults = scope.mesh.defaultProviders?.accessLogging ?? []
        var inScope = Set(defaults)
        for config in inForce {
            let named = (config.spec.accessLogging ?? []).filter { side.meets($0.match?.mode) }
                .flatMap { $0.providers.names }
            if !named.isEmpty { inScope = Set(named) }
        }
        var result: [String: String?] = [:]
        for provider in defaults where inScope.contains(provider) { result[provider] = .some(nil) }
        var parents = defaults
        for entry in inForce.flatMap({ $0.spec.accessLogging ?? [] }) {
            let named = entry.providers.names
            if !named.isEmpty { parents = named }
            guard side.meets(entry.match?.mode) else { continue }
            for provider in parents where inScope.contains(provider) {
                if entry.disabled == true {
                    result[provider] = nil
                } else {
                    result[provider] = .some(entry.filter?.expression)
                }
            }
        }
        return result.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Whether something says who logs; if not, the mesh's own `accessLogFile` does.
    var namesLogging: Bool {
        !(scope.mesh.defaultProviders?.accessLogging ?? []).isEmpty
            || inForce.contains { !($0.spec.accessLogging ?? []).isEmpty }
    }

    // MARK: - Metrics

    /// Changes of Istio's metrics; `nil` when nobody takes them.
    /// - Parameter isPrometheus: whether a provider is read by scraping.
    func metrics(_ side: Side, isPrometheus: (String) -> Bool) -> [MetricOverride]? {
        var providers = scope.mesh.defaultProviders?.metrics ?? ["prometheus"]
        var overrides: [String: MetricOverride] = [:]
        for metrics in inForce.flatMap({ $0.spec.metrics ?? [] }) {
            let named = metrics.providers.names
            if !named.isEmpty { providers = named }
            guard providers.contains(where: isPrometheus) else { continue }
            for entry in metrics.overrides ?? [] where side.meets(entry.match?.mode) {
                for metric in Self.metrics(of: entry.match) {
                    overrides[metric, default: MetricOverride(metric: metric)].apply(entry)
                }
            }
        }
        guard providers.contains(where: isPrometheus) else { return nil }
        return overrides.values.filter { $0 != MetricOverride(metric: $0.metric) }.sorted { $0.metric < $1.metric }
    }

    private static let standard: [Telemetry.MetricSelector.Standard: String] = [
        .requestCount: "istio_requests_total", .requestDuration: "istio_request_duration_milliseconds",
        .requestSize: "istio_request_bytes", .responseSize: "istio_response_bytes",
        .tcpOpenedConnections: "istio_tcp_connections_opened_total",
        .tcpClosedConnections: "istio_tcp_connections_closed_total", .tcpSentBytes: "istio_tcp_sent_bytes_total",
        .tcpReceivedBytes: "istio_tcp_received_bytes_total",
        .grpcRequestMessages: "istio_request_messages_total", .grpcResponseMessages: "istio_response_messages_total",
    ]

    private static func metrics(of selector: Telemetry.MetricSelector?) -> [String] {
        // Metrics of a user's own are none that a proxy makes.
        if selector?.customMetric != nil { return [] }
        let chosen = selector?.metric ?? .all
        return chosen == .all ? standard.values.sorted() : standard[chosen].map { [$0] } ?? []
    }

    // MARK: - Tracing

    /// What the Telemetries say of spans on one side.
    struct Spans {
        var provider: String?
        var isDisabled = false
        var sampling: Double?
        var tags: [String: Telemetry.CustomTag] = [:]
        var samplesByRequestID: Bool?
        var hasIstioTags = true
    }

    func spans(_ side: Side) -> Spans {
        var spans = Spans()
        spans.provider = scope.mesh.defaultProviders?.tracing?.first
        for entry in inForce.flatMap({ $0.spec.tracing ?? [] }) where side.meets(entry.match?.mode) {
            if let named = entry.providers.names.first { spans.provider = named }
            if let disabled = entry.disableSpanReporting { spans.isDisabled = disabled }
            if let share = entry.randomSamplingPercentage { spans.sampling = share }
            if let tags = entry.customTags { spans.tags = tags }
            if let flag = entry.useRequestIdForTraceSampling { spans.samplesByRequestID = flag }
            if let flag = entry.enableIstioTags { spans.hasIstioTags = flag }
        }
        return spans
    }
}

extension TelemetryRules.Side {
    fileprivate func meets(_ mode: Telemetry.Mode?) -> Bool {
        switch mode ?? .both {
        case .both: true
        case .client: self == .client
        case .server: self == .server
        }
    }
}

extension MetricOverride {
    fileprivate mutating func apply(_ entry: Telemetry.MetricsOverride) {
        if let disabled = entry.disabled { isDropped = disabled }
        for (name, tag) in (entry.tagOverrides ?? [:]).sorted(by: { $0.key < $1.key }) {
            removedTags.removeAll { $0 == name }
            tags[name] = nil
            switch tag.operation ?? .upsert {
            case .upsert: tags[name] = tag.value ?? ""
            case .remove: removedTags.append(name)
            }
        }
        removedTags.sort()
    }
}

extension [Telemetry.ProviderReference]? {
    /// Those that have a name.
    var names: [String] { (self ?? []).compactMap(\.name).filter { !$0.isEmpty } }
}

extension Telemetry {
    /// `targetRefs`, or the single one of its older form.
    var targets: [PolicyTargetReference] { (targetRefs ?? []) + (targetRef.map { [$0] } ?? []) }

    /// It picks no workloads.
    fileprivate var isNamespaceWide: Bool { (selector?.matchLabels ?? [:]).isEmpty && targets.isEmpty }
}
