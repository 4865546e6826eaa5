/// The parsed form of a pattern.
indirect enum RegexNode: Sendable {
    case empty
    /// Of the text, or of any of its lines.
    case start(multiLine: Bool)
    case end(multiLine: Bool)
    /// A border between a word byte and another (`\b`), or its absence.
    case wordBoundary(Bool)
    case bytes(ByteSet)
    case sequence([RegexNode])
    case either(RegexNode, RegexNode)
    /// At least and at most so often; `isLazy` prefers fewer.
    case repeated(RegexNode, Int, Int?, isLazy: Bool)
    /// A capturing group, numbered from 1 by its opening parenthesis.
    case group(Int, RegexNode)
}

/// Reads RE2's syntax (github.com/google/re2/wiki/Syntax), for Latin-1: alternation, groups, classes with
/// Unicode's categories and scripts, escapes, anchors, counted and lazy repetition, the flags `i`, `m`, `s` and `U`.
struct RegexParser {
    let pattern: [UInt8]
    var position = 0
    private var depth = 0
    private(set) var flags = Flags()
    /// The rest of the pattern up to `\E` means itself.
    private var isQuoted = false
    /// Capturing groups so far.
    private(set) var groupCount = 0
    /// The numbers of groups that have a name.
    private(set) var groupNames: [String: Int] = [:]

    struct Flags {
        var ignoreCase = false
        var multiLine = false
        var dotMatchesNewline = false
        var prefersFewer = false
    }

    init(_ pattern: String) { self.pattern = Array(pattern.utf8) }

    mutating func parse() throws(RegexError) -> RegexNode {
        let node = try alternation()
        guard position == pattern.count else { throw error("unexpected )") }
        return node
    }

    func error(_ message: String) -> RegexError { RegexError(message: message, position: position) }
    var peek: UInt8? { position < pattern.count ? pattern[position] : nil }
    mutating func eat(_ byte: Character) -> Bool {
        guard let wanted = byte.asciiValue, peek == wanted else { return false }
        position += 1
        return true
    }

    private mutating func alternation() throws(RegexError) -> RegexNode {
        depth += 1
        defer { depth -= 1 }
        guard depth < 200 else { throw error("groups are nested too deeply") }
        var node = try sequence()
        while eat("|") { node = .either(node, try sequence()) }
        return node
    }

    private mutating func sequence() throws(RegexError) -> RegexNode {
        var nodes: [RegexNode] = []
        while let byte = peek, isQuoted || byte != UInt8(ascii: "|") && byte != UInt8(ascii: ")") {
            nodes.append(try repetition())
        }
        return .sequence(nodes)
    }

    private mutating func repetition() throws(RegexError) -> RegexNode {
        let node = try atom()
        guard !isQuoted, let (minimum, maximum) = try quantifier() else { return node }
        // `(?U)` swaps the meaning of a trailing question mark.
        let isLazy = eat("?") != flags.prefersFewer
        if try quantifier() != nil { throw error("a repetition of a repetition") }
        return .repeated(node, minimum, maximum, isLazy: isLazy)
    }

    private mutating func quantifier() throws(RegexError) -> (Int, Int?)? {
        var bounds: (Int, Int?)?
        if eat("*") { bounds = (0, nil) } else if eat("+") { bounds = (1, nil) } else if eat("?") { bounds = (0, 1) }
        if bounds == nil, peek == UInt8(ascii: "{") { bounds = try counted() }
        return bounds
    }

    /// `{n}`, `{n,}`, `{n,m}`; anything else is a literal brace.
    private mutating func counted() throws(RegexError) -> (Int, Int?)? {
        let start = position
        position += 1
        if let minimum = number() {
            var maximum: Int? = minimum
            if eat(",") { maximum = number() }
            if eat("}") {
                guard minimum <= 1000, maximum ?? 0 <= 1000, maximum.map({ $0 >= minimum }) ?? true else {
                    throw error("bad repetition count")
                }
                return (minimum, maximum)
            }
        }
        position = start
        return nil
    }

