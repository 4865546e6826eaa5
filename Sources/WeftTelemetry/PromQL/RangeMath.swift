#if canImport(Glibc)
import Glibc
#endif

extension PromQLFunction {
    /// Whether it turns the samples of a window into one value.
    var isRangeFunction: Bool { arguments.contains(.matrix) }
}

/// What functions make of the samples in a window. Pure; the formulas are those of Prometheus's documentation, and
/// the comparison tests hold them to its results.
enum RangeMath {
    private static let none = StaleMarker.value

    /// - Throws: For parameters that no window could be evaluated with.
    static func check(_ function: PromQLFunction, _ parameters: [[Double]]) throws(PromQLError) {
        guard function == .holtWinters, parameters.count == 2 else { return }
        for (name, values) in [("smoothing", parameters[0]), ("trend", parameters[1])] {
            if let bad = values.first(where: { !($0 > 0 && $0 < 1) }) {
                let symbol = name == "smoothing" ? "sf" : "tf"
                throw PromQLError(
                    .execution, "invalid \(name) factor. Expected: 0 < \(symbol) < 1, got: \(PromQLText.number(bad))")
            }
        }
    }

    /// - Parameters:
    ///   - window: Not empty.
    ///   - start: Milliseconds; with `end` the window's bounds.
    ///   - now: The time of the step.
    static func apply(
        _ function: PromQLFunction, _ buffer: borrowing SampleBuffer, _ window: Range<Int>, start: Int64, end: Int64,
        now: Int64, parameters: (Double, Double)
    ) -> Double {
        let (times, values) = (buffer.times, buffer.values)
        let last = window.upperBound - 1
        switch function {
        case .rate, .increase, .delta: return extrapolated(function, times, values, window, start, end)
        case .irate, .idelta: return instant(function, times, values, window)
        case .countOverTime: return Double(window.count)
        case .presentOverTime: return 1
        case .lastOverTime: return values[last]
        case .sumOverTime: return sum(values[window])
        case .avgOverTime: return average(values[window])
        case .minOverTime: return values[window].reduce(.nan) { $1 < $0 || $0.isNaN ? $1 : $0 }
        case .maxOverTime: return values[window].reduce(.nan) { $1 > $0 || $0.isNaN ? $1 : $0 }
        case .stdvarOverTime: return variance(values[window])
        case .stddevOverTime: return variance(values[window]).squareRoot()
        case .quantileOverTime: return quantile(parameters.0, Array(values[window]))
        case .changes:
            return count(values, window) { $0 != $1 && !($0.isNaN && $1.isNaN) }
        case .resets: return count(values, window) { $1 < $0 }
        case .deriv:
            guard window.count > 1 else { return none }
            return regression(times, values, window, origin: times[window.lowerBound]).slope
        case .predictLinear:
            guard window.count > 1 else { return none }
            let line = regression(times, values, window, origin: now)
            return line.slope * parameters.0 + line.intercept
        case .holtWinters: return smoothed(values, window, parameters.0, parameters.1)
        default: return none
        }
    }

    private static func count(
        _ values: [Double], _ window: Range<Int>, _ differs: (Double, Double) -> Bool
    ) -> Double {
        var total = 0.0
        for index in window.dropFirst() where differs(values[index - 1], values[index]) { total += 1 }
        return total
    }

    /// The change over the window, stretched to its bounds where the samples come close to them.
    private static func extrapolated(
        _ function: PromQLFunction, _ times: [Int64], _ values: [Double], _ window: Range<Int>, _ start: Int64,
        _ end: Int64
    ) -> Double {
        var change = WindowChange()
        for index in window { change.add(times[index], values[index]) }
        return extrapolated(function, change, start, end)
    }

    /// - Parameter change: of the samples from `start` through `end`.
    static func extrapolated(
        _ function: PromQLFunction, _ change: WindowChange, _ start: Int64, _ end: Int64
    ) -> Double {
        guard change.count > 1 else { return none }
        let isCounter = function != .delta
        let difference = isCounter ? change.ofCounter : change.ofGauge
        var toStart = Double(change.firstTime - start) / 1000
        let toEnd = Double(end - change.lastTime) / 1000
        let sampled = Double(change.lastTime - change.firstTime) / 1000
        let spacing = sampled / Double(change.count - 1)
        if isCounter, difference > 0, change.first >= 0 {
            // Counters do not go below zero, so neither does the extrapolation.
            toStart = min(toStart, sampled * (change.first / difference))
        }
        let threshold = spacing * 1.1
        let covered =
            sampled + (toStart < threshold ? toStart : spacing / 2) + (toEnd < threshold ? toEnd : spacing / 2)
        var factor = covered / sampled
        if function == .rate { factor /= Double(end - start) / 1000 }
        return difference * factor
    }

