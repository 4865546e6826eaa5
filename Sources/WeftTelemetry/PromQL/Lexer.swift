/// One word or sign of a query.
struct PromQLToken: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        /// A name or keyword; a colon makes it a metric's.
        case identifier(String)
        case number(Double)
        /// Milliseconds.
        case duration(Int64)
        case string(String)
        /// `(`, `+`, `==` and the like.
        case sign(String)
        case end
    }
    var kind: Kind
    /// Byte offset in the query.
    var position: Int

    /// How a message names it.
    var text: String {
        switch kind {
        case .identifier(let name): "\"\(name)\""
        case .number(let value): "number \(PromQLText.number(value))"
        case .duration(let value): "duration \(PromQLText.duration(value))"
        case .string(let value): "string \(PromQLText.quoted(value))"
        case .sign(let sign): "\"\(sign)\""
        case .end: "end of input"
        }
    }
}

/// Cuts a query into tokens. Comments run from `#` to the end of the line.
struct PromQLLexer {
    private let bytes: [UInt8]
    private var position = 0
    private var brackets = 0

    init(_ query: String) { bytes = Array(query.utf8) }

    static func tokens(_ query: String) throws(PromQLError) -> [PromQLToken] {
        var lexer = PromQLLexer(query)
        var tokens: [PromQLToken] = []
        while true {
            let token = try lexer.next()
            tokens.append(token)
            if token.kind == .end { return tokens }
        }
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }
    private func peek(_ offset: Int) -> UInt8? { position + offset < bytes.count ? bytes[position + offset] : nil }

    private func fail(_ message: String, at position: Int? = nil) -> PromQLError {
        PromQLPosition.error(message, at: position ?? self.position, in: bytes)
    }

