import NIOCore
import NIOHPACK
import TestSupport

/// Reads HTTP/2 frames and tells: `1=200`, `1!PROTOCOL_ERROR` (RST_STREAM), `GOAWAY PROTOCOL_ERROR`, then `open` or
/// `closed`. Settings, pings and windows are no part of an answer.
struct FrameSummary: AnswerObserver {
    private var buffer: [UInt8] = []
    private var events: [String] = []
    private var decoder = HPACKDecoder(allocator: ByteBufferAllocator())

    static let errors = [
        "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
        "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
    ]

    mutating func add(_ bytes: [UInt8]) {
        buffer += bytes
        while buffer.count >= 9 {
            let length = Int(buffer[0]) << 16 | Int(buffer[1]) << 8 | Int(buffer[2])
            guard buffer.count >= 9 + length else { return }
            let stream = Int(buffer[5] & 0x7f) << 24 | Int(buffer[6]) << 16 | Int(buffer[7]) << 8 | Int(buffer[8])
            frame(type: buffer[3], flags: buffer[4], stream: stream, Array(buffer[9..<9 + length]))
            buffer.removeFirst(9 + length)
        }
    }

    private mutating func frame(type: UInt8, flags: UInt8, stream: Int, _ payload: [UInt8]) {
        switch type {
        case 1:
            var block = ByteBuffer(bytes: payload)
            let headers = try? decoder.decodeHeaders(from: &block)
            if let status = headers?.first(name: ":status") { events.append("\(stream)=\(status)") }
        case 3: events.append("\(stream)!\(Self.error(payload.prefix(4)))")
        case 7: events.append("GOAWAY \(Self.error(payload.dropFirst(4).prefix(4)))")
        default: break
        }
    }

    private static func error(_ bytes: ArraySlice<UInt8>) -> String {
        let code = bytes.reduce(0) { $0 << 8 | Int($1) }
        return code < errors.count ? errors[code] : "\(code)"
    }

    func summary(ended: Bool) -> String {
        // A server may say goodbye twice; that is one answer.
        var unique: [String] = []
        for event in events where !unique.contains(event) { unique.append(event) }
        return (unique + [ended ? "closed" : "open"]).joined(separator: " ")
    }
}

/// Builds HTTP/2 frames, right ones and wrong ones.
enum Frame {
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    static let start = preface + settings([])

    static func raw(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8], length: Int? = nil)
        -> [UInt8]
    {
        let count = UInt32(length ?? payload.count)
        let head: [UInt8] = Array(integer(count).dropFirst()) + [type, flags]
        return head + integer(stream) + payload
    }
    static func integer(_ value: UInt32) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
    static func settings(_ values: [(UInt16, UInt32)]) -> [UInt8] {
        raw(4, values.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 255)] + integer($0.1) })
    }
    /// A header block of literals without index: nothing shared, nothing compressed.
    static func block(_ fields: [(String, String)]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (name, value) in fields {
            bytes.append(0)
            bytes += length(name.utf8.count) + Array(name.utf8)
            bytes += length(value.utf8.count) + Array(value.utf8)
        }
        return bytes
    }
    private static func length(_ count: Int) -> [UInt8] {
        guard count >= 127 else { return [UInt8(count)] }
        var rest = count - 127
        var bytes: [UInt8] = [127]
        while rest >= 128 {
            bytes.append(UInt8(rest & 127 | 128))
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
    static let pseudo = [(":method", "GET"), (":scheme", "http"), (":authority", "a.test"), (":path", "/h2")]
    /// END_STREAM is 1, END_HEADERS 4.
    static func headers(_ stream: UInt32, _ fields: [(String, String)], flags: UInt8 = 5) -> [UInt8] {
        raw(1, flags: flags, stream: stream, block(fields))
    }
    static func request(
        _ id: String, _ stream: UInt32 = 1, _ more: [(String, String)] = [], flags: UInt8 = 5
    ) -> [UInt8] {
        headers(stream, pseudo + [("x-id", id)] + more, flags: flags)
    }
}
