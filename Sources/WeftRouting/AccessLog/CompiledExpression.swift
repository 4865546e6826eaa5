package import WeftCore

/// An ``AttributeExpression`` with its patterns compiled. Immutable.
///
/// One that cannot be read has no value, ever: decoding refuses those before.
package struct CompiledExpression: Sendable {
    private let expression: AttributeExpression?
    private let patterns: [String: Regex]

    package init(_ text: String) {
        let expression = try? AttributeExpression(parsing: text)
        self.expression = expression
        // A pattern may be met by a part of the text.
        patterns = (expression?.patterns ?? []).reduce(into: [:]) { $0[$1] = try? Regex("(?s:.*)(?:\($1))(?s:.*)") }
    }

    package var attributes: Set<RequestAttribute> { expression?.attributes ?? [] }

    /// - Parameter attribute: the value of an attribute; `nil` is missing.
    /// - Returns: `nil` when a value is missing.
    package func value(_ attribute: @escaping (RequestAttribute) -> AttributeValue?) -> AttributeValue? {
        expression?.value(from: Source(patterns: patterns, attribute: attribute))
    }

    private struct Source: AttributeSource {
        let patterns: [String: Regex]
        let attribute: (RequestAttribute) -> AttributeValue?

        func value(of attribute: RequestAttribute) -> AttributeValue? { self.attribute(attribute) }

        func matches(_ text: String, pattern: String) -> Bool { patterns[pattern]?.matches(text.utf8) ?? false }
    }
}
