import WeftCore

/// A kind of Istio's API whose `spec` has a Swift type.
package protocol IstioSpec: Codable, Sendable, Hashable {
    static var group: String { get }
    static var kind: String { get }
}

extension KubernetesObject {
    /// The object's `spec` (an absent one is empty). Throws a `DecodingError` whose path starts at the object.
    package func spec<Spec: IstioSpec>(_ type: Spec.Type = Spec.self) throws -> Spec {
        try JSONValue.object(["spec": json["spec"] ?? .object([:])]).decode(SpecHolder<Spec>.self).spec
    }

    /// True for any served version of the kind.
    package func isKind<Spec: IstioSpec>(_ type: Spec.Type) -> Bool {
        kind == Spec.kind && group == Spec.group
    }
}

private struct SpecHolder<Spec: Decodable>: Decodable { let spec: Spec }

/// `exact`, `prefix` or `regex`; none of them means "is there".
package struct StringMatch: Sendable, Hashable, Codable {
    package var exact: String?
    package var prefix: String?
    package var regex: String?

    package init(exact: String? = nil, prefix: String? = nil, regex: String? = nil) {
        self.exact = exact
        self.prefix = prefix
        self.regex = regex
    }
    package var isEmpty: Bool { exact == nil && prefix == nil && regex == nil }
}

/// `{number: 9080}`.
package struct PortSelector: Sendable, Hashable, Codable {
    package var number: Int
    package init(number: Int) { self.number = number }
}

/// A share in percent: `{value: 0.1}`.
package struct Percent: Sendable, Hashable, Codable {
    package var value: Double?
    package init(value: Double?) { self.value = value }
}

/// A service, a subset of it and a port of it.
package struct Destination: Sendable, Hashable, Codable {
    package var host: String?
    package var subset: String?
    package var port: PortSelector?
    package init(host: String, subset: String? = nil, port: Int? = nil) {
        self.host = host
        self.subset = subset
        self.port = port.map(PortSelector.init(number:))
    }
}

/// Selects workloads by labels (`selector.matchLabels`).
package struct WorkloadSelector: Sendable, Hashable, Codable {
    package var matchLabels: [String: String]?

    package init(matchLabels: [String: String]? = nil) { self.matchLabels = matchLabels }

    /// The key of an entry that every workload meets.
    package static let everyone = "*"

    /// A selector without labels selects every workload of its namespace.
    ///
    /// Admission refuses a star; in a selector that is there all the same it stands for any text (ADR 0109).
    package func matches(_ labels: [String: String]) -> Bool {
        (matchLabels ?? [:]).allSatisfy { key, value in
            let label = labels[key]
            if label == value || key == Self.everyone { return true }
            guard let label, value.utf8.contains(UInt8(ascii: "*")) else { return false }
            return Self.matches(label, pattern: value)
        }
    }

    /// Looks at what stands before the first star and after the last one.
    private static func matches(_ label: String, pattern: String) -> Bool {
        let parts = pattern.split(separator: "*", omittingEmptySubsequences: false)
        guard let first = parts.first, let last = parts.last else { return true }
        return label.hasPrefix(first) && label.hasSuffix(last) && label.utf8.count >= first.utf8.count + last.utf8.count
    }

    /// Whether it selects more than it names, because it could not be read.
    package var isGuess: Bool {
        (matchLabels ?? [:]).contains { $0.key == Self.everyone || $0.value.utf8.contains(UInt8(ascii: "*")) }
    }
    package var isEmpty: Bool { matchLabels?.isEmpty ?? true }
}

/// Attaches a policy to a Gateway API object or a Service.
package struct PolicyTargetReference: Sendable, Hashable, Codable {
    package var group: String?
    package var kind: String?
    package var name: String?
    package var namespace: String?

    package init(group: String, kind: String, name: String) {
        (self.group, self.kind, self.name) = (group, kind, name)
    }
}
