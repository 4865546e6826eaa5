package import WeftIR

/// From pressures to what is done about them. Pure.
package struct OverloadRules: Sendable {
    private let rules: [Overload.Rule]

    package init(_ settings: Overload) { rules = settings.rules }

    /// How strongly each measure is taken, 0 to 1; what no rule names is 0.
    /// - Parameter pressures: By the name of the monitor; a resource that could not be measured is missing.
    package func levels(_ pressures: [String: Double]) -> [Overload.Measure: Double] {
        var levels: [Overload.Measure: Double] = [:]
        for rule in rules {
            var level = levels[rule.measure] ?? 0
            for (name, trigger) in rule.triggers {
                guard let pressure = pressures[name] else { continue }
                level = max(level, Self.level(trigger, pressure))
            }
            levels[rule.measure] = level
        }
        return levels
    }

    private static func level(_ trigger: Overload.Trigger, _ pressure: Double) -> Double {
        switch trigger {
        case .threshold(let value): return pressure >= value ? 1 : 0
        case .scaled(let from, let to):
            if pressure <= from { return 0 }
            return pressure >= to ? 1 : (pressure - from) / (to - from)
        }
    }
}
