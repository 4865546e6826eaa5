import Foundation
package import NIOSSL
import Synchronization

/// A request as an upstream saw it.
package struct SeenRequest: Sendable {
    package var upstream: String
    package var message: WireMessage
    /// Counts the connections of this upstream.
    package var connection: Int
    /// Counts all requests of all upstreams, in the order of arrival.
    package var order: Int
    /// Whether it is the copy of a request (`request_mirror_policies`).
    package var isShadow: Bool { message.isShadow }
}

extension WireMessage {
    /// A mirrored request says so in its host.
    fileprivate var isShadow: Bool {
        let host = first(":authority") ?? first("host") ?? ""
        return host.hasSuffix("-shadow") || host.contains("-shadow:")
    }
}

/// Everything that a set of upstreams saw, by the value of `x-id`.
package final class UpstreamRecord: Sendable {
    private struct State {
        var requests: [String: [SeenRequest]] = [:]
        var rawBytes: [String: [UInt8]] = [:]
        var total = 0
    }
    private let state = Mutex(State())
    package init() {}

    /// - Returns: how many requests of the same kind came with the same id before.
    func add(_ message: WireMessage, upstream: String, connection: Int) -> Int {
        state.withLock { state in
            state.total += 1
            let id = message.first("x-id") ?? ""
            // Mirrored requests race with the request itself: each kind follows the script by itself.
            let before = state.requests[id, default: []].count { $0.isShadow == message.isShadow }
            state.requests[id, default: []].append(
                SeenRequest(upstream: upstream, message: message, connection: connection, order: state.total))
            return before
        }
    }
    fileprivate func add(raw: [UInt8], upstream: String, connection: Int) {
        state.withLock { $0.rawBytes["\(upstream)#\(connection)", default: []] += raw }
    }

    package func requests(_ id: String) -> [SeenRequest] { state.withLock { $0.requests[id] ?? [] } }
    package var allRequests: [SeenRequest] { state.withLock { $0.requests.values.flatMap(\.self) } }
    package var total: Int { state.withLock { $0.total } }
    package func forgetAll() { state.withLock { $0 = State() } }
}

/// A server of HTTP/1.1, and of HTTP/2 to clients that begin with its preface, that records what it sees and does what the request's `x-do` header says.
///
/// `x-do` is a list of steps separated by `|`, one a try; the last one stays. A step is a list separated by `;`:
/// `status=503`, `body=text`, `size=N`, `delay=MS`, `header=Name:value` (again for more), `trailer=Name:value`,
/// `chunked`, `early` (answer before the body), `hint` (103 first), `close` (close after the response), `reset`
/// (RST instead of a response), `fin` (FIN instead of a response), `cut` (RST in the middle of the body), `hang`,
/// `garbage`, `switch` (101 and echo). Over HTTP/2 the endings reset the stream, and there are `rst=CODE` (RST_STREAM),
/// `only` (the head ends the response, its trailers in it) and `echo` (head at once, each part of the body comes back,
/// trailers at the end). `raw=HEX,HEX*COUNT` sends exactly these bytes, over HTTP/2 with `STRM` replaced by the stream's number.
/// One thread per connection: a test has few.
package final class RecordingUpstream: Sendable {
    package let name: String
    package let port: UInt16
    private let listener: RawListener
    private let record: UpstreamRecord
    private let connections = Mutex(0)
    private let tls: NIOSSLContext?

    /// - Parameter tls: every connection begins with this side of a TLS handshake; one that fails is closed.
    package init(
        name: String, record: UpstreamRecord, address: String = "127.0.0.1", port: UInt16 = 0,
        tls: NIOSSLContext? = nil
    ) throws {
        self.name = name
        self.record = record
        self.tls = tls
        self.listener = try RawListener(address: address, port: port)
        self.port = listener.port
        let (listener, name) = (listener, name)
        let thread = Thread { [weak self] in
            while let socket = listener.accept() {
                guard let self else { return }
                self.serve(socket, name)
            }
        }
        thread.start()
    }

    package func close() { listener.close() }

    private func serve(_ socket: RawSocket, _ name: String) {
        let number = connections.withLock {
            $0 += 1
            return $0
        }
        // The descriptor alone goes to the thread, which owns it from here on.
        nonisolated(unsafe) let owned = socket
        let thread = Thread { [record, tls] in
            var stream: any ByteStream = owned
            if let tls {
                guard let secure = try? TLSStream(server: owned, tls), secure.isEstablished else {
                    return owned.close()
                }
                stream = secure
            }
            UpstreamConversation(socket: stream, upstream: name, number: number, record: record).run()
        }
        thread.start()
    }
}

/// One connection of a ``RecordingUpstream``.
private final class UpstreamConversation {
    let socket: any ByteStream
    let upstream: String
    let number: Int
    let record: UpstreamRecord
    var reader = WireReader()

    init(socket: any ByteStream, upstream: String, number: Int, record: UpstreamRecord) {
        self.socket = socket
        self.upstream = upstream
        self.number = number
        self.record = record
    }

