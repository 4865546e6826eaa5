package import NIOCore

/// Writes HTTP/1.1 messages. The framing decides `Content-Length` and `Transfer-Encoding`; header fields of those names
/// in the block are not trusted, and what came in one piece leaves in one piece.
package enum HTTP1Serializer {
    package enum Connection: Sendable { case unspecified, close, keepAlive, upgrade }

    package static func write(_ head: RequestHead, connection: Connection = .unspecified, into buffer: inout ByteBuffer)
    {
        write(head, framing: head.framing, connection: connection, into: &buffer)
    }

    /// - Parameter framing: instead of the head's own.
    package static func write(
        _ head: RequestHead, framing: BodyFraming, connection: Connection = .unspecified, into buffer: inout ByteBuffer
    ) {
        let target = head.method.isConnect ? head.authority : head.path
        var method = head.method.description
        let most =
            method.utf8.count + target.readableBytes + head.authority.readableBytes + head.headers.mostWireBytes + 128
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: most) { room in
            var out = WirePointer(room)
            method.withUTF8 { out.write(UnsafeRawBufferPointer($0)) }
            out.write(32)
            target.withUnsafeReadableBytes { out.write($0) }
            out.write(" HTTP/1.1\r\nHost: ")
            head.authority.withUnsafeReadableBytes { out.write($0) }
            out.write(13, 10)
            head.headers.write(to: &out, framing, connection, isRequest: true)
            return out.count
        }
    }

    package static func write(
        _ head: ResponseHead, connection: Connection = .unspecified, into buffer: inout ByteBuffer
    ) {
        write(head, framing: head.framing, connection: connection, into: &buffer)
    }

    /// - Parameters:
    ///   - framing: instead of the head's own.
    ///   - isStated: A length in `framing` is what the only `content-length` says.
    package static func write(
        _ head: ResponseHead, framing: BodyFraming, connection: Connection = .unspecified, isStated: Bool = false,
        into buffer: inout ByteBuffer
    ) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: head.headers.mostWireBytes + 160) { room in
            var out = WirePointer(room)
            out.write("HTTP/1.1 ")
            out.write(decimal: UInt64(head.status))
            out.write(32)
            out.write(HTTPStatusText.reason(head.status))
            out.write(13, 10)
            // RFC 9110, 8.6: no Content-Length in 1xx and 204.
            let mayStateLength = head.status >= 200 && head.status != 204
            head.headers.write(to: &out, framing, connection, isRequest: false, mayStateLength: mayStateLength, isStated: isStated)
            return out.count
        }
    }

    package static func writeChunk(_ body: ByteBuffer, into buffer: inout ByteBuffer) {
        guard body.readableBytes > 0 else { return }
        writeChunkSize(body.readableBytes, into: &buffer)
        buffer.writeImmutableBuffer(body)
        buffer.writeStaticString("\r\n")
    }

    /// The last chunk, with trailers.
    package static func writeEnd(_ trailers: HeaderBlock?, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("0\r\n")
        if let trailers {
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: trailers.mostWireBytes) { room in
                var out = WirePointer(room)
                trailers.writeFields(to: &out, skipping: 0)
                return out.count
            }
        }
        buffer.writeStaticString("\r\n")
    }

    /// The line that starts a chunk of `length` bytes.
    package static func writeChunkSize(_ length: Int, into buffer: inout ByteBuffer) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 20) { room in
            var out = WirePointer(room)
            out.write(hexadecimal: length)
            out.write(13, 10)
            return out.count
        }
    }
}

extension HeaderBlock {
    /// Upper bound of the bytes that the fields take in a head: every byte of the block is in one field at most.
    var mostWireBytes: Int { bytes.writerIndex + 4 * entries.count }

    /// Writes the fields as framing and connection want them, and the empty line.
    fileprivate func write(
        to out: inout WirePointer, _ framing: BodyFraming, _ connection: HTTP1Serializer.Connection, isRequest: Bool,
        mayStateLength: Bool = true, isStated: Bool = false
    ) {
        // `Content-Length` stays where it is when it says what the framing says, or what GET would have had (HEAD, 304).
        let keepsLength =
            switch framing {
            case .none: !isRequest && mayStateLength
            case .length(let length): isStated || contentLength.map { $0.value == length && $0.isOnly } ?? false
            case .chunked, .untilClose, .tunnel: false
            }
        var skipped: UInt64 = HeaderName.transferEncoding.bit
        if !keepsLength { skipped |= HeaderName.contentLength.bit }
        if isRequest { skipped |= HeaderName.host.bit }
        if connection != .unspecified { skipped |= HeaderName.connection.bit }
        writeFields(to: &out, skipping: skipped)
        if case .length(let length) = framing, !keepsLength {
            out.write("Content-Length: ")
            out.write(decimal: length)
            out.write(13, 10)
        } else if framing == .chunked {
            out.write("Transfer-Encoding: chunked\r\n")
        }
        switch connection {
        case .unspecified: break
        case .close: out.write("Connection: close\r\n")
        case .keepAlive: out.write("Connection: keep-alive\r\n")
        case .upgrade: out.write("Connection: upgrade\r\n")
        }
        out.write(13, 10)
    }

    /// Whether the field is one of those that framing and connection write, and its bit is in `skipped`.
    private func isSkipped(_ entry: Entry, _ skipped: UInt64) -> Bool {
        func isNamed(_ name: HeaderName) -> Bool { skipped & name.bit != 0 && matches(entry, name) }
        return isNamed(.transferEncoding) || isNamed(.contentLength) || isNamed(.connection) || isNamed(.host)
    }

    /// Writes the fields as `name: value`. Neighbours that lie in the block as they are to be written are copied
    /// together.
    /// - Parameter skipped: the bits of the names that are left out, of those that ``isSkipped(_:_:)`` knows.
    func writeFields(to out: inout WirePointer, skipping skipped: UInt64) {
        let base = bytes.readerIndex
        let asks = mask.seen & skipped != 0
        bytes.withUnsafeReadableBytes { source in
            var run = 0..<0
            func flush() { if !run.isEmpty { out.write(UnsafeRawBufferPointer(rebasing: source[run])) } }
            entries.withUnsafeBufferPointer { entries in
                for index in 0..<entries.count {
                    let entry = entries[index]
                    if asks, ASCII.bit(entry.fingerprint) & skipped != 0, isSkipped(entry, skipped) { continue }
                    let name = Int(entry.nameStart) - base
                    let value = Int(entry.valueStart) - base
                    let end = value + Int(entry.valueLength)
                    if value == name + Int(entry.nameLength) + 2, end + 2 <= source.count, source[value - 2] == 58,
                        source[value - 1] == 32, source[end] == 13, source[end + 1] == 10
                    {
                        if run.upperBound != name {
                            flush()
                            run = name..<name
                        }
                        run = run.lowerBound..<(end + 2)
                        continue
                    }
                    flush()
                    run = 0..<0
                    out.write(UnsafeRawBufferPointer(rebasing: source[name..<(name + Int(entry.nameLength))]))
                    out.write(58, 32)
                    out.write(UnsafeRawBufferPointer(rebasing: source[value..<end]))
                    out.write(13, 10)
                }
            }
            flush()
        }
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
