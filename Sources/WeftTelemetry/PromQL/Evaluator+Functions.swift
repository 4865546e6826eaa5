#if canImport(Glibc)
import Glibc
#endif

extension Evaluator {
    func call(_ function: PromQLFunction, _ arguments: [Expression], _ grid: TimeGrid) throws -> SteppedValue {
        switch function {
        case .time: return .scalar((0..<grid.count).map { Double(grid[$0]) / 1000 })
        case .pi: return .scalar(Array(repeating: .pi, count: grid.count))
        case .scalar: return .scalar(only(try vector(arguments[0], grid), grid))
        case .vector: return .vector([SteppedSeries(labels: .empty, values: try scalar(arguments[0], grid))])
        case .absent: return .vector(try absent(arguments[0], grid))
        case .absentOverTime: return .vector(try absentOverTime(arguments[0], grid))
        case .timestamp: return .vector(try timestamps(arguments[0], grid))
        case .sort, .sortDescending: return .vector(try vector(arguments[0], grid))
        case .clamp, .clampMax, .clampMin: return .vector(try clamp(function, arguments, grid))
        case .round: return .vector(try round(arguments, grid))
        case .labelReplace: return .vector(try LabelChange.replace(try vector(arguments[0], grid), self, arguments))
        case .labelJoin: return .vector(try LabelChange.join(try vector(arguments[0], grid), self, arguments))
        case .histogramQuantile:
            return .vector(
                try HistogramQuantile.evaluate(try scalar(arguments[0], grid), try vector(arguments[1], grid), self))
        case .dayOfMonth, .dayOfWeek, .dayOfYear, .daysInMonth, .hour, .minute, .month, .year:
            return .vector(try dates(function, arguments, grid))
        default:
            if function.isRangeFunction { return .vector(try collect(.call(function, arguments), grid)) }
            return .vector(try mapped(try vector(arguments[0], grid)) { Self.math(function, $0) })
        }
    }

    private static func math(_ function: PromQLFunction, _ value: Double) -> Double {
        switch function {
        case .abs: value.magnitude
        case .ceil: value.rounded(.up)
        case .floor: value.rounded(.down)
        case .exp: Glibc.exp(value)
        case .ln: Glibc.log(value)
        case .log2: Glibc.log2(value)
        case .log10: Glibc.log10(value)
        case .sqrt: value.squareRoot()
        case .sgn: value < 0 ? -1 : value > 0 ? 1 : value
        case .deg: value * 180 / .pi
        case .rad: value * .pi / 180
        default: trigonometry(function, value)
        }
    }

    private static func trigonometry(_ function: PromQLFunction, _ value: Double) -> Double {
        switch function {
        case .sin: Glibc.sin(value)
        case .cos: Glibc.cos(value)
        case .tan: Glibc.tan(value)
        case .asin: Glibc.asin(value)
        case .acos: Glibc.acos(value)
        case .atan: Glibc.atan(value)
        case .sinh: Glibc.sinh(value)
        case .cosh: Glibc.cosh(value)
        case .tanh: Glibc.tanh(value)
        case .asinh: Glibc.asinh(value)
        case .acosh: Glibc.acosh(value)
        case .atanh: Glibc.atanh(value)
        default: value
        }
    }

    /// The value of the one series there is, at each step; NaN where there are none or several.
    private func only(_ series: [SteppedSeries], _ grid: TimeGrid) -> [Double] {
        (0..<grid.count).map { step in
            var found: Double?
            for one in series where !StaleMarker.isStale(one.values[step]) {
                if found != nil { return .nan }
                found = one.values[step]
            }
            return found ?? .nan
        }
    }

    // MARK: - Absence

    private func absent(_ operand: Expression, _ grid: TimeGrid) throws -> [SteppedSeries] {
        var present = Array(repeating: false, count: grid.count)
        try stream(operand, grid) { _, values in
            for step in values.indices where !StaleMarker.isStale(values[step]) { present[step] = true }
        }
        return Self.absence(operand, present)
    }

    private func absentOverTime(_ operand: Expression, _ grid: TimeGrid) throws -> [SteppedSeries] {
        var present = Array(repeating: false, count: grid.count)
        // Names may repeat here, so the labels are kept apart by the one function that keeps them whole.
        try stream(.call(.lastOverTime, [operand]), grid) { _, values in
            for step in values.indices where !StaleMarker.isStale(values[step]) { present[step] = true }
        }
        return Self.absence(operand, present)
    }

    private static func absence(_ operand: Expression, _ present: [Bool]) -> [SteppedSeries] {
        guard present.contains(false) else { return [] }
        return [
            SteppedSeries(labels: absentLabels(operand), values: present.map { $0 ? StaleMarker.value : 1 })
        ]
    }

