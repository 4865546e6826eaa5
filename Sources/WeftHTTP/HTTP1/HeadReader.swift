import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Finds and reads a header section: start line and fields, or trailers. Remembers how far it looked, so bytes that
/// arrive one by one are looked at once.
struct HeadReader: Sendable {
    private var scanned = 0
    let limits: HTTP1Limits

    init(limits: HTTP1Limits) { self.limits = limits }

    /// - Parameter hasStartLine: trailers have none; empty lines before a start line are taken off `buffer`.
    /// - Returns: the length of the section without its last empty line, or `nil` when more bytes are needed. It stays
    ///   in `buffer`; ``finish(_:length:)`` takes it off.
    mutating func section(in buffer: inout ByteBuffer, hasStartLine: Bool) throws(HTTP1ParseError) -> Int? {
        if hasStartLine, scanned == 0 { skipEmptyLines(&buffer) }
        // Most heads come in one piece: then nothing but the ends of lines needs a look here.
        var end = scanned == 0 ? HeadReader.quickEnd(buffer) : nil
        if end == nil { end = try findEnd(buffer) }
        guard let length = end else {
            if buffer.readableBytes > limits.headBytes { throw .headersTooLarge }
            return nil
        }
        guard length <= limits.headBytes else { throw .headersTooLarge }
        scanned = 0
        return length
    }

    /// Takes a section of `length` bytes and its empty line off the buffer.
    func finish(_ buffer: inout ByteBuffer, length: Int) { buffer.moveReaderIndex(forwardBy: length + 2) }

    /// RFC 9112 section 2.2: a server ignores an empty line before the request line.
    private func skipEmptyLines(_ buffer: inout ByteBuffer) {
        while buffer.getInteger(at: buffer.readerIndex, as: UInt16.self) == 0x0D0A {
            buffer.moveReaderIndex(forwardBy: 2)
        }
    }

    /// The offset of the empty line that ends the section, when it is there. What is wrong with the lines before is for
    /// who reads them.
    private static func quickEnd(_ buffer: ByteBuffer) -> Int? {
        buffer.withUnsafeReadableBytes { bytes in
            guard let base = bytes.baseAddress else { return nil }
            if bytes.count >= 2, bytes[0] == 13, bytes[1] == 10 { return 0 }
            var from = 0
            while let found = memchr(base + from, 10, bytes.count - from) {
                let feed = UnsafeRawPointer(found) - base
                if feed + 2 < bytes.count, bytes[feed + 1] == 13, bytes[feed + 2] == 10 { return feed + 1 }
                from = feed + 1
            }
            return nil
        }
    }

    /// The offset of the empty line that ends the section, looking at every byte once, however they arrive.
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

    /// Hands the first `length` bytes of `buffer` to `read`.
    @inline(__always)
    static func reading(
        _ buffer: ByteBuffer, _ length: Int, _ read: (UnsafeRawBufferPointer) throws(HTTP1ParseError) -> Void
    ) throws(HTTP1ParseError) {
        var failure: HTTP1ParseError?
        buffer.withUnsafeReadableBytes { all in
            do throws(HTTP1ParseError) {
                try read(UnsafeRawBufferPointer(rebasing: all[..<length]))
            } catch { failure = error }
        }
        if let failure { throw failure }
    }

    // MARK: framing

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
            let length = headers.decimal(at: first), length <= UInt64(Int64.max)
        else {
            throw .invalidContentLength
        }
        return .length(length)
    }

    static func keepAlive(_ headers: HeaderBlock, version: HTTPProtocolVersion) -> Bool {
        switch headers.connectionOption {
        case .absent: return version == .http11
        case .keepAlive: return true
        case .close: return false
        case .other:
            if headers.hasToken(.connection, "close") { return false }
            return version == .http11 || headers.hasToken(.connection, "keep-alive")
        }
    }
}
