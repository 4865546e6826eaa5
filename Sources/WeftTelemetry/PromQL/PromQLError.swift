/// Why a query got no answer.
package struct PromQLError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kinds of Prometheus's HTTP API, which decide the status code.
    package enum Kind: String, Sendable, Hashable {
        case badData = "bad_data"
        case execution
        case canceled
        case timeout
        case notFound = "not_found"
        case `internal` = "internal"
        case unavailable
    }
    package var kind: Kind
    package var message: String

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    package var description: String { message }
}

/// Pieces of query text.
package enum PromQLText {
    /// In double quotes, with the escapes that PromQL reads back.
    package static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// Milliseconds as a duration of PromQL: `1h30m`.
    package static func duration(_ milliseconds: Int64) -> String {
        guard milliseconds != 0 else { return "0s" }
        var rest = milliseconds.magnitude
        var text = milliseconds < 0 ? "-" : ""
        for (unit, size) in [("d", 86_400_000 as UInt64), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
            if rest >= size { text += "\(rest / size)\(unit)" }
            rest %= size
        }
        return text
    }

    /// The shortest decimal form that reads back as the same number, without an exponent, as PromQL prints values.
    package static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value), whole.magnitude < 1 << 53 {
            return whole == 0 && value.sign == .minus ? "-0" : String(whole)
        }
        let text = "\(value)"
        return text.utf8.contains(UInt8(ascii: "e")) || text.hasSuffix(".0") ? expanded(text) : text
    }

    /// Writes an exponent out: `1.5e+21` as `1500000000000000000000`.
    private static func expanded(_ text: String) -> String {
        let parts = text.split(separator: "e")
        var mantissa = parts[0][...]
        let isNegative = mantissa.first == "-"
        if isNegative { mantissa = mantissa.dropFirst() }
        let pieces = mantissa.split(separator: ".", omittingEmptySubsequences: false)
        let fraction = pieces.count > 1 && pieces[1] != "0" ? String(pieces[1]) : ""
        let digits = String(pieces[0]) + fraction
        let point = pieces[0].count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
        var result: String
        if point <= 0 {
            result = "0." + String(repeating: "0", count: -point) + digits
        } else if point >= digits.count {
            result = digits + String(repeating: "0", count: point - digits.count)
        } else {
            result = digits.prefix(point) + "." + digits.dropFirst(point)
        }
        return isNegative ? "-" + result : result
    }
}
