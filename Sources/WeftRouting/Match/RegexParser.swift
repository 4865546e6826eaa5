/// The parsed form of a pattern.
indirect enum RegexNode: Sendable {
    case empty, start, end
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

/// Reads RE2 syntax: alternation, groups, classes, escapes, anchors, counted and lazy repetition, flags `(?i)` `(?s)`.
struct RegexParser {
    private let pattern: [UInt8]
    private var position = 0
    private var depth = 0
    private var ignoreCase: Bool
    private var dotMatchesNewline = false
    private var prefersFewer = false
    /// Capturing groups so far.
    private(set) var groupCount = 0
    /// The numbers of groups that have a name.
    private(set) var groupNames: [String: Int] = [:]

    init(_ pattern: [UInt8], ignoreCase: Bool) {
        self.pattern = pattern
        self.ignoreCase = ignoreCase
    }

    mutating func parse() throws(RegexError) -> RegexNode {
        let node = try alternation()
        guard position == pattern.count else { throw error("unexpected )") }
        return node
    }

    private func error(_ message: String) -> RegexError { RegexError(message: message, position: position) }
    private var peek: UInt8? { position < pattern.count ? pattern[position] : nil }
    private mutating func eat(_ byte: Character) -> Bool {
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
        while let byte = peek, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") { nodes.append(try repetition()) }
        return .sequence(nodes)
    }

    private mutating func repetition() throws(RegexError) -> RegexNode {
        var node = try atom()
        while let (minimum, maximum) = try quantifier() {
            // `(?U)` swaps the meaning of a trailing question mark.
            node = .repeated(node, minimum, maximum, isLazy: eat("?") != prefersFewer)
        }
        return node
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
        guard let byte = peek else { return .empty }
        position += 1
        switch byte {
        case UInt8(ascii: "("): return try group()
        case UInt8(ascii: "["): return .bytes(try bracket())
        case UInt8(ascii: "^"): return .start
        case UInt8(ascii: "$"): return .end
        case UInt8(ascii: "."):
            var newline = ByteSet()
            if !dotMatchesNewline { newline.insert(10) }
            return .bytes(newline.inverted)
        case UInt8(ascii: "\\"): return try escape()
        case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"):
            position -= 1
            throw error("nothing to repeat")
        default: return literal(byte)
        }
    }

    private func literal(_ byte: UInt8) -> RegexNode {
        let set = ByteSet(byte...byte)
        return .bytes(ignoreCase ? set.foldedCase : set)
    }

    private mutating func group() throws(RegexError) -> RegexNode {
        let outer = (ignoreCase, dotMatchesNewline, prefersFewer)
        var captures = true
        if eat("?") {
            captures = peek == UInt8(ascii: "P") || peek == UInt8(ascii: "<")
            if try flags() { return .empty }
        }
        if captures { groupCount += 1 }
        let number = groupCount
        let node = try alternation()
        guard eat(")") else { throw error("missing )") }
        (ignoreCase, dotMatchesNewline, prefersFewer) = outer
        return captures ? .group(number, node) : node
    }

    /// - Returns: true when the flags stand alone (`(?i)`), false when a group follows.
    private mutating func flags() throws(RegexError) -> Bool {
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
            case UInt8(ascii: "i"): ignoreCase = value
            case UInt8(ascii: "s"): dotMatchesNewline = value
            case UInt8(ascii: "U"): prefersFewer = value
            case UInt8(ascii: "m") where !value: break
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
            return .start
        case UInt8(ascii: "z"):
            position += 1
            return .end
        case UInt8(ascii: "b"), UInt8(ascii: "B"):
            position += 1
            return .wordBoundary(pattern[position - 1] == UInt8(ascii: "b"))
        default: break
        }
        let set = try escapedSet()
        return .bytes(ignoreCase ? set.foldedCase : set)
    }

    private mutating func escapedSet() throws(RegexError) -> ByteSet {
        guard let byte = peek else { throw error("trailing backslash") }
        position += 1
        let lower = byte | 0x20
        let isNegated = byte != lower
        var set = ByteSet()
        switch lower {
        case UInt8(ascii: "d"): set = ByteSet(48...57)
        case UInt8(ascii: "w"):
            for range: ClosedRange<UInt8> in [48...57, 65...90, 97...122, 95...95] { set.formUnion(ByteSet(range)) }
        case UInt8(ascii: "s"): for byte: UInt8 in [9, 10, 12, 13, 32] { set.insert(byte) }
        default:
            set.insert(try escapedByte(byte))
            return set
        }
        return isNegated ? set.inverted : set
    }

    private mutating func escapedByte(_ byte: UInt8) throws(RegexError) -> UInt8 {
        switch byte {
        case UInt8(ascii: "n"): return 10
        case UInt8(ascii: "r"): return 13
        case UInt8(ascii: "t"): return 9
        case UInt8(ascii: "f"): return 12
        case UInt8(ascii: "v"): return 11
        case UInt8(ascii: "x"):
            guard position + 2 <= pattern.count,
                let value = UInt8(String(decoding: pattern[position..<position + 2], as: UTF8.self), radix: 16)
            else { throw error("bad hexadecimal escape") }
            position += 2
            return value
        case 48...57, 65...90, 97...122: throw error("unknown escape")
        default: return byte
        }
    }

    /// `[:alpha:]` and `[:^alpha:]` inside brackets; the position is at the first colon.
    private mutating func namedClass() throws(RegexError) -> ByteSet {
        guard let end = pattern[(position + 1)...].firstIndex(of: UInt8(ascii: ":")), end + 1 < pattern.count,
            pattern[end + 1] == UInt8(ascii: "]")
        else { throw error("bad named class") }
        var name = pattern[(position + 1)..<end]
        let isNegated = name.first == UInt8(ascii: "^")
        if isNegated { name = name.dropFirst() }
        guard let ranges = RegexParser.namedClasses[String(decoding: name, as: UTF8.self)] else {
            throw error("unknown named class")
        }
        position = end + 2
        var set = ByteSet()
        for range in ranges { set.formUnion(ByteSet(range)) }
        return isNegated ? set.inverted : set
    }

    private static let namedClasses: [String: [ClosedRange<UInt8>]] = [
        "alnum": [48...57, 65...90, 97...122], "alpha": [65...90, 97...122], "ascii": [0...127],
        "blank": [9...9, 32...32],
        "cntrl": [0...31, 127...127], "digit": [48...57], "graph": [33...126], "lower": [97...122], "print": [32...126],
        "punct": [33...47, 58...64, 91...96, 123...126], "space": [9...13, 32...32], "upper": [65...90],
        "word": [48...57, 65...90, 97...122, 95...95], "xdigit": [48...57, 65...70, 97...102],
    ]

    private mutating func bracket() throws(RegexError) -> ByteSet {
        let isNegated = eat("^")
        var set = ByteSet()
        var isFirst = true
        while let byte = peek, isFirst || byte != UInt8(ascii: "]") {
            isFirst = false
            position += 1
            if byte == UInt8(ascii: "["), peek == UInt8(ascii: ":") {
                set.formUnion(try namedClass())
                continue
            }
            var low = byte
            if byte == UInt8(ascii: "\\") {
                let next = peek.map { $0 | 0x20 }
                if next == UInt8(ascii: "d") || next == UInt8(ascii: "w") || next == UInt8(ascii: "s") {
                    set.formUnion(try escapedSet())
                    continue
                }
                guard let escaped = peek else { throw error("missing ]") }
                position += 1
                low = try escapedByte(escaped)
            }
            var high = low
            if peek == UInt8(ascii: "-"), position + 1 < pattern.count, pattern[position + 1] != UInt8(ascii: "]") {
                high = pattern[position + 1]
                position += 2
                if high == UInt8(ascii: "\\") {
                    guard let escaped = peek else { throw error("missing ]") }
                    position += 1
                    high = try escapedByte(escaped)
                }
                guard high >= low else { throw error("bad range") }
            }
            set.formUnion(ByteSet(low...high))
        }
        guard eat("]") else { throw error("missing ]") }
        if ignoreCase { set = set.foldedCase }
        return isNegated ? set.inverted : set
    }
}
