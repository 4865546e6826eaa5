import TestSupport

/// Puts the requests of a text on one HTTP/2 connection and gathers the responses.
struct HTTP2Exchange {
    let peer: HTTP2Peer
    let deadline: ContinuousClock.Instant

    init(_ stream: any ByteStream, deadline: ContinuousClock.Instant) {
        peer = HTTP2Peer(stream, isClient: true)
        self.deadline = deadline
    }

    /// Pseudo headers from a message in the notation of HTTP/1; `host` becomes `:authority`.
    static func fields(_ message: WireMessage, isSecure: Bool) -> [WireMessage.Field] {
        let words = message.startLine.split(separator: " ")
        var fields = [WireMessage.Field(":method", String(words.first ?? "GET"))]
        fields.append(.init(":scheme", isSecure ? "https" : "http"))
        if let host = message.first("host") { fields.append(.init(":authority", host)) }
        if message.target != "-" { fields.append(.init(":path", message.target)) }
        let dropped: Set<String> = ["host", "transfer-encoding", "connection"]
        for field in message.fields where !dropped.contains(field.name.lowercased()) {
            fields.append(.init(field.name.lowercased(), field.value))
        }
        return fields
    }

    func run(_ text: String, _ sending: Sending, _ result: inout ProxyUnderTest.Exchange) {
        var reader = WireReader()
        reader.buffer = Array(text.utf8)
        var open: Set<UInt32> = []
        var next: UInt32 = 1
        // In two pieces, a head and its body would race with the answer to the head.
        peer.cork()
        while let message = reader.next(isResponse: false) {
            let trailers = message.trailers.map { WireMessage.Field($0.name.lowercased(), $0.value) }
            let ended = message.body.isEmpty && trailers.isEmpty
            peer.headers(next, Self.fields(message, isSecure: sending.tls != nil), ended: ended)
            if !ended { peer.body(next, message.body, trailers: trailers) }
            open.insert(next)
            next += 2
        }
        peer.uncork()
        var responses = HTTP2Responses()
        while !open.isEmpty || sending.untilClosed, ContinuousClock.now < deadline, !peer.hasEnded {
            guard let event = peer.next(within: 200) else { continue }
            if let ended = responses.take(event) { open.remove(ended) }
        }
        result.ended = peer.hasEnded
        result.responses = responses.all
        if sending.untilClosed { result.facts["goaway"] = responses.goAway ?? "-" }
        if !open.isEmpty { result.facts["unfinished"] = "\(open.count)" }
    }
}

/// Responses by stream, in the order of streams.
private struct HTTP2Responses {
    private var byStream: [UInt32: [WireMessage]] = [:]
    var goAway: String?
    var all: [WireMessage] { byStream.sorted { $0.key < $1.key }.flatMap(\.value) }

    /// - Returns: the stream that ended with this event.
    mutating func take(_ event: HTTP2Peer.Event) -> UInt32? {
        switch event {
        case .headers(let stream, let fields, let ended):
            let status = fields.first { $0.name == ":status" }?.value
            let regular = fields.filter { $0.name != ":status" }
            if let status {
                byStream[stream, default: []].append(WireMessage(startLine: "HTTP/2 \(status)", fields: regular))
            } else {
                change(stream) { $0.trailers = regular }
            }
            return ended ? stream : nil
        case .data(let stream, let bytes, let ended):
            change(stream) { $0.body += bytes }
            return ended ? stream : nil
        case .reset(let stream, let code):
            change(stream) { $0.trailers.append(.init("rst_stream", "\(code)")) }
            return stream
        case .goAway(_, let code):
            goAway = "\(code)"
            return nil
        }
    }

    private mutating func change(_ stream: UInt32, _ body: (inout WireMessage) -> Void) {
        var messages = byStream[stream] ?? []
        var last = messages.popLast() ?? WireMessage(startLine: "HTTP/2 0")
        body(&last)
        byStream[stream] = messages + [last]
    }
}
