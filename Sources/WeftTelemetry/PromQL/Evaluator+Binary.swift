#if canImport(Glibc)
import Glibc
#endif

extension BinaryOperator {
    /// Arithmetic, or a comparison that keeps its left side when it holds.
    func apply(_ left: Double, _ right: Double) -> (value: Double, holds: Bool) {
        switch self {
        case .add: (left + right, true)
        case .subtract: (left - right, true)
        case .multiply: (left * right, true)
        case .divide: (left / right, true)
        case .modulo: (fmod(left, right), true)
        case .power: (pow(left, right), true)
        case .atan2: (Glibc.atan2(left, right), true)
        case .equal: (left, left == right)
        case .notEqual: (left, left != right)
        case .less: (left, left < right)
        case .greater: (left, left > right)
        case .lessOrEqual: (left, left <= right)
        case .greaterOrEqual: (left, left >= right)
        case .and, .or, .unless: (left, true)
        }
    }

    var dropsName: Bool {
        switch self {
        case .add, .subtract, .multiply, .divide, .modulo, .power, .atan2: true
        default: false
        }
    }
}

extension Evaluator {
    func negate(_ inner: Expression, _ grid: TimeGrid) throws -> SteppedValue {
        switch try evaluate(inner, grid) {
        case .scalar(let values): .scalar(values.map { -$0 })
        case .vector(let series): .vector(try mapped(series) { -$0 })
        case .string: throw PromQLError(.execution, "a string has no negative")
        }
    }

    /// Applies `change` to every value that is there; the name goes.
    func mapped(_ series: [SteppedSeries], _ change: (Double) -> Double) throws(PromQLError) -> [SteppedSeries] {
        try merged(
            series.map { one in
                SteppedSeries(
                    labels: one.labels.withoutName,
                    values: one.values.map { StaleMarker.isStale($0) ? $0 : change($0) })
            })
    }

    func binary(
        _ sign: BinaryOperator, _ left: Expression, _ right: Expression, _ bool: Bool, _ matching: VectorMatching?,
        _ grid: TimeGrid
    ) throws -> SteppedValue {
        switch (try evaluate(left, grid), try evaluate(right, grid)) {
        case (.scalar(let left), .scalar(let right)):
            return .scalar(
                zip(left, right).map { left, right in
                    let (value, holds) = sign.apply(left, right)
                    return sign.isComparison ? (holds ? 1 : 0) : value
                })
        case (.vector(let series), .scalar(let numbers)):
            return .vector(try withScalar(sign, series, numbers, bool, swapped: false))
        case (.scalar(let numbers), .vector(let series)):
            return .vector(try withScalar(sign, series, numbers, bool, swapped: true))
        case (.vector(let left), .vector(let right)):
            let matching = matching ?? VectorMatching()
            if sign.isSet { return .vector(try combine(sign, left, right, matching, grid)) }
            return .vector(try match(sign, left, right, bool, matching, grid))
        default: throw PromQLError(.execution, "binary expression must contain only scalar and instant vector types")
        }
    }

    private func withScalar(
        _ sign: BinaryOperator, _ series: [SteppedSeries], _ numbers: [Double], _ bool: Bool, swapped: Bool
    ) throws(PromQLError) -> [SteppedSeries] {
        let result = series.map { one in
            var copy = one
            if sign.dropsName || bool { copy.labels = one.labels.withoutName }
            for step in copy.values.indices where !StaleMarker.isStale(copy.values[step]) {
                let own = copy.values[step]
                let (value, holds) = swapped ? sign.apply(numbers[step], own) : sign.apply(own, numbers[step])
                if bool {
                    copy.values[step] = holds ? 1 : 0
                } else if sign.isComparison {
                    copy.values[step] = holds ? own : StaleMarker.value
                } else {
                    copy.values[step] = value
                }
            }
            return copy
        }
        return sign.dropsName || bool ? try merged(result) : result
    }

    private func signature(_ labels: Labels, _ matching: VectorMatching, _ names: MatchNames) -> Labels {
        matching.isOn ? labels.keeping(names.named) : labels.dropping(names.ignored)
    }

    // MARK: - Sets

    private func combine(
        _ sign: BinaryOperator, _ left: [SteppedSeries], _ right: [SteppedSeries], _ matching: VectorMatching,
        _ grid: TimeGrid
    ) throws(PromQLError) -> [SteppedSeries] {
        let names = MatchNames(matching)
        let keep = sign == .or ? right : left
        let other = sign == .or ? left : right
        var present: [Labels: [Bool]] = [:]
        for one in other {
            var steps = present[signature(one.labels, matching, names)] ?? Array(repeating: false, count: grid.count)
            for step in one.values.indices where !StaleMarker.isStale(one.values[step]) { steps[step] = true }
            present[signature(one.labels, matching, names)] = steps
        }
        let wanted = sign == .and
        let kept = keep.compactMap { one -> SteppedSeries? in
            var copy = one
            let steps = present[signature(one.labels, matching, names)]
            for step in copy.values.indices where (steps?[step] ?? false) != wanted {
                copy.values[step] = StaleMarker.value
            }
            return copy.values.allSatisfy(StaleMarker.isStale) ? nil : copy
        }
        return sign == .or ? try merged(left + kept) : kept
    }

