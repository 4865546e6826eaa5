#if canImport(Glibc)
import Glibc
#endif

/// Bounds of one query. A query that would pass one ends with an error that names it.
package struct QueryLimits: Sendable, Hashable {
    /// Samples that are read.
    package var samples = 100_000_000
    /// Values that are held at once: series times steps.
    package var points = 25_000_000
    /// Steps of a range query.
    package var steps = 11_000
    package var timeout: Duration = .seconds(60)
    /// How far back an instant selector looks, milliseconds.
    package var lookback: Int64 = 300_000
    /// Step of a subquery that has none, milliseconds.
    package var subqueryStep: Int64 = 60_000

    package init() {}
}

/// Evenly spaced times.
struct TimeGrid: Sendable, Hashable {
    var start: Int64
    var step: Int64
    var count: Int

    init(start: Int64, end: Int64, step: Int64) {
        self.start = start
        self.step = max(step, 1)
        count = end < start ? 0 : Int((end - start) / self.step) + 1
    }

    var end: Int64 { start + Int64(max(count - 1, 0)) * step }
    subscript(index: Int) -> Int64 { start + Int64(index) * step }
}

/// The values of one series at every step; where it has none stands the stale marker.
struct SteppedSeries: Sendable {
    var labels: Labels
    var values: [Double]
}

/// What an expression gave, at every step.
enum SteppedValue: Sendable {
    case scalar([Double])
    case vector([SteppedSeries])
    case string(String)
}

/// Evaluates one query over all its steps at once. Confined to one task.
final class Evaluator {
    let source: any SeriesSource
    let limits: QueryLimits
    let queryStart: Int64
    let queryEnd: Int64
    private let isCancelled: () -> Bool
    private let deadline: ContinuousClock.Instant
    private var samplesRead = 0
    private var checks = 0
    var scratch = SampleBuffer()

    init(
        source: any SeriesSource, limits: QueryLimits, start: Int64, end: Int64,
        isCancelled: @escaping () -> Bool = { Task.isCancelled }
    ) {
        self.source = source
        self.isCancelled = isCancelled
        self.limits = limits
        queryStart = start
        queryEnd = end
        deadline = .now + limits.timeout
    }

    // MARK: - Bounds

    /// - Parameter always: also where the last look was a moment ago.
    func checkTime(always: Bool = false) throws(PromQLError) {
        checks &+= 1
        guard always || checks & 63 == 0 else { return }
        if isCancelled() { throw PromQLError(.canceled, "query was canceled in expression evaluation") }
        if ContinuousClock.now > deadline {
            throw PromQLError(.timeout, "query timed out in expression evaluation after \(limits.timeout)")
        }
    }

    func countSamples(_ count: Int) throws(PromQLError) {
        samplesRead += count
        guard samplesRead <= limits.samples else {
            throw PromQLError(
                .execution,
                "query processing would load too many samples into memory: more than \(limits.samples); "
                    + "select fewer series or a shorter time")
        }
    }

    func checkPoints(_ series: Int, _ grid: TimeGrid) throws(PromQLError) {
        guard series <= limits.points / max(grid.count, 1) else {
            throw PromQLError(
                .execution,
                "query processing would load too many samples into memory: \(series) series at \(grid.count) steps, "
                    + "at most \(limits.points) values; aggregate, or ask for fewer steps")
        }
    }

    // MARK: - Expressions

    func evaluate(_ expression: Expression, _ grid: TimeGrid) throws -> SteppedValue {
        try checkTime()
        switch expression {
        case .number(let value): return .scalar(Array(repeating: value, count: grid.count))
        case .string(let text): return .string(text)
        case .parenthesized(let inner): return try evaluate(inner, grid)
        case .vector, .aggregate: return .vector(try collect(expression, grid))
        case .matrix, .subquery:
            throw PromQLError(.execution, "a range vector can only be an argument of a function")
        case .negate(let inner): return try negate(inner, grid)
        case .binary(let sign, let left, let right, let bool, let matching):
            return try binary(sign, left, right, bool, matching, grid)
        case .call(let function, let arguments): return try call(function, arguments, grid)
        }
    }

    func vector(_ expression: Expression, _ grid: TimeGrid) throws -> [SteppedSeries] {
        guard case .vector(let series) = try evaluate(expression, grid) else {
            throw Self.typeError("an instant vector")
        }
        return series
    }

    func scalar(_ expression: Expression, _ grid: TimeGrid) throws -> [Double] {
        guard case .scalar(let values) = try evaluate(expression, grid) else { throw Self.typeError("a scalar") }
        return values
    }

    func string(_ expression: Expression) throws -> String {
        guard case .string(let text) = expression.unwrapped else { throw Self.typeError("a string") }
        return text
    }

