import NIOCore
import WeftHTTP

/// What is taken from a client and written to an upstream must be read there as it was meant here: no byte of one
/// message becomes the start of another.
extension FuzzTarget {
    private static let relayWords = [
        "\r\n", "\n", ": ", "Content-Length: 3", "Transfer-Encoding: chunked", " HTTP/1.1\r\n", "Host: b", "0\r\n\r\n",
        "GET ", "http://", "\t", "\u{b}", ",", "@", "#", "?", "*", "CONNECT ", "OPTIONS ",
    ]

    /// One message as a receiver understood it.
    private struct Understood: Equatable {
        var text: String
        var body: [UInt8] = []
        var trailers = ""
    }

    private static func fields(_ headers: HeaderBlock) -> String {
        // The serialiser writes framing and host by itself, so their lines are no part of what was meant.
        let own: Set<String> = ["content-length", "transfer-encoding", "host"]
        return (0..<headers.count).compactMap { index -> String? in
            let name = String(decoding: headers.name(at: index), as: UTF8.self)
            guard !own.contains(name.lowercased()) else { return nil }
            return name + ":" + headers.value(at: index).map { String($0, radix: 16) }.joined()
        }.joined(separator: ",")
    }

    private static func understood(_ head: RequestHead) -> Understood {
        Understood(
            text: "\(head.method) \(String(buffer: head.path)) \(String(buffer: head.authority)) "
                + "\(fields(head.headers))")
    }

    /// - Returns: the messages and whether the bytes end with a whole one; `nil` for what is no HTTP.
    private static func read(_ bytes: ByteBuffer) -> (messages: [(RequestHead, Understood)], isWhole: Bool)? {
        var parser = HTTP1RequestParser()
        var buffer = bytes
        var messages: [(RequestHead, Understood)] = []
        do {
            while let event = try parser.next(from: &buffer) {
                switch event {
                case .head(let head), .informational(let head): messages.append((head, understood(head)))
                case .body(let part): messages[messages.count - 1].1.body += Array(part.readableBytesView)
                case .end(let trailers):
                    messages[messages.count - 1].1.trailers = trailers.map(fields) ?? ""
                    parser.rejectUpgrade()
                }
            }
        } catch { return messages.isEmpty ? nil : (messages, false) }
        return (messages, parser.isIdle && buffer.readableBytes == 0)
    }

    /// - Returns: what a receiver makes of the relayed message, unless it is the message alone.
    private static func relay(_ head: RequestHead, _ message: Understood) -> String? {
        var wire = ByteBuffer()
        HTTP1Serializer.write(head, into: &wire)
        if head.framing == .chunked {
            HTTP1Serializer.writeChunk(ByteBuffer(bytes: message.body), into: &wire)
            HTTP1Serializer.writeEnd(nil, into: &wire)
        } else {
            wire.writeBytes(message.body)
        }
        var wanted = message
        wanted.trailers = ""
        let written = String(buffer: wire)
        guard let result = read(wire) else { return "refused by the receiver: \(written.debugDescription)" }
        guard result.isWhole, result.messages.map(\.1) == [wanted] else {
            return "meant \(wanted), understood \(result.messages.map(\.1)): \(written.debugDescription)"
        }
        return nil
    }

    static let http1Relay = FuzzTarget(
        name: "http1-relay",
        seeds: [
            "GET /a?b HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nt: 1\r\n\r\n",
            "PUT http://u@a:80/x HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\n\r\nabc",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
        ].map { Array($0.utf8) }, words: relayWords
    ) { bytes in
        for (head, message) in read(ByteBuffer(bytes: bytes))?.messages ?? [] {
            // A message that was cut off has not been relayed to its end.
            if case .length(let length) = head.framing, length != UInt64(message.body.count) { continue }
            if let broken = relay(head, message) { return broken }
        }
        return nil
    }

    private static func literal(_ name: String, _ value: String) -> [UInt8] {
        [0, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)] + Array(value.utf8)
    }

    /// A header block of HTTP/2; what is taken of it goes to an HTTP/1.1 upstream.
    static let http2Relay = FuzzTarget(
        name: "http2-relay",
        seeds: [
            [0x82, 0x84, 0x86, 0x41, 1, 97],
            [0x83, 0x86] + literal(":path", "/a?b") + literal(":authority", "a:1") + literal("content-length", "0"),
            [0x86] + literal(":method", "M") + literal(":path", "/") + literal("host", "a") + literal("cookie", "a=b")
                + literal("cookie", "c"),
            literal(":method", "CONNECT") + literal(":authority", "a:1"),
            [0x86] + literal(":method", "OPTIONS") + literal(":path", "*") + literal("te", "trailers"),
        ],
        words: [":path", ":method", ":authority", "host", "cookie", "\u{1}", "\0", "/", " ", "\u{82}"] + relayWords
    ) { bytes in
        let block = Array(bytes.prefix(16_000))
        let connection = HTTP2Connection(role: .server)
        connection.start()
        var input = ByteBuffer(string: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        input.writeBytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
        input.writeBytes([0, UInt8(block.count >> 8), UInt8(block.count & 255), 1, 5, 0, 0, 0, 1])
        input.writeBytes(block)
        connection.receive(input, now: 1)
        while let event = connection.next() {
            guard case .request(_, let head, endStream: true) = event else { continue }
            // CONNECT goes on as a tunnel of its own.
            if head.method == .connect { continue }
            if let broken = relay(head, understood(head)) { return broken }
        }
        return nil
    }
}
