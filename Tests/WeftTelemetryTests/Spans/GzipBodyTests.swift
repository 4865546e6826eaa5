import CWeftZlib
import Testing
import WeftTelemetry

@Suite struct GzipBodyTests {
    private func gzip(_ plain: [UInt8]) throws -> [UInt8] {
        let stream = try #require(weft_zlib_deflater(6, 15, 8, 0))
        defer { weft_zlib_free(stream) }
        var result = [UInt8](repeating: 0, count: plain.count / 2 + 1024)
        let step = plain.withUnsafeBufferPointer { input in
            result.withUnsafeMutableBufferPointer { output in
                weft_zlib_deflate(stream, input.baseAddress, input.count, output.baseAddress, output.count, true)
            }
        }
        try #require(step.ended)
        return Array(result[..<step.produced])
    }

    @Test(arguments: [0, 1, 1000, 65_536, 300_000])
    func whatWasCompressedComesBack(_ count: Int) throws {
        let plain = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) }
        #expect(try GzipBody.plain(try gzip(plain), limit: count) == plain)
        if count > 0 {
            #expect(throws: GzipBody.Failure.tooLarge) { try GzipBody.plain(try gzip(plain), limit: count - 1) }
        }
    }

    /// A few kilobytes that would become 64 MiB: no more than the limit is ever made of them.
    @Test func aBombIsRefused() throws {
        let bomb = try gzip([UInt8](repeating: 0, count: 64 << 20))
        #expect(bomb.count < 100_000)
        #expect(throws: GzipBody.Failure.tooLarge) { try GzipBody.plain(bomb, limit: 1 << 20) }
    }

    @Test func whatIsNoGzipIsRefused() throws {
        let whole = try gzip(Array("spans".utf8))
        for body in [
            [], Array("spans".utf8), Array(whole.dropLast()), Array(whole.prefix(4)), whole + [0],
            whole.dropLast(6) + [0, 0, 0, 0, 0, 0],
        ] {
            #expect(throws: GzipBody.Failure.malformed) { try GzipBody.plain(body, limit: 1 << 20) }
        }
    }
}
