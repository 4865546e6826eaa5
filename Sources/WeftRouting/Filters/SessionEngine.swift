import NIOCore
package import WeftHTTP
package import WeftIR

/// Reads the endpoint of a session from a request and writes it into a response. Immutable.
package struct SessionEngine: Sendable {
    package let settings: StatefulSession
    private let cookieName: [UInt8]
    private let headerName: HeaderName

    package init(_ settings: StatefulSession) {
        self.settings = settings
        cookieName = if case .cookie(let cookie)? = settings.carrier { Array(cookie.name.utf8) } else { [] }
        headerName = if case .header(let name)? = settings.carrier { HeaderName(name) } else { HeaderName("") }
    }

    /// Whether a request can have a session: it is below the cookie's path.
    package func concerns(_ head: RequestHead) -> Bool {
        switch settings.carrier {
        case nil: return false
        case .header: return true
        case .cookie(let cookie):
            let path = cookie.path
            guard !path.isEmpty, path != "/" else { return true }
            let target = head.pathString.prefix { $0 != "?" && $0 != "#" }
            guard target.hasPrefix(path) else { return false }
            return path.hasSuffix("/") || target.utf8.count == path.utf8.count
                || target.dropFirst(path.count).first == "/"
        }
    }

    /// - Parameter now: Seconds since 1970, for cookies that expire.
    /// - Returns: `ADDRESS:PORT`, `nil` for none or one that cannot be read.
    package func address(in head: RequestHead, now: Int64) -> String? {
        switch settings.carrier {
        case nil: return nil
        case .header: return head.headers[headerName].flatMap(Base64.decode).flatMap(Self.text)
        case .cookie(let cookie):
            guard let value = RequestHash.cookie(cookieName, in: head.headers), let bytes = Base64.decode(value) else {
                return nil
            }
            guard let content = SessionCookie(bytes) else { return nil }
            if cookie.lifetimeSeconds > 0, content.expires <= now { return nil }
            return content.address
        }
    }

    private static func text(_ bytes: [UInt8]) -> String? {
        guard !bytes.isEmpty, bytes.allSatisfy({ $0 > 32 && $0 < 127 }) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Tells the client where its session is, unless it knows.
    /// - Parameter known: What the request said.
    package func write(_ address: String, known: String?, to headers: inout HeaderBlock, now: Int64) {
        guard address != known else { return }
        switch settings.carrier {
        case nil: return
        case .header: headers.set(headerName, Base64.encode(Array(address.utf8)))
        case .cookie(let cookie):
            let expires = cookie.lifetimeSeconds > 0 ? now + Int64(clamping: cookie.lifetimeSeconds) : 0
            let value = Base64.encode(SessionCookie(address: address, expires: expires).bytes)
            var line = "\(cookie.name)=\"\(value)\""
            if cookie.lifetimeSeconds > 0 { line += "; Max-Age=\(cookie.lifetimeSeconds)" }
            if !cookie.path.isEmpty { line += "; Path=\(cookie.path)" }
            for attribute in cookie.attributes { line += "; \(attribute)" }
            headers.append(.setCookie, line + "; HttpOnly")
        }
    }
}

/// The value of a session cookie: a protobuf message with the address (1, a string) and when it expires (2, seconds).
struct SessionCookie: Equatable {
    var address: String
    var expires: Int64

    init(address: String, expires: Int64) {
        self.address = address
        self.expires = expires
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = [0x0a]
        Self.write(UInt64(address.utf8.count), &bytes)
        bytes += address.utf8
        if expires > 0 {
            bytes.append(0x10)
            Self.write(UInt64(expires), &bytes)
        }
        return bytes
    }

    init?(_ bytes: [UInt8]) {
        var rest = bytes[...]
        var address: String?
        var expires: UInt64 = 0
        while let tag = rest.popFirst() {
            guard let number = Self.read(&rest) else { return nil }
            switch tag {
            case 0x0a:
                guard number <= UInt64(rest.count) else { return nil }
                let text = rest.prefix(Int(number))
                guard text.allSatisfy({ $0 > 32 && $0 < 127 }) else { return nil }
                address = String(decoding: text, as: UTF8.self)
                rest = rest.dropFirst(Int(number))
            case 0x10: expires = number
            default: return nil
            }
        }
        guard let address, !address.isEmpty else { return nil }
        self.init(address: address, expires: Int64(clamping: expires))
    }

    private static func write(_ value: UInt64, _ bytes: inout [UInt8]) {
        var value = value
        while value > 0x7f {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }

    private static func read(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
