package import NIOCore

/// Writes HTTP/1.1 messages. The head's framing decides `Content-Length` and `Transfer-Encoding`; header fields of
/// those names in the block are not trusted.
package enum HTTP1Serializer {
    package enum Connection: Sendable { case unspecified, close, keepAlive, upgrade }

    package static func write(_ head: RequestHead, connection: Connection = .unspecified, into buffer: inout ByteBuffer)
    {
        buffer.writeString(head.method.description)
        buffer.writeInteger(UInt8(32))
        buffer.writeImmutableBuffer(head.method == .connect ? head.authority : head.path)
        buffer.writeStaticString(" HTTP/1.1\r\nHost: ")
        buffer.writeImmutableBuffer(head.authority)
        buffer.writeStaticString("\r\n")
        write(head.headers, framing: head.framing, connection: connection, isRequest: true, into: &buffer)
    }

    package static func write(
        _ head: ResponseHead, connection: Connection = .unspecified, into buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeString(String(head.status))
        buffer.writeInteger(UInt8(32))
        buffer.writeStaticString(HTTPStatusText.reason(head.status))
        buffer.writeStaticString("\r\n")
        write(head.headers, framing: head.framing, connection: connection, isRequest: false, into: &buffer)
    }

    package static func writeChunk(_ body: ByteBuffer, into buffer: inout ByteBuffer) {
        guard body.readableBytes > 0 else { return }
        buffer.writeString(String(body.readableBytes, radix: 16))
        buffer.writeStaticString("\r\n")
        buffer.writeImmutableBuffer(body)
        buffer.writeStaticString("\r\n")
    }

    /// The last chunk, with trailers.
    package static func writeEnd(_ trailers: HeaderBlock?, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("0\r\n")
        if let trailers {
            for index in 0..<trailers.count { writeField(trailers, index, into: &buffer) }
        }
        buffer.writeStaticString("\r\n")
    }

    private static func write(
        _ headers: HeaderBlock, framing: BodyFraming, connection: Connection, isRequest: Bool,
        into buffer: inout ByteBuffer
    ) {
        // An answer without a body may state the length that GET would have had (HEAD, 304).
        let keepsLength = framing == .none && !isRequest
        for index in 0..<headers.count {
            if headers.named(.transferEncoding, at: index) || (!keepsLength && headers.named(.contentLength, at: index))
                || (isRequest && headers.named(.host, at: index))
                || (connection != .unspecified && headers.named(.connection, at: index))
            {
                continue
            }
            writeField(headers, index, into: &buffer)
        }
        switch framing {
        case .chunked: buffer.writeStaticString("Transfer-Encoding: chunked\r\n")
        case .length(let length): buffer.writeString("Content-Length: \(length)\r\n")
        case .none, .untilClose, .tunnel: break
        }
        switch connection {
        case .unspecified: break
        case .close: buffer.writeStaticString("Connection: close\r\n")
        case .keepAlive: buffer.writeStaticString("Connection: keep-alive\r\n")
        case .upgrade: buffer.writeStaticString("Connection: upgrade\r\n")
        }
        buffer.writeStaticString("\r\n")
    }

    private static func writeField(_ headers: HeaderBlock, _ index: Int, into buffer: inout ByteBuffer) {
        buffer.writeBytes(headers.name(at: index))
        buffer.writeStaticString(": ")
        buffer.writeBytes(headers.value(at: index))
        buffer.writeStaticString("\r\n")
    }
}

/// Reason phrases of the status codes in the IANA registry that a mesh meets.
package enum HTTPStatusText {
    package static func reason(_ status: UInt16) -> StaticString {
        switch status {
        case 100: "Continue"
        case 101: "Switching Protocols"
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 206: "Partial Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 413: "Payload Too Large"
        case 418: "I'm a Teapot"
        case 426: "Upgrade Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: "Unknown"
        }
    }
}
