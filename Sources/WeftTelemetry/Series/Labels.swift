import Synchronization

/// One label of a series. Immutable; the store keeps one object per distinct pair, so that a label set is an array of
/// pointers and two sets of one store compare by identity.
package final class Label: Sendable, Hashable, Comparable {
    package let name: String
    package let value: String
    let digest: Int
    /// Of the name alone: names are told apart by it, and compared only where it is the same.
    fileprivate let nameDigest: Int

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
        nameDigest = name.hashValue
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

/// Names of labels, for looking at many label sets.
package struct LabelNames: Sendable {
    private let names: [(digest: Int, name: String)]

    package init(_ names: some Sequence<String>) { self.names = names.map { ($0.hashValue, $0) } }

    @inline(__always)
    func contains(nameOf label: Label) -> Bool {
        for one in names where one.digest == label.nameDigest && one.name == label.name { return true }
        return false
    }
}

/// Label sets with equal shapes have the same names, so that what depends on the names alone is found out once for
/// thousands of series.
struct LabelShape: Sendable, Hashable {
    private static let count = Atomic<UInt32>(0)
    /// Of sets whose names nobody has compared.
    static let unknown = LabelShape(number: 0)

    private let number: UInt32

    /// One that no set has yet.
    static func new() -> LabelShape { LabelShape(number: count.add(1, ordering: .relaxed).newValue) }
}

/// The label set of a series: sorted by name, one value per name, no empty values. The metric's name is `__name__`.
package struct Labels: Sendable, Hashable {
    package static let metricName = "__name__"
    package static let empty = Labels(sorted: [])

    package let pairs: [Label]
    let shape: LabelShape

    /// - Parameter sorted: By name, without duplicates or empty values.
    package init(sorted pairs: [Label]) { self.init(sorted: pairs, shape: .unknown) }

    /// - Parameter shape: Of these names.
    init(sorted pairs: [Label], shape: LabelShape) {
        self.pairs = pairs
        self.shape = shape
    }

    package static func == (left: Labels, right: Labels) -> Bool { left.pairs == right.pairs }
    package func hash(into hasher: inout Hasher) { hasher.combine(pairs) }

    /// Of two values for one name the last counts; an empty value is no label.
    package init(_ values: some Sequence<(String, String)>) {
        var byName: [String: String] = [:]
        for (name, value) in values { byName[name] = value }
        self.init(sorted: byName.filter { !$0.value.isEmpty }.map { Label($0.key, $0.value) }.sorted())
    }

    package init(_ values: [String: String]) { self.init(values.map { ($0.key, $0.value) }) }

    package var isEmpty: Bool { pairs.isEmpty }
    package var name: String { self[Self.metricName] }

    /// The empty string for a label that is not there, as PromQL has it.
    package subscript(name: String) -> String {
        for pair in pairs where pair.name == name { return pair.value }
        return ""
    }

    package func keeping(_ names: LabelNames) -> Labels {
        Labels(sorted: pairs.filter { names.contains(nameOf: $0) })
    }

    package func dropping(_ names: LabelNames) -> Labels {
        Labels(sorted: pairs.filter { !names.contains(nameOf: $0) })
    }

    static let onlyName = LabelNames([metricName])

    package var withoutName: Labels {
        guard let place = pairs.firstIndex(where: { Self.onlyName.contains(nameOf: $0) }) else { return self }
        var rest = pairs
        rest.remove(at: place)
        return Labels(sorted: rest)
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
