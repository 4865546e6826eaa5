/// Samples of one series, parallel arrays in order of time. A buffer that queries use again and again.
package struct SampleBuffer: Sendable {
    /// Milliseconds since 1970.
    package var times: [Int64] = []
    package var values: [Double] = []

    package init() {}
    package var count: Int { times.count }
    package mutating func clear() {
        times.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
    }
    package mutating func append(_ time: Int64, _ value: Double) {
        times.append(time)
        values.append(value)
    }
}

/// The value that says "this series has ended here": one pattern among the NaNs, as Prometheus writes it.
package enum StaleMarker {
    package static let value = Double(bitPattern: 0x7ff0_0000_0000_0002)
    package static func isStale(_ value: Double) -> Bool { value.bitPattern == 0x7ff0_0000_0000_0002 }
}

/// One series that a query selected: its labels and the chunks that overlap the time asked for, oldest first.
package struct SelectedSeries: Sendable {
    package let labels: Labels
    package let chunks: [Chunk]

    package init(labels: Labels, chunks: [Chunk]) {
        self.labels = labels
        self.chunks = chunks
    }

    /// Reads the samples from `from` through `through` (both included) behind what is in the buffer. A sample that is
    /// not younger than the one before it is passed over: chunks may overlap after a crash.
    func read(from: Int64, through: Int64, keepingStale: Bool, into buffer: inout SampleBuffer) {
        for chunk in chunks where chunk.maxTime >= from && chunk.minTime <= through {
            chunk.read(from: from, through: through, keepingStale: keepingStale, into: &buffer)
        }
    }

    /// The change over the samples that ``read(from:through:keepingStale:into:)`` would give without stale ones.
    func change(from: Int64, through: Int64) -> WindowChange {
        var change = WindowChange()
        for chunk in chunks where chunk.maxTime >= from && chunk.minTime <= through {
            chunk.add(to: &change, from: from, through: through)
        }
        return change
    }
}

/// What a query reads from: a store, or a list in a test.
package protocol SeriesSource: Sendable {
    /// Every series that all matchers allow and that has samples in the time, both ends included.
    func select(_ matchers: [LabelMatcher], from: Int64, through: Int64) throws -> [SelectedSeries]

    /// Gives the labels of the same series and the changes of their samples in the time, some thousands at a time, each
    /// series once; a change may be of no sample. What `body` throws ends it.
    func changes(
        _ matchers: [LabelMatcher], from: Int64, through: Int64,
        _ body: (ArraySlice<Labels>, [WindowChange]) throws -> Void
    ) throws
}

extension SeriesSource {
    package func changes(
        _ matchers: [LabelMatcher], from: Int64, through: Int64,
        _ body: (ArraySlice<Labels>, [WindowChange]) throws -> Void
    ) throws {
        let all = try select(matchers, from: from, through: through)
        try body(all.map(\.labels)[...], all.map { $0.change(from: from, through: through) })
    }
}

/// Series in memory, for tests and small answers.
package struct SeriesList: SeriesSource {
    private let series: [SelectedSeries]

    package init(_ series: [SelectedSeries]) { self.series = series }

    package func select(_ matchers: [LabelMatcher], from: Int64, through: Int64) -> [SelectedSeries] {
        series.filter { series in matchers.allSatisfy { $0.matches(series.labels) } }
    }
}
