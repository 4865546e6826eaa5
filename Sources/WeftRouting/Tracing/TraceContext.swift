package import WeftHTTP

/// Where a span stands in its trace, as it travels between processes.
package struct TraceContext: Sendable, Hashable {
    /// The upper half is 0 for trace ids of 64 bits.
    package var traceHigh: UInt64
    package var traceLow: UInt64
    package var spanID: UInt64
    /// 0 is none.
    package var parentID: UInt64 = 0
    package var isSampled: Bool
    /// Whether the one who sent it has decided about sampling.
    package var isDecided = true
    /// Passed on unread (W3C Trace Context section 3.3).
    package var state = ""

    package init(traceHigh: UInt64, traceLow: UInt64, spanID: UInt64, isSampled: Bool) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.spanID = spanID
        self.isSampled = isSampled
    }

    /// A new trace. Ids are never zero.
    package init(random: inout RandomStream, isSampled: Bool, has128Bits: Bool = true) {
        traceHigh = has128Bits ? Self.id(&random) : 0
        traceLow = Self.id(&random)
        spanID = Self.id(&random)
        self.isSampled = isSampled
    }

    /// A span below this one.
    package func child(_ random: inout RandomStream) -> TraceContext {
        var child = self
        child.parentID = spanID
        child.spanID = Self.id(&random)
        return child
    }

    private static func id(_ random: inout RandomStream) -> UInt64 {
        while true {
            let number = random.next()
            if number != 0 { return number }
        }
    }

    /// 32 hexadecimal digits, or 16 of a short trace id.
    package var traceIDText: String { traceHigh == 0 ? Self.hex(traceLow) : Self.hex(traceHigh) + Self.hex(traceLow) }
    package var longTraceIDText: String { Self.hex(traceHigh) + Self.hex(traceLow) }
    package var spanIDText: String { Self.hex(spanID) }
    package var parentIDText: String { Self.hex(parentID) }

    static func hex(_ value: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { space in
            HexDigits.write(value, to: UnsafeMutableRawBufferPointer(space), at: 0)
            return 16
        }
    }

    /// Exactly these hexadecimal digits, in lower or upper case.
    private static func number(_ text: Substring) -> UInt64? {
        var text = text
        return text.withUTF8 { HexDigits.number(UnsafeRawBufferPointer($0)[...]) }
    }
}

// MARK: - W3C

extension TraceContext {
    package static var traceparent: HeaderName { "traceparent" }
    package static var tracestate: HeaderName { "tracestate" }

    /// Bytes of a `traceparent` of version 0.
    private static let parentLength = 55

    /// `traceparent` and `tracestate` (W3C Trace Context, level 1); `nil` when they are absent or malformed.
    package init?(w3c headers: HeaderBlock) {
        var headers = headers
        self.init(inPlace: &headers)
    }

    /// The same of headers in an object, which are not copied out of it and do not change.
    package init?(inPlace headers: inout HeaderBlock) {
        var parent: TraceContext?
        guard headers.lookAtFirst(Self.traceparent, { parent = Self.parent($0) }), let parent else { return nil }
        self = parent
        guard headers.holds(Self.tracestate) else { return }
        state = headers.values(Self.tracestate).map { String(decoding: $0, as: UTF8.self) }.joined(separator: ",")
    }

    /// `VERSION-TRACE-SPAN-FLAGS` of 2, 32, 16 and 2 hexadecimal digits; versions to come may add to it.
    private static func parent(_ text: UnsafeRawBufferPointer) -> TraceContext? {
        let dash = UInt8(ascii: "-")
        guard text.count >= parentLength, let base = text.baseAddress,
            text[2] == dash, text[35] == dash, text[52] == dash,
            let version = HexDigits.two(base), version != 0xff,
            text.count == parentLength || version != 0 && text[parentLength] == dash,
            let high = HexDigits.sixteen(base + 3), let low = HexDigits.sixteen(base + 19),
            let span = HexDigits.sixteen(base + 36), let flags = HexDigits.two(base + 53),
            high | low != 0, span != 0
        else { return nil }
        return TraceContext(traceHigh: high, traceLow: low, spanID: span, isSampled: flags & 1 == 1)
    }

