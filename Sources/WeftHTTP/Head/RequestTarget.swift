/// What may stand in the parts of a request's target, the same for HTTP/1 and HTTP/2: what one version takes must be
/// sayable in the other, or it would be read differently behind the proxy.
enum RequestTarget {
    /// RFC 3986, 3.2.2: no user, no quotes, no brackets but those of an address, a port of at most five digits; and
    /// ASCII alone. Empty is an authority.
    static func isAuthority(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var colon = -1
        // Whatever is refused leaves its bit, and what is not ASCII the highest one: all is looked at, with few branches.
        var refused: UInt64 = 0
        var all: UInt8 = 0
        for index in 0..<bytes.count {
            let byte = bytes[index]
            all |= byte
            refused |= (byte & 64 == 0 ? refusedBelow64 : refusedBelow128) &>> UInt64(byte & 63)
            colon = byte == 58 ? index : byte == 93 ? -1 : colon
        }
        guard refused & 1 == 0, all < 128 else { return false }
        if bytes.first == 91, !bytes.contains(93) { return false }
        guard colon >= 0 else { return true }
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
