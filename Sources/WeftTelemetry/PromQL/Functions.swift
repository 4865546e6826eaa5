/// The functions of PromQL, each with its arguments' types.
package enum PromQLFunction: String, Sendable, Hashable, CaseIterable {
    case abs, absent, acos, acosh, asin, asinh, atan, atanh, ceil, changes, clamp, cos, cosh, deg, delta, deriv, exp
    case floor, hour, idelta, increase, irate, ln, log2, log10, minute, month, pi, rad, rate, resets, round, scalar, sgn
    case sin, sinh, sort, sqrt, tan, tanh, time, timestamp, vector, year
    case absentOverTime = "absent_over_time"
    case avgOverTime = "avg_over_time"
    case clampMax = "clamp_max"
    case clampMin = "clamp_min"
    case countOverTime = "count_over_time"
    case dayOfMonth = "day_of_month"
    case dayOfWeek = "day_of_week"
    case dayOfYear = "day_of_year"
    case daysInMonth = "days_in_month"
    case histogramQuantile = "histogram_quantile"
    case holtWinters = "holt_winters"
    case labelJoin = "label_join"
    case labelReplace = "label_replace"
    case lastOverTime = "last_over_time"
    case maxOverTime = "max_over_time"
    case minOverTime = "min_over_time"
    case predictLinear = "predict_linear"
    case presentOverTime = "present_over_time"
    case quantileOverTime = "quantile_over_time"
    case sortDescending = "sort_desc"
    case stddevOverTime = "stddev_over_time"
    case stdvarOverTime = "stdvar_over_time"
    case sumOverTime = "sum_over_time"

    /// The types of the arguments. See ``optionalArguments`` and ``repeatsLast``.
    package var arguments: [PromQLType] {
        switch self {
        case .time, .pi: []
        case .vector: [.scalar]
        case .changes, .delta, .deriv, .idelta, .increase, .irate, .rate, .resets, .absentOverTime, .avgOverTime,
            .countOverTime, .lastOverTime, .maxOverTime, .minOverTime, .presentOverTime, .stddevOverTime,
            .stdvarOverTime, .sumOverTime:
            [.matrix]
        case .quantileOverTime: [.scalar, .matrix]
        case .predictLinear: [.matrix, .scalar]
        case .holtWinters: [.matrix, .scalar, .scalar]
        case .histogramQuantile: [.scalar, .vector]
        case .clamp: [.vector, .scalar, .scalar]
        case .clampMax, .clampMin, .round: [.vector, .scalar]
        case .labelReplace: [.vector, .string, .string, .string, .string]
        case .labelJoin: [.vector, .string, .string, .string]
        default: [.vector]
        }
    }

    /// How many of the last arguments may be left out.
    package var optionalArguments: Int {
        switch self {
        case .round, .dayOfMonth, .dayOfWeek, .dayOfYear, .daysInMonth, .hour, .minute, .month, .year, .labelJoin: 1
        default: 0
        }
    }

    /// Whether the last argument may come again and again.
    package var repeatsLast: Bool { self == .labelJoin }

    package var returnType: PromQLType {
        switch self {
        case .time, .pi, .scalar: .scalar
        default: .vector
        }
    }
}