    private static func instant(
        _ function: PromQLFunction, _ times: [Int64], _ values: [Double], _ window: Range<Int>
    ) -> Double {
        guard window.count > 1 else { return none }
        let last = window.upperBound - 1
        let isRate = function == .irate
        let change = isRate && values[last] < values[last - 1] ? values[last] : values[last] - values[last - 1]
        let elapsed = times[last] - times[last - 1]
        guard elapsed > 0 else { return none }
        return isRate ? change / (Double(elapsed) / 1000) : change
    }

    // MARK: - Sums

    /// A sum that keeps what rounding loses (Kahan, Neumaier).
    struct CarefulSum {
        var sum = 0.0
        var lost = 0.0
        mutating func add(_ value: Double) {
            let total = sum + value
            if total.isInfinite {
                lost = 0
            } else if sum.magnitude >= value.magnitude {
                lost += (sum - total) + value
            } else {
                lost += (value - total) + sum
            }
            sum = total
        }
        var result: Double { sum.isInfinite ? sum : sum + lost }
    }

    private static func sum(_ values: ArraySlice<Double>) -> Double {
        var total = CarefulSum()
        for value in values { total.add(value) }
        return total.result
    }

    private static func average(_ values: ArraySlice<Double>) -> Double {
        var mean = CarefulSum()
        var count = 0.0
        for value in values {
            count += 1
            if mean.sum.isInfinite {
                if value.isInfinite, (mean.sum > 0) == (value > 0) { continue }
                if value.isFinite { continue }
            }
            mean.add(value / count - mean.sum / count)
        }
        return mean.result
    }

    private static func variance(_ values: ArraySlice<Double>) -> Double {
        var mean = CarefulSum()
        var squares = CarefulSum()
        var count = 0.0
        for value in values {
            count += 1
            let delta = value - (mean.sum + mean.lost)
            mean.add(delta / count)
            squares.add(delta * (value - (mean.sum + mean.lost)))
        }
        return (squares.sum + squares.lost) / count
    }

    /// The quantile of unsorted values, interpolated between neighbours; NaN counts as the smallest.
    static func quantile(_ share: Double, _ values: [Double]) -> Double {
        guard !values.isEmpty, !share.isNaN else { return .nan }
        if share < 0 { return -.infinity }
        if share > 1 { return .infinity }
        let sorted = values.sorted { $0.isNaN ? !$1.isNaN : $0 < $1 }
        let rank = share * Double(sorted.count - 1)
        let lower = max(0, Int(rank.rounded(.down)))
        let upper = min(sorted.count - 1, lower + 1)
        let weight = rank - rank.rounded(.down)
        return sorted[lower] * (1 - weight) + sorted[upper] * weight
    }

    // MARK: - Lines

    /// The least-squares line; its origin of time is `origin`, its unit the second.
    private static func regression(
        _ times: [Int64], _ values: [Double], _ window: Range<Int>, origin: Int64
    ) -> (slope: Double, intercept: Double) {
        let first = values[window.lowerBound]
        if values[window].allSatisfy({ $0 == first }) { return first.isInfinite ? (.nan, .nan) : (0, first) }
        var (x, y, xy, xx) = (CarefulSum(), CarefulSum(), CarefulSum(), CarefulSum())
        for index in window {
            let seconds = Double(times[index] - origin) / 1000
            x.add(seconds)
            y.add(values[index])
            xy.add(seconds * values[index])
            xx.add(seconds * seconds)
        }
        let count = Double(window.count)
        let (sumX, sumY) = (x.sum + x.lost, y.sum + y.lost)
        let covariance = xy.sum + xy.lost - sumX * sumY / count
        let slope = covariance / (xx.sum + xx.lost - sumX * sumX / count)
        return (slope, sumY / count - slope * sumX / count)
    }

    /// Double exponential smoothing.
    private static func smoothed(
        _ values: [Double], _ window: Range<Int>, _ smoothing: Double, _ trend: Double
    ) -> Double {
        guard window.count > 1 else { return none }
        let first = window.lowerBound
        var before = 0.0
        var level = values[first]
        var slope = values[first + 1] - values[first]
        for index in window.dropFirst() {
            if index > first + 1 { slope = trend * (level - before) + (1 - trend) * slope }
            let next = smoothing * values[index] + (1 - smoothing) * (level + slope)
            (before, level) = (level, next)
        }
        return level
    }
}
