import NIOCore
import NIOHPACK
import WeftHTTP

/// Between HTTP/2's header lists and our heads. Pseudo headers become fields; connection headers never cross.
extension RequestHead {
    /// - Returns: `nil` for a list that is no request (RFC 9113, 8.3.1).
    init?(_ list: HPACKHeaders, endStream: Bool) {
        var method = ""
        var path = ""
        var authority = ""
        var scheme = HTTPScheme.http
        var headers = HeaderBlock()
        for (name, value, _) in list {
            switch name {
            case ":method": method = value
            case ":path": path = value
            case ":authority": authority = value
            case ":scheme": scheme = value == "https" ? .https : .http
            case "host": if authority.isEmpty { authority = value }
            default: if !name.hasPrefix(":") { headers.append(name: name, value: value) }
            }
        }
        guard !method.isEmpty, !path.isEmpty || method == "CONNECT" else { return nil }
        let framing: BodyFraming = endStream ? .none : headers.statedLength.map { .length($0) } ?? .chunked
        self.init(
            method: HTTPMethod(name: method), path: ByteBuffer(string: path), authority: ByteBuffer(string: authority),
            scheme: scheme, version: .http2, headers: headers, framing: framing)
    }
}

extension ResponseHead {
    init?(_ list: HPACKHeaders, endStream: Bool) {
        guard let status = list.first(name: ":status").flatMap({ UInt16($0) }), (100...999).contains(status) else {
            return nil
        }
        let headers = HeaderBlock(list)
        let framing: BodyFraming = endStream ? .none : headers.statedLength.map { .length($0) } ?? .chunked
        self.init(status: status, version: .http2, headers: headers, framing: framing)
    }
}

extension HeaderBlock {
    init(_ list: HPACKHeaders) {
        self.init()
        for (name, value, _) in list where !name.hasPrefix(":") { append(name: name, value: value) }
    }

    var statedLength: UInt64? { self[.contentLength].flatMap { ASCII.decimal($0) } }
}

extension HPACKHeaders {
    init(_ block: HeaderBlock) {
        self.init()
        add(block)
    }

    init(_ head: RequestHead) {
        self.init()
        add(name: ":method", value: head.method.description)
        if head.method != .connect {
            add(name: ":scheme", value: head.scheme.rawValue)
            add(name: ":path", value: head.pathString)
        }
        add(name: ":authority", value: head.authorityString)
        add(head.headers)
    }

    init(_ head: ResponseHead) {
        self.init()
        add(name: ":status", value: String(head.status))
        add(head.headers)
    }

    /// Connection-specific fields have no place in HTTP/2 (RFC 9113, 8.2.2).
    private mutating func add(_ block: HeaderBlock) {
        for (name, value) in block.fields {
            switch name.lowercased() {
            case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "host",
                "http2-settings":
                continue
            case "te": if value == "trailers" { add(name: "te", value: value) }
            case let lower: add(name: lower, value: value)
            }
        }
    }
}
