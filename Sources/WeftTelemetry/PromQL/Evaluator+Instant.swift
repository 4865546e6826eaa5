/// One window of many series: what an instant query over an hour of a whole mesh is made of.
extension Evaluator {
    /// Series that are read together; time and samples are checked in between.
    private static let batch = 8_192
    /// Series that a thread reads at a time.
    private static let share = 512

    /// Gives the value of a range function at one time for each series that has one, in the order of the source. The
    /// series are read on all cores.
    func streamInstant(
        _ function: PromQLFunction, _ selector: VectorSelector, _ range: Int64, _ time: Int64,
        _ parameters: (Double, Double), _ body: (Labels, Double) throws -> Void
    ) throws {
        let end = selector.shift.reference(time, start: queryStart, end: queryEnd)
        let window = RangeWindow(
            function: function, start: end - range, end: end, now: selector.shift.at == nil ? time : queryStart,
            parameters: parameters)
        if [.rate, .increase, .delta].contains(function) {
            return try source.changes(selector.matchers, from: window.start, through: end) { labels, changes in
                try checkTime(always: true)
                try countSamples(changes.reduce(0) { $0 + $1.count })
                for (labels, change) in zip(labels, changes) {
                    let value = RangeMath.extrapolated(function, change, window.start, end)
                    if !StaleMarker.isStale(value) { try body(labels, value) }
                }
            }
        }
        let all = try source.select(selector.matchers, from: window.start, through: end)
        for start in stride(from: 0, to: all.count, by: Self.batch) {
            try checkTime(always: true)
            let series = all[start..<min(start + Self.batch, all.count)]
            let (values, samples) = window.values(of: series, share: Self.share)
            try countSamples(samples)
            for (one, value) in zip(series, values) where !StaleMarker.isStale(value) {
                try body(one.labels, value)
            }
        }
    }
}

/// A function over one window of time.
private struct RangeWindow: Sendable {
    let function: PromQLFunction
    /// Milliseconds since 1970, both included.
    let start: Int64
    let end: Int64
    /// The time of the step.
    let now: Int64
    let parameters: (Double, Double)

    /// The value of each series, the stale marker where there is none, and how many samples were read.
    func values(of series: ArraySlice<SelectedSeries>, share: Int) -> (values: [Double], samples: Int) {
        let parts = (series.count + share - 1) / share
        guard parts > 1 else { return read(series) }
        let results = AllCores.map(parts) { part in
            let low = series.startIndex + part * share
            return read(series[low..<min(low + share, series.endIndex)])
        }
        var values: [Double] = []
        values.reserveCapacity(series.count)
        var samples = 0
        for part in results {
            values += part.values
            samples += part.samples
        }
        return (values, samples)
    }

    private func read(_ series: ArraySlice<SelectedSeries>) -> (values: [Double], samples: Int) {
        var buffer = SampleBuffer()
        var samples = 0
        let values = series.map { one in
            buffer.clear()
            one.read(from: start, through: end, keepingStale: false, into: &buffer)
            samples += buffer.count
            guard buffer.count > 0 else { return StaleMarker.value }
            return RangeMath.apply(
                function, buffer, 0..<buffer.count, start: start, end: end, now: now, parameters: parameters)
        }
        return (values, samples)
    }
}
