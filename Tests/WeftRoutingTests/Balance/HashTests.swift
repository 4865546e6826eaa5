import Synchronization
import Testing

@testable import WeftRouting

/// Vectors computed with the reference implementations.
@Suite struct HashTests {
    @Test(arguments: [
        ("", 0 as UInt64, 0xEF46_DB37_51D8_E999 as UInt64), ("a", 0, 0xD24E_C4F1_A98C_6E5B),
        ("abc", 0, 0x44BC_2CF5_AD77_0999), ("", 1, 0xD5AF_BA13_36A3_BE4B),
    ])
    func xxHash64(text: String, seed: UInt64, expected: UInt64) {
        #expect(XXHash64.hash(text, seed: seed) == expected)
    }

    @Test func longInputsGoThroughTheStripes() {
        let bytes = (0..<100).map { UInt8($0) }
        #expect(XXHash64.hash(bytes) == 0x6AC1_E580_3216_6597)
        #expect(XXHash64.hash(bytes, seed: 12_345) == 0x28B_A1AE_2DE4_DE27)
        #expect(XXHash64.hash(Array(bytes.prefix(39))) == 0x00A3_96EF_1679_A859)
    }

    @Test(arguments: [
        ("", 0x553E_9390_1E46_2A6E as UInt64), ("a", 0x454D_DEE4_88C1_ED6B), ("10.0.0.1:8080_0", 0x2812_5CC8_3598_6945),
        ("abcdefgh", 0x783D_B3E3_8DB8_98BB), ("abcdefghi", 0xB4EC_9257_851C_8AAF),
    ])
    func murmurHash2(text: String, expected: UInt64) {
        #expect(MurmurHash2.hash(Array(text.utf8)) == expected)
    }

    /// The C++ standard names the ten thousandth number of the default seed.
    @Test func mersenneTwister() {
        var random = MersenneTwister(seed: 5_489)
        var last: UInt32 = 0
        for _ in 0..<10_000 { last = random.next() }
        #expect(last == 4_123_659_995)
    }

    /// Every length up to two stripes takes another path through the code; no two may collide.
    @Test func everyLengthHashesDifferently() {
        let bytes = (0..<80).map { UInt8($0 * 7 & 255) }
        let hashes = (0...80).map { XXHash64.hash(Array(bytes.prefix($0))) }
        #expect(Set(hashes).count == 81)
        #expect(Set((0...80).map { MurmurHash2.hash(Array(bytes.prefix($0))) }).count == 81)
    }

    @Test func theSameSeedGivesTheSameStream() {
        var one = RandomStream(seed: 7)
        var other = RandomStream(seed: 7)
        var third = RandomStream(seed: 8)
        let first = (0..<100).map { _ in one.next() }
        #expect(first == (0..<100).map { _ in other.next() })
        #expect(first != (0..<100).map { _ in third.next() })
    }
}
