import Synchronization

/// All metrics of a process: families, known from the start, and one shard of series per worker.
///
/// Thread-safe. A scrape sums the shards; it never waits for a worker, nor a worker for it.
package final class MetricRegistry: Sendable {
    package let families: [MetricFamily]
    /// The most series that all shards keep together. Beyond it, each family of each shard has one series more, in which
    /// every new label set is counted.
    package let seriesLimit: Int
    private let shards: [MetricShard]
    private let kept = Atomic<Int>(0)
    private let overflowed = Atomic<Int>(0)

    /// - Parameter shards: How many workers record; each takes one ``MetricRecorder``.
    package init(families: [MetricFamily], shards: Int, seriesLimit: Int = 50_000) {
        self.families = families
        self.seriesLimit = seriesLimit
        self.shards = (0..<max(1, shards)).map { _ in MetricShard(families: families.count) }
    }

    /// The writing end for worker `index`. One recorder per index, used on one thread only.
    package func recorder(_ index: Int) -> MetricRecorder {
        MetricRecorder(registry: self, shard: shards[index % shards.count])
    }

    /// Series that shards keep; one that two workers write counts twice.
    package var seriesCount: Int { kept.load(ordering: .relaxed) }
    /// Label sets that found no room.
    package var overflowCount: Int { overflowed.load(ordering: .relaxed) }

    /// Room for one series more, if there is any.
    fileprivate func reserve() -> Bool {
        guard kept.add(1, ordering: .relaxed).newValue > seriesLimit else { return true }
        kept.subtract(1, ordering: .relaxed)
        overflowed.add(1, ordering: .relaxed)
        return false
    }

    /// The Prometheus text exposition, format 0.0.4, of every family that has a series.
    package func write(to text: inout PrometheusText) {
        for (index, family) in families.enumerated() {
            var sums: [MetricLabels: [UInt64]] = [:]
            for shard in shards { shard.add(to: &sums, family: index) }
            guard !sums.isEmpty else { continue }
            text.family(family)
            for (labels, cells) in sums.sorted(by: { $0.key < $1.key }) {
                text.series(family, labels, cells: cells)
            }
        }
    }

    package func prometheusText() -> String {
        var text = PrometheusText()
        write(to: &text)
        return text.text
    }
}

/// The labels of one series. Names are the family's unless a configuration has changed them.
struct MetricLabels: Sendable, Hashable, Comparable {
    var names: [String]
    var values: [String]

    static func < (left: MetricLabels, right: MetricLabels) -> Bool {
        left.values == right.values
            ? left.names.lexicographicallyPrecedes(right.names) : left.values.lexicographicallyPrecedes(right.values)
    }
}

/// The series that one worker has made. The lock is taken when a series is born and when a scrape copies the list.
final class MetricShard: Sendable {
    struct Entry: Sendable {
        var labels: MetricLabels
        var series: MetricSeries
    }
    private let entries: Mutex<[[Entry]]>

    init(families: Int) { entries = Mutex(Array(repeating: [], count: families)) }

    func append(_ entry: Entry, family: Int) { entries.withLock { $0[family].append(entry) } }

    func add(to sums: inout [MetricLabels: [UInt64]], family: Int) {
        for entry in entries.withLock({ $0[family] }) {
            var cells = sums[entry.labels] ?? Array(repeating: 0, count: entry.series.count)
            for index in cells.indices { cells[index] &+= entry.series.read(index) }
            sums[entry.labels] = cells
        }
    }
}

/// The writing end of a shard. Confined to one worker: not `Sendable`, takes no lock for a series that exists.
package final class MetricRecorder {
    private let registry: MetricRegistry
    private let shard: MetricShard
    private var series: [[MetricLabels: MetricSeries]]

    fileprivate init(registry: MetricRegistry, shard: MetricShard) {
        self.registry = registry
        self.shard = shard
        series = Array(repeating: [:], count: registry.families.count)
    }

    /// Interns a label set: the same values give the same series. Callers on hot paths keep the result.
    ///
    /// Past the registry's limit, every new label set of a family shares one whose labels all read `overflow`, so that a
    /// client who varies a label cannot fill the memory.
    /// - Parameter names: the labels' names, where they are not the family's.
    package func series(_ family: Int, _ values: [String], names: [String]? = nil) -> MetricSeries {
        let labels = MetricLabels(names: names ?? registry.families[family].labels, values: values)
        if let known = series[family][labels] { return known }
        if registry.reserve() { return make(family, labels) }
        let standard = registry.families[family].labels
        let overflow = MetricLabels(names: standard, values: standard.map { _ in "overflow" })
        return series[family][overflow] ?? make(family, overflow)
    }

    private func make(_ family: Int, _ labels: MetricLabels) -> MetricSeries {
        let made = MetricSeries(registry.families[family].kind)
        series[family][labels] = made
        shard.append(MetricShard.Entry(labels: labels, series: made), family: family)
        return made
    }
}