    private mutating func number() -> Int? {
        let start = position
        var value = 0
        while let byte = peek, byte >= 48, byte <= 57, position - start < 6 {
            value = value * 10 + Int(byte - 48)
            position += 1
        }
        return position > start ? value : nil
    }

    private mutating func atom() throws(RegexError) -> RegexNode {
        if isQuoted { return quoted() }
        guard let byte = peek else { return .empty }
        position += 1
        switch byte {
        case UInt8(ascii: "("): return try group()
        case UInt8(ascii: "["): return .bytes(try bracket())
        case UInt8(ascii: "^"): return .start(multiLine: flags.multiLine)
        case UInt8(ascii: "$"): return .end(multiLine: flags.multiLine)
        case UInt8(ascii: "."):
            return .bytes(flags.dotMatchesNewline ? ByteSet().inverted : ByteSet(10...10).inverted)
        case UInt8(ascii: "\\"): return try escape()
        case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"):
            position -= 1
            throw error("nothing to repeat")
        default: return literal(byte)
        }
    }

    func literal(_ byte: UInt8) -> RegexNode {
        let set = ByteSet(byte...byte)
        return .bytes(flags.ignoreCase ? set.foldedCase : set)
    }

    /// One character between `\Q` and `\E`.
    private mutating func quoted() -> RegexNode {
        guard let byte = peek else { return .empty }
        position += 1
        let node = literal(byte)
        endQuote()
        return node
    }

    /// What follows `\E` is a pattern again: a repetition of the last character, for one.
    private mutating func endQuote() {
        guard pattern[position...].starts(with: "\\E".utf8) else { return }
        position += 2
        isQuoted = false
    }

    private mutating func group() throws(RegexError) -> RegexNode {
        let outer = flags
        var captures = true
        if eat("?") {
            captures = peek == UInt8(ascii: "P") || peek == UInt8(ascii: "<")
            if try readFlags() { return .empty }
        }
        if captures { groupCount += 1 }
        let number = groupCount
        let node = try alternation()
        guard eat(")") else { throw error("missing )") }
        flags = outer
        return captures ? .group(number, node) : node
    }

    /// - Returns: true when the flags stand alone (`(?i)`), false when a group follows.
    private mutating func readFlags() throws(RegexError) -> Bool {
        if eat("P") || peek == UInt8(ascii: "<") {
            guard eat("<"), let end = pattern[position...].firstIndex(of: UInt8(ascii: ">")) else {
                throw error("bad group name")
            }
            groupNames[String(decoding: pattern[position..<end], as: UTF8.self)] = groupCount + 1
            position = end + 1
            return false
        }
        var value = true
        while let byte = peek {
            position += 1
            switch byte {
            case UInt8(ascii: "i"): flags.ignoreCase = value
            case UInt8(ascii: "m"): flags.multiLine = value
            case UInt8(ascii: "s"): flags.dotMatchesNewline = value
            case UInt8(ascii: "U"): flags.prefersFewer = value
            case UInt8(ascii: "-"): value = false
            case UInt8(ascii: ":"): return false
            case UInt8(ascii: ")"): return true
            default: throw error("unknown flag")
            }
        }
        throw error("missing )")
    }

    private mutating func escape() throws(RegexError) -> RegexNode {
        switch peek {
        case UInt8(ascii: "A"):
            position += 1
            return .start(multiLine: false)
        case UInt8(ascii: "z"):
            position += 1
            return .end(multiLine: false)
        case UInt8(ascii: "b"), UInt8(ascii: "B"):
            position += 1
            return .wordBoundary(pattern[position - 1] == UInt8(ascii: "b"))
        case UInt8(ascii: "Q"):
            position += 1
            isQuoted = true
            endQuote()
            return .empty
        case UInt8(ascii: "C"):
            position += 1
            return .bytes(ByteSet().inverted)
        default: break
        }
        if let set = try escapedClass() { return .bytes(set) }
        return literal(try escapedCharacter())
    }
}
