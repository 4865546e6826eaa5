/// What may stand in the parts of a request's target, the same for HTTP/1 and HTTP/2: what one version takes must be
/// sayable in the other, or it would be read differently behind the proxy.
enum RequestTarget {
    /// RFC 3986, 3.2.2: no user, no quotes, no brackets but those of an address, a port of at most five digits; and
    /// ASCII alone. Empty is an authority.
    static func isAuthority(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var colon: Int?
        for index in 0..<bytes.count {
            switch bytes[index] {
            case 58: colon = index
            case 93: colon = nil
            case 0...32, 34, 35, 47, 60, 62, 63, 64, 92, 94, 96, 123...255: return false
            default: break
            }
        }
        if bytes.first == 91, !bytes.contains(93) { return false }
        guard let colon else { return true }
        let port = bytes[(colon + 1)...]
        return port.count <= 5 && port.allSatisfy { $0 >= 48 && $0 <= 57 }
    }

    /// Path and query without blanks and controls. A fragment is no part of a target; policies and applications would
    /// disagree about it.
    static func isPath(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.allSatisfy { $0 > 32 && $0 != 127 && $0 != 35 }
    }
}
