package import NIOCore

/// Reads responses from the bytes of one upstream connection. Call ``begin(_:)`` for each request that was sent.
///
/// Bytes without a request are an error, which is what keeps a confused server from answering the wrong request.
package struct HTTP1ResponseParser: Sendable {
    package typealias Event = HTTP1Event<ResponseHead>
    private enum State: Sendable {
        case idle
        case head
        case body(BodyReader)
        case tunnel
        case failed(HTTP1ParseError)
    }
    private var state = State.idle
    private var reader: HeadReader
    private var method = HTTPMethod.get
    private let limits: HTTP1Limits

    package init(limits: HTTP1Limits = HTTP1Limits()) {
        self.limits = limits
        reader = HeadReader(limits: limits)
    }

    package var isIdle: Bool { if case .idle = state { true } else { false } }

    /// A request was sent; its method decides whether the answer has a body.
    package mutating func begin(_ method: HTTPMethod) {
        self.method = method
        if isIdle { state = .head }
    }

    package mutating func next(from buffer: inout ByteBuffer) throws(HTTP1ParseError) -> Event? {
        do {
            return try step(&buffer)
        } catch {
            state = .failed(error)
            throw error
        }
    }

    /// The peer closed: the end of a body without a length, nothing when idle, an error in the middle of a message.
    package mutating func finish() throws(HTTP1ParseError) -> Event? {
        switch state {
        case .idle, .tunnel:
            return nil
        case .body(let body) where body.isOpen:
            state = .idle
            return .end(nil)
        default:
            state = .failed(.unexpectedEnd)
            throw .unexpectedEnd
        }
    }

    private mutating func step(_ buffer: inout ByteBuffer) throws(HTTP1ParseError) -> Event? {
        switch state {
        case .failed(let error): throw error
        case .idle:
            if buffer.readableBytes > 0 { throw .invalidStatusLine }
            return nil
        case .tunnel:
            guard buffer.readableBytes > 0, let slice = buffer.readSlice(length: buffer.readableBytes) else {
                return nil
            }
            return .body(slice)
        case .head:
            guard let section = try reader.section(from: &buffer, hasStartLine: true) else { return nil }
            let head = try responseHead(section)
            if head.status < 200, head.status != 101 { return .informational(head) }
            state = head.framing == .tunnel ? .tunnel : .body(BodyReader(head.framing, limits: limits))
            return .head(head)
        case .body(var body):
            let step = try body.next(from: &buffer)
            state = .body(body)
            switch step {
            case nil: return nil
            case .body(let slice): return .body(slice)
            case .end(let trailers):
                state = .idle
                return .end(trailers)
            }
        }
    }

    private func responseHead(_ section: ByteBuffer) throws(HTTP1ParseError) -> ResponseHead {
        let base = section.readerIndex
        let (lineEnd, status) = HTTP1ResponseParser.line(section)
        guard lineEnd >= 12, status >= 100, let spoken = section.viewBytes(at: base, length: 8),
            let version = try? HTTP1RequestParser.version(spoken)
        else { throw .invalidStatusLine }
        let headers = try reader.fields(in: section, from: min(lineEnd + 2, section.readableBytes))
        let framing = try framing(status, headers, version)
        return ResponseHead(
            status: status, version: version, headers: headers, framing: framing,
            keepAlive: framing != .untilClose && framing != .tunnel
                && HeadReader.keepAlive(headers, version: version))
    }

    /// Where the status line of `section` ends, and its code; 0 when it is none.
    private static func line(_ section: ByteBuffer) -> (end: Int, status: UInt16) {
        section.withUnsafeReadableBytes { bytes in
            var end = 0
            while end < bytes.count, bytes[end] != 13 { end += 1 }
            guard end >= 12, bytes[8] == 32, end == 12 || bytes[12] == 32 else { return (end, 0) }
            var status: UInt16 = 0
            for position in 9..<12 {
                guard bytes[position] >= 48, bytes[position] <= 57 else { return (end, 0) }
                status = status * 10 + UInt16(bytes[position] - 48)
            }
            return (end, status)
        }
    }

    /// RFC 9112 section 6.3.
    private func framing(
        _ status: UInt16, _ headers: HeaderBlock, _ version: HTTPProtocolVersion
    ) throws(HTTP1ParseError) -> BodyFraming {
        let stated = try HeadReader.framing(headers, version: version)
        if status == 101 || (method == .connect && status / 100 == 2) { return .tunnel }
        if method == .head || status < 200 || status == 204 || status == 304 { return .none }
        return stated ?? .untilClose
    }
}
