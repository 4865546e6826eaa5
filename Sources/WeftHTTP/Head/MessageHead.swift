package import NIOCore

/// A request method. Only unknown methods carry a string.
package enum HTTPMethod: Sendable, Hashable, CustomStringConvertible {
    case get, head, post, put, delete, connect, options, trace, patch
    case other(String)

    @inlinable package var isConnect: Bool { if case .connect = self { true } else { false } }
    @inlinable package var isHead: Bool { if case .head = self { true } else { false } }

    package init(_ bytes: some Collection<UInt8>) { self.init(name: String(decoding: bytes, as: UTF8.self)) }
    /// Makes a `String` of unknown methods alone.
    init(_ bytes: UnsafeRawBufferPointer) {
        func equals(_ name: StaticString) -> Bool {
            name.utf8CodeUnitCount == bytes.count && name.withUTF8Buffer { bytes.elementsEqual($0) }
        }
        if equals("GET") {
            self = .get
        } else if equals("POST") {
            self = .post
        } else {
            self.init(name: String(decoding: bytes, as: UTF8.self))
        }
    }
    package init(name: String) {
        switch name {
        case "GET": self = .get
        case "HEAD": self = .head
        case "POST": self = .post
        case "PUT": self = .put
        case "DELETE": self = .delete
        case "CONNECT": self = .connect
        case "OPTIONS": self = .options
        case "TRACE": self = .trace
        case "PATCH": self = .patch
        default: self = .other(name)
        }
    }
    package var description: String {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .connect: "CONNECT"
        case .options: "OPTIONS"
        case .trace: "TRACE"
        case .patch: "PATCH"
        case .other(let name): name
        }
    }
    package var isIdempotent: Bool {
        switch self {
        case .post, .patch, .connect, .other: false
        default: true
        }
    }
}

package enum HTTPProtocolVersion: Sendable, Hashable {
    case http10, http11, http2
    // Written out, like those below, so that other modules compare without a call through a witness table.
    @inlinable package static func == (left: HTTPProtocolVersion, right: HTTPProtocolVersion) -> Bool {
        switch (left, right) {
        case (.http10, .http10), (.http11, .http11), (.http2, .http2): true
        default: false
        }
    }
    /// As access logs print it.
    package var name: StaticString {
        switch self {
        case .http10: "HTTP/1.0"
        case .http11: "HTTP/1.1"
        case .http2: "HTTP/2"
        }
    }
}

/// How the end of a body is found.
package enum BodyFraming: Sendable, Hashable {
    case none
    case length(UInt64)
    case chunked
    /// Response bodies of HTTP/1.0 servers.
    case untilClose
    /// Opaque bytes in both directions: CONNECT and accepted upgrades.
    case tunnel

    @inlinable package static func == (left: BodyFraming, right: BodyFraming) -> Bool {
        switch (left, right) {
        case (.none, .none), (.chunked, .chunked), (.untilClose, .untilClose), (.tunnel, .tunnel): true
        case (.length(let one), .length(let other)): one == other
        default: false
        }
    }
}

package enum HTTPScheme: String, Sendable, Hashable {
    case http, https
    @inlinable package static func == (left: HTTPScheme, right: HTTPScheme) -> Bool {
        switch (left, right) {
        case (.http, .http), (.https, .https): true
        default: false
        }
    }
}

/// The head of a request, the same for HTTP/1 and HTTP/2.
///
/// `Host` is not among the headers: it is ``authority``, and the serialiser writes it back.
package struct RequestHead: Sendable {
    package var method: HTTPMethod
    /// Path and query in origin form; empty for CONNECT; `*` for OPTIONS of the server.
    package var path: ByteBuffer
    package var authority: ByteBuffer
    package var scheme: HTTPScheme
    package var version: HTTPProtocolVersion
    package var headers: HeaderBlock
    package var framing: BodyFraming
    /// Whether the connection may carry another request after this one.
    package var keepAlive: Bool

    package init(
        method: HTTPMethod, path: ByteBuffer, authority: ByteBuffer, scheme: HTTPScheme = .http,
        version: HTTPProtocolVersion = .http11, headers: HeaderBlock = HeaderBlock(), framing: BodyFraming = .none,
        keepAlive: Bool = true
    ) {
        self.method = method
        self.path = path
        self.authority = authority
        self.scheme = scheme
        self.version = version
        self.headers = headers
        self.framing = framing
        self.keepAlive = keepAlive
    }

    /// For tests and local requests.
    package init(_ method: HTTPMethod, _ path: String, authority: String, headers: [(String, String)] = []) {
        self.init(
            method: method, path: ByteBuffer(string: path), authority: ByteBuffer(string: authority),
            headers: HeaderBlock(headers))
    }

    @inlinable package var expectsContinue: Bool {
        headers.contains(.expect) && version == .http11 && headers.hasToken(.expect, "100-continue")
    }
    /// `Upgrade` together with `Connection: upgrade`.
    @inlinable package var wantsUpgrade: Bool { headers.contains(.upgrade) && headers.hasToken(.connection, "upgrade") }
    package var isGRPC: Bool { headers.isGRPC }
    /// Bytes of all names and values, with the pseudo headers of HTTP/2.
    package var byteCount: Int {
        // `:method`, `:path`, `:authority` and `:scheme` have 29 bytes of names.
        headers.byteCount + path.readableBytes + authority.readableBytes + method.description.utf8.count
            + scheme.rawValue.utf8.count + 29
    }
    package var pathString: String { String(buffer: path) }
    package var authorityString: String { String(buffer: authority) }
}

extension ResponseHead {
    /// An interim response: another head follows.
    package var isInformational: Bool { status < 200 && status != 101 }
}

/// The head of a response.
package struct ResponseHead: Sendable {
    package var status: UInt16
    package var version: HTTPProtocolVersion
    package var headers: HeaderBlock
    package var framing: BodyFraming
    package var keepAlive: Bool

    package init(
        status: UInt16, version: HTTPProtocolVersion = .http11, headers: HeaderBlock = HeaderBlock(),
        framing: BodyFraming = .none, keepAlive: Bool = true
    ) {
        self.status = status
        self.version = version
        self.headers = headers
        self.framing = framing
        self.keepAlive = keepAlive
    }
}

extension HeaderBlock {
    /// Whether `content-type` is `application/grpc`, or that with a `+` and more.
    package var isGRPC: Bool {
        guard contains(.contentType), let type = self[.contentType] else { return false }
        let grpc: StaticString = "application/grpc"
        let length = grpc.utf8CodeUnitCount
        return type.withUnsafeBytes { bytes in
            guard bytes.count >= length, bytes.count == length || bytes[length] == 43 else { return false }
            return grpc.withUTF8Buffer { bytes.prefix(length).elementsEqual($0) }
        }
    }
}