    // MARK: - Matching

    /// Pairs of series with the same signature, step by step, since which of them is there changes over time.
    private func match(
        _ sign: BinaryOperator, _ left: [SteppedSeries], _ right: [SteppedSeries], _ bool: Bool,
        _ matching: VectorMatching, _ grid: TimeGrid
    ) throws(PromQLError) -> [SteppedSeries] {
        let names = MatchNames(matching)
        // The "one" side is looked up by signature, the other walks.
        let swapped = matching.cardinality == .oneToMany
        let (many, one) = swapped ? (right, left) : (left, right)
        var bySignature: [Labels: [Int]] = [:]
        for index in one.indices {
            bySignature[signature(one[index].labels, matching, names), default: []].append(index)
        }
        var manyPresent = Array(repeating: false, count: grid.count)
        for series in many {
            for step in series.values.indices where !StaleMarker.isStale(series.values[step]) {
                manyPresent[step] = true
            }
        }
        try checkUnique(one, bySignature, manyPresent, matching, swapped)
        var result = MatchResult(steps: grid.count)
        for series in many {
            let key = signature(series.labels, matching, names)
            guard let partners = bySignature[key] else { continue }
            try checkTime()
            for partner in partners {
                let labels = resultLabels(series.labels, one[partner].labels, sign, bool, matching, names)
                let slot = result.slot(labels)
                for step in series.values.indices {
                    let (mine, theirs) = (series.values[step], one[partner].values[step])
                    guard !StaleMarker.isStale(mine), !StaleMarker.isStale(theirs) else { continue }
                    let (value, holds) = swapped ? sign.apply(theirs, mine) : sign.apply(mine, theirs)
                    guard bool || holds else { continue }
                    guard result.set(slot, step, bool ? (holds ? 1 : 0) : value) else {
                        throw PromQLError(
                            .execution,
                            matching.cardinality == .oneToOne
                                ? "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                                : "multiple matches for labels: grouping labels must ensure unique matches")
                    }
                }
            }
        }
        return result.series
    }

    /// Two series of the "one" side with the same signature at the same step cannot be told apart.
    private func checkUnique(
        _ one: [SteppedSeries], _ bySignature: [Labels: [Int]], _ manyPresent: [Bool], _ matching: VectorMatching,
        _ swapped: Bool
    ) throws(PromQLError) {
        for (key, indices) in bySignature where indices.count > 1 {
            for step in manyPresent.indices where manyPresent[step] {
                let there = indices.filter { !StaleMarker.isStale(one[$0].values[step]) }
                guard there.count > 1 else { continue }
                let side = swapped ? "left" : "right"
                throw PromQLError(
                    .execution,
                    "found duplicate series for the match group \(key.text) on the \(side) hand-side of the operation: "
                        + "[\(one[there[1]].labels.text), \(one[there[0]].labels.text)];many-to-many matching not "
                        + "allowed: matching labels must be unique on one side")
            }
        }
    }

    private func resultLabels(
        _ many: Labels, _ one: Labels, _ sign: BinaryOperator, _ bool: Bool, _ matching: VectorMatching,
        _ names: MatchNames
    ) -> Labels {
        var labels = sign.dropsName || bool ? many.withoutName : many
        if matching.cardinality == .oneToOne {
            labels = matching.isOn ? labels.keeping(names.named) : labels.dropping(names.named)
        }
        for name in matching.include { labels = labels.setting(name, one[name]) }
        return labels
    }
}

/// The labels that a match is made by, or is made without.
struct MatchNames {
    let named: LabelNames
    /// With the metric's name, which no match is made by unless it is asked for.
    let ignored: LabelNames

    init(_ matching: VectorMatching) {
        named = LabelNames(matching.labels)
        ignored = LabelNames(matching.labels + [Labels.metricName])
    }
}

/// Series of a match as they come to be.
private struct MatchResult {
    let steps: Int
    private(set) var series: [SteppedSeries] = []
    private var index: [Labels: Int] = [:]

    init(steps: Int) { self.steps = steps }

    mutating func slot(_ labels: Labels) -> Int {
        if let known = index[labels] { return known }
        index[labels] = series.count
        series.append(SteppedSeries(labels: labels, values: Array(repeating: StaleMarker.value, count: steps)))
        return series.count - 1
    }

    /// - Returns: Whether the place was free.
    mutating func set(_ slot: Int, _ step: Int, _ value: Double) -> Bool {
        guard StaleMarker.isStale(series[slot].values[step]) else { return false }
        series[slot].values[step] = value
        return true
    }
}
