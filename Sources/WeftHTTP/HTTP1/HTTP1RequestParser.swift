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
        let all = section.readableBytesView
        let lineEnd = all.firstIndex(of: 13) ?? all.endIndex
        let parts = all[all.startIndex..<lineEnd].split(separator: 32, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, parts[0].allSatisfy(ASCII.isToken),
            !parts[1].isEmpty, parts[1].allSatisfy({ $0 > 32 && $0 != 127 })
        else { throw .invalidRequestLine }
        let version = try HTTP1RequestParser.version(parts[2])
        var headers = try reader.fields(in: section, from: min(lineEnd + 2 - all.startIndex, all.count))
        let method = HTTPMethod(parts[0])
        let hosts = headers.values(.host)
        guard hosts.count <= 1 else { throw .duplicateHost }
        guard version == .http10 || hosts.count == 1 else { throw .missingHost }
        headers.remove(.host)
        let target = try HTTP1RequestParser.target(parts[1], method: method)
        let authority = target.authority ?? hosts.first ?? ByteBufferView()
        guard authority.allSatisfy({ $0 > 32 && $0 < 127 && $0 != 47 && $0 != 63 && $0 != 35 }) else {
            throw .invalidHost
        }
        let framing = try HeadReader.framing(headers, version: version)
        return RequestHead(
            method: method, path: ByteBuffer(target.path), authority: ByteBuffer(authority), scheme: target.scheme,
            version: version, headers: headers, framing: method == .connect ? .tunnel : framing ?? .none,
            keepAlive: HeadReader.keepAlive(headers, version: version))
    }

    static func version(_ bytes: ByteBufferView) throws(HTTP1ParseError) -> HTTPProtocolVersion {
        if bytes.elementsEqual("HTTP/1.1".utf8) { return .http11 }
        if bytes.elementsEqual("HTTP/1.0".utf8) { return .http10 }
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
