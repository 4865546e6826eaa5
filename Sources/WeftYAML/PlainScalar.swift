import WeftCore

/// Gives a plain (unquoted) scalar the type that Go's YAML 1.1 library gives it.
enum PlainScalar {
    static func resolve(_ text: String) -> JSONValue {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON": return .bool(true)
        case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF": return .bool(false)
        default: break
        }
        guard let first = text.utf8.first,
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) || first == UInt8(ascii: "-")
                || first == UInt8(ascii: "+")
                || first == UInt8(ascii: ".")
        else { return .string(text) }
        return number(text) ?? .string(text)
    }

    /// True if a string must be quoted to stay one.
    static func needsQuotes(_ text: String) -> Bool {
        if case .string = resolve(text) { return false }
        return true
    }

    private static func number(_ text: String) -> JSONValue? {
        let plain = text.filter { $0 != "_" }
        if plain.count != text.count, text.hasPrefix("_") || text.hasSuffix("_") { return nil }
        var digits = Substring(plain)
        let negative = digits.first == "-"
        if negative || digits.first == "+" { digits = digits.dropFirst() }
        guard let first = digits.utf8.first else { return nil }
        if first == UInt8(ascii: "0"), digits.utf8.count > 1, let integer = based(digits) {
            return .int(negative ? -integer : integer)
        }
        if digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            if let integer = Int64(plain) { return .int(integer) }
            return Double(plain).map { .double($0) }
        }
        return float(digits, negative: negative)
    }

    /// `0b…`, `0o…`, `0x…` and YAML 1.1's `017`.
    private static func based(_ digits: Substring) -> Int64? {
        let rest = digits.dropFirst(2)
        guard !rest.hasPrefix("-"), !rest.hasPrefix("+") else { return nil }
        switch digits.dropFirst().first {
        case "b", "B": return Int64(rest, radix: 2)
        case "o", "O": return Int64(rest, radix: 8)
        case "x", "X": return Int64(rest, radix: 16)
        default:
            guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
            return Int64(digits.dropFirst(), radix: 8)
        }
    }

    private static func float(_ digits: Substring, negative: Bool) -> JSONValue? {
        var sawDigit = false
        for byte in digits.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): sawDigit = true
            case UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: "+"), UInt8(ascii: "-"): break
            default: return nil
            }
        }
        guard sawDigit else { return nil }
        var text = String(digits)
        if text.hasPrefix(".") { text = "0" + text }
        if text.hasSuffix(".") { text += "0" }
        guard let value = Double(text), value.isFinite else { return nil }
        return .double(negative ? -value : value)
    }
}
