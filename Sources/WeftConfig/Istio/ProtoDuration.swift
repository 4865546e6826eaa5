/// A length of time as Istio writes it: `10s`, `1.5s`, `100ms`, `1h2m`. Kept in nanoseconds.
package struct ProtoDuration: Sendable, Hashable, Codable, CustomStringConvertible {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    package init(milliseconds: Int64) { self.nanoseconds = milliseconds * 1_000_000 }

    /// Parses Go's notation: a sign, then numbers with units, as in `1h2m`, `1.5s`, `250us`. A bare `0` needs no unit.
    package init?(_ text: String) {
        var rest = Substring(text)
        let negative = rest.hasPrefix("-")
        if negative || rest.hasPrefix("+") { rest = rest.dropFirst() }
        if rest == "0" {
            self.init(nanoseconds: 0)
            return
        }
        guard !rest.isEmpty else { return nil }
        var total = 0.0
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !($0.isASCII && ($0.isNumber || $0 == ".")) }
            rest = rest.dropFirst(unit.count)
            guard let value = Double(number.hasPrefix(".") ? "0\(number)" : String(number)),
                let scale = Self.scale(unit)
            else { return nil }
            total += value * scale
        }
        guard total < 9.2e18 else { return nil }
        self.init(nanoseconds: Int64((negative ? -total : total).rounded()))
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = ProtoDuration(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "invalid duration \"\(text)\": use a form like 10s, 1.5s or 100ms")
        }
        self = value
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// Whole milliseconds, at least 1 for anything above zero.
    package var milliseconds: UInt64 {
        nanoseconds <= 0 ? 0 : UInt64(max(1, nanoseconds / 1_000_000))
    }

    /// Seconds, with a fraction where needed, as protobuf's JSON form has it.
    package var description: String {
        let seconds = nanoseconds / 1_000_000_000
        let rest = abs(nanoseconds % 1_000_000_000)
        guard rest != 0 else { return "\(seconds)s" }
        var fraction = String(1_000_000_000 + rest).dropFirst()
        while fraction.last == "0" { fraction = fraction.dropLast() }
        return "\(nanoseconds < 0 && seconds == 0 ? "-" : "")\(seconds).\(fraction)s"
    }

    private static func scale(_ unit: Substring) -> Double? {
        switch unit {
        case "h": 3_600e9
        case "m": 60e9
        case "s": 1e9
        case "ms": 1e6
        case "us", "µs", "μs": 1e3
        case "ns": 1
        default: nil
        }
    }
}
