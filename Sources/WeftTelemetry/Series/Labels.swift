/// One label of a series. Immutable; the store keeps one object per distinct pair, so that a label set is an array of
/// pointers and two sets of one store compare by identity.
package final class Label: Sendable, Hashable, Comparable {
    package let name: String
    package let value: String
    private let digest: Int

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
        var hasher = Hasher()
        hasher.combine(name)
        hasher.combine(value)
        digest = hasher.finalize()
    }

    package static func == (left: Label, right: Label) -> Bool {
        left === right || (left.digest == right.digest && left.name == right.name && left.value == right.value)
    }

    package static func < (left: Label, right: Label) -> Bool { (left.name, left.value) < (right.name, right.value) }

    package func hash(into hasher: inout Hasher) { hasher.combine(digest) }
}

/// The label set of a series: sorted by name, one value per name, no empty values. The metric's name is `__name__`.
package struct Labels: Sendable, Hashable {
    package static let metricName = "__name__"
    package static let empty = Labels(sorted: [])

    package let pairs: [Label]

    /// - Parameter sorted: By name, without duplicates or empty values.
    package init(sorted pairs: [Label]) { self.pairs = pairs }

    /// Of two values for one name the last counts; an empty value is no label.
    package init(_ values: some Sequence<(String, String)>) {
        var byName: [String: String] = [:]
        for (name, value) in values { byName[name] = value }
        pairs = byName.filter { !$0.value.isEmpty }.map { Label($0.key, $0.value) }.sorted()
    }

    package init(_ values: [String: String]) { self.init(values.map { ($0.key, $0.value) }) }

    package var isEmpty: Bool { pairs.isEmpty }
    package var name: String { self[Self.metricName] }

    /// The empty string for a label that is not there, as PromQL has it.
    package subscript(name: String) -> String {
        for pair in pairs where pair.name == name { return pair.value }
        return ""
    }

    package func keeping(_ names: Set<String>) -> Labels { Labels(sorted: pairs.filter { names.contains($0.name) }) }

    package func dropping(_ names: Set<String>) -> Labels { Labels(sorted: pairs.filter { !names.contains($0.name) }) }

    package var withoutName: Labels {
        guard pairs.contains(where: { $0.name == Self.metricName }) else { return self }
        return Labels(sorted: pairs.filter { $0.name != Self.metricName })
    }

    /// A copy in which `name` has `value`, or is not there when the value is empty.
    package func setting(_ name: String, _ value: String) -> Labels {
        var copy = pairs.filter { $0.name != name }
        if !value.isEmpty {
            let index = copy.firstIndex { $0.name > name } ?? copy.count
            copy.insert(Label(name, value), at: index)
        }
        return Labels(sorted: copy)
    }

    /// Order of results: label by label.
    package static func precedes(_ left: Labels, _ right: Labels) -> Bool {
        left.pairs.lexicographicallyPrecedes(right.pairs)
    }

    /// As PromQL writes it, for messages: `up{job="a"}`.
    package var text: String {
        let rest = pairs.filter { $0.name != Self.metricName }
        let list = rest.map { "\($0.name)=\(PromQLText.quoted($0.value))" }.joined(separator: ", ")
        return rest.isEmpty && !name.isEmpty ? name : "\(name){\(list)}"
    }
}

/// Names that Prometheus allows.
package enum MetricNames {
    /// `[a-zA-Z_][a-zA-Z0-9_]*`
    package static func isLabel(_ name: some StringProtocol) -> Bool { isName(name.utf8, colon: false) }
    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`
    package static func isMetric(_ name: some StringProtocol) -> Bool { isName(name.utf8, colon: true) }

    static func isName(_ bytes: some Sequence<UInt8>, colon: Bool) -> Bool {
        var isFirst = true
        for byte in bytes {
            switch byte {
            case 65...90, 97...122, 95: break
            case 48...57: if isFirst { return false }
            case 58: if !colon { return false }
            default: return false
            }
            isFirst = false
        }
        return !isFirst
    }
}
