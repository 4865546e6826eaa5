import NIOCore
import NIOHPACK
import Testing

@testable import WeftHTTP

@Suite struct HPACKAgreementTests {
    /// Another implementation reads what we write, and we read what it writes.
    @Test(arguments: 100..<110) func agreesWithAnotherImplementation(seed: Int) throws {
        var random = SeededGenerator(UInt64(seed))
        let encoder = OurEncoder()
        let decoder = OurDecoder()
        var otherEncoder = NIOHPACK.HPACKEncoder(allocator: ByteBufferAllocator())
        var otherDecoder = NIOHPACK.HPACKDecoder(allocator: ByteBufferAllocator())
        for _ in 0..<100 {
            let pairs = HPACKTests.randomPairs(&random)
            var ours = ByteBuffer(bytes: encoder.block(pairs))
            let read = try otherDecoder.decodeHeaders(from: &ours)
            #expect(read.map { Pair($0.name, $0.value) } == pairs)
            var theirs = ByteBuffer()
            try otherEncoder.encode(headers: HPACKHeaders(pairs.map { ($0.name, $0.value) }), to: &theirs)
            #expect(try decoder.pairs(Array(theirs.readableBytesView)) == pairs)
        }
    }
}
