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
    let resets = CounterResets()
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
    package func prometheusText(_ plane: DataPlane? = nil) -> String { prometheusText(plane, where: nil) }

    /// - Parameter query: What is asked for; `nil` is everything.
    func prometheusText(_ plane: DataPlane?, where query: StatsQuery?) -> String {
        var text = PrometheusText()
        guard let query, !query.isAll else {
            writeOwn(to: &text)
            if let plane { EnvoyStats(plane: plane).write(to: &text, labelPrefix: labelPrefix) }
            return text.text
        }
        writeOwn(to: &text)
        let own = PrometheusFamilies.select(text.text) { query.kind == .all && query.accepts(name: $0) }
        text = PrometheusText()
        if let plane { EnvoyStats(plane: plane).write(to: &text, labelPrefix: labelPrefix, where: query) }
        return own + text.text
    }

    private func writeOwn(to text: inout PrometheusText) {
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
    }
}

/// Families of a text exposition, chosen by name.
enum PrometheusFamilies {
    /// - Returns: The lines of the families that are wanted, their comments too.
    static func select(_ text: String, where isWanted: (String) -> Bool) -> String {
        var keeps = false
        var result = ""
        for line in text.split(separator: "\n") {
            // A family begins with its comments.
            if line.hasPrefix("# HELP ") {
                keeps = isWanted(String(line.dropFirst(7).prefix { $0 != " " }))
            }
            if keeps { result += line + "\n" }
        }
        return result
    }
}
