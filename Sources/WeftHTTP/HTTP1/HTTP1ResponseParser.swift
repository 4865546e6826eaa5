package import NIOCore

/// Reads responses from the bytes of one upstream connection. Call ``begin(_:)`` for each request that was sent.
///
/// Bytes without a request are an error, which is what keeps a confused server from answering the wrong request.
package struct HTTP1ResponseParser: Sendable {
    package typealias Event = HTTP1Event<ResponseHead>
    private enum State: Sendable {
        case idle
        case head
        /// So many bytes of the body are to come.
        case length(UInt64)
        case body(BodyReader)
        case tunnel
        case failed(HTTP1ParseError)
    }
    private var state = State.idle
    private var reader: HeadReader
    private var method = HTTPMethod.get
    private var allowsUpgrade = false
    private var interimResponses = 0
    /// For one request. Progress reports (102) beyond this serve nobody and would fill a slow client's queue.
    static let interimLimit = 32
    private let limits: HTTP1Limits

    package init(limits: HTTP1Limits = HTTP1Limits()) {
        self.limits = limits
        reader = HeadReader(limits: limits)
    }

    package var isIdle: Bool { if case .idle = state { true } else { false } }

    /// A request was sent; its method decides whether the answer has a body.
    /// - Parameter allowsUpgrade: whether it asked for one. Without, 101 is an error: what follows it would pass for
    ///   bytes of a tunnel that the client knows nothing of.
    package mutating func begin(_ method: HTTPMethod, allowsUpgrade: Bool = false) {
        self.method = method
        self.allowsUpgrade = allowsUpgrade
        interimResponses = 0
        if isIdle { state = .head }
    }

    /// True where ``nextHead(from:)`` is the call to make. Changes nothing; `mutating`, so that asking copies nothing.
    package mutating func expectsHead() -> Bool {
        switch state {
        case .head, .failed: true
        default: false
        }
    }

    /// What ``next(from:)`` would give, where it can be nothing but a head; below 200, except 101, it is informational
    /// and another one follows.
    package mutating func nextHead(from buffer: inout ByteBuffer) throws(HTTP1ParseError) -> ResponseHead? {
        do throws(HTTP1ParseError) {
            if case .failed(let error) = state { throw error }
            guard let length = try reader.section(in: &buffer, hasStartLine: true) else { return nil }
            let head = try responseHead(buffer, length)
            reader.finish(&buffer, length: length)
            if head.isInformational {
                interimResponses += 1
                guard interimResponses <= Self.interimLimit else { throw .tooManyInterimResponses }
                return head
            }
            if head.status == 101, !allowsUpgrade { throw .unexpectedUpgrade }
            switch head.framing {
            case .none: state = .length(0)
            case .length(let length): state = .length(length)
            case .tunnel: state = .tunnel
            case .chunked, .untilClose: state = .body(BodyReader(head.framing, limits: limits))
            }
            return head
        } catch {
            state = .failed(error)
            throw error
        }
    }

    package mutating func next(from buffer: inout ByteBuffer) throws(HTTP1ParseError) -> Event? {
        guard !expectsHead() else {
            return try nextHead(from: &buffer).map { $0.isInformational ? .informational($0) : .head($0) }
        }
        switch try nextPart(from: &buffer) {
        case .body(let bytes): return .body(bytes)
        case .end(let trailers): return .end(trailers)
        case nil: return nil
        }
    }

    /// What ``next(from:)`` would give, where it cannot be a head.
    package mutating func nextPart(from buffer: inout ByteBuffer) throws(HTTP1ParseError) -> HTTP1Part? {
        do {
            return try step(&buffer)
        } catch {
            state = .failed(error)
            throw error
        }
    }

    /// The peer closed: the end of a body without a length, nothing when idle, an error in the middle of a message.
    package mutating func finish() throws(HTTP1ParseError) -> HTTP1Part? {
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

    private mutating func step(_ buffer: inout ByteBuffer) throws(HTTP1ParseError) -> HTTP1Part? {
        switch state {
        case .failed(let error): throw error
        case .idle:
            if buffer.readableBytes > 0 { throw .invalidStatusLine }
            return nil
        case .head: return nil
        case .tunnel:
            guard buffer.readableBytes > 0, let slice = buffer.readSlice(length: buffer.readableBytes) else {
                return nil
            }
            return .body(slice)
        case .length(0):
            state = .idle
            return .end(nil)
        case .length(let left):
            guard let (slice, rest) = BodyReader.take(left, from: &buffer) else { return nil }
            state = .length(rest)
            return .body(slice)
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

    /// - Parameter length: of the section at the start of `buffer`.
    private func responseHead(_ buffer: ByteBuffer, _ length: Int) throws(HTTP1ParseError) -> ResponseHead {
        var fields = FieldReader()
        var line = Line()
        try HeadReader.reading(buffer, length) { (bytes) throws(HTTP1ParseError) in
            line = try HTTP1ResponseParser.line(bytes)
            let rest = UnsafeRawBufferPointer(rebasing: bytes[min(line.end + 2, bytes.count)...])
            try fields.read(rest, limit: limits.headerCount, dropsHost: false)
        }
        let headers = fields.takeBlock()
        let framing = try framing(line.status, headers, line.version)
        return ResponseHead(
            status: line.status, version: line.version, headers: headers, framing: framing,
            keepAlive: framing != .untilClose && framing != .tunnel
                && HeadReader.keepAlive(headers, version: line.version))
    }

    private struct Line {
        var version = HTTPProtocolVersion.http11
        var status: UInt16 = 0
        /// Where its CR is.
        var end = 0
    }

    /// `version SP status [SP reason] CR LF` at the start of `bytes`.
    private static func line(_ bytes: UnsafeRawBufferPointer) throws(HTTP1ParseError) -> Line {
        var end = 0
        while end < bytes.count, bytes[end] != 13, bytes[end] != 10 { end += 1 }
        guard end >= 12, end + 1 < bytes.count, bytes[end] == 13, bytes[end + 1] == 10, bytes[8] == 32,
            end == 12 || bytes[12] == 32,
            let version = try? HTTP1RequestParser.version(UnsafeRawBufferPointer(rebasing: bytes[..<8]))
        else { throw startError(bytes) }
        var status: UInt16 = 0
        for position in 9..<12 {
            guard bytes[position] >= 48, bytes[position] <= 57 else { throw .invalidStatusLine }
            status = status * 10 + UInt16(bytes[position] - 48)
        }
        guard status >= 100 else { throw .invalidStatusLine }
        return Line(version: version, status: status, end: end)
    }

    private static func startError(_ bytes: UnsafeRawBufferPointer) -> HTTP1ParseError {
        let error = HTTP1RequestParser.lineError(bytes)
        return error == .invalidRequestLine ? .invalidStatusLine : error
    }

    /// RFC 9112 section 6.3.
    private func framing(
        _ status: UInt16, _ headers: HeaderBlock, _ version: HTTPProtocolVersion
    ) throws(HTTP1ParseError) -> BodyFraming {
        let stated = try HeadReader.framing(headers, version: version)
        if status == 101 || (method.isConnect && status / 100 == 2) { return .tunnel }
        if method == .head || status < 200 || status == 204 || status == 304 { return .none }
        return stated ?? .untilClose
    }
}
