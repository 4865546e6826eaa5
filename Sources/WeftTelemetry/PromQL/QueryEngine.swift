/// The answer to a query.
package enum QueryResult: Sendable {
    /// One sample of a result.
    package struct Point: Sendable, Hashable {
        /// Milliseconds since 1970.
        package var time: Int64
        package var value: Double
    }
    case scalar(Point)
    case string(String, time: Int64)
    case vector([(labels: Labels, point: Point)])
    case matrix([(labels: Labels, points: [Point])])
}

/// Answers PromQL queries from a ``SeriesSource``. A value; use it from anywhere.
package struct QueryEngine: Sendable {
    private let source: any SeriesSource
    package let limits: QueryLimits

    package init(source: any SeriesSource, limits: QueryLimits = QueryLimits()) {
        self.source = source
        self.limits = limits
    }

    /// The value of a query at one time.
    /// - Parameter time: Milliseconds since 1970.
    /// - Throws: ``PromQLError``, or what the source throws.
    package func instant(_ expression: Expression, at time: Int64) throws -> QueryResult {
        let evaluator = Evaluator(source: source, limits: limits, start: time, end: time)
        if expression.type == .matrix {
            return .matrix(
                try evaluator.samples(expression, at: time).map { labels, buffer in
                    (labels, zip(buffer.times, buffer.values).map { QueryResult.Point(time: $0, value: $1) })
                }.sorted { Labels.precedes($0.0, $1.0) })
        }
        switch try evaluator.evaluate(expression, TimeGrid(start: time, end: time, step: 1)) {
        case .scalar(let values): return .scalar(QueryResult.Point(time: time, value: values[0]))
        case .string(let text): return .string(text, time: time)
        case .vector(let series):
            let points = series.filter { !StaleMarker.isStale($0.values[0]) }.map {
                (labels: $0.labels, point: QueryResult.Point(time: time, value: $0.values[0]))
            }
            return .vector(Self.ordered(points, expression))
        }
    }

    /// The values of a vector at one time, in no order: sorting thousands of label sets costs more than finding them.
    /// - Parameter isCancelled: Asked now and then on the thread that evaluates.
    /// - Throws: ``PromQLError``, or what the source throws.
    func unorderedVector(
        _ expression: Expression, at time: Int64, isCancelled: @escaping @Sendable () -> Bool
    ) throws -> [(labels: Labels, value: Double)] {
        let evaluator = Evaluator(
            source: source, limits: limits, start: time, end: time, isCancelled: isCancelled)
        return try evaluator.vector(expression, TimeGrid(start: time, end: time, step: 1)).compactMap { series in
            StaleMarker.isStale(series.values[0]) ? nil : (series.labels, series.values[0])
        }
    }

    /// The values of a query at every step from `start` through `end`.
    /// - Parameter step: Milliseconds, above zero.
    package func range(_ expression: Expression, start: Int64, end: Int64, step: Int64) throws -> QueryResult {
        guard expression.type == .scalar || expression.type == .vector else {
            throw PromQLError(
                .badData,
                "invalid expression type \"\(expression.type.rawValue)\" for range query, must be Scalar or instant Vector"
            )
        }
        let grid = TimeGrid(start: start, end: end, step: step)
        guard grid.count <= limits.steps else {
            throw PromQLError(
                .badData,
                "exceeded maximum resolution of \(limits.steps) points per timeseries. "
                    + "Try decreasing the query resolution (?step=XX)")
        }
        let evaluator = Evaluator(source: source, limits: limits, start: start, end: end)
        switch try evaluator.evaluate(expression, grid) {
        case .scalar(let values): return .matrix([(.empty, Self.points(values, grid))])
        case .string: return .matrix([])
        case .vector(let series):
            return .matrix(
                series.map { (labels: $0.labels, points: Self.points($0.values, grid)) }
                    .filter { !$0.points.isEmpty }
                    .sorted { Labels.precedes($0.labels, $1.labels) })
        }
    }

    private static func points(_ values: [Double], _ grid: TimeGrid) -> [QueryResult.Point] {
        var points: [QueryResult.Point] = []
        for (index, value) in values.enumerated() where !StaleMarker.isStale(value) {
            points.append(QueryResult.Point(time: grid[index], value: value))
        }
        return points
    }

    /// In the order that `sort` and `topk` ask for, else by labels; NaN last.
    private static func ordered(
        _ points: [(labels: Labels, point: QueryResult.Point)], _ expression: Expression
    ) -> [(labels: Labels, point: QueryResult.Point)] {
        let rises: Bool
        switch expression.unwrapped {
        case .call(.sort, _): rises = true
        case .call(.sortDescending, _): rises = false
        case .aggregate(.topk, _, _, let grouping, let without) where grouping.isEmpty && !without: rises = false
        case .aggregate(.bottomk, _, _, let grouping, let without) where grouping.isEmpty && !without: rises = true
        default: return points.sorted { Labels.precedes($0.labels, $1.labels) }
        }
        return points.sorted { left, right in
            let (a, b) = (left.point.value, right.point.value)
            if a.isNaN || b.isNaN { return !a.isNaN && b.isNaN }
            return rises ? a < b : a > b
        }
    }
}
