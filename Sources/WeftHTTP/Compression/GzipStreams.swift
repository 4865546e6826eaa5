import CWeftZlib
package import NIOCore

/// Makes gzip of a body, piece by piece. Each piece can be read by the other side as soon as it has arrived.
///
/// Confined to its owner. About 100 KiB while it lives.
package final class GzipCompressor {
    private let stream: OpaquePointer

    /// - Parameters: As zlib's `deflateInit2` takes them; `windowBits` 9 to 15, `memoryLevel` 1 to 9.
    /// - Returns: `nil` when memory is out.
    package init?(level: Int32, windowBits: Int32, memoryLevel: Int32, strategy: Int32) {
        guard let made = weft_zlib_deflater(level, windowBits, memoryLevel, strategy) else { return nil }
        stream = made
    }

    deinit { weft_zlib_free(stream) }

    /// - Parameter isLast: Ends the stream; nothing may follow.
    package func compress(_ bytes: ByteBuffer, isLast: Bool) -> ByteBuffer {
        var result = ByteBuffer()
        result.reserveCapacity(bytes.readableBytes / 2 + 64)
        bytes.withUnsafeReadableBytes { all in
            var rest = all[...]
            var isDone = false
            while !isDone {
                let room = max(256, rest.count / 2 + 64)
                result.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { space in
                    let step = weft_zlib_deflate(
                        stream,
                        rest.isEmpty
                            ? nil
                            : UnsafeRawBufferPointer(rebasing: rest).baseAddress?
                                .assumingMemoryBound(to: UInt8.self), min(rest.count, 1 << 30),
                        space.baseAddress?.assumingMemoryBound(to: UInt8.self), space.count, isLast)
                    rest = rest.dropFirst(step.consumed)
                    isDone = step.ended || step.failed || (rest.isEmpty && step.produced < space.count)
                    return step.produced
                }
            }
        }
        return result
    }
}

/// Reads gzip, piece by piece, with a limit on what a few bytes may become.
///
/// Confined to its owner. About 40 KiB while it lives.
package final class GzipDecompressor {
    package enum Failure: Error, Sendable {
        /// The bytes are no gzip.
        case malformed
        /// More than the ratio came out: a bomb, or as good as one.
        case tooLarge
    }
    private let stream: OpaquePointer
    private let maximumRatio: Int
    private var consumed = 0
    private var produced = 0
    private var isEnded = false
    /// Every stream may become this much, so that the ratio of a small body does not matter.
    private static let allowance = 64 << 10
    private static let step = 16 << 10

    /// - Parameter maximumRatio: Bytes that may come out for each byte that goes in.
    /// - Returns: `nil` when memory is out.
    package init?(windowBits: Int32, maximumRatio: Int) {
        guard let made = weft_zlib_inflater(windowBits) else { return nil }
        stream = made
        self.maximumRatio = maximumRatio
    }

    deinit { weft_zlib_free(stream) }

    /// Whether the stream has come to its end.
    package var isComplete: Bool { isEnded }

    package func decompress(_ bytes: ByteBuffer) throws(Failure) -> ByteBuffer {
        var result = ByteBuffer()
        var failure: Failure?
        bytes.withUnsafeReadableBytes { all in
            var rest = all[...]
            while failure == nil, !isEnded, !rest.isEmpty || result.readableBytes > 0 {
                var isFull = false
                result.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.step) { space in
                    let step = weft_zlib_inflate(
                        stream,
                        rest.isEmpty
                            ? nil
                            : UnsafeRawBufferPointer(rebasing: rest).baseAddress?
                                .assumingMemoryBound(to: UInt8.self), min(rest.count, 1 << 30),
                        space.baseAddress?.assumingMemoryBound(to: UInt8.self), min(space.count, Self.step))
                    rest = rest.dropFirst(step.consumed)
                    consumed += step.consumed
                    produced += step.produced
                    isEnded = step.ended
                    if step.failed { failure = .malformed }
                    isFull = step.produced == min(space.count, Self.step)
                    return step.produced
                }
                if produced > Self.allowance, produced / maximumRatio > consumed { failure = .tooLarge }
                if rest.isEmpty, !isFull { break }
            }
        }
        if let failure { throw failure }
        return result
    }
}
