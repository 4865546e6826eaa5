/// Reads an ``AttributeExpression`` and checks its types on the way. A value; used once.
///
/// Bounds: 4,096 characters, 32 levels of parentheses and operators.
struct AttributeExpressionParser {
    typealias Node = AttributeExpression.Node
    typealias ValueType = RequestAttribute.ValueType
    typealias Typed = (node: Node, type: ValueType)

    private var lexer: AttributeExpressionLexer
    private var depth = 0
    private static let limit = (characters: 4_096, depth: 32)

    init(_ text: String) { lexer = AttributeExpressionLexer(text) }

    mutating func parse() throws(AttributeExpressionError) -> Typed {
        guard lexer.count <= Self.limit.characters else {
            throw AttributeExpressionError(
                message: "the expression has more than \(Self.limit.characters) characters", position: 0)
        }
        try lexer.advance()
        let result = try conditional()
        guard case .end = lexer.token else { throw lexer.unexpected() }
        return result
    }

    // MARK: - Operators, the loosest first

    private mutating func conditional() throws(AttributeExpressionError) -> Typed {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.limit.depth else {
            throw lexer.error("the expression is nested more than \(Self.limit.depth) levels deep")
        }
        let condition = try either()
        guard try lexer.take("?") else { return condition }
        try expect(condition, .bool, "the condition before ?")
        let yes = try conditional()
        try lexer.need(":")
        let no = try conditional()
        guard yes.type == no.type else {
            throw lexer.error("both results of ?: must have one type; found \(yes.type) and \(no.type)")
        }
        return (.choice(condition.node, yes.node, no.node), yes.type)
    }

    private mutating func either() throws(AttributeExpressionError) -> Typed {
        var left = try both()
        while try lexer.take("||") {
            let right = try both()
            try expect(left, .bool, "the left side of ||")
            try expect(right, .bool, "the right side of ||")
            left = (.either(left.node, right.node), .bool)
        }
        return left
    }

    private mutating func both() throws(AttributeExpressionError) -> Typed {
        var left = try relation()
        while try lexer.take("&&") {
            let right = try relation()
            try expect(left, .bool, "the left side of &&")
            try expect(right, .bool, "the right side of &&")
            left = (.both(left.node, right.node), .bool)
        }
        return left
    }

    private mutating func relation() throws(AttributeExpressionError) -> Typed {
        if case .text(let key) = lexer.token, let present = try headerPresence(key) { return present }
        let left = try sum()
        if try lexer.takeWord("in") { return try membership(left) }
        guard case .symbol(let symbol) = lexer.token, let comparison = AttributeExpression.Comparison(rawValue: symbol)
        else { return left }
        try lexer.advance()
        let right = try sum()
        guard left.type == right.type else {
            throw lexer.error("\(symbol) compares \(left.type) with \(right.type), which never are alike")
        }
        return (.comparison(comparison, left.node, right.node), .bool)
    }

    /// `"name" in request.headers`.
    private mutating func headerPresence(_ key: String) throws(AttributeExpressionError) -> Typed? {
        var ahead = lexer
        try ahead.advance()
        guard try ahead.takeWord("in"), case .word(let path) = ahead.token,
            let headers = RequestAttribute.Headers(rawValue: path)
        else { return nil }
        try ahead.advance()
        lexer = ahead
        return (.isPresent(.header(headers, key.lowercased())), .bool)
    }

    private mutating func membership(_ left: Typed) throws(AttributeExpressionError) -> Typed {
        try lexer.need("[")
        var list: [Node] = []
        while !(try lexer.take("]")) {
            if !list.isEmpty { try lexer.need(",") }
            let element = try sum()
            guard element.type == left.type else {
                throw lexer.error("the list holds \(element.type), which never is \(left.type)")
            }
            list.append(element.node)
        }
        return (.isMember(left.node, list), .bool)
    }

    private mutating func sum() throws(AttributeExpressionError) -> Typed {
        var left = try negation()
        while try lexer.take("+") {
            let right = try negation()
            guard left.type == .string, right.type == .string else {
                throw lexer.error("+ joins texts here, and nothing else; string(…) makes a text of a number")
            }
            left = (.joined(left.node, right.node), .string)
        }
        return left
    }

    private mutating func negation() throws(AttributeExpressionError) -> Typed {
        var count = 0
        while try lexer.take("!") { count += 1 }
        let value = try calls()
        guard count > 0 else { return value }
        try expect(value, .bool, "what follows !")
        return count.isMultiple(of: 2) ? value : (.not(value.node), .bool)
    }

    // MARK: - Values

    /// A value, and the functions that are asked of it.
    private mutating func calls() throws(AttributeExpressionError) -> Typed {
        var value = try primary()
        while try lexer.take(".") {
            guard case .word(let name) = lexer.token else { throw lexer.unexpected() }
            try lexer.advance()
            try lexer.need("(")
            value = try call(name, on: value)
        }
        return value
    }

