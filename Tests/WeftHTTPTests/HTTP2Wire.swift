import NIOCore

@testable import WeftHTTP

/// One frame as tests write and read them.
struct WireFrame: Equatable {
    var type: UInt8
    var flags: UInt8
    var id: UInt32
    var payload: [UInt8]

    init(_ type: UInt8, _ flags: UInt8 = 0, _ id: UInt32 = 0, _ payload: [UInt8] = []) {
        self.type = type
        self.flags = flags
        self.id = id
        self.payload = payload
    }

    var bytes: [UInt8] {
        let length = payload.count
        return [UInt8(length >> 16), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags] + word(id) + payload
    }

    static func headers(_ id: UInt32, _ pairs: [(String, String)], end: Bool = true) -> WireFrame {
        WireFrame(1, end ? 5 : 4, id, HPACKEncoder(limit: 0).plain(pairs))
    }
    static func data(_ id: UInt32, _ count: Int, end: Bool = false) -> WireFrame {
        WireFrame(0, end ? 1 : 0, id, [UInt8](repeating: 120, count: count))
    }
    static func get(_ id: UInt32, _ more: [(String, String)] = [], end: Bool = true) -> WireFrame {
        headers(id, request("GET") + more, end: end)
    }
    static func post(_ id: UInt32, _ more: [(String, String)] = []) -> WireFrame {
        headers(id, request("POST") + more, end: false)
    }
    static func target(_ id: UInt32, path: String = "/", authority: String = "a") -> WireFrame {
        headers(id, [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", authority)])
    }
    static func request(_ method: String) -> [(String, String)] {
        [(":method", method), (":scheme", "http"), (":path", "/"), (":authority", "a")]
    }
    static let settings = WireFrame(4)
    static func windowUpdate(_ id: UInt32, _ increment: UInt32) -> WireFrame { WireFrame(8, 0, id, word(increment)) }
    static func setting(_ identifier: UInt8, _ value: UInt32) -> WireFrame {
        WireFrame(4, 0, 0, [0, identifier] + word(value))
    }
}

func word(_ value: UInt32) -> [UInt8] {
    [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
}

extension HPACKEncoder {
    /// Literals without any table, names as they are.
    func plain(_ pairs: [(String, String)]) -> [UInt8] {
        pairs.flatMap { [0] + Self.string($0.0) + Self.string($0.1) }
    }
    private static func string(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        guard bytes.count >= 127 else { return [UInt8(bytes.count)] + bytes }
        var rest = bytes.count - 127
        var length: [UInt8] = [127]
        while rest >= 128 {
            length.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        return length + [UInt8(rest)] + bytes
    }
}

/// A connection under test with its far end written by hand.
final class WirePeer {
    let connection: HTTP2Connection
    private(set) var events: [HTTP2Event] = []
    private(set) var frames: [WireFrame] = []
    private var unread = ByteBuffer()

    init(_ role: HTTP2Connection.Role = .server, _ options: HTTP2Options = HTTP2Options(), greets: Bool = true) {
        connection = HTTP2Connection(role: role, options: options, statistics: HTTP2Statistics())
        connection.start()
        if greets {
            feed((role == .server ? HTTP2Connection.preface : []) + WireFrame.settings.bytes)
            collect()
            frames = []
            events = []
        }
    }

    func feed(_ frames: [WireFrame], now: UInt64 = 0) { for frame in frames { feed(frame.bytes, now: now) } }

    func feed(_ bytes: [UInt8], now: UInt64 = 0) {
        connection.receive(ByteBuffer(bytes: bytes), now: now)
        while let event = connection.next() { events.append(event) }
        collect()
    }

    /// Reads what the connection wrote.
    func collect() {
        connection.output.take { unread.writeImmutableBuffer($0) }
        connection.output.recycle()
        if unread.readableBytesView.starts(with: HTTP2Connection.preface) {
            unread.moveReaderIndex(forwardBy: HTTP2Connection.preface.count)
        }
        while let header = HTTP2FrameHeader(peeking: unread), unread.readableBytes >= 9 + header.length {
            unread.moveReaderIndex(forwardBy: 9)
            frames.append(
                WireFrame(
                    header.type, header.flags, header.streamID, unread.readBytes(length: header.length) ?? []))
        }
    }

    func clear() {
        frames = []
        events = []
    }

    /// What the connection did about an error, in one line: `connection 1`, `stream 3 5`, or `fine`.
    var verdict: String {
        if let away = frames.first(where: { $0.type == 7 }) { return "connection \(away.payload[7])" }
        if let reset = frames.first(where: { $0.type == 3 }) { return "stream \(reset.id) \(reset.payload[3])" }
        return "fine"
    }

    var requests: [RequestHead] {
        events.compactMap { if case .request(_, let head, _) = $0 { head } else { nil } }
    }
    var references: [HTTP2StreamRef] {
        events.compactMap { if case .request(let ref, _, _) = $0 { ref } else { nil } }
    }
    var bodyBytes: Int {
        events.reduce(0) { if case .data(_, let bytes, _) = $1 { $0 + bytes.readableBytes } else { $0 } }
    }
}
