/// What one scrape of one target brought.
package struct ScrapeOutcome: Sendable, Hashable {
    package var samples = 0
    package var added = 0
    package var badLines = 0
    /// Of the first line that was left out.
    package var problem: String?
    package var metadata: [String: MetricMetadata] = [:]
}

/// The series of one target, from scrape to scrape. Confined to one task at a time.
///
/// Remembers the number of each series by its text, so that a known line is neither taken apart nor looked up; a
/// series that a scrape no longer has is marked stale, as all are when the target fails or goes.
package final class ScrapeSession: @unchecked Sendable {
    /// Two keyed hashes of a series' text: a stranger cannot make two texts meet.
    private struct Key: Hashable {
        var first: Int
        var second: Int
    }
    private struct Known {
        var id: TimeSeriesStore.SeriesID
        var generation: UInt32
    }

    /// Milliseconds that a sample's own time may be away from the scrape's.
    static let timeTolerance: UInt64 = 3_600_000

    private let store: TimeSeriesStore
    /// Of the target: they win over labels of the same name, which become `exported_NAME`.
    package let labels: [String: String]
    private let limits: ScrapeLimits
    private var known: [Key: Known] = [:]
    private var generation: UInt32 = 0
    /// How long a target may stay silent before the zero of its new counters is no longer told, milliseconds: what a
    /// selector looks back.
    static let longestSilence: Int64 = 300_000

    /// When every counter that is not known yet was zero: at the last scrape that worked, or when the target began.
    /// A scrape that fails does not change it.
    private(set) var lastScrape: Int64?
    private var report: [String: TimeSeriesStore.SeriesID] = [:]

    /// - Parameter began: When the target had counted nothing yet, milliseconds since 1970; `nil` where nobody knows.
    package init(
        store: TimeSeriesStore, labels: [String: String], limits: ScrapeLimits = ScrapeLimits(), began: Int64? = nil
    ) {
        self.store = store
        self.labels = labels
        self.limits = limits
        lastScrape = began
    }

    /// Takes in one body.
    /// - Parameters:
    ///   - time: When the scrape began, milliseconds since 1970.
    ///   - seconds: How long it took.
    package func ingest(_ body: [UInt8], openMetrics: Bool, at time: Int64, seconds: Double) -> ScrapeOutcome {
        generation &+= 1
        var outcome = ScrapeOutcome()
        var parser = ExpositionParser(limits: limits, openMetrics: openMetrics)
        var batch: [(series: TimeSeriesStore.SeriesID, time: Int64, value: Double)] = []
        var problems: [String] = []
        var introduced: [(family: String, id: TimeSeriesStore.SeriesID)] = []
        let naming = ExpositionParser(limits: limits, openMetrics: openMetrics)
        parser.read(body) { line in
            // One far-off time would make all the rest look too old to keep.
            if let own = line.time, (own - time).magnitude > Self.timeTolerance {
                if problems.count < 100 { problems.append("a sample's time is more than an hour from now") }
                return
            }
            let key = Self.key(line.series)
            if let entry = known[key] {
                // The same series twice in one body: the first counts.
                guard entry.generation != generation else { return }
                known[key]?.generation = generation
                batch.append((entry.id, line.time ?? time, line.value))
                return
            }
            do {
                let pairs = try naming.labels(line.series)
                guard let (id, isNew) = store.introduce(combined(pairs)) else {
                    problems.append("the store has as many series as it may (seriesLimit)")
                    return
                }
                known[key] = Known(id: id, generation: generation)
                outcome.added += 1
                if isNew, line.value != 0, let name = pairs.first?.1 { introduced.append((name, id)) }
                batch.append((id, line.time ?? time, line.value))
            } catch {
                if problems.count < 100 { problems.append("\(error)") }
            }
        }
        for problem in problems { parser.note(problem) }
        outcome.samples = batch.count
        outcome.badLines = parser.badLines
        outcome.problem = parser.firstProblem
        outcome.metadata = parser.metadata
        for (key, entry) in known where entry.generation != generation {
            batch.append((entry.id, time, StaleMarker.value))
            known[key] = nil
        }
        let zeros = zeros(introduced, parser.metadata, before: time)
        lastScrape = time
        store.append(zeros + batch + reports(up: true, time, seconds, outcome))
        return outcome
    }

    /// A counter that was not there at the last scrape was zero then: without that its first requests would show in no
    /// rate. Only for series that the store has never had.
    private func zeros(
        _ introduced: [(family: String, id: TimeSeriesStore.SeriesID)], _ metadata: [String: MetricMetadata],
        before time: Int64
    ) -> [(series: TimeSeriesStore.SeriesID, time: Int64, value: Double)] {
        guard let lastScrape, lastScrape < time, time - lastScrape <= Self.longestSilence else { return [] }
        return introduced.filter { Self.counts($0.family, metadata) }.map { ($0.id, lastScrape, 0) }
    }

    private static func counts(_ name: String, _ metadata: [String: MetricMetadata]) -> Bool {
        if metadata[name]?.kind == "counter" { return true }
        for suffix in ["_bucket", "_count", "_sum", "_total"] where name.hasSuffix(suffix) {
            let kind = metadata[String(name.dropLast(suffix.utf8.count))]?.kind
            if suffix == "_total" ? kind == "counter" : kind == "histogram" { return true }
        }
        return false
    }

    /// The target did not answer: its series end here, `up` is 0.
    package func failed(at time: Int64, seconds: Double) {
        let ended = known.values.map { (series: $0.id, time: time, value: StaleMarker.value) }
        known = [:]
        store.append(ended + reports(up: false, time, seconds, ScrapeOutcome()))
    }

    /// The target is gone: nothing of it goes on.
    package func end(at time: Int64) {
        let ids = known.values.map(\.id) + report.values
        known = [:]
        report = [:]
        store.append(ids.map { (series: $0, time: time, value: StaleMarker.value) })
    }

    private func reports(
        up: Bool, _ time: Int64, _ seconds: Double, _ outcome: ScrapeOutcome
    ) -> [(series: TimeSeriesStore.SeriesID, time: Int64, value: Double)] {
        let values: [(String, Double)] = [
            ("up", up ? 1 : 0), ("scrape_duration_seconds", seconds),
            ("scrape_samples_scraped", Double(outcome.samples + outcome.badLines)),
            ("scrape_samples_post_metric_relabeling", Double(outcome.samples)),
            ("scrape_series_added", Double(outcome.added)),
        ]
        return values.compactMap { name, value in
            guard let id = report[name] ?? store.identify(combined([(Labels.metricName, name)])) else { return nil }
            report[name] = id
            return (id, time, value)
        }
    }

    private func combined(_ pairs: [(String, String)]) -> Labels {
        var values = labels
        for (name, value) in pairs { values[labels[name] == nil ? name : "exported_\(name)"] = value }
        return Labels(values)
    }

    private static func key(_ text: ArraySlice<UInt8>) -> Key {
        text.withUnsafeBytes { bytes in
            var first = Hasher()
            first.combine(bytes: bytes)
            var second = Hasher()
            second.combine(0x5ca1_ab1e)
            second.combine(bytes: bytes)
            return Key(first: first.finalize(), second: second.finalize())
        }
    }
}
