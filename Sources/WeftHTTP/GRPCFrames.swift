package import NIOCore

/// Messages of gRPC as they stand in a body: a byte that says whether they are compressed, their length in four bytes,
/// and the message ("gRPC over HTTP2", Length-Prefixed-Message).
package enum GRPCFrame {
    /// - Parameter message: A serialised message, not compressed.
    package static func frame(_ message: some Collection<UInt8>) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(5 + message.count)
        buffer.writeInteger(UInt8(0))
        buffer.writeInteger(UInt32(clamping: message.count))
        buffer.writeBytes(message)
        return buffer
    }
}

/// Takes messages out of a body that comes in pieces. A value of one stream; holds at most one message and a piece.
package struct GRPCDeframer: Sendable {
    package enum Failure: Error, Sendable, Hashable {
        /// Longer than the limit.
        case tooLarge(UInt32)
        /// Nobody offered to take compressed messages.
        case compressed
    }
    private var buffer = ByteBuffer()
    private let limit: Int

    /// - Parameter limit: The longest message in bytes.
    package init(limit: Int) { self.limit = limit }

    package mutating func append(_ piece: ByteBuffer) { buffer.writeImmutableBuffer(piece) }

    /// Whether a message has begun and is not complete.
    package var isInsideMessage: Bool { buffer.readableBytes > 0 }

    /// - Returns: The next message, or `nil` until more has come.
    package mutating func next() throws(Failure) -> ByteBuffer? {
        let start = buffer.readerIndex
        guard let flag = buffer.getInteger(at: start, as: UInt8.self),
            let length = buffer.getInteger(at: start + 1, as: UInt32.self)
        else { return nil }
        if flag != 0 { throw .compressed }
        if Int(length) > limit { throw .tooLarge(length) }
        guard buffer.readableBytes >= 5 + Int(length) else { return nil }
        buffer.moveReaderIndex(forwardBy: 5)
        let message = buffer.readSlice(length: Int(length))
        buffer.discardReadBytes()
        return message
    }
}

/// Counts the messages of a gRPC body that comes in pieces, and keeps none of it. A value of one direction of a stream.
///
/// A message counts from its first byte on, as Envoy has it. Nothing counts any more after a byte that begins no message.
package struct GRPCMessageCount: Sendable {
    package private(set) var count: UInt64 = 0
    /// Bytes of the message's own that have not come.
    private var remaining: UInt64 = 0
    /// Bytes of the prefix that have come, 0 to 4; the fifth ends it.
    private var prefixBytes = 0
    private var length: UInt64 = 0
    private var isBroken = false

    package init() {}

    /// - Returns: how many messages begin in the piece.
    package mutating func add(_ piece: ByteBuffer) -> UInt64 {
        guard !isBroken else { return 0 }
        let before = count
        piece.withUnsafeReadableBytes { bytes in
            var place = 0
            while place < bytes.count {
                if remaining > 0 {
                    let step = Int(min(remaining, UInt64(bytes.count - place)))
                    remaining -= UInt64(step)
                    place += step
                    continue
                }
                if prefixBytes == 0 {
                    isBroken = bytes[place] > 1
                    if isBroken { break }
                    count += 1
                } else {
                    length = length << 8 | UInt64(bytes[place])
                }
                prefixBytes += 1
                place += 1
                if prefixBytes == 5 { (remaining, length, prefixBytes) = (length, 0, 0) }
            }
        }
        return count - before
    }
}
