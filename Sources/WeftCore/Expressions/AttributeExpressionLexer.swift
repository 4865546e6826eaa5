/// The tokens of an ``AttributeExpression``, one at a time. Names come whole, with their dots.
struct AttributeExpressionLexer {
    enum Token: Hashable {
        case word(String)
        case text(String)
        case int(Int64)
        case double(Double)
        case symbol(String)
        case end
    }
    private let characters: [Character]
    private var position = 0
    private(set) var token = Token.end
    /// Where the token begins.
    private(set) var start = 0

    init(_ text: String) { characters = Array(text) }

    var count: Int { characters.count }

    /// Reads the next token.
    mutating func advance() throws(AttributeExpressionError) {
        while position < characters.count, characters[position].isWhitespace { position += 1 }
        start = position
        guard position < characters.count else {
            token = .end
            return
        }
        let first = characters[position]
        if first == "\"" || first == "'" {
            token = .text(try quoted(first))
        } else if Self.isNumeral(first) || first == "-" && follows(Self.isNumeral) {
            token = try number()
        } else if Self.isNameStart(first) {
            token = .word(name())
        } else {
            token = .symbol(try symbol(first))
        }
    }

    /// Goes on if the token is a symbol. - Returns: whether it was.
    mutating func take(_ symbol: String) throws(AttributeExpressionError) -> Bool {
        guard token == .symbol(symbol) else { return false }
        try advance()
        return true
    }

    mutating func takeWord(_ word: String) throws(AttributeExpressionError) -> Bool {
        guard token == .word(word) else { return false }
        try advance()
        return true
    }

    mutating func need(_ symbol: String) throws(AttributeExpressionError) {
        guard try take(symbol) else { throw error("expected \(symbol), found \(described)") }
    }

    func error(_ message: String) -> AttributeExpressionError {
        AttributeExpressionError(message: message, position: start)
    }

    func unexpected() -> AttributeExpressionError { error("unexpected \(described)") }

    private var described: String {
        switch token {
        case .word(let name): name
        case .text(let text): "the text \"\(text)\""
        case .int(let number): String(number)
        case .double(let number): String(number)
        case .symbol(let symbol): symbol
        case .end: "the end of the expression"
        }
    }

    // MARK: - Tokens

    private mutating func quoted(_ quote: Character) throws(AttributeExpressionError) -> String {
        var text = ""
        position += 1
        while position < characters.count, characters[position] != quote {
            var character = characters[position]
            if character == "\\" {
                position += 1
                guard position < characters.count, let meant = Self.escapes[characters[position]] else {
                    throw error("the text has an escape that is not known")
                }
                character = meant
            }
            text.append(character)
            position += 1
        }
        guard position < characters.count else { throw error("the text has no end") }
        position += 1
        return text
    }

    private static let escapes: [Character: Character] = [
        "n": "\n", "t": "\t", "r": "\r", "\\": "\\", "\"": "\"", "'": "'", "`": "`", "?": "?",
    ]

    private mutating func number() throws(AttributeExpressionError) -> Token {
        var text = String(characters[position])
        position += 1
        while position < characters.count, Self.isNumeral(characters[position]) || characters[position] == "." {
            text.append(characters[position])
            position += 1
        }
        if let number = Int64(text) { return .int(number) }
        guard let number = Double(text) else { throw error("\(text) is no number") }
        return .double(number)
    }

    private mutating func name() -> String {
        var name = ""
        while position < characters.count {
            let character = characters[position]
            let isInside = Self.isNameStart(character) || Self.isNumeral(character)
            guard isInside || character == "." && follows(Self.isNameStart) else { break }
            name.append(character)
            position += 1
        }
        return name
    }

    private mutating func symbol(_ first: Character) throws(AttributeExpressionError) -> String {
        if position + 1 < characters.count {
            let pair = String([first, characters[position + 1]])
            if ["&&", "||", "==", "!=", "<=", ">="].contains(pair) {
                position += 2
                return pair
            }
        }
        guard "()[]?:,.!<>+".contains(first) else { throw error("unexpected character \(first)") }
        position += 1
        return String(first)
    }

    private func follows(_ test: (Character) -> Bool) -> Bool {
        position + 1 < characters.count && test(characters[position + 1])
    }

    private static func isNumeral(_ character: Character) -> Bool { ("0"..."9").contains(character) }

    private static func isNameStart(_ character: Character) -> Bool {
        character.isASCII && character.isLetter || character == "_"
    }
}
