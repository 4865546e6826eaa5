package import NIOCore

/// Writes HTTP/1.1 messages. The head's framing decides `Content-Length` and `Transfer-Encoding`; header fields of
/// those names in the block are not trusted.
package enum HTTP1Serializer {
    package enum Connection: Sendable { case unspecified, close, keepAlive, upgrade }

    package static func write(_ head: RequestHead, connection: Connection = .unspecified, into buffer: inout ByteBuffer)
    {
        buffer.reserveCapacity(minimumWritableBytes: head.headers.wireBytes + head.path.readableBytes + 512)
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
        buffer.reserveCapacity(minimumWritableBytes: head.headers.wireBytes + 256)
        buffer.writeStaticString("HTTP/1.1 ")
        writeDecimal(UInt64(head.status), into: &buffer)
        buffer.writeInteger(UInt8(32))
        buffer.writeStaticString(HTTPStatusText.reason(head.status))
        buffer.writeStaticString("\r\n")
        write(head.headers, framing: head.framing, connection: connection, isRequest: false, into: &buffer)
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
        trailers?.write(into: &buffer) { _, _ in false }
        buffer.writeStaticString("\r\n")
    }

    private static func write(
        _ headers: HeaderBlock, framing: BodyFraming, connection: Connection, isRequest: Bool,
        into buffer: inout ByteBuffer
    ) {
        // An answer without a body may state the length that GET would have had (HEAD, 304).
        let keepsLength = framing == .none && !isRequest
        var skipped: UInt64 = HeaderName.transferEncoding.bit
        if !keepsLength { skipped |= HeaderName.contentLength.bit }
        if isRequest { skipped |= HeaderName.host.bit }
        if connection != .unspecified { skipped |= HeaderName.connection.bit }
        headers.write(into: &buffer) { index, fingerprint in
            guard ASCII.bit(fingerprint) & skipped != 0 else { return false }
            return headers.named(.transferEncoding, at: index)
                || (!keepsLength && headers.named(.contentLength, at: index))
                || (isRequest && headers.named(.host, at: index))
                || (connection != .unspecified && headers.named(.connection, at: index))
        }
        switch framing {
        case .chunked: buffer.writeStaticString("Transfer-Encoding: chunked\r\n")
        case .length(let length):
            buffer.writeStaticString("Content-Length: ")
            writeDecimal(length, into: &buffer)
            buffer.writeStaticString("\r\n")
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

    private static func writeDecimal(_ number: UInt64, into buffer: inout ByteBuffer) {
        var rest = number
        var digits: UInt64 = 1
        while rest >= 10 {
            rest /= 10
            digits *= 10
        }
        rest = number
        while digits > 0 {
            buffer.writeInteger(UInt8(truncatingIfNeeded: 48 + rest / digits))
            rest %= digits
            digits /= 10
        }
    }

    /// The line that starts a chunk of `length` bytes.
    package static func writeChunkSize(_ length: Int, into buffer: inout ByteBuffer) {
        var shift = 60
        while shift > 0, length >> shift == 0 { shift -= 4 }
        while shift >= 0 {
            let digit = UInt8(truncatingIfNeeded: (length >> shift) & 15)
            buffer.writeInteger(digit < 10 ? 48 + digit : 87 + digit)
            shift -= 4
        }
        buffer.writeStaticString("\r\n")
    }
}

extension HeaderBlock {
    /// Upper bound of the bytes that the fields take in a head.
    var wireBytes: Int { entries.reduce(2) { $0 + Int($1.nameLength + $1.valueLength) + 4 } }

    /// Writes every field that `skip` does not refuse as `name: value`.
    func write(into buffer: inout ByteBuffer, skip: (_ index: Int, _ fingerprint: UInt32) -> Bool) {
        let base = bytes.readerIndex
        bytes.withUnsafeReadableBytes { source in
            _ = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: wireBytes) { target in
                var written = 0
                func copy(_ start: Int32, _ length: Int32) {
                    guard length > 0 else { return }
                    let part = UnsafeRawBufferPointer(rebasing: source[(Int(start) - base)...].prefix(Int(length)))
                    UnsafeMutableRawBufferPointer(rebasing: target[written...]).copyMemory(from: part)
                    written += Int(length)
                }
                for (index, entry) in entries.enumerated() where !skip(index, entry.fingerprint) {
                    copy(entry.nameStart, entry.nameLength)
                    target[written] = 58
                    target[written + 1] = 32
                    written += 2
                    copy(entry.valueStart, entry.valueLength)
                    target[written] = 13
                    target[written + 1] = 10
                    written += 2
                }
                return written
            }
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
