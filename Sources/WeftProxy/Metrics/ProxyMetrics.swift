import Synchronization
import WeftCore
import WeftMetrics
import WeftRouting

/// The metrics of one data plane: Istio's standard ones from all workers, and Envoy's per cluster.
///
/// Thread-safe; a scrape reads while workers count.
package final class ProxyMetrics: Sendable {
    private let registry: MetricRegistry
    private let clusters = Mutex<[String: CompiledCluster]>([:])
    private let node: MetricsNode

    init(node: MetricsNode, workers: Int) {
        self.node = node
        registry = MetricRegistry(families: IstioMetrics.families, shards: workers)
    }

    /// What worker `index` records with.
    func worker(_ index: Int) -> WorkerMetrics { WorkerMetrics(recorder: registry.recorder(index), node: node) }

    /// From now on the clusters of `snapshot` are reported.
    func use(_ snapshot: Snapshot) { clusters.withLock { $0 = snapshot.clusters } }

    /// Prometheus text exposition, format 0.0.4.
    package func prometheusText() -> String {
        var text = PrometheusText()
        registry.write(to: &text)
        text.family(IstioMetrics.build)
        text.sample(IstioMetrics.build, values: ["proxy", WeftVersion.current], 1)
        let all = clusters.withLock { $0 }.sorted { $0.key < $1.key }
        guard !all.isEmpty else { return text.text }
        for (family, read) in Self.clusterFamilies {
            text.family(family)
            for (name, cluster) in all { text.sample(family, values: [name], Int64(read(cluster))) }
        }
        return text.text
    }

    private static let clusterFamilies: [(MetricFamily, @Sendable (CompiledCluster) -> Int)] = [
        (
            cluster("upstream_cx_total", "Connections opened.", .counter),
            { $0.shared.connectionsTotal.load(ordering: .relaxed) }
        ),
        (
            cluster("upstream_cx_active", "Open connections.", .gauge),
            { $0.shared.connections.load(ordering: .relaxed) }
        ),
        (
            cluster("upstream_cx_connect_fail", "Failed connects.", .counter),
            { $0.shared.connectFailures.load(ordering: .relaxed) }
        ),
        (
            cluster("upstream_rq_total", "Requests sent.", .counter),
            { $0.shared.requestsTotal.load(ordering: .relaxed) }
        ),
        (cluster("upstream_rq_active", "Requests under way.", .gauge), { $0.shared.requests.load(ordering: .relaxed) }),
        (
            cluster("upstream_rq_pending_overflow", "Refused by a circuit breaker.", .counter),
            { $0.shared.pendingOverflow.load(ordering: .relaxed) }
        ),
        (
            cluster("outlier_detection_ejections_active", "Hosts out.", .gauge),
            { $0.shared.ejected.load(ordering: .relaxed) }
        ),
        (cluster("membership_total", "Endpoints.", .gauge), { $0.hosts.count }),
    ]

    private static func cluster(_ name: String, _ help: String, _ kind: MetricKind) -> MetricFamily {
        MetricFamily("envoy_cluster_\(name)", help: help, kind: kind, labels: ["cluster_name"])
    }
}
