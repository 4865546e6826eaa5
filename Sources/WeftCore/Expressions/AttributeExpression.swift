/// A condition or a value over ``RequestAttribute``s: the part of the Common Expression Language that telemetry uses.
///
/// Types are checked when the text is read, so an expression that was read can fail only for want of a value. Immutable.
///
/// Beyond constants and attributes: `! && || ?: == != < <= > >= in +`, `startsWith`, `endsWith`, `contains`, `matches`,
/// `size`, `has`, `string` and `duration`. Source: the CEL language definition; semantics of missing values are its
/// errors (`false && missing` is false, `missing == "x"` is missing).
package struct AttributeExpression: Sendable, Hashable {
    package indirect enum Node: Sendable, Hashable {
        case constant(AttributeValue)
        case attribute(RequestAttribute)
        case isPresent(RequestAttribute)
        case not(Node)
        case both(Node, Node)
        case either(Node, Node)
        case choice(Node, Node, Node)
        case comparison(Comparison, Node, Node)
        case isMember(Node, [Node])
        case joined(Node, Node)
        case test(TextTest, Node, Node)
        /// The pattern is a constant.
        case matches(Node, pattern: String)
        case size(Node)
        case text(Node)
    }
    package enum Comparison: String, Sendable, Hashable {
        case equal = "=="
        case notEqual = "!="
        case less = "<"
        case atMost = "<="
        case greater = ">"
        case atLeast = ">="
    }
    package enum TextTest: String, Sendable, Hashable { case startsWith, endsWith, contains }

    package let source: String
    package let root: Node
    package let type: RequestAttribute.ValueType

    /// - Throws: ``AttributeExpressionError`` with the place of what cannot be used.
    package init(parsing source: String) throws(AttributeExpressionError) {
        var parser = AttributeExpressionParser(source)
        (root, type) = try parser.parse()
        self.source = source
    }

    /// Every attribute that a value depends on.
    package var attributes: Set<RequestAttribute> {
        var found: Set<RequestAttribute> = []
        root.collect(into: &found)
        return found
    }

    /// Every pattern of `matches`.
    package var patterns: [String] {
        var found: [String] = []
        root.collectPatterns(into: &found)
        return found
    }
}

/// What is wrong with an expression, and where.
package struct AttributeExpressionError: Error, Sendable, Hashable, CustomStringConvertible {
    package var message: String
    /// Characters before the place, from 0.
    package var position: Int

    package init(message: String, position: Int) {
        self.message = message
        self.position = position
    }

    package var description: String { "\(message) (at character \(position + 1))" }
}

extension AttributeExpression.Node {
    fileprivate var children: [AttributeExpression.Node] {
        switch self {
        case .constant, .attribute, .isPresent: []
        case .not(let node), .matches(let node, _), .size(let node), .text(let node): [node]
        case .both(let left, let right), .either(let left, let right), .comparison(_, let left, let right),
            .joined(let left, let right), .test(_, let left, let right):
            [left, right]
        case .choice(let condition, let yes, let no): [condition, yes, no]
        case .isMember(let node, let list): [node] + list
        }
    }

    fileprivate func collect(into found: inout Set<RequestAttribute>) {
        switch self {
        case .attribute(let attribute), .isPresent(let attribute): found.insert(attribute)
        default: for child in children { child.collect(into: &found) }
        }
    }

    fileprivate func collectPatterns(into found: inout [String]) {
        if case .matches(_, let pattern) = self { found.append(pattern) }
        for child in children { child.collectPatterns(into: &found) }
    }
}

/// What is known of one request or connection, for expressions.
package protocol AttributeSource {
    /// The value of an attribute; `nil` is missing.
    func value(of attribute: RequestAttribute) -> AttributeValue?
    /// Whether a text has a part that meets a pattern of RE2.
    func matches(_ text: String, pattern: String) -> Bool
}

extension AttributeExpression {
    /// What the expression comes to; `nil` when a value that it needs is missing.
    package func value(from source: some AttributeSource) -> AttributeValue? {
        Evaluation(source: source).value(root)
    }

    /// True if the expression is a condition that holds; one that cannot be decided does not hold.
    package func holds(for source: some AttributeSource) -> Bool { value(from: source) == .bool(true) }

    private struct Evaluation<Source: AttributeSource> {
        let source: Source

        func value(_ node: Node) -> AttributeValue? {
            switch node {
            case .constant(let value): return value
            case .attribute(let name): return source.value(of: name)
            case .isPresent(let name): return .bool(source.value(of: name) != nil)
            case .not(let node): return flag(node).map { .bool(!$0) }
            case .both(let left, let right): return logical(left, right, decisive: false)
            case .either(let left, let right): return logical(left, right, decisive: true)
            case .choice(let condition, let yes, let no):
                guard let holds = flag(condition) else { return nil }
                return value(holds ? yes : no)
            case .comparison(let comparison, let left, let right):
                guard let first = value(left), let second = value(right) else { return nil }
                return comparison.holds(first, second).map { .bool($0) }
            case .isMember(let node, let list):
                guard let wanted = value(node) else { return nil }
                return .bool(list.contains { value($0) == wanted })
            case .joined(let left, let right):
                guard let first = text(left), let second = text(right) else { return nil }
                return .string(first + second)
            case .test(let test, let left, let right):
                guard let first = text(left), let second = text(right) else { return nil }
                return .bool(test.holds(first, second))
            case .matches(let node, let pattern): return text(node).map { .bool(source.matches($0, pattern: pattern)) }
            case .size(let node): return text(node).map { .int(Int64($0.unicodeScalars.count)) }
            case .text(let node): return value(node).map { .string($0.text) }
            }
        }

        private func flag(_ node: Node) -> Bool? {
            if case .bool(let flag)? = value(node) { flag } else { nil }
        }

        private func text(_ node: Node) -> String? {
            if case .string(let text)? = value(node) { text } else { nil }
        }

        /// A side that decides does so even if the other is missing.
        private func logical(_ left: Node, _ right: Node, decisive: Bool) -> AttributeValue? {
            let first = flag(left)
            if first == decisive { return .bool(decisive) }
            let second = flag(right)
            if second == decisive { return .bool(decisive) }
            return first == nil || second == nil ? nil : .bool(!decisive)
        }
    }
}

extension AttributeExpression.Comparison {
    fileprivate func holds(_ left: AttributeValue, _ right: AttributeValue) -> Bool? {
        switch (left, right) {
        case (.string(let first), .string(let second)): holds(first, second)
        case (.int(let first), .int(let second)): holds(first, second)
        case (.double(let first), .double(let second)): holds(first, second)
        case (.duration(let first), .duration(let second)): holds(first, second)
        case (.bool(let first), .bool(let second)): holds(first ? 1 : 0, second ? 1 : 0)
        default: nil
        }
    }

    private func holds<Value: Comparable>(_ left: Value, _ right: Value) -> Bool {
        switch self {
        case .equal: left == right
        case .notEqual: left != right
        case .less: left < right
        case .atMost: left <= right
        case .greater: left > right
        case .atLeast: left >= right
        }
    }
}

extension AttributeExpression.TextTest {
    fileprivate func holds(_ text: String, _ part: String) -> Bool {
        switch self {
        case .startsWith: text.hasPrefix(part)
        case .endsWith: text.hasSuffix(part)
        case .contains: part.isEmpty || text.contains(part)
        }
    }
}
