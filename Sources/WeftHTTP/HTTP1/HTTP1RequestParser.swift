package import NIOCore

/// Reads requests from the bytes of one connection, strictly (RFC 9112). A pure state machine: no I/O, no clock.
///
/// Feed bytes, call ``next(from:)`` until it returns `nil`. After an error the parser stays failed. After the end of a
/// CONNECT or upgrade request it stops (returns `nil`) until ``acceptUpgrade()`` or ``rejectUpgrade()``.
package struct HTTP1RequestParser: Sendable {
    package typealias Event = HTTP1Event<RequestHead>
    private enum State: Sendable {
        case head
        /// So many bytes of the body are to come; most requests have none.
        case length(UInt64)
        case body(BodyReader)
        case awaitingUpgrade
        case tunnel
        case failed(HTTP1ParseError)
    }
    private var state = State.head
    private var reader: HeadReader
    private var upgradePending = false
    private let limits: HTTP1Limits

    package init(limits: HTTP1Limits = HTTP1Limits()) {
        self.limits = limits
        reader = HeadReader(limits: limits)
    }

    /// True between messages: closing now loses nothing.
    package var isIdle: Bool { if case .head = state { true } else { false } }

    /// True where ``nextHead(from:)`` is the call to make. Changes nothing; `mutating`, so that asking copies nothing.
    package mutating func expectsHead() -> Bool {
        switch state {
        case .head, .failed: true
        default: false
        }
    }

    /// What ``next(from:)`` would give, where it can be nothing but a head.
    package mutating func nextHead(from buffer: inout ByteBuffer) throws(HTTP1ParseError) -> RequestHead? {
        do throws(HTTP1ParseError) {
            if case .failed(let error) = state { throw error }
            guard let length = try reader.section(in: &buffer, hasStartLine: true) else { return nil }
            let head = try requestHead(buffer, length)
            reader.finish(&buffer, length: length)
            upgradePending = head.method.isConnect || head.wantsUpgrade
            switch head.framing {
            case .none, .tunnel: state = .length(0)
            case .length(let length): state = .length(length)
            case .chunked, .untilClose: state = .body(BodyReader(head.framing, limits: limits))
            }
            return head
        } catch {
            state = .failed(error)
            throw error
        }
    }

    package mutating func next(from buffer: inout ByteBuffer) throws(HTTP1ParseError) -> Event? {
        guard !expectsHead() else { return try nextHead(from: &buffer).map { .head($0) } }
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

    /// All further bytes are opaque `.body` events.
    package mutating func acceptUpgrade() { state = .tunnel }
    /// The request was answered as an ordinary one.
    package mutating func rejectUpgrade() {
        upgradePending = false
        if case .awaitingUpgrade = state { state = .head }
    }

    private mutating func step(_ buffer: inout ByteBuffer) throws(HTTP1ParseError) -> HTTP1Part? {
        switch state {
        case .failed(let error): throw error
        case .head, .awaitingUpgrade: return nil
        case .tunnel:
            guard buffer.readableBytes > 0, let slice = buffer.readSlice(length: buffer.readableBytes) else {
                return nil
            }
            return .body(slice)
        case .length(0):
            end()
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
                end()
                return .end(trailers)
            }
        }
    }

    private mutating func end() {
        state = upgradePending ? .awaitingUpgrade : .head
        upgradePending = false
    }

    /// - Parameter length: of the section at the start of `buffer`.
    private func requestHead(_ buffer: ByteBuffer, _ length: Int) throws(HTTP1ParseError) -> RequestHead {
        var fields = FieldReader()
        var line = Line()
        try HeadReader.reading(buffer, length) { (bytes) throws(HTTP1ParseError) in
            line = try HTTP1RequestParser.line(bytes)
            let rest = UnsafeRawBufferPointer(rebasing: bytes[min(line.end + 2, bytes.count)...])
            try fields.read(rest, limit: limits.headerCount, dropsHost: true)
        }
        let headers = fields.takeBlock()
        let base = buffer.readerIndex
        guard var path = buffer.getSlice(at: base + line.targetStart, length: line.targetLength) else {
            throw .invalidRequestLine
        }
        var authority = ByteBuffer()
        if fields.hosts > 0 {
            guard fields.hosts == 1 else { throw .duplicateHost }
            let start = base + line.end + 2 + fields.hostStart
            authority = buffer.getSlice(at: start, length: fields.hostLength) ?? authority
        } else if line.version != .http10 {
            throw .missingHost
        }
        var scheme = HTTPScheme.http
        if !line.isOriginForm {
            let parts = try HTTP1RequestParser.target(path.readableBytesView, method: line.method)
            path = ByteBuffer(parts.path)
            scheme = parts.scheme
            if let named = parts.authority { authority = ByteBuffer(named) }
        }
        guard authority.withUnsafeReadableBytes(RequestTarget.isAuthority) else { throw .invalidHost }
        let framing = try HeadReader.framing(headers, version: line.version)
        return RequestHead(
            method: line.method, path: path, authority: authority, scheme: scheme,
            version: line.version, headers: headers, framing: line.method.isConnect ? .tunnel : framing ?? .none,
            keepAlive: HeadReader.keepAlive(headers, version: line.version))
    }

    private struct Line {
        var method = HTTPMethod.get
        var targetStart = 0
        var targetLength = 0
        var version = HTTPProtocolVersion.http11
        /// Where its CR is.
        var end = 0
        /// The target is a path, as nearly always.
        var isOriginForm = false
    }

    /// Finds `method SP target SP version CR LF` at the start of `bytes`, in one pass; offsets from its first byte.
    private static func line(_ bytes: UnsafeRawBufferPointer) throws(HTTP1ParseError) -> Line {
        var position = 0
        while position < bytes.count, ASCII.isToken(bytes[position]) { position += 1 }
        guard position > 0, position < bytes.count, bytes[position] == 32 else { throw lineError(bytes) }
        let method = HTTPMethod(UnsafeRawBufferPointer(rebasing: bytes[..<position]))
        let start = position + 1
        position = start
        // A fragment is no part of a target; policies and applications would disagree about it.
        while position < bytes.count, bytes[position] > 32, bytes[position] != 127, bytes[position] != 35 {
            position += 1
        }
        guard position > start, position < bytes.count, bytes[position] == 32 else { throw lineError(bytes) }
        let length = position - start
        let versionStart = position + 1
        let end = versionStart + 8
        guard end + 1 < bytes.count, bytes[end] == 13, bytes[end + 1] == 10 else { throw lineError(bytes) }
        let version = try version(UnsafeRawBufferPointer(rebasing: bytes[versionStart..<end]))
        return Line(
            method: method, targetStart: start, targetLength: length, version: version, end: end,
            isOriginForm: bytes[start] == 47 && !method.isConnect)
    }

    /// What is wrong with a start line: its end, or what it says.
    static func lineError(_ bytes: UnsafeRawBufferPointer) -> HTTP1ParseError {
        guard let end = bytes.firstIndex(where: { $0 == 13 || $0 == 10 }) else { return .invalidRequestLine }
        if bytes[end] == 10 { return .bareLineFeed }
        return end + 1 < bytes.count && bytes[end + 1] != 10 ? .bareCarriageReturn : .invalidRequestLine
    }

    static func version(_ bytes: UnsafeRawBufferPointer) throws(HTTP1ParseError) -> HTTPProtocolVersion {
        guard bytes.count == 8 else { throw .invalidRequestLine }
        // The eight bytes as one number.
        let number = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
        if number == 0x4854_5450_2F31_2E31 { return .http11 }
        if number == 0x4854_5450_2F31_2E30 { return .http10 }
        guard bytes.starts(with: "HTTP/".utf8), bytes.last.map({ $0 >= 48 && $0 <= 57 }) == true else {
            throw .invalidRequestLine
        }
        throw .unsupportedVersion
    }

    private struct Target {
        var scheme = HTTPScheme.http
        var authority: ByteBufferView?
        var path: ByteBufferView
    }

    /// The four forms of RFC 9112 section 3.2.
    private static func target(_ bytes: ByteBufferView, method: HTTPMethod) throws(HTTP1ParseError) -> Target {
        if method.isConnect { return Target(authority: bytes, path: ByteBufferView()) }
        if bytes.elementsEqual("*".utf8) {
            guard method == .options else { throw .invalidRequestLine }
            return Target(path: bytes)
        }
        for (scheme, prefix) in [(HTTPScheme.http, "http://"), (.https, "https://")] {
            guard bytes.count > prefix.utf8.count,
                ASCII.equalIgnoringCase(bytes.prefix(prefix.utf8.count), Array(prefix.utf8))
            else { continue }
            let rest = bytes.dropFirst(prefix.utf8.count)
            let slash = rest.firstIndex { $0 == 47 || $0 == 63 } ?? rest.endIndex
            guard slash > rest.startIndex else { throw .invalidRequestLine }
            let path = rest[slash..<rest.endIndex]
            guard path.first != 63 else { throw .invalidRequestLine }
            return Target(
                scheme: scheme, authority: rest[rest.startIndex..<slash],
                path: path.isEmpty ? ByteBuffer(string: "/").readableBytesView : path)
        }
        throw .invalidRequestLine
    }
}
