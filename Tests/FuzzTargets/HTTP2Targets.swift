import NIOCore
import WeftHTTP

extension FuzzTarget {
    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    private static func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt8, _ payload: [UInt8]) -> [UInt8] {
        [0, UInt8(payload.count >> 8), UInt8(payload.count & 255), type, flags, 0, 0, 0, stream] + payload
    }
    /// `GET /` over `http`, from the static table, with the authority `a`.
    private static let block: [UInt8] = [0x82, 0x84, 0x86, 0x41, 1, 97]

    /// A server end takes anything without growing beyond its limits.
    static let http2 = FuzzTarget(
        name: "http2",
        seeds: [
            preface + frame(4, 0, 0, []) + frame(1, 5, 1, block),
            preface + frame(4, 0, 0, [0, 4, 0, 1, 0, 0]) + frame(1, 4, 1, block) + frame(0, 1, 1, [1, 2, 3]),
            preface + frame(4, 0, 0, []) + frame(1, 1, 1, block) + frame(9, 4, 1, block)
                + frame(3, 0, 1, [0, 0, 0, 8]),
            preface + frame(4, 0, 0, []) + frame(6, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]) + frame(8, 0, 0, [0, 0, 1, 0]),
            preface + frame(4, 0, 0, []) + frame(7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]) + frame(2, 0, 3, [0, 0, 0, 1, 7]),
        ], words: ["\0\0\0\u{4}\0\0\0\0\0", "\0\0\u{6}\u{1}\u{5}\0\0\0\u{3}", "\u{7f}", "\0\0\0\0"]
    ) { bytes in
        let connection = HTTP2Connection(role: .server)
        connection.start()
        var events = 0
        for piece in [bytes.prefix(bytes.count / 2), bytes.suffix(from: bytes.count / 2)] {
            connection.receive(ByteBuffer(bytes: piece), now: 1)
            while connection.next() != nil { events += 1 }
        }
        if connection.streamCount > 1_000 { return "\(connection.streamCount) streams" }
        return events > bytes.count + 10 ? "\(events) events out of \(bytes.count) bytes" : nil
    }

    /// A client end with two requests under way: whatever the server says, each stream ends at most once and nothing
    /// piles up.
    static let http2Client = FuzzTarget(
        name: "http2-client",
        seeds: [
            frame(4, 0, 0, []) + frame(1, 5, 1, [0x88]) + frame(1, 4, 3, [0x88]) + frame(0, 1, 3, [1, 2, 3]),
            frame(4, 0, 0, [0, 3, 0, 0, 0, 0]) + frame(4, 1, 0, []) + frame(3, 0, 1, [0, 0, 0, 7]),
            frame(4, 0, 0, []) + frame(7, 0, 0, [0, 0, 0, 1, 0, 0, 0, 0]) + frame(1, 5, 1, [0x88]),
            frame(4, 0, 0, []) + frame(1, 4, 1, [0x08, 3] + Array("103".utf8)) + frame(1, 4, 1, [0x88])
                + frame(1, 5, 1, [0x40, 1, 116, 1, 49]),
            frame(4, 0, 0, []) + frame(5, 4, 1, [0, 0, 0, 2] + block) + frame(8, 0, 1, [0x7f, 255, 255, 255]),
        ], words: ["\0\0\0\u{4}\0\0\0\0\0", "\0\0\u{1}\u{1}\u{5}\0\0\0\u{3}\u{88}", "\u{7f}", "\0\0\0\0"]
    ) { bytes in
        let connection = HTTP2Connection(role: .client)
        connection.start()
        for _ in 0..<2 {
            guard let stream = connection.open() else { return "a new connection takes no stream" }
            connection.send(RequestHead(.post, "/", authority: "a"), on: stream, endStream: false)
            connection.send(ByteBuffer(bytes: [1, 2, 3]), on: stream)
        }
        var ends: [UInt32: Int] = [:]
        var resets: [UInt32: Int] = [:]
        var events = 0
        for piece in [bytes.prefix(bytes.count / 2), bytes.suffix(from: bytes.count / 2)] {
            connection.receive(ByteBuffer(bytes: piece), now: 1)
            while let event = connection.next() {
                events += 1
                switch event {
                case .response(let ref, _, endStream: true), .data(let ref, _, endStream: true), .trailers(let ref, _):
                    ends[ref.id, default: 0] += 1
                    if resets[ref.id] != nil { return "stream \(ref.id) goes on after its reset" }
                case .reset(let ref, _, _): resets[ref.id, default: 0] += 1
                default: break
                }
            }
        }
        if ends.values.contains(where: { $0 > 1 }) || resets.values.contains(where: { $0 > 1 }) {
            return "ends \(ends), resets \(resets): a stream ended twice"
        }
        if connection.streamCount > 2 { return "\(connection.streamCount) streams" }
        return events > bytes.count + 10 ? "\(events) events out of \(bytes.count) bytes" : nil
    }

    static let hpack = FuzzTarget(
        name: "hpack", seeds: [block, [0x40, 1, 97, 1, 98, 0xbe], [0x3f, 0xe1, 0x1f], [0, 0x81, 0x1f, 1, 97]],
        words: ["\u{7f}\u{7f}\u{7f}", "\u{40}", "\u{3f}", "\0"]
    ) { bytes in
        let decoder = HPACKDecoder()
        for _ in 0..<2 {
            let list = HPACKFieldList(maximumListSize: 65_536, maximumCount: 200)
            bytes.withUnsafeBufferPointer { block in try? decoder.decode(block, into: list) }
            if decoder.tableSize > 4096 { return "the table has \(decoder.tableSize) bytes" }
        }
        return nil
    }
}
