import WeftCore
import WeftMetrics

/// The metrics of one data plane: Istio's standard ones from all workers, and Envoy's.
///
/// Thread-safe; a scrape reads while workers count.
package final class ProxyMetrics: Sendable {
    private let registry: MetricRegistry
    private let node: MetricsNode
    /// Counters under Envoy's names.
    let counters = CounterTables()
    /// What stands before the names of Envoy's labels: Istio's bootstrap names them without `envoy_`.
    let labelPrefix: String

    /// Series that a process keeps unless it is told otherwise.
    package static let defaultSeriesLimit = 20_000

    /// - Parameter seriesLimit: Series that all workers may keep together; further ones count under `overflow`.
    init(node: MetricsNode, workers: Int, labelPrefix: String = "", seriesLimit: Int = defaultSeriesLimit) {
        self.node = node
        self.labelPrefix = labelPrefix
        registry = MetricRegistry(families: IstioMetrics.families, shards: workers, seriesLimit: seriesLimit)
    }

    /// What worker `index` records with.
    func worker(_ index: Int) -> WorkerMetrics {
        WorkerMetrics(recorder: registry.recorder(index), node: node, counters: WorkerCounters(counters))
    }

    /// Istio's metrics in the Prometheus text exposition, format 0.0.4.
    /// - Parameter plane: Adds Envoy's, as far as this data plane counts.
    package func prometheusText(_ plane: DataPlane? = nil) -> String {
        var text = PrometheusText()
        registry.write(to: &text)
        text.family(IstioMetrics.build)
        text.sample(IstioMetrics.build, values: ["proxy", WeftVersion.current], 1)
        for (family, value) in [
            (IstioMetrics.series, registry.seriesCount), (IstioMetrics.seriesLimit, registry.seriesLimit),
            (IstioMetrics.overflowed, registry.overflowCount),
        ] {
            text.family(family)
            text.sample(family, values: [], Int64(value))
        }
        if let plane { EnvoyStats(plane: plane).write(to: &text, labelPrefix: labelPrefix) }
        return text.text
    }
}
