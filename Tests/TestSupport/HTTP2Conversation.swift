import Foundation

/// One HTTP/2 connection of a ``RecordingUpstream``.
///
/// A request is recorded as `METHOD path HTTP/2` with `:authority` and `:scheme` among its fields.
final class HTTP2Conversation {
    private let peer: HTTP2Peer
    private let stream: any ByteStream
    private let upstream: String
    private let number: Int
    private let record: UpstreamRecord
    private var requests: [UInt32: WireMessage] = [:]
    /// Streams with `echo`, whose answer has begun.
    private var echoing: Set<UInt32> = []
    private var delayed: [(due: ContinuousClock.Instant, stream: UInt32, script: UpstreamScript, isHead: Bool)] = []

    init(stream: any ByteStream, received: [UInt8], upstream: String, number: Int, record: UpstreamRecord) {
        self.stream = stream
        self.upstream = upstream
        self.number = number
        self.record = record
        peer = HTTP2Peer(stream, isClient: false, received: received)
    }

    func run() {
        var idle = 0
        while !peer.hasEnded, idle < 600 {
            idle += 1
            while let event = peer.next(within: delayed.isEmpty ? 100 : 5) {
                idle = 0
                handle(event)
            }
            let now = ContinuousClock.now
            for one in delayed where one.due <= now { respond(one.stream, one.script, isHead: one.isHead) }
            delayed.removeAll { $0.due <= now }
        }
        stream.close()
    }

    private func handle(_ event: HTTP2Peer.Event) {
        switch event {
        case .headers(let id, let fields, let ended):
            if requests[id] != nil {
                requests[id]?.trailers = fields
            } else {
                requests[id] = Self.message(fields)
                if Self.script(fields).ending == .echo { beginEcho(id, fields) }
            }
            if ended { complete(id) }
        case .data(let id, let bytes, let ended):
            requests[id]?.body += bytes
            if echoing.contains(id), !bytes.isEmpty { peer.part(id, bytes) }
            if ended { complete(id) }
        case .reset(let id, _):
            requests[id] = nil
            delayed.removeAll { $0.stream == id }
        case .goAway: break
        }
    }

    private static func script(_ fields: [WireMessage.Field]) -> UpstreamScript {
        UpstreamScript(message(fields), before: 0)
    }

    private static func message(_ fields: [WireMessage.Field]) -> WireMessage {
        func pseudo(_ name: String) -> String { fields.first { $0.name == name }?.value ?? "-" }
        var message = WireMessage(startLine: "\(pseudo(":method")) \(pseudo(":path")) HTTP/2")
        message.fields = fields.filter { $0.name != ":method" && $0.name != ":path" }
        return message
    }

    private func beginEcho(_ id: UInt32, _ fields: [WireMessage.Field]) {
        echoing.insert(id)
        peer.headers(
            id, [.init(":status", "200"), .init("x-upstream", upstream), .init("content-type", "application/grpc")],
            ended: false)
    }

    private func complete(_ id: UInt32) {
        guard let message = requests.removeValue(forKey: id) else { return }
        let before = record.add(message, upstream: upstream, connection: number)
        if echoing.remove(id) != nil {
            return peer.body(id, [], trailers: [.init("grpc-status", "0"), .init("grpc-message", "done")])
        }
        let script = UpstreamScript(message, before: before)
        let isHead = message.method == "HEAD"
        guard script.delay > 0 else { return respond(id, script, isHead: isHead) }
        delayed.append((.now + .milliseconds(script.delay), id, script, isHead))
    }

    private func respond(_ id: UInt32, _ script: UpstreamScript, isHead: Bool) {
        var fields = [WireMessage.Field(":status", String(script.status)), .init("x-upstream", upstream)]
        fields += script.fields.map(Self.field)
        let trailers = script.trailers.map(Self.field)
        let content = Array(script.content(upstream).utf8)
        switch script.ending {
        case .reset: return peer.reset(id, 2)
        case .fin: return peer.reset(id, 7)
        case .code(let code): return peer.reset(id, code)
        case .hang: return
        case .only: return peer.headers(id, fields + trailers, ended: true)
        case .raw(let bytes): return peer.raw(bytes, id)
        case .none, .close, .cut, .garbage, .tunnel, .echo: break
        }
        if script.hint { peer.headers(id, [.init(":status", "103"), .init("link", "</a.css>")], ended: false) }
        let hasLength = !script.chunked && trailers.isEmpty && script.ending == .none
        if hasLength { fields.append(.init("content-length", String(content.count))) }
        if isHead || (content.isEmpty && trailers.isEmpty) { return peer.headers(id, fields, ended: true) }
        peer.headers(id, fields, ended: false)
        if script.ending == .cut {
            peer.part(id, content)
            return peer.reset(id, 2)
        }
        peer.body(id, content, trailers: trailers)
    }

    private static func field(_ line: String) -> WireMessage.Field {
        let colon = line.firstIndex(of: ":") ?? line.endIndex
        return .init(line[..<colon].lowercased(), String(line[colon...].dropFirst().drop { $0 == " " }))
    }
}
