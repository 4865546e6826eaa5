#if canImport(Glibc)
import Glibc
#endif

extension Evaluator {
    /// Folds a vector; series come one by one, so that a sum over many holds only its groups.
    func aggregate(
        _ kind: Aggregation, _ operand: Expression, _ parameter: Expression?, _ grouping: [String], _ without: Bool,
        _ grid: TimeGrid
    ) throws -> [SteppedSeries] {
        let names = LabelNames(grouping)
        let dropped = LabelNames(grouping + [Labels.metricName])
        let key = { (labels: Labels) in without ? labels.dropping(dropped) : labels.keeping(names) }
        switch kind {
        case .topk, .bottomk:
            guard let parameter else { return [] }
            return try extremes(kind, operand, try scalar(parameter, grid), key, grid)
        case .quantile:
            guard let parameter else { return [] }
            return try quantiles(operand, try scalar(parameter, grid), key, grid)
        case .countValues:
            guard let parameter else { return [] }
            return try countValues(operand, try string(parameter), key, grid)
        default:
            var groups = LabelGroups(grouping, isWithout: without)
            var folds: [Fold] = []
            // A name that is asked for must be the right one.
            let keepsName = without || !grouping.contains(Labels.metricName)
            try stream(operand, grid, keepsName: keepsName) { labels, values in
                let group = groups.place(of: labels)
                if group == folds.count {
                    folds.append(Fold(labels: groups[group], steps: grid.count))
                    try checkPoints(folds.count * 3, grid)
                }
                folds[group].add(values, kind)
            }
            return folds.map { $0.finished(kind) }
        }
    }

    /// The state of one group at every step.
    private struct Fold {
        let labels: Labels
        private var values: [Double]
        private var counts: [Double]
        /// The mean, for spreads.
        private var means: [Double]

        init(labels: Labels, steps: Int) {
            self.labels = labels
            values = Array(repeating: StaleMarker.value, count: steps)
            counts = Array(repeating: 0, count: steps)
            means = []
        }

        mutating func add(_ more: [Double], _ kind: Aggregation) {
            if kind == .stddev || kind == .stdvar, means.isEmpty { means = Array(repeating: 0, count: values.count) }
            for step in more.indices where !StaleMarker.isStale(more[step]) {
                let value = more[step]
                counts[step] += 1
                let isFirst = counts[step] == 1
                switch kind {
                case .sum: values[step] = isFirst ? value : values[step] + value
                case .min: if isFirst || value < values[step] || values[step].isNaN { values[step] = value }
                case .max: if isFirst || value > values[step] || values[step].isNaN { values[step] = value }
                case .avg: values[step] = isFirst ? value : Self.mean(values[step], value, counts[step])
                case .stddev, .stdvar:
                    if isFirst { values[step] = 0 }
                    let delta = value - means[step]
                    means[step] += delta / counts[step]
                    values[step] += delta * (value - means[step])
                default: values[step] = 1
                }
            }
        }

        private static func mean(_ mean: Double, _ value: Double, _ count: Double) -> Double {
            if mean.isInfinite {
                if value.isInfinite, (mean > 0) == (value > 0) { return mean }
                if value.isFinite { return mean }
            }
            return mean + (value / count - mean / count)
        }

        func finished(_ kind: Aggregation) -> SteppedSeries {
            var result = values
            for step in result.indices where counts[step] > 0 {
                switch kind {
                case .count: result[step] = counts[step]
                case .stdvar: result[step] = values[step] / counts[step]
                case .stddev: result[step] = (values[step] / counts[step]).squareRoot()
                default: break
                }
            }
            return SteppedSeries(labels: labels, values: result)
        }
    }

    private func grouped(
        _ operand: Expression, _ key: (Labels) -> Labels, _ grid: TimeGrid
    ) throws -> [(labels: Labels, members: [SteppedSeries])] {
        var index: [Labels: Int] = [:]
        var groups: [(labels: Labels, members: [SteppedSeries])] = []
        for series in try vector(operand, grid) {
            let labels = key(series.labels)
            if let known = index[labels] {
                groups[known].members.append(series)
            } else {
                index[labels] = groups.count
                groups.append((labels, [series]))
            }
        }
        return groups
    }

    /// `topk` and `bottomk`: the members stay as they are, at the steps where they are among the first.
    private func extremes(
        _ kind: Aggregation, _ operand: Expression, _ limits: [Double], _ key: (Labels) -> Labels, _ grid: TimeGrid
    ) throws -> [SteppedSeries] {
        var result: [SteppedSeries] = []
        for (_, members) in try grouped(operand, key, grid) {
            var kept = members.map {
                SteppedSeries(
                    labels: $0.labels, values: Array(repeating: StaleMarker.value, count: grid.count))
            }
            for step in 0..<grid.count {
                guard !limits[step].isNaN else {
                    throw PromQLError(.execution, "Scalar value NaN overflows int64")
                }
                let limit = Int(max(0, min(limits[step], Double(members.count))))
                guard limit > 0 else { continue }
                let there = members.indices.filter { !StaleMarker.isStale(members[$0].values[step]) }
                // NaN comes last either way.
                let ordered = there.sorted { left, right in
                    let (a, b) = (members[left].values[step], members[right].values[step])
                    if a.isNaN || b.isNaN { return !a.isNaN && b.isNaN || (a.isNaN == b.isNaN && left < right) }
                    return a == b ? left < right : kind == .topk ? a > b : a < b
                }
                for index in ordered.prefix(limit) { kept[index].values[step] = members[index].values[step] }
            }
            result += kept.filter { !$0.values.allSatisfy(StaleMarker.isStale) }
        }
        return result
    }

    private func quantiles(
        _ operand: Expression, _ shares: [Double], _ key: (Labels) -> Labels, _ grid: TimeGrid
    ) throws -> [SteppedSeries] {
        try grouped(operand, key, grid).map { labels, members in
            let values = (0..<grid.count).map { step in
                let there = members.map { $0.values[step] }.filter { !StaleMarker.isStale($0) }
                return there.isEmpty ? StaleMarker.value : RangeMath.quantile(shares[step], there)
            }
            return SteppedSeries(labels: labels, values: values)
        }
    }

    private func countValues(
        _ operand: Expression, _ name: String, _ key: (Labels) -> Labels, _ grid: TimeGrid
    ) throws -> [SteppedSeries] {
        guard MetricNames.isLabel(name) else {
            throw PromQLError(.execution, "invalid label name \(PromQLText.quoted(name))")
        }
        var index: [Labels: Int] = [:]
        var result: [SteppedSeries] = []
        for series in try vector(operand, grid) {
            try checkTime()
            let group = key(series.labels)
            for step in 0..<grid.count where !StaleMarker.isStale(series.values[step]) {
                let labels = group.setting(name, PromQLText.number(series.values[step]))
                let slot = index[labels] ?? result.count
                if slot == result.count {
                    index[labels] = slot
                    result.append(
                        SteppedSeries(labels: labels, values: Array(repeating: StaleMarker.value, count: grid.count)))
                    try checkPoints(result.count, grid)
                }
                let before = result[slot].values[step]
                result[slot].values[step] = StaleMarker.isStale(before) ? 1 : before + 1
            }
        }
        return result
    }
}