    private static func typeError(_ wanted: String) -> PromQLError { PromQLError(.execution, "expected \(wanted)") }

    /// Gives the series of an expression one by one, without holding all of them where that can be done.
    /// - Parameter keepsName: The metric's name may still be in the labels where it should not: who asks drops it.
    func stream(
        _ expression: Expression, _ grid: TimeGrid, keepsName: Bool = false,
        _ body: (Labels, inout [Double]) throws -> Void
    ) throws {
        switch expression.unwrapped {
        case .vector(let selector): try streamSelector(selector, grid, body)
        case .call(let function, let arguments) where function.isRangeFunction && function != .absentOverTime:
            try streamRange(function, arguments, grid, keepsName: keepsName, body)
        case .aggregate(let kind, let operand, let parameter, let grouping, let without):
            for var series in try aggregate(kind, operand, parameter, grouping, without, grid) {
                try body(series.labels, &series.values)
            }
        case let other:
            for var series in try vector(other, grid) { try body(series.labels, &series.values) }
        }
    }

    func collect(_ expression: Expression, _ grid: TimeGrid) throws -> [SteppedSeries] {
        var result: [SteppedSeries] = []
        try stream(expression, grid) { labels, values in
            result.append(SteppedSeries(labels: labels, values: values))
            try checkPoints(result.count, grid)
        }
        return result
    }

    // MARK: - Selectors

    private func streamSelector(
        _ selector: VectorSelector, _ grid: TimeGrid, _ body: (Labels, inout [Double]) throws -> Void
    ) throws {
        try streamSamples(selector, grid, timestamps: false, body)
    }

    /// - Parameter timestamps: Gives when each sample was taken instead of its value.
    func streamSamples(
        _ selector: VectorSelector, _ grid: TimeGrid, timestamps: Bool,
        _ body: (Labels, inout [Double]) throws -> Void
    ) throws {
        guard grid.count > 0 else { return }
        let shift = selector.shift
        let first = shift.reference(grid.start, start: queryStart, end: queryEnd)
        let last = shift.reference(grid.end, start: queryStart, end: queryEnd)
        let from = first - limits.lookback
        var values: [Double] = []
        for series in try source.select(selector.matchers, from: from, through: last) {
            try checkTime()
            scratch.clear()
            series.read(from: from, through: last, keepingStale: true, into: &scratch)
            try countSamples(scratch.count)
            guard scratch.count > 0 else { continue }
            values.removeAll(keepingCapacity: true)
            var next = 0
            var found = false
            for index in 0..<grid.count {
                let reference = shift.reference(grid[index], start: queryStart, end: queryEnd)
                while next < scratch.count, scratch.times[next] <= reference { next += 1 }
                guard next > 0, scratch.times[next - 1] >= reference - limits.lookback,
                    !StaleMarker.isStale(scratch.values[next - 1])
                else {
                    values.append(StaleMarker.value)
                    continue
                }
                found = true
                values.append(timestamps ? Double(scratch.times[next - 1]) / 1000 : scratch.values[next - 1])
            }
            if found { try body(series.labels, &values) }
        }
    }

    /// Gives the samples of each series of a range expression, with the windows that the steps look at.
    private func streamWindows(
        _ expression: Expression, _ grid: TimeGrid,
        _ body: (Labels, borrowing SampleBuffer, TimeShift, Int64) throws -> Void
    ) throws {
        guard grid.count > 0 else { return }
        switch expression.unwrapped {
        case .matrix(let selector, let range):
            let first = selector.shift.reference(grid.start, start: queryStart, end: queryEnd) - range
            let last = selector.shift.reference(grid.end, start: queryStart, end: queryEnd)
            for series in try source.select(selector.matchers, from: first, through: last) {
                try checkTime()
                scratch.clear()
                series.read(from: first, through: last, keepingStale: false, into: &scratch)
                try countSamples(scratch.count)
                if scratch.count > 0 { try body(series.labels, scratch, selector.shift, range) }
            }
        case .subquery(let inner, let range, let step, let shift):
            let first = shift.reference(grid.start, start: queryStart, end: queryEnd) - range
            let last = shift.reference(grid.end, start: queryStart, end: queryEnd)
            let innerGrid = try subqueryGrid(from: first, through: last, step: step ?? limits.subqueryStep)
            for series in try collect(inner, innerGrid) {
                let buffer = Self.samples(series, innerGrid)
                try countSamples(buffer.count)
                if buffer.count > 0 { try body(series.labels, buffer, shift, range) }
            }
        default: throw PromQLError(.execution, "expected a range vector")
        }
    }