    /// The parenthesis has been read.
    private mutating func call(_ name: String, on value: Typed) throws(AttributeExpressionError) -> Typed {
        if name == "size" {
            try lexer.need(")")
            try expect(value, .string, "what size() is asked of")
            return (.size(value.node), .int)
        }
        try expect(value, .string, "what \(name)() is asked of")
        let argument = try conditional()
        try expect(argument, .string, "the argument of \(name)()")
        try lexer.need(")")
        if let test = AttributeExpression.TextTest(rawValue: name) {
            return (.test(test, value.node, argument.node), .bool)
        }
        guard name == "matches" else { throw lexer.error("there is no function \(name)()") }
        guard case .constant(.string(let pattern)) = argument.node else {
            throw lexer.error("the pattern of matches() must be a text in quotes")
        }
        return (.matches(value.node, pattern: pattern), .bool)
    }

    private mutating func primary() throws(AttributeExpressionError) -> Typed {
        switch lexer.token {
        case .text(let text):
            try lexer.advance()
            return (.constant(.string(text)), .string)
        case .int(let number):
            try lexer.advance()
            return (.constant(.int(number)), .int)
        case .double(let number):
            try lexer.advance()
            return (.constant(.double(number)), .double)
        case .symbol("("):
            try lexer.advance()
            let value = try conditional()
            try lexer.need(")")
            return value
        case .word(let path):
            let place = lexer.start
            try lexer.advance()
            return try named(path, place)
        default: throw lexer.unexpected()
        }
    }

    private mutating func named(_ path: String, _ place: Int) throws(AttributeExpressionError) -> Typed {
        if path == "true" || path == "false" { return (.constant(.bool(path == "true")), .bool) }
        if try lexer.take("(") { return try function(path, place) }
        if let headers = RequestAttribute.Headers(rawValue: path) {
            try lexer.need("[")
            guard case .text(let name) = lexer.token else { throw lexer.unexpected() }
            try lexer.advance()
            try lexer.need("]")
            return (.attribute(.header(headers, name.lowercased())), .string)
        }
        let attribute = try Self.attribute(path, place)
        return (.attribute(attribute), attribute.type)
    }

    /// A function of its own, or a path that ends in one: `request.path.startsWith("/")`.
    private mutating func function(_ name: String, _ place: Int) throws(AttributeExpressionError) -> Typed {
        if let dot = name.lastIndex(of: ".") {
            let attribute = try Self.attribute(String(name[..<dot]), place)
            return try call(String(name[name.index(after: dot)...]), on: (.attribute(attribute), attribute.type))
        }
        let result: Typed
        switch name {
        case "has":
            let (start, value) = (lexer.start, try conditional())
            guard case .attribute(let attribute) = value.node else {
                throw AttributeExpressionError(message: "has() takes an attribute", position: start)
            }
            result = (.isPresent(attribute), .bool)
        case "size":
            let value = try conditional()
            try expect(value, .string, "the argument of size()")
            result = (.size(value.node), .int)
        case "string": result = (.text(try conditional().node), .string)
        case "duration":
            guard case .text(let text) = lexer.token, let nanoseconds = Self.nanoseconds(text) else {
                throw lexer.error("duration() takes a text such as \"1.5s\" or \"250ms\"")
            }
            try lexer.advance()
            result = (.constant(.duration(nanoseconds)), .duration)
        default: throw AttributeExpressionError(message: "there is no function \(name)()", position: place)
        }
        try lexer.need(")")
        return result
    }

    private static func attribute(_ path: String, _ place: Int) throws(AttributeExpressionError) -> RequestAttribute {
        if let name = RequestAttribute.Name(rawValue: path) { return .named(name) }
        if let dot = path.lastIndex(of: ".") {
            let (front, last) = (String(path[..<dot]), String(path[path.index(after: dot)...]))
            if let headers = RequestAttribute.Headers(rawValue: front) { return .header(headers, last.lowercased()) }
            if let side = RequestAttribute.Side(rawValue: front), let label = RequestAttribute.PeerLabel(rawValue: last)
            {
                return .peer(side, label)
            }
        }
        throw AttributeExpressionError(
            message: "\(path) is no attribute that proxies of this mesh have", position: place)
    }

    private func expect(_ value: Typed, _ type: ValueType, _ what: String) throws(AttributeExpressionError) {
        guard value.type == type else { throw lexer.error("\(what) must be \(type); it is \(value.type)") }
    }

    /// `1.5s`, `250ms`, `1m`; one number and its unit.
    private static func nanoseconds(_ text: String) -> Int64? {
        let units: [(String, Double)] = [("ms", 1e6), ("us", 1e3), ("ns", 1), ("s", 1e9), ("m", 6e10), ("h", 3.6e12)]
        guard let unit = units.first(where: { text.hasSuffix($0.0) }),
            let number = Double(text.dropLast(unit.0.count)), number.magnitude < 1e6
        else { return nil }
        return Int64(number * unit.1)
    }
}
