import NIOCore
import Testing

@testable import WeftHTTP

/// Gzip streams: what goes in comes out, piece by piece, and no bomb goes off.
struct GzipTests {
    private func compress(_ pieces: [ByteBuffer], level: Int32 = -1) throws -> [ByteBuffer] {
        let compressor = try #require(GzipCompressor(level: level, windowBits: 12, memoryLevel: 5, strategy: 0))
        var result = pieces.map { compressor.compress($0, isLast: false) }
        result.append(compressor.compress(ByteBuffer(), isLast: true))
        return result
    }

    private func text(_ count: Int) -> ByteBuffer {
        ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) })
    }

    @Test(arguments: [0, 1, 10, 1_000, 100_000, 3_000_000])
    func comesBack(_ count: Int) throws {
        let plain = text(count)
        let packed = try compress([plain])
        let reader = try #require(GzipDecompressor(windowBits: 15, maximumRatio: 1_000))
        var all = ByteBuffer()
        for piece in packed { all.writeImmutableBuffer(try reader.decompress(piece)) }
        #expect(all == plain)
        #expect(reader.isComplete)
    }

    /// RFC 1952 section 2.3.1: the magic bytes, and deflate.
    @Test func isGzip() throws {
        let packed = try compress([text(100)])
        #expect(Array(packed[0].readableBytesView.prefix(3)) == [0x1f, 0x8b, 8])
    }

    /// Each piece can be read when it has come, as a stream of events must.
    @Test func everyPieceIsReadable() throws {
        let packed = try compress([ByteBuffer(string: "first"), ByteBuffer(string: "second")])
        let reader = try #require(GzipDecompressor(windowBits: 15, maximumRatio: 100))
        #expect(String(buffer: try reader.decompress(packed[0])) == "first")
        #expect(String(buffer: try reader.decompress(packed[1])) == "second")
    }

    @Test func bytesOneByOne() throws {
        let plain = text(5_000)
        let reader = try #require(GzipDecompressor(windowBits: 15, maximumRatio: 1_000))
        var all = ByteBuffer()
        for piece in try compress([plain]) {
            for byte in piece.readableBytesView {
                all.writeImmutableBuffer(try reader.decompress(ByteBuffer(bytes: [byte])))
            }
        }
        #expect(all == plain)
    }

    @Test func aBombStops() throws {
        let zeros = ByteBuffer(repeating: 0, count: 20_000_000)
        let reader = try #require(GzipDecompressor(windowBits: 15, maximumRatio: 100))
        var produced = 0
        let error = #expect(throws: GzipDecompressor.Failure.self) {
            for piece in try compress([zeros], level: 9) { produced += try reader.decompress(piece).readableBytes }
        }
        #expect(error == .tooLarge)
        #expect(produced < 4_000_000)
    }

    @Test(arguments: ["", "x", "not gzip at all", "\u{1f}"])
    func badBytesAreToldOrWaitedFor(_ text: String) throws {
        let reader = try #require(GzipDecompressor(windowBits: 15, maximumRatio: 100))
        if text.utf8.count < 3 {
            #expect(throws: Never.self) { try reader.decompress(ByteBuffer(string: text)) }
            #expect(!reader.isComplete)
        } else {
            #expect(throws: GzipDecompressor.Failure.self) { try reader.decompress(ByteBuffer(string: text)) }
        }
    }
}