    private mutating func next() throws(PromQLError) -> PromQLToken {
        skipSpace()
        let start = position
        guard let byte = peek else { return PromQLToken(kind: .end, position: start) }
        let kind: PromQLToken.Kind
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"): kind = .string(try string(byte))
        case 48...57: kind = try numberOrDuration()
        case UInt8(ascii: ".") where peek(1).map(Self.isDigit) ?? false: kind = try numberOrDuration()
        case 65...90, 97...122, 95: kind = identifier()
        case UInt8(ascii: ":") where brackets == 0: kind = identifier()
        default: kind = .sign(try sign(byte))
        }
        return PromQLToken(kind: kind, position: start)
    }

    private mutating func skipSpace() {
        while let byte = peek {
            if byte == UInt8(ascii: "#") {
                while let byte = peek, byte != 10 { position += 1 }
            } else if byte == 32 || (9...13).contains(byte) {
                position += 1
            } else {
                return
            }
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
    private static func isWord(_ byte: UInt8) -> Bool {
        isDigit(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == 95
    }

    private mutating func identifier() -> PromQLToken.Kind {
        let start = position
        // Inside a range the colon parts range and step.
        while let byte = peek, Self.isWord(byte) || (byte == UInt8(ascii: ":") && brackets == 0) { position += 1 }
        return .identifier(String(decoding: bytes[start..<position], as: UTF8.self))
    }

    private mutating func sign(_ byte: UInt8) throws(PromQLError) -> String {
        let two = peek(1).map { String(decoding: [byte, $0], as: UTF8.self) }
        if let two, ["==", "!=", "<=", ">=", "=~", "!~"].contains(two) {
            position += 2
            return two
        }
        guard "(){}[],+-*/%^@=<>:".utf8.contains(byte) else {
            let shown = String(decoding: bytes[position...].prefix(4), as: UTF8.self).first.map(String.init) ?? "?"
            throw fail("unexpected character \(PromQLText.quoted(shown))")
        }
        position += 1
        if byte == UInt8(ascii: "[") { brackets += 1 }
        if byte == UInt8(ascii: "]") { brackets = max(0, brackets - 1) }
        return String(decoding: [byte], as: UTF8.self)
    }

    // MARK: - Numbers and durations

    private mutating func numberOrDuration() throws(PromQLError) -> PromQLToken.Kind {
        let start = position
        if peek == 48, let x = peek(1), x | 0x20 == UInt8(ascii: "x") {
            position += 2
            while let byte = peek, Self.isWord(byte) { position += 1 }
            let text = String(decoding: bytes[(start + 2)..<position], as: UTF8.self)
            guard let value = UInt64(text, radix: 16) else { throw bad("number", from: start) }
            return .number(Double(value))
        }
        while let byte = peek, Self.isDigit(byte) { position += 1 }
        if let byte = peek, "smhdwy".utf8.contains(byte) {
            position = start
            return .duration(try duration())
        }
        if peek == UInt8(ascii: ".") { position += 1 }
        while let byte = peek, Self.isDigit(byte) { position += 1 }
        if let byte = peek, byte | 0x20 == UInt8(ascii: "e") {
            position += 1
            if let sign = peek, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
            while let byte = peek, Self.isDigit(byte) { position += 1 }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if let byte = peek, Self.isWord(byte) || byte == UInt8(ascii: ".") {
            throw bad("number or duration", from: start)
        }
        let padded = text.hasPrefix(".") ? "0" + text : text
        guard let value = Double(padded.hasSuffix(".") ? padded + "0" : padded) else {
            throw bad("number", from: start)
        }
        return .number(value)
    }

    private func bad(_ what: String, from start: Int) -> PromQLError {
        var end = position
        while end < bytes.count, Self.isWord(bytes[end]) || bytes[end] == UInt8(ascii: ".") { end += 1 }
        let text = String(decoding: bytes[start..<end], as: UTF8.self)
        return fail("bad \(what) syntax: \(PromQLText.quoted(text))", at: start)
    }

    private static let units: [(name: String, size: Int64)] = [
        ("y", 31_536_000_000), ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000),
        ("ms", 1),
    ]

    /// `1h30m`: units from large to small, each once.
    private mutating func duration() throws(PromQLError) -> Int64 {
        let start = position
        var total: Int64 = 0
        var smallest = -1
        while let byte = peek, Self.isDigit(byte) {
            let digits = position
            while let byte = peek, Self.isDigit(byte) { position += 1 }
            let number = Int64(String(decoding: bytes[digits..<position], as: UTF8.self))
            let word = position
            while let byte = peek, Self.isWord(byte), !Self.isDigit(byte) { position += 1 }
            let unit = String(decoding: bytes[word..<position], as: UTF8.self)
            guard let number, let index = Self.units.firstIndex(where: { $0.name == unit }), index > smallest else {
                throw bad("duration", from: start)
            }
            smallest = index
            let (part, overflow) = number.multipliedReportingOverflow(by: Self.units[index].size)
            let (sum, overflowing) = total.addingReportingOverflow(part)
            // A century is more than any store keeps.
            guard !overflow, !overflowing, sum < 3_200_000_000_000 else {
                throw fail("duration out of range", at: start)
            }
            total = sum
        }
        return total
    }

    /// Milliseconds of `1h30m`; `nil` for what is no duration.
    static func milliseconds(_ text: String) -> Int64? {
        var lexer = PromQLLexer(text)
        guard let value = try? lexer.duration(), lexer.peek == nil, !text.isEmpty else { return nil }
        return value
    }

    // MARK: - Strings

    private mutating func string(_ quote: UInt8) throws(PromQLError) -> String {
        let start = position
        position += 1
        var result: [UInt8] = []
        while let byte = peek {
            position += 1
            if byte == quote { return String(decoding: result, as: UTF8.self) }
            if quote != UInt8(ascii: "`") {
                if byte == 10 { break }
                if byte == UInt8(ascii: "\\") {
                    result += try escape(quote)
                    continue
                }
            }
            result.append(byte)
        }
        throw fail("unterminated quoted string", at: start)
    }

    private mutating func escape(_ quote: UInt8) throws(PromQLError) -> [UInt8] {
        let start = position - 1
        guard let byte = peek else { throw fail("escape sequence not terminated", at: start) }
        position += 1
        switch byte {
        case UInt8(ascii: "a"): return [7]
        case UInt8(ascii: "b"): return [8]
        case UInt8(ascii: "f"): return [12]
        case UInt8(ascii: "n"): return [10]
        case UInt8(ascii: "r"): return [13]
        case UInt8(ascii: "t"): return [9]
        case UInt8(ascii: "v"): return [11]
        case UInt8(ascii: "\\"), quote: return [byte]
        case UInt8(ascii: "x"): return [UInt8(truncatingIfNeeded: try digits(2, radix: 16, from: start))]
        case UInt8(ascii: "u"): return try scalar(digits(4, radix: 16, from: start), from: start)
        case UInt8(ascii: "U"): return try scalar(digits(8, radix: 16, from: start), from: start)
        case 48...55:
            position -= 1
            let value = try digits(3, radix: 8, from: start)
            guard value < 256 else { throw fail("octal escape above 255", at: start) }
            return [UInt8(value)]
        default: throw fail("unknown escape sequence", at: start)
        }
    }

    private mutating func digits(_ count: Int, radix: Int, from start: Int) throws(PromQLError) -> UInt32 {
        guard position + count <= bytes.count,
            let value = UInt32(String(decoding: bytes[position..<position + count], as: UTF8.self), radix: radix),
            bytes[position] != UInt8(ascii: "+"), bytes[position] != UInt8(ascii: "-")
        else { throw fail("escape sequence needs \(count) digits", at: start) }
        position += count
        return value
    }

    private func scalar(_ value: UInt32, from start: Int) throws(PromQLError) -> [UInt8] {
        guard let scalar = Unicode.Scalar(value) else { throw fail("escape is no Unicode character", at: start) }
        return Array(String(Character(scalar)).utf8)
    }
}

/// Positions in messages.
enum PromQLPosition {
    /// `1:7: parse error: …`, line and column from 1, as Prometheus has it.
    static func error(_ message: String, at offset: Int, in bytes: [UInt8]) -> PromQLError {
        let before = bytes.prefix(offset)
        let line = before.count { $0 == 10 } + 1
        let column = offset - (before.lastIndex(of: 10).map { $0 + 1 } ?? 0) + 1
        return PromQLError(.badData, "\(line):\(column): parse error: \(message)")
    }
}
