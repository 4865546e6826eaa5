extension PromQLParser {
    /// An operand with what may stand behind it: range, subquery, `offset`, `@`.
    mutating func postfix() throws(PromQLError) -> Expression {
        var operand = try primary()
        while true {
            if peek == .sign("[") {
                operand = try rangeOrSubquery(operand)
            } else if keyword == "offset" {
                let position = current.position
                advance()
                let offset = try signedDuration()
                operand = try shifting(operand, at: position, word: "offset") { shift in
                    guard shift.offset == 0 else { return "offset may not be set multiple times" }
                    shift.offset = offset
                    return nil
                }
            } else if peek == .sign("@") {
                let position = current.position
                advance()
                let at = try atTime()
                operand = try shifting(operand, at: position, word: "@") { shift in
                    guard shift.at == nil else { return "@ <timestamp> may not be set multiple times" }
                    shift.at = at
                    return nil
                }
            } else {
                return operand
            }
        }
    }

    private func shifting(
        _ operand: Expression, at position: Int, word: String, _ change: (inout TimeShift) -> String?
    ) throws(PromQLError) -> Expression {
        let problem: String?
        let result: Expression
        switch operand {
        case .vector(var selector):
            problem = change(&selector.shift)
            result = .vector(selector)
        case .matrix(var selector, let range):
            problem = change(&selector.shift)
            result = .matrix(selector, range: range)
        case .subquery(let inner, let range, let step, var shift):
            problem = change(&shift)
            result = .subquery(inner, range: range, step: step, shift)
        default:
            throw fail(
                "\(word) modifier must be preceded by an instant vector selector or range vector selector or a subquery",
                at: position)
        }
        if let problem { throw fail(problem, at: position) }
        return result
    }

    private mutating func signedDuration() throws(PromQLError) -> Int64 {
        let isNegative = eat("-")
        if !isNegative { _ = eat("+") }
        guard case .duration(let value) = peek else { throw unexpected("in offset", expected: "duration") }
        advance()
        return isNegative ? -value : value
    }

    private mutating func atTime() throws(PromQLError) -> AtModifier {
        if keyword == "start" || keyword == "end" {
            let isStart = keyword == "start"
            advance()
            try expect("(", "in @")
            try expect(")", "in @")
            return isStart ? .start : .end
        }
        let isNegative = eat("-")
        if !isNegative { _ = eat("+") }
        guard case .number(let value) = peek else { throw unexpected("in @", expected: "timestamp") }
        guard value.isFinite, value < 9e15 else { throw fail("timestamp out of bounds for @ modifier") }
        advance()
        return .time(Int64(((isNegative ? -value : value) * 1000).rounded()))
    }

    private mutating func rangeOrSubquery(_ operand: Expression) throws(PromQLError) -> Expression {
        let position = current.position
        advance()
        guard case .duration(let range) = peek else { throw unexpected("in range", expected: "duration") }
        guard range > 0 else { throw fail("duration must be greater than 0") }
        advance()
        if eat(":") {
            var step: Int64?
            if case .duration(let value) = peek {
                guard value > 0 else { throw fail("duration must be greater than 0") }
                step = value
                advance()
            }
            try expect("]", "in subquery selector")
            guard operand.type == .vector else {
                throw fail(
                    "subquery is only allowed on instant vector, got \(operand.type.rawValue) instead", at: position)
            }
            return .subquery(operand, range: range, step: step, TimeShift())
        }
        try expect("]", "in range")
        guard case .vector(let selector) = operand else {
            throw fail("ranges only allowed for vector selectors", at: position)
        }
        guard selector.shift == TimeShift() else {
            throw fail("no offset or @ modifiers allowed before range", at: position)
        }
        return .matrix(selector, range: range)
    }

    // MARK: - Primary

    private mutating func primary() throws(PromQLError) -> Expression {
        switch peek {
        case .number(let value):
            advance()
            return .number(value)
        case .string(let value):
            advance()
            return .string(value)
        case .sign("("):
            advance()
            let inner = try expression(1)
            try expect(")", "in parentheses")
            return .parenthesized(inner)
        case .sign("{"): return try selector(name: nil)
        case .identifier(let name): return try named(name)
        case .duration: throw unexpected("in expression", expected: "number; a duration stands in [ ] or behind offset")
        default: throw unexpected("in expression", expected: "a selector, number, string, function or \"(\"")
        }
    }

    private mutating func named(_ name: String) throws(PromQLError) -> Expression {
        let next = tokens[min(index + 1, tokens.count - 1)]
        let word = name.lowercased()
        if let aggregation = Aggregation(rawValue: word),
            next.kind == .sign("(") || next.kind == .identifier("by") || next.kind == .identifier("without")
                || next.kind == .identifier("BY") || next.kind == .identifier("WITHOUT")
        {
            advance()
            return try aggregate(aggregation)
        }
        if next.kind == .sign("(") { return try call(name) }
        if word == "inf" || word == "nan" {
            advance()
            return .number(word == "inf" ? .infinity : .nan)
        }
        return try selector(name: name)
    }

    private mutating func selector(name: String?) throws(PromQLError) -> Expression {
        let position = current.position
        var matchers: [LabelMatcher] = []
        if let name {
            guard MetricNames.isMetric(name) else { throw fail("\(PromQLText.quoted(name)) is no metric name") }
            advance()
            matchers.append(try LabelMatcher(.equal, Labels.metricName, name))
        }
        if eat("{") { try readMatchers(into: &matchers, name: name) }
        guard matchers.contains(where: { !$0.matchesEmpty }) else {
            throw fail("vector selector must contain at least one non-empty matcher", at: position)
        }
        return .vector(VectorSelector(matchers: matchers))
    }

    private mutating func readMatchers(into matchers: inout [LabelMatcher], name: String?) throws(PromQLError) {
        while !eat("}") {
            guard case .identifier(let label) = peek, MetricNames.isLabel(label) else {
                throw unexpected("in label matching", expected: "identifier or \"}\"")
            }
            let position = current.position
            advance()
            guard case .sign(let sign) = peek, let kind = LabelMatcher.Kind(rawValue: sign) else {
                throw unexpected("in label matching", expected: "label matching operator")
            }
            advance()
            guard case .string(let value) = peek else { throw unexpected("in label matching", expected: "string") }
            if name != nil, label == Labels.metricName, kind == .equal {
                throw fail("metric name must not be set twice: \"\(name ?? "")\" or \"\(value)\"", at: position)
            }
            do {
                matchers.append(try LabelMatcher(kind, label, value))
            } catch {
                throw fail(error.message)
            }
            advance()
            if eat(",") { continue }
            guard peek == .sign("}") else { throw unexpected("in label matching", expected: "\",\" or \"}\"") }
        }
    }

    // MARK: - Calls

    private mutating func arguments(_ context: String) throws(PromQLError) -> [Expression] {
        try expect("(", context)
        var list: [Expression] = []
        if eat(")") { return list }
        while true {
            list.append(try expression(1))
            if eat(")") { return list }
            guard eat(",") else { throw unexpected(context, expected: "\",\" or \")\"") }
        }
    }

    private mutating func aggregate(_ aggregation: Aggregation) throws(PromQLError) -> Expression {
        let position = current.position
        var grouping = try groupingClause()
        let arguments = try arguments("in aggregation")
        if grouping == nil { grouping = try groupingClause() }
        let wanted = aggregation.takesParameter ? 2 : 1
        guard arguments.count == wanted, let operand = arguments.last else {
            throw fail(
                "wrong number of arguments for aggregate expression provided, expected \(wanted), got \(arguments.count)",
                at: position)
        }
        try check(operand, .vector, "aggregation expression", at: position)
        if aggregation.takesParameter {
            try check(
                arguments[0], aggregation == .countValues ? .string : .scalar, "aggregation parameter", at: position)
        }
        return .aggregate(
            aggregation, operand, parameter: aggregation.takesParameter ? arguments[0] : nil,
            grouping: grouping?.labels ?? [], without: grouping?.without ?? false)
    }

    private mutating func groupingClause() throws(PromQLError) -> (labels: [String], without: Bool)? {
        guard keyword == "by" || keyword == "without" else { return nil }
        let without = keyword == "without"
        advance()
        return (try labelNames(), without)
    }

    private mutating func call(_ name: String) throws(PromQLError) -> Expression {
        let position = current.position
        guard let function = PromQLFunction(rawValue: name) else {
            throw fail("unknown function with name \(PromQLText.quoted(name))", at: position)
        }
        advance()
        let list = try arguments("in function call")
        let types = function.arguments
        let least = types.count - function.optionalArguments
        guard list.count >= least, function.repeatsLast || list.count <= types.count else {
            let wanted =
                function.repeatsLast
                ? "at least \(least)" : least == types.count ? "\(least)" : "\(least) to \(types.count)"
            throw fail("expected \(wanted) argument(s) in call to \"\(name)\", got \(list.count)", at: position)
        }
        for (index, argument) in list.enumerated() {
            guard let type = index < types.count ? types[index] : types.last else { continue }
            try check(argument, type, "call to function \"\(name)\"", at: position)
        }
        return .call(function, list)
    }

    private func check(
        _ expression: Expression, _ type: PromQLType, _ context: String, at position: Int
    ) throws(PromQLError) {
        guard expression.type != type else { return }
        throw fail("expected type \(type.rawValue) in \(context), got \(expression.type.rawValue)", at: position)
    }
}
