import CWeftZlib

/// A whole body in gzip (RFC 1952), made plain within a limit.
package enum GzipBody {
    package enum Failure: Error, Sendable, Hashable {
        /// The bytes are no gzip, or end before it does.
        case malformed
        /// More than the limit would come out.
        case tooLarge
    }

    private static let step = 64 << 10

    /// Stops as soon as more than `limit` bytes have come out: a few bytes cannot fill the memory.
    package static func plain(_ body: [UInt8], limit: Int) throws(Failure) -> [UInt8] {
        guard let stream = weft_zlib_inflater(15) else { throw .tooLarge }
        defer { weft_zlib_free(stream) }
        var result: [UInt8] = []
        var room = [UInt8](repeating: 0, count: step)
        var taken = 0
        while true {
            let done = body.withUnsafeBufferPointer { input in
                room.withUnsafeMutableBufferPointer { output in
                    weft_zlib_inflate(
                        stream, input.baseAddress.map { $0 + taken }, min(body.count - taken, 1 << 30),
                        output.baseAddress, output.count)
                }
            }
            taken += done.consumed
            result.append(contentsOf: room[..<done.produced])
            guard !done.failed else { throw .malformed }
            guard result.count <= limit else { throw .tooLarge }
            if done.ended {
                // One member is all that clients send; what stands behind it is no part of the body.
                guard taken == body.count else { throw .malformed }
                return result
            }
            // All is taken and nothing more comes out: the end is missing.
            guard done.consumed > 0 || done.produced > 0 else { throw .malformed }
        }
    }
}
