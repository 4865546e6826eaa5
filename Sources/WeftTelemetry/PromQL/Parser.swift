/// Reads a query into a type-checked ``Expression``.
///
/// Recursive descent over tokens; nesting is bounded, so that no query exhausts the stack. Messages name the place
/// (line and column) and what was expected.
package struct PromQLParser {
    /// Nested expressions that are accepted.
    static let depthLimit = 100
    /// Bytes of a query that are accepted.
    package static let lengthLimit = 100_000

    let bytes: [UInt8]
    var tokens: [PromQLToken]
    var index = 0
    var depth = 0

    /// - Throws: A ``PromQLError`` of kind `badData`.
    package static func parse(_ query: String) throws(PromQLError) -> Expression {
        guard query.utf8.count <= lengthLimit else {
            throw PromQLError(.badData, "the query has \(query.utf8.count) bytes; at most \(lengthLimit) are read")
        }
        var parser = PromQLParser(
            bytes: Array(query.utf8), tokens: try PromQLLexer.tokens(query))
        if parser.peek == .end { throw PromQLError(.badData, "no expression found in input") }
        let expression = try parser.expression(1)
        guard parser.peek == .end else { throw parser.unexpected("after the expression") }
        return expression
    }

    // MARK: - Tokens

    var current: PromQLToken { tokens[index] }
    var peek: PromQLToken.Kind { current.kind }

    mutating func advance() { if index < tokens.count - 1 { index += 1 } }

    mutating func eat(_ sign: String) -> Bool {
        guard peek == .sign(sign) else { return false }
        advance()
        return true
    }

    mutating func expect(_ sign: String, _ context: String) throws(PromQLError) {
        guard eat(sign) else { throw unexpected(context, expected: "\"\(sign)\"") }
    }

    /// A keyword in any case.
    var keyword: String? {
        guard case .identifier(let name) = peek else { return nil }
        return name.lowercased()
    }

    mutating func eatKeyword(_ word: String) -> Bool {
        guard keyword == word else { return false }
        advance()
        return true
    }

    func unexpected(_ context: String, expected: String? = nil) -> PromQLError {
        fail("unexpected \(current.text) \(context)" + (expected.map { ", expected \($0)" } ?? ""))
    }

    func fail(_ message: String, at position: Int? = nil) -> PromQLError {
        PromQLPosition.error(message, at: position ?? current.position, in: bytes)
    }

    // MARK: - Operators

    /// An expression whose operators bind at least as tight as `lowest`.
    mutating func expression(_ lowest: Int) throws(PromQLError) -> Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else { throw fail("the query is nested more than \(Self.depthLimit) deep") }
        var left = try unary()
        var chain = 0
        while let sign = binaryOperator, sign.precedence >= lowest {
            chain += 1
            guard chain <= 1000 else { throw fail("more than 1000 operators in one row") }
            let position = current.position
            advance()
            let (bool, matching) = try modifiers(sign)
            // A power binds to the right, all others to the left.
            let right = try expression(sign == .power ? sign.precedence : sign.precedence + 1)
            left = try binary(sign, left, right, bool, matching, at: position)
        }
        return left
    }

    private var binaryOperator: BinaryOperator? {
        switch peek {
        case .sign(let sign): BinaryOperator(rawValue: sign)
        case .identifier(let name): BinaryOperator(rawValue: name.lowercased())
        default: nil
        }
    }

    private mutating func unary() throws(PromQLError) -> Expression {
        let position = current.position
        guard peek == .sign("-") || peek == .sign("+") else { return try postfix() }
        let isNegative = peek == .sign("-")
        advance()
        // A sign binds as tight as a product: -2^2 is -(2^2), -a*b is (-a)*b.
        let inner = try expression(BinaryOperator.power.precedence)
        guard inner.type == .scalar || inner.type == .vector else {
            throw fail(
                "unary expression only allowed on expressions of type scalar or instant vector, got \"\(inner.type.rawValue)\"",
                at: position)
        }
        guard isNegative else { return inner }
        if case .number(let value) = inner { return .number(-value) }
        return .negate(inner)
    }

    /// `bool`, `on`, `ignoring`, `group_left`, `group_right` behind an operator.
    private mutating func modifiers(_ sign: BinaryOperator) throws(PromQLError) -> (Bool, VectorMatching?) {
        var bool = false
        let position = current.position
        if eatKeyword("bool") {
            bool = true
            guard sign.isComparison else {
                throw fail("bool modifier can only be used on comparison operators", at: position)
            }
        }
        guard keyword == "on" || keyword == "ignoring" else { return (bool, nil) }
        var matching = VectorMatching(isOn: keyword == "on")
        advance()
        matching.labels = try labelNames()
        if keyword == "group_left" || keyword == "group_right" {
            let position = current.position
            matching.cardinality = keyword == "group_left" ? .manyToOne : .oneToMany
            advance()
            guard !sign.isSet else {
                throw fail("no grouping allowed for \"\(sign.rawValue)\" operation", at: position)
            }
            if peek == .sign("(") { matching.include = try labelNames() }
            if matching.isOn, let both = matching.include.first(where: matching.labels.contains) {
                throw fail("label \"\(both)\" must not occur in ON and GROUP clause at once", at: position)
            }
        }
        return (bool, matching)
    }

    private func binary(
        _ sign: BinaryOperator, _ left: Expression, _ right: Expression, _ bool: Bool, _ matching: VectorMatching?,
        at position: Int
    ) throws(PromQLError) -> Expression {
        for side in [left, right] where side.type != .scalar && side.type != .vector {
            throw fail(
                "binary expression must contain only scalar and instant vector types, got \(side.type.rawValue)",
                at: position)
        }
        let bothVectors = left.type == .vector && right.type == .vector
        if sign.isSet, !bothVectors {
            throw fail("set operator \"\(sign.rawValue)\" not allowed in binary scalar expression", at: position)
        }
        if matching != nil, !bothVectors {
            throw fail("vector matching only allowed between instant vectors", at: position)
        }
        if sign.isComparison, left.type == .scalar, right.type == .scalar, !bool {
            throw fail("comparisons between scalars must use BOOL modifier", at: position)
        }
        guard bothVectors else { return .binary(sign, left, right, bool: bool, nil) }
        var chosen = matching ?? VectorMatching()
        if sign.isSet { chosen.cardinality = .manyToMany }
        return .binary(sign, left, right, bool: bool, chosen)
    }

    /// `(a, b)`; a comma may end the list.
    mutating func labelNames() throws(PromQLError) -> [String] {
        try expect("(", "in grouping opts")
        var names: [String] = []
        while !eat(")") {
            guard case .identifier(let name) = peek, MetricNames.isLabel(name) else {
                throw unexpected("in grouping opts", expected: "label")
            }
            advance()
            names.append(name)
            if eat(",") { continue }
            guard peek == .sign(")") else { throw unexpected("in grouping opts", expected: "\",\" or \")\"") }
        }
        return names
    }
}
