import NIOCore
import Testing
import WeftHTTP

@Suite struct GRPCMessageCountTests {
    /// Messages of 3, 0 and 300 bytes.
    private static let body: [UInt8] =
        [0, 0, 0, 0, 3, 1, 2, 3] + [0, 0, 0, 0, 0] + [1, 0, 0, 1, 44] + Array(repeating: 7, count: 300)

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 13, 100, 1_000])
    func countsInPieces(_ size: Int) {
        var counter = GRPCMessageCount()
        var sum: UInt64 = 0
        for start in stride(from: 0, to: Self.body.count, by: size) {
            sum += counter.add(ByteBuffer(bytes: Self.body[start..<min(start + size, Self.body.count)]))
        }
        #expect(sum == 3)
        #expect(counter.count == 3)
    }

    /// A message counts from its first byte on.
    @Test func countsWhatHasBegun() {
        var counter = GRPCMessageCount()
        #expect(counter.add(ByteBuffer()) == 0)
        #expect(counter.add(ByteBuffer(bytes: Self.body.prefix(8))) == 1)
        #expect(counter.add(ByteBuffer(bytes: [0])) == 1)
        #expect(counter.add(ByteBuffer(bytes: [255, 255, 255, 255])) == 0)
        // Four gibibytes are not kept, nor is anything of them taken for a message.
        #expect(counter.add(ByteBuffer(bytes: Array(repeating: 0, count: 10_000))) == 0)
        #expect(counter.count == 2)
    }

    /// A body that is no gRPC's counts up to where that shows.
    @Test func countsNothingAfterWhatBeginsNoMessage() {
        var counter = GRPCMessageCount()
        #expect(counter.add(ByteBuffer(bytes: [0, 0, 0, 0, 1, 9] + Array("text".utf8))) == 1)
        #expect(counter.add(ByteBuffer(bytes: [0, 0, 0, 0, 0])) == 0)
    }
}
