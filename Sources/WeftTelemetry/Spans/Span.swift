/// A value of a tag.
package enum TagValue: Sendable, Hashable, Codable {
    case string(String)
    case bool(Bool)
    case integer(Int64)
    case double(Double)

    /// As a search compares it.
    package var text: String {
        switch self {
        case .string(let text): text
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .double(let value): PromQLText.number(value)
        }
    }
}

/// One named value.
package struct Tag: Sendable, Hashable, Codable {
    package var key: String
    package var value: TagValue

    package init(_ key: String, _ value: TagValue) {
        self.key = key
        self.value = value
    }
}

/// Something that happened within a span.
package struct SpanEvent: Sendable, Hashable, Codable {
    /// Microseconds since 1970.
    package var time: Int64
    package var tags: [Tag]
}

/// What one party did for one request, from any of the protocols that bring spans in.
package struct Span: Sendable, Hashable, Codable {
    /// 128 bits of a trace, in hexadecimal without leading zeros beyond 16 digits, as Jaeger writes it.
    package var traceID: String
    package var spanID: String
    package var parentID: String?
    package var service: String
    package var operation: String
    /// `server`, `client`, `producer`, `consumer`, `internal`; empty when not told.
    package var kind: String
    /// Microseconds since 1970.
    package var start: Int64
    /// Microseconds.
    package var duration: Int64
    package var tags: [Tag]
    package var events: [SpanEvent]
    /// Of the process that made it.
    package var resource: [Tag]
    package var isError: Bool

    package var end: Int64 { start &+ duration }
}

/// Bounds of one span. What is beyond is cut off, and the span says so by a tag.
package struct SpanLimits: Sendable, Hashable {
    package var tags = 128
    package var events = 128
    package var textBytes = 4096
    package var spansPerRequest = 50_000

    package init() {}
}

/// Identifiers and texts on their way into a ``Span``.
enum SpanText {
    /// Of raw bytes: lower-case hexadecimal; `nil` for none or for zeros, which say "no identifier".
    static func identifier(_ bytes: ArraySlice<UInt8>, length: Int) -> String? {
        guard bytes.count == length, bytes.contains(where: { $0 != 0 }) else { return nil }
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// Of hexadecimal text: as 16 or 32 lower-case digits.
    static func identifier(_ text: String, longest: Int) -> String? {
        let digits = text.lowercased()
        guard !digits.isEmpty, digits.utf8.count <= longest,
            digits.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }),
            digits.utf8.contains(where: { $0 != 48 })
        else { return nil }
        let width = digits.utf8.count <= 16 ? 16 : 32
        return String(repeating: "0", count: width - digits.utf8.count) + digits
    }

    static func cut(_ text: String, _ limits: SpanLimits) -> String {
        text.utf8.count <= limits.textBytes ? text : String(text.prefix(limits.textBytes / 4)) + "…"
    }
}
