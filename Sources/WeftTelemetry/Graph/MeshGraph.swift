/// The live edges of the mesh, out of a ``SeriesSource``.
package struct MeshGraph: Sendable {
    private let source: any SeriesSource
    /// Milliseconds that the edges' rates are taken over.
    private let window: Int64

    package init(source: any SeriesSource, window: Int64 = 60_000) {
        self.source = source
        self.window = window
    }

    /// What each series of a proxy was at the window's begin and end.
    private struct Ends {
        var first: [MetricSample] = []
        var last: [MetricSample] = []
        var start = Int64.max
        var end = Int64.min
    }

    /// The edges of the window that ends at `now`, or of what has been seen of it.
    /// - Parameter now: Milliseconds since 1970.
    package func edges(at now: Int64) throws -> [MeshEdge] {
        let names = "istio_(requests_total|request_duration_milliseconds_bucket|tcp_(sent|received)_bytes_total)"
        let matchers = [try LabelMatcher(.matches, Labels.metricName, names)]
        // One scrape from before the window, so that it is covered whole.
        let from = now - window - 15_000
        let begins = try firstScrapes(from: from, through: now)
        var byInstance: [String: Ends] = [:]
        var buffer = SampleBuffer()
        for series in try source.select(matchers, from: from, through: now) {
            buffer.clear()
            series.read(from: from, through: now, keepingStale: false, into: &buffer)
            guard let begin = buffer.times.first, let end = buffer.times.last else { continue }
            let instance = series.labels["instance"]
            var ends = byInstance[instance] ?? Ends()
            let labels = Dictionary(series.labels.withoutName.pairs.map { ($0.name, $0.value) }) { first, _ in first }
            // A series that came up after its proxy's first scrape in the window began at zero.
            let known = begins[instance] ?? begin
            let base = begin > known ? 0 : buffer.values[0]
            ends.start = min(ends.start, known)
            ends.end = max(ends.end, end)
            ends.first.append(MetricSample(name: series.labels.name, labels: labels, value: base))
            ends.last.append(
                MetricSample(name: series.labels.name, labels: labels, value: Self.total(buffer.values, base)))
            byInstance[instance] = ends
        }
        return EdgeCalculator.edges(
            from: byInstance.values.filter { $0.end > $0.start }.map {
                ScrapePair(first: $0.first, last: $0.last, seconds: Double($0.end - $0.start) / 1000)
            })
    }

    /// The last value as it would be without the resets in between.
    private static func total(_ values: [Double], _ base: Double) -> Double {
        var total = base
        var before = base
        for value in values {
            total += value >= before ? value - before : value
            before = value
        }
        return total
    }

    private func firstScrapes(from: Int64, through: Int64) throws -> [String: Int64] {
        var result: [String: Int64] = [:]
        var buffer = SampleBuffer()
        for series in try source.select(
            [try LabelMatcher(.equal, Labels.metricName, "up")], from: from, through: through)
        {
            buffer.clear()
            series.read(from: from, through: through, keepingStale: false, into: &buffer)
            if let first = buffer.times.first { result[series.labels["instance"]] = first }
        }
        return result
    }
}
