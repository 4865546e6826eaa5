import NIOCore

/// One WebSocket frame (RFC 6455), unmasked.
struct WebSocketFrame: Hashable {
    enum Opcode: UInt8, Hashable {
        case continuation = 0
        case text = 1
        case binary = 2
        case close = 8
        case ping = 9
        case pong = 10
    }
    var isFinal = true
    var opcode: Opcode
    var payload: ByteBuffer

    /// The bytes as a client sends them, masked with `mask`.
    func serialized(mask: UInt32) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger((isFinal ? 0x80 : 0) | opcode.rawValue)
        let count = payload.readableBytes
        switch count {
        case ..<126: buffer.writeInteger(0x80 | UInt8(count))
        case ..<65536:
            buffer.writeInteger(UInt8(0x80 | 126))
            buffer.writeInteger(UInt16(count))
        default:
            buffer.writeInteger(UInt8(0x80 | 127))
            buffer.writeInteger(UInt64(count))
        }
        buffer.writeInteger(mask)
        let key = (0..<4).map { UInt8(truncatingIfNeeded: mask >> (24 - 8 * $0)) }
        buffer.writeBytes(payload.readableBytesView.enumerated().map { $1 ^ key[$0 & 3] })
        return buffer
    }
}

/// Why a stream of bytes is no stream of frames that we take.
struct WebSocketFrameError: Error, Hashable, CustomStringConvertible {
    var description: String
}

/// Cuts bytes into frames. Pure: chunks in, frames out.
struct WebSocketFrameParser {
    /// Frames above this are refused, so that a length cannot make us reserve memory.
    static let maximumPayload = 32 << 20
    private var buffer = ByteBuffer()

    mutating func append(_ chunk: ByteBuffer) {
        buffer.discardReadBytes()
        buffer.writeImmutableBuffer(chunk)
    }

    /// The next whole frame, or `nil` if more bytes are needed.
    mutating func next() throws(WebSocketFrameError) -> WebSocketFrame? {
        var rest = buffer
        guard let first: UInt8 = rest.readInteger(), let second: UInt8 = rest.readInteger() else { return nil }
        guard let opcode = WebSocketFrame.Opcode(rawValue: first & 0x0F), first & 0x70 == 0 else {
            throw WebSocketFrameError(description: "unknown WebSocket frame type \(first)")
        }
        var count = UInt64(second & 0x7F)
        if count == 126 {
            guard let long: UInt16 = rest.readInteger() else { return nil }
            count = UInt64(long)
        } else if count == 127 {
            guard let long: UInt64 = rest.readInteger() else { return nil }
            count = long
        }
        guard count <= Self.maximumPayload else { throw WebSocketFrameError(description: "WebSocket frame too large") }
        var key: [UInt8]?
        if second & 0x80 != 0 {
            guard let bytes = rest.readBytes(length: 4) else { return nil }
            key = bytes
        }
        guard var payload = rest.readSlice(length: Int(count)) else { return nil }
        if let key { payload = ByteBuffer(bytes: payload.readableBytesView.enumerated().map { $1 ^ key[$0 & 3] }) }
        buffer = rest
        return WebSocketFrame(isFinal: first & 0x80 != 0, opcode: opcode, payload: payload)
    }
}
