import WeftCore

/// One condition on a label, as in `{job=~"a.*"}`. A label that is not there has the empty value.
package struct LabelMatcher: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable {
        case equal = "="
        case notEqual = "!="
        case matches = "=~"
        case matchesNot = "!~"
    }
    package let kind: Kind
    package let name: String
    package let value: String
    private let regex: Regex?
    /// The values that a pattern of plain alternatives allows: `a|b|c`.
    package let alternatives: [String]?

    /// - Throws: A message for a pattern that is no regular expression (RE2's syntax, anchored at both ends).
    package init(_ kind: Kind, _ name: String, _ value: String) throws(PromQLError) {
        self.kind = kind
        self.name = name
        self.value = value
        guard kind == .matches || kind == .matchesNot else {
            regex = nil
            alternatives = nil
            return
        }
        alternatives = Self.plainAlternatives(value)
        do {
            regex = try Regex(value)
        } catch {
            throw PromQLError(
                .badData, "the pattern \(PromQLText.quoted(value)) is no regular expression: \(error.message)")
        }
    }

    private static func plainAlternatives(_ pattern: String) -> [String]? {
        let special = Set("\\.+*?()[]{}^$".utf8)
        guard !pattern.utf8.contains(where: special.contains) else { return nil }
        return pattern.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
    }

    package func matches(_ text: String) -> Bool {
        switch kind {
        case .equal: text == value
        case .notEqual: text != value
        case .matches: matchesPattern(text)
        case .matchesNot: !matchesPattern(text)
        }
    }

    private func matchesPattern(_ text: String) -> Bool {
        if let alternatives { return alternatives.contains(text) }
        return regex?.matches(text.utf8) ?? false
    }

    package func matches(_ labels: Labels) -> Bool { matches(labels[name]) }
    package var matchesEmpty: Bool { matches("") }
    package var text: String { "\(name)\(kind.rawValue)\(PromQLText.quoted(value))" }
}
