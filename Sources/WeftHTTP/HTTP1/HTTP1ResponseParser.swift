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
        let all = section.readableBytesView
        let lineEnd = all.firstIndex(of: 13) ?? all.endIndex
        let line = all[all.startIndex..<lineEnd]
        guard line.count >= 12, let version = try? HTTP1RequestParser.version(line.prefix(8)),
            line[line.startIndex + 8] == 32, line.count == 12 || line[line.startIndex + 12] == 32,
            let status = ASCII.decimal(line.dropFirst(9).prefix(3)), status >= 100, status < 1000
        else { throw .invalidStatusLine }
        let headers = try reader.fields(in: section, from: min(lineEnd + 2 - all.startIndex, all.count))
        let framing = try framing(UInt16(status), headers, version)
        return ResponseHead(
            status: UInt16(status), version: version, headers: headers, framing: framing,
            keepAlive: framing != .untilClose && framing != .tunnel
                && HeadReader.keepAlive(headers, version: version))
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
