package import NIOCore

/// Frame types of RFC 9113, section 6.
enum HTTP2FrameType {
    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let priority: UInt8 = 2
    static let reset: UInt8 = 3
    static let settings: UInt8 = 4
    static let pushPromise: UInt8 = 5
    static let ping: UInt8 = 6
    static let goAway: UInt8 = 7
    static let windowUpdate: UInt8 = 8
    static let continuation: UInt8 = 9
}

enum HTTP2Flags {
    static let endStream: UInt8 = 0x1
    static let ack: UInt8 = 0x1
    static let endHeaders: UInt8 = 0x4
    static let padded: UInt8 = 0x8
    static let priority: UInt8 = 0x20
}

/// The nine bytes before every payload (RFC 9113, 4.1).
struct HTTP2FrameHeader {
    static let size = 9
    var length: Int
    var type: UInt8
    var flags: UInt8
    var streamID: UInt32

    init(length: Int, type: UInt8, flags: UInt8 = 0, streamID: UInt32 = 0) {
        self.length = length
        self.type = type
        self.flags = flags
        self.streamID = streamID
    }

    /// - Returns: `nil` while fewer than nine bytes are there. The reader index stays.
    init?(peeking buffer: ByteBuffer) {
        guard let words = buffer.getInteger(at: buffer.readerIndex, as: UInt64.self),
            let last = buffer.getInteger(at: buffer.readerIndex + 8, as: UInt8.self)
        else { return nil }
        length = Int(words >> 40)
        type = UInt8(truncatingIfNeeded: words >> 32)
        flags = UInt8(truncatingIfNeeded: words >> 24)
        streamID = (UInt32(truncatingIfNeeded: words) << 8 | UInt32(last)) & 0x7FFF_FFFF
    }

    func has(_ flag: UInt8) -> Bool { flags & flag != 0 }

    func write(to buffer: inout ByteBuffer) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.size) { room in
            store(room)
            return Self.size
        }
    }

    /// Writes the header over bytes that are in the buffer already.
    func set(in buffer: inout ByteBuffer, at index: Int) {
        let start = index - buffer.readerIndex
        buffer.withUnsafeMutableReadableBytes { store(UnsafeMutableRawBufferPointer(rebasing: $0[start...])) }
    }

    @inline(__always) private func store(_ room: UnsafeMutableRawBufferPointer) {
        let word = UInt64(length) << 40 | UInt64(type) << 32 | UInt64(flags) << 24 | UInt64(streamID >> 8)
        room.storeBytes(of: word.bigEndian, as: UInt64.self)
        room.storeBytes(of: UInt8(truncatingIfNeeded: streamID), toByteOffset: 8, as: UInt8.self)
    }
}

/// Bytes on their way out: small frames together in one buffer, large payloads as they came.
package struct HTTP2Output {
    /// In order, to be written before ``tail``.
    package private(set) var segments: [ByteBuffer] = []
    /// Reused from flush to flush as long as nobody holds on to it.
    var tail = ByteBuffer()
    /// The last DATA or HEADERS frame in ``tail``, whose END_STREAM flag can still be set.
    private var last: (streamID: UInt32, flagsIndex: Int)?

    package init() {}

    package var isEmpty: Bool { segments.isEmpty && tail.readableBytes == 0 }
    package var byteCount: Int { segments.reduce(tail.readableBytes) { $0 + $1.readableBytes } }

    /// Payloads of at least this size are not copied.
    static let largePayload = 8 << 10

    mutating func noteEndable(_ streamID: UInt32, headerAt index: Int) { last = (streamID, index + 4) }

    /// Sets END_STREAM on the stream's last frame if it is still here.
    mutating func endLastFrame(of streamID: UInt32) -> Bool {
        guard let last, last.streamID == streamID,
            let flags = tail.getInteger(at: last.flagsIndex, as: UInt8.self)
        else { return false }
        tail.setInteger(flags | HTTP2Flags.endStream, at: last.flagsIndex)
        self.last = nil
        return true
    }

    mutating func writeData(_ streamID: UInt32, _ payload: ByteBuffer, endStream: Bool) {
        let start = tail.writerIndex
        HTTP2FrameHeader(
            length: payload.readableBytes, type: HTTP2FrameType.data, flags: endStream ? HTTP2Flags.endStream : 0,
            streamID: streamID
        ).write(to: &tail)
        guard payload.readableBytes >= Self.largePayload else {
            tail.writeImmutableBuffer(payload)
            if !endStream { noteEndable(streamID, headerAt: start) }
            return
        }
        segments.append(tail)
        segments.append(payload)
        tail = ByteBuffer()
        last = nil
    }

    /// Empties the output.
    /// - Parameter write: Called with each buffer in order; the last call's buffer is the one that is reused.
    package mutating func take(_ write: (ByteBuffer) -> Void) {
        for segment in segments { write(segment) }
        segments.removeAll(keepingCapacity: true)
        last = nil
        if tail.readableBytes > 0 { write(tail) }
    }

    /// Empties the output when it is one buffer and `send` takes all of it.
    /// - Parameter send: Moves the reader index behind what it took.
    /// - Returns: False when something is left for ``take(_:)``.
    package mutating func sendWhole(_ send: (inout ByteBuffer) -> Bool) -> Bool {
        guard segments.isEmpty, send(&tail) else { return false }
        last = nil
        return true
    }

    /// Makes the tail writable again after its bytes have left, without allocating when they have.
    package mutating func recycle() {
        if tail.capacity > 64 << 10 { tail = ByteBuffer() } else { tail.clear() }
    }
}
