/// Classes of characters: in brackets, by name, and by escapes.
extension RegexParser {
    /// `\d`, `\w`, `\s`, `\pN`, `\p{Greek}`, `\p{^Greek}` and their opposites in capitals; the position is behind the
    /// backslash, and stays there when it is another escape.
    mutating func escapedClass() throws(RegexError) -> ByteSet? {
        guard let byte = peek else { throw error("trailing backslash") }
        var set: ByteSet
        switch byte | 0x20 {
        case UInt8(ascii: "d"): set = ByteSet(48...57)
        case UInt8(ascii: "w"): set = ByteSet([48...57, 65...90, 95...95, 97...122])
        case UInt8(ascii: "s"): set = ByteSet([9...10, 12...13, 32...32])
        case UInt8(ascii: "p"):
            position += 1
            set = try unicodeClass()
            if flags.ignoreCase { set = set.foldedCase }
            return byte == UInt8(ascii: "P") ? set.inverted : set
        default: return nil
        }
        position += 1
        return byte == byte | 0x20 ? set : set.inverted
    }

    private mutating func unicodeClass() throws(RegexError) -> ByteSet {
        var name: ArraySlice<UInt8>
        if eat("{") {
            guard let end = pattern[position...].firstIndex(of: UInt8(ascii: "}")) else { throw error("missing }") }
            name = pattern[position..<end]
            position = end + 1
        } else {
            guard position < pattern.count else { throw error("a class needs a name") }
            name = pattern[position...position]
            position += 1
        }
        let isNegated = name.first == UInt8(ascii: "^")
        if isNegated { name = name.dropFirst() }
        guard let set = CharacterClasses.named(String(decoding: name, as: UTF8.self)) else {
            throw error("unknown class of characters")
        }
        return isNegated ? set.inverted : set
    }

    /// The position is behind the backslash.
    mutating func escapedCharacter() throws(RegexError) -> UInt8 {
        guard let byte = peek else { throw error("trailing backslash") }
        position += 1
        switch byte {
        case UInt8(ascii: "a"): return 7
        case UInt8(ascii: "f"): return 12
        case UInt8(ascii: "n"): return 10
        case UInt8(ascii: "r"): return 13
        case UInt8(ascii: "t"): return 9
        case UInt8(ascii: "v"): return 11
        case UInt8(ascii: "x"): return try hexadecimal()
        case 48...55: return try octal(byte)
        case 48...57, 65...90, 97...122: throw error("unknown escape")
        default: return byte
        }
    }

    /// `\xAB` and `\x{AB}`.
    private mutating func hexadecimal() throws(RegexError) -> UInt8 {
        var digits = pattern[position...].prefix(2)
        if eat("{") {
            guard let end = pattern[position...].firstIndex(of: UInt8(ascii: "}")) else { throw error("missing }") }
            digits = pattern[position..<end]
            position = end + 1
        } else {
            guard digits.count == 2 else { throw error("bad hexadecimal escape") }
            position += 2
        }
        guard let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16), digits.first != UInt8(ascii: "+")
        else { throw error("bad hexadecimal escape") }
        return value
    }

    /// `\0`, `\12`, `\123`. A single digit that is not zero would be a reference to a group, which there is not.
    private mutating func octal(_ first: UInt8) throws(RegexError) -> UInt8 {
        var value = Int(first - 48)
        guard first == 48 || peek.map({ (48...55).contains($0) }) == true else {
            throw error("references to groups are not supported")
        }
        for _ in 0..<2 {
            guard let byte = peek, (48...55).contains(byte) else { break }
            value = value * 8 + Int(byte - 48)
            position += 1
        }
        guard let byte = UInt8(exactly: value) else { throw error("bad octal escape") }
        return byte
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
        let set = ByteSet(ranges)
        return isNegated ? set.inverted : set
    }

    private static let namedClasses: [String: [ClosedRange<UInt8>]] = [
        "alnum": [48...57, 65...90, 97...122], "alpha": [65...90, 97...122], "ascii": [0...127],
        "blank": [9...9, 32...32],
        "cntrl": [0...31, 127...127], "digit": [48...57], "graph": [33...126], "lower": [97...122], "print": [32...126],
        "punct": [33...47, 58...64, 91...96, 123...126], "space": [9...13, 32...32], "upper": [65...90],
        "word": [48...57, 65...90, 97...122, 95...95], "xdigit": [48...57, 65...70, 97...102],
    ]

    /// The position is behind the opening bracket.
    mutating func bracket() throws(RegexError) -> ByteSet {
        let isNegated = eat("^")
        var set = ByteSet()
        var isFirst = true
        while let byte = peek, isFirst || byte != UInt8(ascii: "]") {
            isFirst = false
            if byte == UInt8(ascii: "["), position + 1 < pattern.count, pattern[position + 1] == UInt8(ascii: ":") {
                position += 1
                set.formUnion(try namedClass())
                continue
            }
            if byte == UInt8(ascii: "\\") {
                position += 1
                if let named = try escapedClass() {
                    set.formUnion(named)
                    continue
                }
                position -= 1
            }
            let low = try bracketCharacter()
            var high = low
            if peek == UInt8(ascii: "-"), position + 1 < pattern.count, pattern[position + 1] != UInt8(ascii: "]") {
                position += 1
                high = try bracketCharacter()
                guard high >= low else { throw error("bad range") }
            }
            set.formUnion(ByteSet(low...high))
        }
        guard eat("]") else { throw error("missing ]") }
        if flags.ignoreCase { set = set.foldedCase }
        return isNegated ? set.inverted : set
    }

    private mutating func bracketCharacter() throws(RegexError) -> UInt8 {
        guard peek != nil else { throw error("missing ]") }
        if eat("\\") { return try escapedCharacter() }
        position += 1
        return pattern[position - 1]
    }
}
