/// What may stand in the parts of a request's target, the same for HTTP/1 and HTTP/2: what one version takes must be
/// sayable in the other, or it would be read differently behind the proxy.
enum RequestTarget {
    /// RFC 3986, 3.2.2: no user, no quotes, no brackets but those of an address, a port of at most five digits; and
    /// ASCII alone. Empty is an authority.
    static func isAuthority(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var colon: Int?
        for index in 0..<bytes.count {
            let byte = bytes[index]
            let refused = byte < 64 ? refusedBelow64 : byte < 128 ? refusedBelow128 : .max
            if refused >> UInt64(byte & 63) & 1 != 0 { return false }
            if byte == 58 { colon = index } else if byte == 93 { colon = nil }
        }
        if bytes.first == 91, !bytes.contains(93) { return false }
        guard let colon else { return true }
        let port = bytes[(colon + 1)...]
        return port.count <= 5 && port.allSatisfy { $0 >= 48 && $0 <= 57 }
    }

    /// Controls and blanks, and `"`, `#`, `/`, `<`, `>`, `?`: a bit for each byte.
    private static let refusedBelow64: UInt64 =
        0x1_FFFF_FFFF | 1 << 34 | 1 << 35 | 1 << 47 | 1 << 60 | 1 << 62 | 1 << 63
    /// `@`, backslash, `^`, backquote, and everything from `{`.
    private static let refusedBelow128: UInt64 =
        1 << 0 | 1 << 28 | 1 << 30 | 1 << 32 | 1 << 59 | 1 << 60 | 1 << 61 | 1 << 62 | 1 << 63

    /// Path and query without blanks and controls. A fragment is no part of a target; policies and applications would
    /// disagree about it.
    static func isPath(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.allSatisfy { $0 > 32 && $0 != 127 && $0 != 35 }
    }
}
