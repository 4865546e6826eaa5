import Synchronization
import WeftMetrics

/// A histogram of milliseconds under Envoy's name.
struct EnvoyTimes {
    /// As `/stats` has it: `http.h.downstream_rq_time`.
    var name: String
    /// Counts by bucket, the last one without a bound.
    private let buckets: [UInt64]
    private let bounds: [Double]

    /// The quantiles that Envoy tells, in percent.
    static let quantiles: [Double] = [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100]

    /// - Parameter cells: Buckets and the sum, as ``CounterTable/Sum`` has them.
    init(_ name: String, cells: [UInt64]) {
        self.name = name
        if case .histogram(let bounds) = MetricKind.envoyHistogram { self.bounds = bounds } else { bounds = [] }
        buckets = Array(cells.prefix(bounds.count + 1))
    }

    var count: UInt64 { buckets.reduce(0, +) }

    /// Read off the buckets: between two bounds values count as spread evenly; `nil` without any.
    func quantile(_ percent: Double) -> Double? {
        let total = Double(count)
        guard total > 0 else { return nil }
        let wanted = total * percent / 100
        var seen = 0.0
        for (index, bucket) in buckets.enumerated() where bucket > 0 {
            let low = index == 0 ? 0 : bounds[index - 1]
            let high = index < bounds.count ? bounds[index] : low
            if seen + Double(bucket) >= wanted { return low + (high - low) * max(0, wanted - seen) / Double(bucket) }
            seen += Double(bucket)
        }
        return bounds.last
    }

    /// `P0(nan,1) P25(nan,2) …`: of the last interval, which is not kept, and of all.
    var text: String {
        guard count > 0 else { return "No recorded values" }
        return Self.quantiles.map { quantile in
            let name = Int(exactly: quantile).map(String.init) ?? String(quantile)
            return "P\(name)(nan,\(self.quantile(quantile) ?? 0))"
        }.joined(separator: " ")
    }
}

/// Where counters began when they were last reset (`/reset_counters`). Thread-safe.
final class CounterResets: Sendable {
    private let bases = Mutex<[String: Int]>([:])

    func begin(_ stats: [EnvoyStat]) {
        bases.withLock { bases in
            bases = Dictionary(stats.lazy.filter { !$0.isGauge }.map { ($0.name, $0.value) }) { $0 + $1 }
        }
    }

    func apply(to stats: [EnvoyStat]) -> [EnvoyStat] {
        let bases = bases.withLock { $0 }
        guard !bases.isEmpty else { return stats }
        return stats.map { stat in
            guard !stat.isGauge, let base = bases[stat.name] else { return stat }
            var stat = stat
            stat.value = max(0, stat.value - base)
            return stat
        }
    }
}