    func run() {
        while true {
            while let message = reader.next(isResponse: false) {
                guard answer(message) else { return socket.close() }
            }
            switch socket.receive(within: 60_000) {
            case .bytes(let bytes):
                record.add(raw: bytes, upstream: upstream, connection: number)
                reader.buffer += bytes
                if reader.buffer.starts(with: HTTP2Peer.preface) {
                    return HTTP2Conversation(
                        stream: socket, received: reader.buffer, upstream: upstream, number: number, record: record
                    ).run()
                }
            case .closed, .reset, .nothing: return socket.close()
            }
        }
    }

    /// - Returns: false when the connection is over.
    private func answer(_ message: WireMessage) -> Bool {
        let before = record.add(message, upstream: upstream, connection: number)
        let script = UpstreamScript(message, before: before)
        if script.delay > 0 { Thread.sleep(forTimeInterval: Double(script.delay) / 1000) }
        switch script.ending {
        case .reset:
            socket.reset()
            return false
        case .fin: return false
        case .hang:
            while case .bytes = socket.receive(within: 60_000) {}
            return false
        case .garbage:
            socket.send("NOT HTTP AT ALL\r\n\r\n")
            return false
        case .tunnel: return tunnel()
        case .raw(let bytes):
            socket.send(bytes)
            return true
        case .none, .close, .cut, .code, .only, .echo: break
        }
        if script.hint { socket.send("HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n") }
        socket.send(script.response(upstream, isHead: message.method == "HEAD"))
        if script.ending == .cut { socket.reset() }
        return script.ending == .none && message.first("connection")?.lowercased() != "close"
    }

    private func tunnel() -> Bool {
        socket.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        if !reader.rest.isEmpty { socket.send(Array(reader.rest)) }
        while case .bytes(let bytes) = socket.receive(within: 60_000) { socket.send(bytes) }
        return false
    }
}

/// One step of `x-do`.
struct UpstreamScript {
    enum Ending: Equatable {
        case none, close, cut, reset, fin, hang, garbage, tunnel, code(UInt32), only, echo, raw([UInt8])
    }
    var status = 200
    var delay = 0
    var body: String?
    var size: Int?
    var fields: [String] = []
    var trailers: [String] = []
    var chunked = false
    var hint = false
    var ending = Ending.none

    /// The step of `x-do` that is due at try number `before`.
    init(_ message: WireMessage, before: Int) {
        let steps = (message.first("x-do") ?? "").split(separator: "|", omittingEmptySubsequences: false)
        self.init(steps.isEmpty ? "" : steps[min(before, steps.count - 1)])
    }

    init(_ text: Substring) {
        for part in text.split(separator: ";") {
            let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
            let value = pair.count > 1 ? pair[1] : ""
            switch pair[0] {
            case "status": status = Int(value) ?? 500
            case "delay": delay = Int(value) ?? 0
            case "body": body = value
            case "size": size = Int(value)
            case "header": fields.append(value.replacing(":", with: ": ", maxReplacements: 1))
            case "trailer": trailers.append(value.replacing(":", with: ": ", maxReplacements: 1))
            case "chunked": chunked = true
            case "hint": hint = true
            case "close": ending = .close
            case "cut": ending = .cut
            case "reset": ending = .reset
            case "fin": ending = .fin
            case "hang": ending = .hang
            case "garbage": ending = .garbage
            case "switch": ending = .tunnel
            case "rst": ending = .code(UInt32(value) ?? 0)
            case "only": ending = .only
            case "echo": ending = .echo
            case "raw":
                ending = .raw(value.split(separator: ",").flatMap(UpstreamScript.bytes))
            default: status = 599
            }
        }
    }

    /// `HEX` or `HEX*COUNT`.
    private static func bytes(_ text: Substring) -> [UInt8] {
        let parts = text.split(separator: "*")
        let digits = Array(parts.first ?? "")
        let unit = stride(from: 0, to: digits.count - 1, by: 2).map {
            UInt8(String(digits[$0...($0 + 1)]), radix: 16) ?? 0
        }
        return Array(repeatElement(unit, count: parts.count > 1 ? Int(parts[1]) ?? 1 : 1).joined())
    }

    func content(_ upstream: String) -> String {
        if status == 204 || status == 304 { return "" }
        return size.map { String(repeating: "x", count: $0) } ?? body ?? "from \(upstream)\n"
    }

    func response(_ upstream: String, isHead: Bool) -> String {
        let bodiless = status == 204 || status == 304
        let content = content(upstream)
        var text = "HTTP/1.1 \(status) Scripted\r\nx-upstream: \(upstream)\r\n"
        for field in fields { text += field + "\r\n" }
        if chunked || !trailers.isEmpty {
            let size = String(content.utf8.count, radix: 16)
            text += "transfer-encoding: chunked\r\n\r\n"
            if isHead { return text }
            if !content.isEmpty { text += "\(size)\r\n\(content)\r\n" }
            return text + "0\r\n" + trailers.map { $0 + "\r\n" }.joined() + "\r\n"
        }
        // The length of what was promised; `cut` sends less.
        if !bodiless { text += "content-length: \(content.utf8.count + (ending == .cut ? 100 : 0))\r\n" }
        if ending == .close { text += "connection: close\r\n" }
        return text + "\r\n" + (isHead ? "" : content)
    }
}
