/// Two scrapes of one proxy: what it counted at the start and at the end of the window.
package struct ScrapePair: Sendable, Hashable {
    package var first: [MetricSample]
    package var last: [MetricSample]
    package var seconds: Double

    package init(first: [MetricSample], last: [MetricSample], seconds: Double) {
        self.first = first
        self.last = last
        self.seconds = seconds
    }
}

/// Turns scrapes into edges. Pure.
///
/// Both ends of an edge count the same requests. The caller's count (`reporter="source"`) is taken, since it also has
/// the requests that never arrived; the callee's fills in for callers without a proxy and tells about mutual TLS.
package struct EdgeCalculator {
    /// What tells one edge from another.
    private struct Key: Hashable {
        var source: WorkloadName
        var destination: WorkloadName
        var service: String
        var proto: String
    }

    private struct Tally {
        var requests = 0.0
        var failures = 0.0
        var mutualTLS = 0.0
        var withPolicy = 0.0
        var sent = 0.0
        var received = 0.0
        var buckets: [Double: Double] = [:]
        var responses: [String: Double] = [:]
        /// Whether anything flowed in the window.
        var isActive: Bool { requests > 0 || sent > 0 || received > 0 }
    }

    private var source: [Key: Tally] = [:]
    private var destination: [Key: Tally] = [:]

    package static func edges(from pairs: [ScrapePair]) -> [MeshEdge] {
        var calculator = EdgeCalculator()
        for pair in pairs { calculator.add(pair) }
        return calculator.edges()
    }

    private mutating func add(_ pair: ScrapePair) {
        guard pair.seconds > 0 else { return }
        var before: [MetricSample: Double] = [:]
        for sample in pair.first { before[Self.identity(sample), default: 0] += sample.value }
        for sample in pair.last where sample.name.hasPrefix("istio_") {
            // A counter that went down has started again from zero.
            let old = before[Self.identity(sample)] ?? 0
            let difference = sample.value >= old ? sample.value - old : sample.value
            guard difference > 0 else { continue }
            add(sample, rate: difference / pair.seconds)
        }
    }

    private static func identity(_ sample: MetricSample) -> MetricSample {
        MetricSample(name: sample.name, labels: sample.labels, value: 0)
    }

    private mutating func add(_ sample: MetricSample, rate: Double) {
        let labels = sample.labels
        let key = Self.key(labels)
        if labels["reporter"] == "destination" {
            Self.count(sample, rate, in: &destination[key, default: Tally()])
        } else {
            Self.count(sample, rate, in: &source[key, default: Tally()])
        }
    }

    private static func count(_ sample: MetricSample, _ rate: Double, in tally: inout Tally) {
        let labels = sample.labels
        switch sample.name {
        case "istio_requests_total":
            tally.requests += rate
            let code = labels["response_code"] ?? "0"
            if code == "0" || code.hasPrefix("5") { tally.failures += rate }
            countPolicy(labels, rate, in: &tally)
            let flags = labels["response_flags"] ?? "-"
            tally.responses[flags == "-" || flags.isEmpty ? code : "\(code) \(flags)", default: 0] += rate
        case "istio_request_duration_milliseconds_bucket":
            guard let text = labels["le"] else { return }
            let bound = text == "+Inf" ? Double.infinity : Double(text) ?? .infinity
            tally.buckets[bound, default: 0] += rate
        case "istio_tcp_sent_bytes_total":
            tally.sent += rate
            if labels["request_protocol"] == "tcp" { countPolicy(labels, rate, in: &tally) }
        case "istio_tcp_received_bytes_total":
            tally.received += rate
            if labels["request_protocol"] == "tcp" { countPolicy(labels, rate, in: &tally) }
        default: break
        }
    }

    private static func countPolicy(_ labels: [String: String], _ rate: Double, in tally: inout Tally) {
        switch labels["connection_security_policy"] {
        case "mutual_tls":
            tally.withPolicy += rate
            tally.mutualTLS += rate
        case "none": tally.withPolicy += rate
        default: break
        }
    }

    private static func key(_ labels: [String: String]) -> Key {
        func value(_ name: String) -> String { labels[name].flatMap { $0.isEmpty ? nil : $0 } ?? "unknown" }
        return Key(
            source: WorkloadName(namespace: value("source_workload_namespace"), name: value("source_workload")),
            destination: WorkloadName(
                namespace: value("destination_workload_namespace"), name: value("destination_workload")),
            service: value("destination_service"), proto: value("request_protocol"))
    }

    private func edges() -> [MeshEdge] {
        let keys = Set(source.keys).union(destination.keys)
        return keys.compactMap { key in
            let callee = destination[key]
            guard let tally = source[key].flatMap({ $0.isActive ? $0 : nil }) ?? callee, tally.isActive else {
                return nil
            }
            return Self.edge(key, tally, policy: callee.flatMap { $0.withPolicy > 0 ? $0 : nil } ?? tally)
        }
        .sorted { ($0.source, $0.destination, $0.service) < ($1.source, $1.destination, $1.service) }
    }

    private static func edge(_ key: Key, _ tally: Tally, policy: Tally) -> MeshEdge {
        MeshEdge(
            source: key.source, destination: key.destination, service: key.service, protocol: key.proto,
            requestsPerSecond: tally.requests,
            successShare: tally.requests > 0 ? 1 - tally.failures / tally.requests : nil,
            p50: quantile(0.5, tally.buckets), p95: quantile(0.95, tally.buckets), p99: quantile(0.99, tally.buckets),
            mutualTLSShare: policy.withPolicy > 0 ? policy.mutualTLS / policy.withPolicy : nil,
            sentBytesPerSecond: tally.sent, receivedBytesPerSecond: tally.received, responses: tally.responses)
    }

    /// A quantile of a histogram with cumulative buckets, interpolated within its bucket as Prometheus does.
    package static func quantile(_ share: Double, _ buckets: [Double: Double]) -> Double? {
        let sorted = buckets.sorted { $0.key < $1.key }
        guard let total = sorted.last?.value, total > 0 else { return nil }
        let rank = share * total
        var lowerBound = 0.0
        var below = 0.0
        for (bound, count) in sorted {
            if count >= rank {
                guard bound.isFinite, count > below else { return lowerBound }
                return lowerBound + (bound - lowerBound) * (rank - below) / (count - below)
            }
            lowerBound = bound
            below = count
        }
        return lowerBound
    }
}
