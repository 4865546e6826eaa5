import Synchronization

/// The control plane's own counters, under Istio's names.
final class ControlPlaneMetrics: Sendable {
    private struct State {
        var counters: [String: [String: Double]] = [:]
        var gauges: [String: Double] = [:]
        var convergence = Array(repeating: 0, count: bounds.count + 1)
        var convergenceSum = 0.0
    }
    private static let bounds = [0.1, 0.5, 1, 3, 5, 10, 20, 30]
    private let state = Mutex(State())

    /// - Parameter labels: ready to print: `type="cds"`.
    func count(_ name: String, labels: String = "", by amount: Double = 1) {
        state.withLock { $0.counters[name, default: [:]][labels, default: 0] += amount }
    }

    /// - Parameter value: `nil` for what there is nothing of at present.
    func set(_ name: String, _ value: Double?) { state.withLock { $0.gauges[name] = value } }

    /// One proxy has taken up a change this long after it was seen.
    func converged(after seconds: Double) {
        state.withLock { state in
            let index = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
            state.convergence[index] += 1
            state.convergenceSum += seconds
        }
    }

    /// The Prometheus text of everything.
    func text(version: String) -> String {
        let state = state.withLock { $0 }
        var text = "# TYPE istio_build gauge\nistio_build{component=\"pilot\",tag=\"\(version)\"} 1\n"
        for (name, value) in state.gauges.sorted(by: { $0.key < $1.key }) {
            text += "# TYPE \(name) gauge\n\(name) \(Self.number(value))\n"
        }
        for (name, series) in state.counters.sorted(by: { $0.key < $1.key }) {
            text += "# TYPE \(name) counter\n"
            for (labels, value) in series.sorted(by: { $0.key < $1.key }) {
                text += "\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(Self.number(value))\n"
            }
        }
        let name = "pilot_proxy_convergence_time"
        text += "# TYPE \(name) histogram\n"
        var total = 0
        for (index, bound) in Self.bounds.enumerated() {
            total += state.convergence[index]
            text += "\(name)_bucket{le=\"\(Self.number(bound))\"} \(total)\n"
        }
        total += state.convergence[Self.bounds.count]
        text += "\(name)_bucket{le=\"+Inf\"} \(total)\n\(name)_sum \(state.convergenceSum)\n\(name)_count \(total)\n"
        return text
    }

    private static func number(_ value: Double) -> String {
        Int(exactly: value).map(String.init) ?? "\(value)"
    }
}
