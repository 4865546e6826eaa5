/// Field names that HTTP/2 gives a meaning of its own.
enum HTTP2FieldKind {
    case plain, host, cookie, contentLength, te, hopByHop

    /// - Parameter name: In any case.
    init(_ name: UnsafeBufferPointer<UInt8>) {
        switch name.count {
        case 2: self = Self.equal(name, "te") ? .te : .plain
        case 4: self = Self.equal(name, "host") ? .host : .plain
        case 6: self = Self.equal(name, "cookie") ? .cookie : .plain
        case 7: self = Self.equal(name, "upgrade") ? .hopByHop : .plain
        case 10:
            self = Self.equal(name, "connection") || Self.equal(name, "keep-alive") ? .hopByHop : .plain
        case 14: self = Self.equal(name, "content-length") ? .contentLength : .plain
        case 16: self = Self.equal(name, "proxy-connection") ? .hopByHop : .plain
        case 17: self = Self.equal(name, "transfer-encoding") ? .hopByHop : .plain
        default: self = .plain
        }
    }

    /// Whether `name`, in lower case, is `text`.
    static func equal(_ name: UnsafeBufferPointer<UInt8>, _ text: StaticString) -> Bool {
        guard name.count == text.utf8CodeUnitCount else { return false }
        return equalsLowercased(name, text.utf8Start)
    }
}
