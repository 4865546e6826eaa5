import TestSupport

/// A class of input that tries to make a proxy hold much: what is sent, by how many connections.
struct MemoryCase: Sendable {
    var name: String
    var connections = 4
    var port = HostileCase.Port.http
    /// Sends until it is done or nothing more is taken; never reads unless it says so.
    var attack: @Sendable (RawSocket) -> Void

    /// Sends the same bytes again and again, up to `limit` bytes; gives up when the proxy takes no more for a while.
    static func repeating(_ socket: RawSocket, _ bytes: [UInt8], upTo limit: Int) {
        let piece = Array(repeatElement(bytes, count: max(1, 65_536 / bytes.count)).joined())
        var sent = 0
        while sent < limit, socket.trySend(piece, within: 700) { sent += piece.count }
    }

    private static func get(_ script: String) -> String { "GET /m HTTP/1.1\r\nhost: a.test\r\nx-do: \(script)\r\n\r\n" }
    private static func streams(_ count: Int, _ more: [(String, String)]) -> [UInt8] {
        (0..<count).flatMap { Frame.headers(UInt32($0 * 2 + 1), Frame.pseudo + more) }
    }

    static let all: [MemoryCase] = [
        MemoryCase(name: "pipelined requests, nothing read") { socket in
            repeating(socket, Array(get("size=5000").utf8), upTo: 8 << 20)
        },
        MemoryCase(name: "large response, nothing read") { socket in
            socket.send(get("size=30000000"))
            socket.hold(1500)
        },
        MemoryCase(name: "large request, upstream does not read") { socket in
            socket.send("POST /deaf HTTP/1.1\r\nhost: a.test\r\ncontent-length: 100000000\r\n\r\n")
            repeating(socket, [UInt8](repeating: 98, count: 4096), upTo: 64 << 20)
        },
        MemoryCase(name: "chunks of one byte") { socket in
            socket.send("POST /deaf HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n")
            repeating(socket, Array("1\r\nx\r\n".utf8), upTo: 32 << 20)
        },
        MemoryCase(name: "endless chunk extension") { socket in
            socket.send("POST /deaf HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n1;")
            repeating(socket, [UInt8](repeating: 120, count: 4096), upTo: 32 << 20)
        },
        MemoryCase(name: "endless header") { socket in
            socket.send("GET / HTTP/1.1\r\nhost: a.test\r\nx-a: ")
            repeating(socket, [UInt8](repeating: 97, count: 4096), upTo: 32 << 20)
        },
        MemoryCase(name: "endless headers") { socket in
            socket.send("GET / HTTP/1.1\r\nhost: a.test\r\n")
            repeating(socket, Array("x-a: b\r\n".utf8), upTo: 32 << 20)
        },
        MemoryCase(name: "endless trailers") { socket in
            socket.send("POST / HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n0\r\n")
            repeating(socket, Array("x-a: b\r\n".utf8), upTo: 32 << 20)
        },
        MemoryCase(name: "empty lines before a request") { socket in repeating(socket, [13, 10], upTo: 16 << 20) },
        MemoryCase(name: "heads that never end", connections: 300) { socket in
            socket.send("GET / HTTP/1.1\r\nhost: a.test\r\nx-a: " + String(repeating: "a", count: 8_000))
        },
        MemoryCase(name: "TLS records without content", port: .tls) { socket in
            repeating(socket, [22, 3, 1, 0, 0], upTo: 16 << 20)
        },
        MemoryCase(name: "TLS hello of 16 MiB", port: .tls) { socket in
            socket.send([22, 3, 1, 0x40, 0, 1, 255, 255, 255] + [UInt8](repeating: 0, count: 16_380))
            repeating(socket, [22, 3, 1, 0x40, 0] + [UInt8](repeating: 0, count: 16_384), upTo: 32 << 20)
        },
        MemoryCase(name: "HTTP/2: windows of zero, large responses") { socket in
            socket.send(Frame.preface + Frame.settings([(4, 0)]) + streams(90, [("x-do", "size=1000000")]))
            socket.hold(1500)
        },
        MemoryCase(name: "HTTP/2: rapid reset") { socket in
            socket.send(Frame.start)
            var sent = true
            var stream: UInt32 = 1
            while sent, stream < 60_000 {
                let batch = (0..<100).flatMap { index -> [UInt8] in
                    let id = stream + UInt32(index * 2)
                    return Frame.headers(id, Frame.pseudo) + Frame.raw(3, stream: id, [0, 0, 0, 8])
                }
                sent = socket.trySend(batch, within: 700)
                stream += 200
            }
        },
        MemoryCase(name: "HTTP/2: CONTINUATION") { socket in
            socket.send(Frame.start + Frame.headers(1, Frame.pseudo, flags: 1))
            repeating(socket, Frame.raw(9, stream: 1, Frame.block([("x-a", "b")])), upTo: 32 << 20)
        },
        MemoryCase(name: "HTTP/2: header blocks that never end", connections: 100) { socket in
            let big = Frame.block([("x-a", String(repeating: "a", count: 15_000))])
            socket.send(Frame.start + Frame.headers(1, Frame.pseudo, flags: 1) + Frame.raw(9, stream: 1, big))
        },
        MemoryCase(name: "HTTP/2: one field of 3 kB, indexed") { socket in
            let value = [UInt8](repeating: 97, count: 3_000)
            let stored: [UInt8] = [0x40, 3] + Array("x-a".utf8) + [127, 0xb9, 0x16] + value
            socket.send(Frame.start + Frame.raw(1, flags: 5, stream: 1, Frame.block(Frame.pseudo) + stored))
            for stream in 1..<2_000 {
                let block = Frame.block(Frame.pseudo) + [UInt8](repeating: 0xbe, count: 1_000)
                guard socket.trySend(Frame.raw(1, flags: 5, stream: UInt32(stream * 2 + 1), block), within: 700) else {
                    return
                }
            }
        },
        MemoryCase(name: "HTTP/2: PING, answers unread") { socket in
            socket.send(Frame.start)
            repeating(socket, Frame.raw(6, [UInt8](repeating: 1, count: 8)), upTo: 32 << 20)
        },
        MemoryCase(name: "HTTP/2: SETTINGS, answers unread") { socket in
            socket.send(Frame.start)
            repeating(socket, Frame.settings([(4, 65_535)]), upTo: 32 << 20)
        },
        MemoryCase(name: "HTTP/2: empty DATA") { socket in
            socket.send(Frame.start + Frame.headers(1, [(":method", "POST")] + Frame.pseudo.dropFirst(), flags: 4))
            repeating(socket, Frame.raw(0, stream: 1, []), upTo: 32 << 20)
        },
        MemoryCase(name: "HTTP/2: DATA of one byte, upstream does not read") { socket in
            let deaf = [(":method", "POST"), (":scheme", "http"), (":authority", "a.test"), (":path", "/deaf")]
            socket.send(Frame.start + Frame.headers(1, deaf, flags: 4))
            repeating(socket, Frame.raw(0, stream: 1, [1]), upTo: 8 << 20)
        },
        MemoryCase(name: "HTTP/2: DATA beyond the window") { socket in
            let deaf = [(":method", "POST"), (":scheme", "http"), (":authority", "a.test"), (":path", "/deaf")]
            socket.send(Frame.start + Frame.headers(1, deaf, flags: 4))
            repeating(socket, Frame.raw(0, stream: 1, [UInt8](repeating: 1, count: 16_384)), upTo: 64 << 20)
        },
        MemoryCase(name: "HTTP/2: unknown frames") { socket in
            socket.send(Frame.start)
            repeating(socket, Frame.raw(200, [UInt8](repeating: 1, count: 16_000)), upTo: 32 << 20)
        },
        MemoryCase(name: "HTTP/2: PRIORITY of idle streams") { socket in
            socket.send(Frame.start)
            for stream in 1..<200_000 {
                let frame = Frame.raw(2, stream: UInt32(stream * 2 + 1), Frame.integer(0) + [1])
                guard socket.trySend(frame, within: 700) else { return }
            }
        },
    ]
}