    /// The labels that a selector pins to one value; one that it names twice is left out.
    private static func absentLabels(_ operand: Expression) -> Labels {
        let matchers: [LabelMatcher]
        switch operand.unwrapped {
        case .vector(let selector): matchers = selector.matchers
        case .matrix(let selector, _): matchers = selector.matchers
        default: return .empty
        }
        var values: [String: String] = [:]
        var seen: Set<String> = []
        for matcher in matchers where matcher.name != Labels.metricName {
            if matcher.kind == .equal, seen.insert(matcher.name).inserted {
                values[matcher.name] = matcher.value
            } else {
                values[matcher.name] = nil
            }
        }
        return Labels(values)
    }

    // MARK: - Others

    private func timestamps(_ operand: Expression, _ grid: TimeGrid) throws -> [SteppedSeries] {
        guard case .vector(let selector) = operand.unwrapped else {
            var series = try vector(operand, grid)
            for index in series.indices {
                series[index].labels = series[index].labels.withoutName
                for step in 0..<grid.count where !StaleMarker.isStale(series[index].values[step]) {
                    series[index].values[step] = Double(grid[step]) / 1000
                }
            }
            return try merged(series)
        }
        var result: [SteppedSeries] = []
        try streamSamples(selector, grid, timestamps: true) { labels, values in
            result.append(SteppedSeries(labels: labels.withoutName, values: values))
            try checkPoints(result.count, grid)
        }
        return try merged(result)
    }

    private func clamp(
        _ function: PromQLFunction, _ arguments: [Expression], _ grid: TimeGrid
    ) throws -> [SteppedSeries] {
        let bounds = try arguments.dropFirst().map { try scalar($0, grid) }
        let low = function == .clampMax ? nil : bounds.first
        let high = function == .clampMin ? nil : bounds.last
        var series = try vector(arguments[0], grid)
        for index in series.indices {
            series[index].labels = series[index].labels.withoutName
            for step in 0..<grid.count where !StaleMarker.isStale(series[index].values[step]) {
                if let low, let high, high[step] < low[step] {
                    series[index].values[step] = StaleMarker.value
                    continue
                }
                var value = series[index].values[step]
                if let high { value = Self.orNaN(value, high[step], min(value, high[step])) }
                if let low { value = Self.orNaN(value, low[step], max(value, low[step])) }
                series[index].values[step] = value
            }
        }
        return try merged(series.filter { !$0.values.allSatisfy(StaleMarker.isStale) })
    }

    private static func orNaN(_ left: Double, _ right: Double, _ value: Double) -> Double {
        left.isNaN || right.isNaN ? .nan : value
    }

    private func round(_ arguments: [Expression], _ grid: TimeGrid) throws -> [SteppedSeries] {
        let nearest = arguments.count > 1 ? try scalar(arguments[1], grid) : Array(repeating: 1, count: grid.count)
        var series = try vector(arguments[0], grid)
        for index in series.indices {
            series[index].labels = series[index].labels.withoutName
            for step in 0..<grid.count where !StaleMarker.isStale(series[index].values[step]) {
                let inverse = 1 / nearest[step]
                series[index].values[step] = (series[index].values[step] * inverse + 0.5).rounded(.down) / inverse
            }
        }
        return try merged(series)
    }

    private func dates(
        _ function: PromQLFunction, _ arguments: [Expression], _ grid: TimeGrid
    ) throws -> [SteppedSeries] {
        let series =
            arguments.isEmpty
            ? [SteppedSeries(labels: .empty, values: (0..<grid.count).map { Double(grid[$0]) / 1000 })]
            : try vector(arguments[0], grid)
        return try mapped(series) { CivilDate.part(function, $0) }
    }
}

/// The Gregorian calendar in UTC.
enum CivilDate {
    /// - Parameter seconds: Since 1970.
    static func part(_ function: PromQLFunction, _ seconds: Double) -> Double {
        // Beyond some hundred million years there is no date to tell.
        guard seconds.isFinite, seconds.magnitude < 1e15 else { return .nan }
        let whole = Int(seconds)
        let days = whole >= 0 ? whole / 86_400 : -((-whole + 86_399) / 86_400)
        let rest = whole - days * 86_400
        let (year, month, day) = date(days)
        switch function {
        case .hour: return Double(rest / 3600)
        case .minute: return Double(rest / 60 % 60)
        case .dayOfWeek: return Double(((days + 4) % 7 + 7) % 7)
        case .dayOfMonth: return Double(day)
        case .dayOfYear: return Double(days - dayNumber(year, 1, 1) + 1)
        case .daysInMonth:
            let next = month == 12 ? dayNumber(year + 1, 1, 1) : dayNumber(year, month + 1, 1)
            return Double(next - dayNumber(year, month, 1))
        case .month: return Double(month)
        default: return Double(year)
        }
    }

    /// Counts in eras of 400 years that begin in March, so that the leap day ends a year.
    static func date(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    static func dayNumber(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
