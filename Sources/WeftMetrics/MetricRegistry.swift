import Synchronization

/// All metrics of a process: families, known from the start, and one shard of series per worker.
///
/// Thread-safe. A scrape sums the shards; it never waits for a worker, nor a worker for it.
package final class MetricRegistry: Sendable {
    package let families: [MetricFamily]
    private let shards: [MetricShard]

    /// - Parameter shards: How many workers record; each takes one ``MetricRecorder``.
    package init(families: [MetricFamily], shards: Int) {
        self.families = families
        self.shards = (0..<max(1, shards)).map { _ in MetricShard(families: families.count) }
    }

    /// The writing end for worker `index`. One recorder per index, used on one thread only.
    package func recorder(_ index: Int, seriesLimit: Int = 20_000) -> MetricRecorder {
        MetricRecorder(families: families, shard: shards[index % shards.count], seriesLimit: seriesLimit)
    }

    /// The Prometheus text exposition, format 0.0.4, of every family that has a series.
    package func write(to text: inout PrometheusText) {
        for (index, family) in families.enumerated() {
            var sums: [[String]: [UInt64]] = [:]
            for shard in shards { shard.add(to: &sums, family: index) }
            guard !sums.isEmpty else { continue }
            text.family(family)
            for (values, cells) in sums.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
                text.series(family, values: values, cells: cells)
            }
        }
    }

    package func prometheusText() -> String {
        var text = PrometheusText()
        write(to: &text)
        return text.text
    }
}

/// The series that one worker has made. The lock is taken when a series is born and when a scrape copies the list.
final class MetricShard: Sendable {
    struct Entry: Sendable {
        var values: [String]
        var series: MetricSeries
    }
    private let entries: Mutex<[[Entry]]>

    init(families: Int) { entries = Mutex(Array(repeating: [], count: families)) }

    func append(_ entry: Entry, family: Int) { entries.withLock { $0[family].append(entry) } }

    func add(to sums: inout [[String]: [UInt64]], family: Int) {
        for entry in entries.withLock({ $0[family] }) {
            var cells = sums[entry.values] ?? Array(repeating: 0, count: entry.series.count)
            for index in cells.indices { cells[index] &+= entry.series.read(index) }
            sums[entry.values] = cells
        }
    }
}

/// The writing end of a shard. Confined to one worker: not `Sendable`, takes no lock for a series that exists.
package final class MetricRecorder {
    private let families: [MetricFamily]
    private let shard: MetricShard
    private let seriesLimit: Int
    private var index: [[[String]: Int]]
    private var series: [[MetricSeries]]

    fileprivate init(families: [MetricFamily], shard: MetricShard, seriesLimit: Int) {
        self.families = families
        self.shard = shard
        self.seriesLimit = seriesLimit
        index = Array(repeating: [:], count: families.count)
        series = Array(repeating: [], count: families.count)
    }

    /// Interns a label set: the same values give the same series. Callers on hot paths keep the result.
    ///
    /// Past the limit of series per family, every new label set shares one whose labels all read `overflow`, so that a
    /// client who varies a label cannot fill the memory.
    package func series(_ family: Int, _ values: [String]) -> MetricSeries {
        if let known = index[family][values] { return series[family][known] }
        let isFull = series[family].count >= seriesLimit
        let values = isFull ? families[family].labels.map { _ in "overflow" } : values
        if isFull, let known = index[family][values] { return series[family][known] }
        let made = MetricSeries(families[family].kind)
        index[family][values] = series[family].count
        series[family].append(made)
        shard.append(MetricShard.Entry(values: values, series: made), family: family)
        return made
    }
}