    /// Steps of a subquery lie on multiples of its step, wherever the query begins.
    private func subqueryGrid(from: Int64, through: Int64, step: Int64) throws(PromQLError) -> TimeGrid {
        var start = from / step * step
        if start < from { start += step }
        let grid = TimeGrid(start: start, end: through, step: step)
        guard grid.count <= limits.points else {
            throw PromQLError(
                .execution, "the subquery has \(grid.count) steps; at most \(limits.points) are evaluated")
        }
        return grid
    }

    private static func samples(_ series: SteppedSeries, _ grid: TimeGrid) -> SampleBuffer {
        var buffer = SampleBuffer()
        for index in 0..<grid.count where !StaleMarker.isStale(series.values[index]) {
            buffer.append(grid[index], series.values[index])
        }
        return buffer
    }

    private func streamRange(
        _ function: PromQLFunction, _ arguments: [Expression], _ grid: TimeGrid, keepsName: Bool,
        _ body: (Labels, inout [Double]) throws -> Void
    ) throws {
        let operand = arguments.first { $0.type == .matrix } ?? arguments[0]
        let parameters = try arguments.filter { $0.type == .scalar }.map { try scalar($0, grid) }
        try RangeMath.check(function, parameters)
        var seen = SeenLabels(isNeeded: function != .lastOverTime && !Self.hasOneName(operand))
        var values: [Double] = []
        if grid.count == 1, case .matrix(let selector, let range) = operand.unwrapped {
            let first = (parameters.first?[0] ?? 0, parameters.count > 1 ? parameters[1][0] : 0)
            return try streamInstant(function, selector, range, grid.start, first) { labels, value in
                try seen.add(labels)
                values.removeAll(keepingCapacity: true)
                values.append(value)
                try body(keepsName || function == .lastOverTime ? labels : labels.withoutName, &values)
            }
        }
        try streamWindows(operand, grid) { labels, buffer, shift, range in
            values.removeAll(keepingCapacity: true)
            var found = false
            var low = 0
            var high = 0
            for index in 0..<grid.count {
                let end = shift.reference(grid[index], start: queryStart, end: queryEnd)
                while high < buffer.count, buffer.times[high] <= end { high += 1 }
                while low < high, buffer.times[low] < end - range { low += 1 }
                guard low < high else {
                    values.append(StaleMarker.value)
                    continue
                }
                let now = shift.at == nil ? grid[index] : queryStart
                let value = RangeMath.apply(
                    function, buffer, low..<high, start: end - range, end: end, now: now,
                    parameters: (parameters.first?[index] ?? 0, parameters.count > 1 ? parameters[1][index] : 0))
                if !StaleMarker.isStale(value) { found = true }
                values.append(value)
            }
            guard found else { return }
            try seen.add(labels)
            try body(keepsName || function == .lastOverTime ? labels : labels.withoutName, &values)
        }
    }

    /// Whether all series that are selected have the same name: then they differ in their other labels.
    private static func hasOneName(_ expression: Expression) -> Bool {
        guard case .matrix(let selector, _) = expression.unwrapped else { return false }
        return selector.matchers.contains { $0.kind == .equal && $0.name == Labels.metricName && !$0.value.isEmpty }
    }

    static let sameLabels = PromQLError(.execution, "vector cannot contain metrics with the same labelset")

    /// Joins series that have come to have the same labels.
    /// - Throws: When two of them have a value at the same step.
    func merged(_ series: [SteppedSeries]) throws(PromQLError) -> [SteppedSeries] {
        var index: [Labels: Int] = [:]
        index.reserveCapacity(series.count)
        var result: [SteppedSeries] = []
        for one in series {
            guard let known = index[one.labels] else {
                index[one.labels] = result.count
                result.append(one)
                continue
            }
            for step in one.values.indices where !StaleMarker.isStale(one.values[step]) {
                guard StaleMarker.isStale(result[known].values[step]) else { throw Self.sameLabels }
                result[known].values[step] = one.values[step]
            }
        }
        return result
    }

    /// The raw samples of a range expression at one time, for a query that is nothing else.
    func samples(_ expression: Expression, at time: Int64) throws -> [(Labels, SampleBuffer)] {
        var result: [(Labels, SampleBuffer)] = []
        let grid = TimeGrid(start: time, end: time, step: 1)
        try streamWindows(expression, grid) { labels, buffer, shift, range in
            let end = shift.reference(time, start: queryStart, end: queryEnd)
            var kept = SampleBuffer()
            for index in 0..<buffer.count where buffer.times[index] <= end && buffer.times[index] >= end - range {
                kept.append(buffer.times[index], buffer.values[index])
            }
            if kept.count > 0 { result.append((labels, kept)) }
        }
        return result
    }
}