    package func writeW3C(to headers: inout HeaderBlock) {
        headers.set(Self.traceparent, length: Self.parentLength) { text in
            text[0] = UInt8(ascii: "0")
            text[1] = UInt8(ascii: "0")
            text[2] = UInt8(ascii: "-")
            HexDigits.write(traceHigh, to: text, at: 3)
            HexDigits.write(traceLow, to: text, at: 19)
            text[35] = UInt8(ascii: "-")
            HexDigits.write(spanID, to: text, at: 36)
            text[52] = UInt8(ascii: "-")
            text[53] = UInt8(ascii: "0")
            text[54] = isSampled ? UInt8(ascii: "1") : UInt8(ascii: "0")
        }
        if !state.isEmpty { headers.set(Self.tracestate, state) }
    }
}

// MARK: - B3

extension TraceContext {
    private static var b3: HeaderName { "b3" }
    private static var b3TraceID: HeaderName { "x-b3-traceid" }
    private static var b3SpanID: HeaderName { "x-b3-spanid" }
    private static var b3ParentID: HeaderName { "x-b3-parentspanid" }
    private static var b3Sampled: HeaderName { "x-b3-sampled" }
    private static var b3Flags: HeaderName { "x-b3-flags" }

    /// The single header `b3`, or the headers `x-b3-…` (openzipkin/b3-propagation); `nil` when no span is named or what
    /// is there is malformed.
    package init?(b3 headers: HeaderBlock) {
        if let single = headers.string(Self.b3) {
            let parts = single.split(separator: "-", omittingEmptySubsequences: false)
            guard (2...4).contains(parts.count) else { return nil }
            self.init(trace: parts[0], span: parts[1], parent: parts.count == 4 ? parts[3] : nil)
            decide(parts.count > 2 ? String(parts[2]) : nil)
            return
        }
        guard let trace = headers.string(Self.b3TraceID), let span = headers.string(Self.b3SpanID) else { return nil }
        self.init(trace: trace[...], span: span[...], parent: headers.string(Self.b3ParentID).map { $0[...] })
        decide(headers.string(Self.b3Flags) == "1" ? "d" : headers.string(Self.b3Sampled))
    }

    /// What a caller without a span says about sampling.
    package static func b3Decision(_ headers: HeaderBlock) -> Bool? {
        let single = headers.string(b3).flatMap { $0.contains("-") ? nil : $0 }
        return switch headers.string(b3Flags) == "1" ? "d" : single ?? headers.string(b3Sampled) {
        case "1", "d", "true": true
        case "0", "false": false
        default: nil
        }
    }

    private init?(trace: Substring, span: Substring, parent: Substring?) {
        let digits = trace.utf8.count
        guard digits == 16 || digits == 32, span.utf8.count == 16, let low = Self.number(trace.suffix(16)),
            let high = digits == 32 ? Self.number(trace.prefix(16)) : 0, let span = Self.number(span),
            high | low != 0, span != 0
        else { return nil }
        self.init(traceHigh: high, traceLow: low, spanID: span, isSampled: true)
        guard let parent else { return }
        guard parent.utf8.count == 16, let number = Self.number(parent) else { return nil }
        parentID = number
    }

    private mutating func decide(_ text: String?) {
        isDecided = text == "1" || text == "d" || text == "true" || text == "0" || text == "false"
        isSampled = text != "0" && text != "false"
    }

    package func writeB3(to headers: inout HeaderBlock) {
        // A caller's single header would contradict what is written here.
        headers.remove(Self.b3)
        headers.set(Self.b3TraceID, traceIDText)
        headers.set(Self.b3SpanID, spanIDText)
        if parentID != 0 { headers.set(Self.b3ParentID, parentIDText) } else { headers.remove(Self.b3ParentID) }
        headers.set(Self.b3Sampled, isSampled ? "1" : "0")
    }
}
