import NIOCore

/// Finds and reads a header section: start line and fields, or trailers. Remembers how far it looked, so bytes that
/// arrive one by one are looked at once.
struct HeadReader: Sendable {
    private var scanned = 0
    let limits: HTTP1Limits

    init(limits: HTTP1Limits) { self.limits = limits }

    /// - Parameter hasStartLine: trailers have none.
    /// - Returns: the section without its last empty line, or `nil` when more bytes are needed.
    mutating func section(from buffer: inout ByteBuffer, hasStartLine: Bool) throws(HTTP1ParseError) -> ByteBuffer? {
        if hasStartLine, scanned <= 1 { skipEmptyLines(&buffer) }
        guard let length = try findEnd(buffer) else {
            if buffer.readableBytes > limits.headBytes { throw .headersTooLarge }
            return nil
        }
        guard length <= limits.headBytes else { throw .headersTooLarge }
        scanned = 0
        guard let section = buffer.readSlice(length: length) else { return nil }
        buffer.moveReaderIndex(forwardBy: 2)
        return section
    }

    /// RFC 9112 section 2.2: a server ignores an empty line before the request line. Its CR may have been seen alone.
    private mutating func skipEmptyLines(_ buffer: inout ByteBuffer) {
        while buffer.getInteger(at: buffer.readerIndex, as: UInt16.self) == 0x0D0A {
            buffer.moveReaderIndex(forwardBy: 2)
            scanned = 0
        }
    }

    /// The offset of the empty line that ends the section.
    private mutating func findEnd(_ buffer: ByteBuffer) throws(HTTP1ParseError) -> Int? {
        var position = scanned
        var failure: HTTP1ParseError?
        let end: Int? = buffer.withUnsafeReadableBytes { bytes in
            while position < bytes.count {
                let byte = bytes[position]
                if byte == 10 {
                    guard position > 0, bytes[position - 1] == 13 else {
                        failure = .bareLineFeed
                        return nil
                    }
                    if position == 1 || (position >= 3 && bytes[position - 2] == 10) { return position - 1 }
                } else if position > 0, bytes[position - 1] == 13 {
                    failure = .bareCarriageReturn
                    return nil
                }
                position += 1
            }
            return nil
        }
        if let failure { throw failure }
        scanned = position
        return end
    }

    /// Splits `section` at `offset` (after the start line) into fields.
    func fields(in section: ByteBuffer, from offset: Int) throws(HTTP1ParseError) -> HeaderBlock {
        var entries: [HeaderBlock.Entry] = []
        entries.reserveCapacity(20)
        var mask: UInt64 = 0
        var failure: HTTP1ParseError?
        section.withUnsafeReadableBytes { bytes in
            var start = offset
            while start < bytes.count {
                var end = start
                while end < bytes.count, bytes[end] != 13 { end += 1 }
                switch HeadReader.field(bytes, start, end, base: section.readerIndex) {
                case .success(let entry):
                    entries.append(entry)
                    mask |= ASCII.bit(entry.fingerprint)
                case .failure(let error):
                    failure = error
                    return
                }
                if entries.count > limits.headerCount {
                    failure = .tooManyHeaders
                    return
                }
                start = end + 2
            }
        }
        if let failure { throw failure }
        return HeaderBlock(bytes: section, entries: entries, mask: mask)
    }

    private static func field(
        _ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int, base: Int
    ) -> Result<HeaderBlock.Entry, HTTP1ParseError> {
        if bytes[start] == 32 || bytes[start] == 9 { return .failure(.obsoleteFolding) }
        var colon = start
        var fingerprint: UInt32 = 2_166_136_261
        while colon < end, bytes[colon] != 58 {
            guard ASCII.isToken(bytes[colon]) else { return .failure(.invalidHeaderName) }
            fingerprint = (fingerprint ^ UInt32(ASCII.lowercased(bytes[colon]))) &* 16_777_619
            colon += 1
        }
        guard colon > start, colon < end else { return .failure(.invalidHeaderName) }
        var first = colon + 1
        var last = end
        while first < last, bytes[first] == 32 || bytes[first] == 9 { first += 1 }
        while last > first, bytes[last - 1] == 32 || bytes[last - 1] == 9 { last -= 1 }
        for position in first..<last where !ASCII.isFieldValue(bytes[position]) { return .failure(.invalidHeaderValue) }
        return .success(
            HeaderBlock.Entry(
                nameStart: Int32(base + start), nameLength: Int32(colon - start), valueStart: Int32(base + first),
                valueLength: Int32(last - first), fingerprint: fingerprint))
    }

    /// What `Content-Length` and `Transfer-Encoding` say together (RFC 9112 section 6); `nil` when both are absent.
    static func framing(_ headers: HeaderBlock, version: HTTPProtocolVersion) throws(HTTP1ParseError) -> BodyFraming? {
        let hasLength = headers.contains(.contentLength)
        if headers.contains(.transferEncoding) {
            let encodings = headers.values(.transferEncoding)
            guard !hasLength else { throw .contentLengthWithTransferEncoding }
            guard version == .http11, encodings.count == 1, let only = encodings.first,
                ASCII.equalIgnoringCase(only, Array("chunked".utf8))
            else { throw .unsupportedTransferEncoding }
            return .chunked
        }
        guard hasLength, let first = headers.index(of: .contentLength) else { return nil }
        guard headers.index(of: .contentLength, from: first + 1) == nil,
            let length = ASCII.decimal(headers.value(at: first)), length <= UInt64(Int64.max)
        else {
            throw .invalidContentLength
        }
        return .length(length)
    }

    static func keepAlive(_ headers: HeaderBlock, version: HTTPProtocolVersion) -> Bool {
        guard headers.contains(.connection) else { return version == .http11 }
        if headers.isExactly(.connection, "keep-alive") { return true }
        if headers.hasToken(.connection, "close") { return false }
        return version == .http11 || headers.hasToken(.connection, "keep-alive")
    }
}
