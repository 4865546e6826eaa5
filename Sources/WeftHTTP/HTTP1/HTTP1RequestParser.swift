package import NIOCore

/// Reads requests from the bytes of one connection, strictly (RFC 9112). A pure state machine: no I/O, no clock.
///
/// Feed bytes, call ``next(from:)`` until it returns `nil`. After an error the parser stays failed. After the end of a
/// CONNECT or upgrade request it stops (returns `nil`) until ``acceptUpgrade()`` or ``rejectUpgrade()``.
package struct HTTP1RequestParser: Sendable {
    package typealias Event = HTTP1Event<RequestHead>
    private enum State: Sendable {
        case head
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

    package mutating func next(from buffer: inout ByteBuffer) throws(HTTP1ParseError) -> Event? {
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

    private mutating func step(_ buffer: inout ByteBuffer) throws(HTTP1ParseError) -> Event? {
        switch state {
        case .failed(let error): throw error
        case .awaitingUpgrade: return nil
        case .tunnel:
            guard buffer.readableBytes > 0, let slice = buffer.readSlice(length: buffer.readableBytes) else {
                return nil
            }
            return .body(slice)
        case .head:
            guard let section = try reader.section(from: &buffer, hasStartLine: true) else { return nil }
            let head = try requestHead(section)
            upgradePending = head.method == .connect || head.wantsUpgrade
            state = .body(BodyReader(head.framing == .tunnel ? .none : head.framing, limits: limits))
            return .head(head)
        case .body(var body):
            let step = try body.next(from: &buffer)
            state = .body(body)
            switch step {
            case nil: return nil
            case .body(let slice): return .body(slice)
            case .end(let trailers):
                state = upgradePending ? .awaitingUpgrade : .head
                upgradePending = false
                return .end(trailers)
            }
        }
    }

    private func requestHead(_ section: ByteBuffer) throws(HTTP1ParseError) -> RequestHead {
        let line = try HTTP1RequestParser.line(section)
        let base = section.readerIndex
        guard let target = section.viewBytes(at: base + line.targetStart, length: line.targetLength),
            let version = section.viewBytes(at: base + line.versionStart, length: line.end - line.versionStart)
        else { throw .invalidRequestLine }
        let spoken = try HTTP1RequestParser.version(version)
        var headers = try reader.fields(in: section, from: min(line.end + 2, section.readableBytes))
        var authority = ByteBufferView()
        if let host = headers.index(of: .host) {
            guard headers.index(of: .host, from: host + 1) == nil else { throw .duplicateHost }
            authority = headers.value(at: host)
            headers.remove(.host)
        } else if spoken != .http10 {
            throw .missingHost
        }
        let parts = try HTTP1RequestParser.target(target, method: line.method)
        authority = parts.authority ?? authority
        guard authority.withUnsafeBytes(RequestTarget.isAuthority) else { throw .invalidHost }
        let framing = try HeadReader.framing(headers, version: spoken)
        return RequestHead(
            method: line.method, path: ByteBuffer(parts.path), authority: ByteBuffer(authority), scheme: parts.scheme,
            version: spoken, headers: headers, framing: line.method == .connect ? .tunnel : framing ?? .none,
            keepAlive: HeadReader.keepAlive(headers, version: spoken))
    }

    private struct Line {
        var method: HTTPMethod
        var targetStart: Int
        var targetLength: Int
        var versionStart: Int
        var end: Int
    }

    /// Finds `method SP target SP version` at the start of `section`, in one pass; offsets from its first byte.
    private static func line(_ section: ByteBuffer) throws(HTTP1ParseError) -> Line {
        let line: Line? = section.withUnsafeReadableBytes { bytes in
            var position = 0
            while position < bytes.count, ASCII.isToken(bytes[position]) { position += 1 }
            guard position > 0, position < bytes.count, bytes[position] == 32 else { return nil }
            let method = HTTPMethod(UnsafeRawBufferPointer(rebasing: bytes[..<position]))
            let start = position + 1
            position = start
            // A fragment is no part of a target; policies and applications would disagree about it.
            while position < bytes.count, bytes[position] > 32, bytes[position] != 127, bytes[position] != 35 {
                position += 1
            }
            guard position > start, position < bytes.count, bytes[position] == 32 else { return nil }
            let length = position - start
            let version = position + 1
            position = version
            while position < bytes.count, bytes[position] != 13 {
                if bytes[position] == 32 { return nil }
                position += 1
            }
            return Line(method: method, targetStart: start, targetLength: length, versionStart: version, end: position)
        }
        guard let line else { throw .invalidRequestLine }
        return line
    }

    static func version(_ bytes: ByteBufferView) throws(HTTP1ParseError) -> HTTPProtocolVersion {
        if bytes.count == 8 {
            // The eight bytes as one number.
            let number = bytes.withUnsafeBytes { UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)) }
            if number == 0x4854_5450_2F31_2E31 { return .http11 }
            if number == 0x4854_5450_2F31_2E30 { return .http10 }
        }
        guard bytes.count == 8, bytes.starts(with: "HTTP/".utf8), bytes.last.map({ $0 >= 48 && $0 <= 57 }) == true
        else {
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
        if method == .connect { return Target(authority: bytes, path: ByteBufferView()) }
        if bytes.first == 47 { return Target(path: bytes) }
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
