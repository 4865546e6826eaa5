import NIOCore
import Testing

@testable import WeftHTTP

/// A generator that gives the same numbers for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Bytes from hexadecimal digits; spaces are ignored.
func hex(_ text: String) -> [UInt8] {
    let digits = text.utf8.filter { $0 != 32 }.compactMap { ASCII.hexValue($0) }
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

typealias OurEncoder = HPACKEncoder
typealias OurDecoder = HPACKDecoder

struct Pair: Equatable, CustomStringConvertible {
    var name: String
    var value: String
    init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
    var description: String { "\(name): \(value)" }
}

extension HPACKDecoder {
    func pairs(_ block: [UInt8], limit: Int = 1 << 20) throws -> [Pair] {
        let list = HPACKFieldList(maximumListSize: limit, maximumCount: 1000)
        try block.withUnsafeBufferPointer { (bytes) throws(HPACKError) in try decode(bytes, into: list) }
        return list.fields.map {
            Pair(String(decoding: list.name($0), as: UTF8.self), String(decoding: list.value($0), as: UTF8.self))
        }
    }
}

extension HPACKEncoder {
    func block(_ pairs: [Pair], never: Bool = false) -> [UInt8] {
        let room = pairs.reduce(64) { $0 + $1.name.utf8.count + $1.value.utf8.count + Self.overheadPerField }
        return [UInt8](unsafeUninitializedCapacity: room) { target, count in
            guard let base = target.baseAddress else { return }
            var end = base + begin(at: base)
            for pair in pairs {
                let fingerprint = ASCII.fingerprint(pair.name.utf8)
                Array(pair.name.utf8).withUnsafeBufferPointer { name in
                    Array(pair.value.utf8).withUnsafeBufferPointer { value in
                        end += encode(name: name, value: value, fingerprint: fingerprint, never: never, at: end)
                    }
                }
            }
            count = end - base
        }
    }
}

@Suite struct HPACKTests {
    struct Step {
        var block: String
        var fields: [Pair]
        var size: Int
    }

    private static let firstRequest = [
        Pair(":method", "GET"), Pair(":scheme", "http"), Pair(":path", "/"), Pair(":authority", "www.example.com"),
    ]
    private static let requests = [
        firstRequest, firstRequest + [Pair("cache-control", "no-cache")],
        [
            Pair(":method", "GET"), Pair(":scheme", "https"), Pair(":path", "/index.html"),
            Pair(":authority", "www.example.com"), Pair("custom-key", "custom-value"),
        ],
    ]
    private static func response(_ status: String, _ second: Int) -> [Pair] {
        [
            Pair(":status", status), Pair("cache-control", "private"),
            Pair("date", "Mon, 21 Oct 2013 20:13:\(second) GMT"), Pair("location", "https://www.example.com"),
        ]
    }
    private static let lastResponse =
        response("200", 22) + [
            Pair("content-encoding", "gzip"),
            Pair("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"),
        ]
    private static let responses = [response("302", 21), response("307", 21), lastResponse]

    /// The sequences of RFC 7541, Appendix C.3 to C.6: blocks, what they say, and the table's size after each.
    static let sequences: [(name: String, tableSize: Int, steps: [Step])] = [
        (
            "C.3", 4096,
            zip3(
                requests, [57, 110, 164],
                [
                    "828684410f7777772e6578616d706c652e636f6d", "828684be58086e6f2d6361636865",
                    "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
                ])
        ),
        (
            "C.4", 4096,
            zip3(
                requests, [57, 110, 164],
                [
                    "828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf",
                    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
                ])
        ),
        (
            "C.5", 256,
            zip3(
                responses, [222, 222, 215],
                [
                    """
                    4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f\
                    7777772e6578616d706c652e636f6d
                    """, "4803333037c1c0bf",
                    """
                    88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b42\
                    5a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31
                    """,
                ])
        ),
        (
            "C.6", 256,
            zip3(
                responses, [222, 222, 215],
                [
                    """
                    488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3
                    """, "4883640effc1c0bf",
                    """
                    88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f\
                    3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007
                    """,
                ])
        ),
    ]

    private static func zip3(_ fields: [[Pair]], _ sizes: [Int], _ blocks: [String]) -> [Step] {
        fields.indices.map { Step(block: blocks[$0], fields: fields[$0], size: sizes[$0]) }
    }

    @Test(arguments: sequences.indices) func decodesTheSequencesOfTheStandard(_ index: Int) throws {
        let sequence = Self.sequences[index]
        let decoder = HPACKDecoder(maximumTableSize: sequence.tableSize)
        for step in sequence.steps {
            #expect(try decoder.pairs(hex(step.block)) == step.fields, "\(sequence.name)")
            #expect(decoder.tableSize == step.size, "\(sequence.name)")
        }
    }

    @Test(arguments: [
        ("400a637573746f6d2d6b65790d637573746f6d2d686561646572", Pair("custom-key", "custom-header"), 55),
        ("040c2f73616d706c652f70617468", Pair(":path", "/sample/path"), 0),
        ("100870617373776f726406736563726574", Pair("password", "secret"), 0), ("82", Pair(":method", "GET"), 0),
    ]) func decodesTheFieldsOfTheStandard(block: String, field: Pair, size: Int) throws {
        let decoder = HPACKDecoder()
        #expect(try decoder.pairs(hex(block)) == [field])
        #expect(decoder.tableSize == size)
    }

    @Test(arguments: [
        ("80", HPACKError.invalidIndex),  // index 0
        ("be", .invalidIndex),  // the dynamic table is empty
        ("ff808080807f", .integerOverflow), ("ff", .truncated), ("4105616263", .truncated), ("41", .truncated),
        ("400161", .truncated),
        ("3fe21f", .sizeUpdateTooLarge),  // 4097
        ("8220", .misplacedSizeUpdate),
        ("4181ff", .invalidHuffman),  // eight bits of padding
        ("418118", .invalidHuffman),  // padding that is not all ones
        ("4184ffffffff", .invalidHuffman),  // EOS
    ]) func refuses(block: String, error: HPACKError) {
        #expect(throws: error) { try HPACKDecoder().pairs(hex(block)) }
    }

    @Test func decodesOnThroughAListThatIsTooLong() throws {
        let decoder = HPACKDecoder()
        let block = hex("400161016282") + hex("400163016482")
        #expect(try decoder.pairs(block, limit: 40) == [Pair("a", "b")])
        // What was dropped is in the table all the same.
        #expect(try decoder.pairs(hex("bebf")) == [Pair("c", "d"), Pair("a", "b")])
    }

    @Test func announcesSizeChanges() throws {
        let encoder = HPACKEncoder()
        encoder.setPeerMaximum(0)
        encoder.setPeerMaximum(100)
        let block = encoder.block([Pair("a", "b")])
        #expect(block.prefix(3) == [0x20, 0x3F, 0x45])
        #expect(try HPACKDecoder().pairs(block) == [Pair("a", "b")])
    }

    @Test func keepsSecretsAndFirstSightingsOutOfTheTable() {
        let encoder = HPACKEncoder()
        for _ in 0..<3 { _ = encoder.block([Pair("authorization", "secret"), Pair("cookie", "short")]) }
        _ = encoder.block([Pair("x", "y")], never: true)
        _ = encoder.block([Pair("x-request-id", "1")])
        #expect(encoder.tableSize == 0)
        #expect(encoder.block([Pair("authorization", "s")])[0] & 0xF0 == 0x10)
    }

    @Test func sendsARepeatedFieldAsOneByte() {
        let encoder = HPACKEncoder()
        let blocks = (0..<3).map { _ in encoder.block([Pair("grpc-encoding", "identity")]) }
        #expect(blocks[2].count == 1)
    }

    @Test func codesEveryByteAndBack() {
        let all = (0...255).map { UInt8($0) } + (0...255).reversed().map { UInt8($0) }
        let coded = [UInt8](unsafeUninitializedCapacity: 4 * all.count) { target, count in
            guard let base = target.baseAddress else { return }
            count = all.withUnsafeBufferPointer { HPACKHuffman.shared.encode($0, to: base) }
            #expect(count == all.withUnsafeBufferPointer { HPACKHuffman.shared.encodedCount($0) })
        }
        let decoded = [UInt8](unsafeUninitializedCapacity: coded.count * 8 / 5 + 1) { target, count in
            guard let base = target.baseAddress else { return }
            count = coded.withUnsafeBufferPointer { HPACKHuffman.shared.decode($0, to: base) } ?? 0
        }
        #expect(decoded == all)
    }

    // MARK: - Random lists

    static func randomPairs(_ random: inout SeededGenerator) -> [Pair] {
        let names = [
            "content-type", "x-a", "x-b", "user-agent", "cookie", "date", "grpc-timeout", "x-long-name-of-ours",
        ]
        let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789 /;=%\u{e9}~{}<>")
        return (0..<Int.random(in: 0...20, using: &random)).map { _ in
            let name = names[Int.random(in: 0..<names.count, using: &random)]
            let length = Int.random(in: 0...3, using: &random) == 0 ? 300 : 6
            let isKnown = Bool.random(using: &random)
            let value = (0..<Int.random(in: 0...length, using: &random)).map { position in
                letters[isKnown ? position % 7 : Int.random(in: 0..<letters.count, using: &random)]
            }
            return Pair(name, String(value).filter { $0 != " " })
        }
    }

    @Test(arguments: 0..<20) func randomListsSurvive(seed: Int) throws {
        var random = SeededGenerator(UInt64(seed))
        let encoder = HPACKEncoder()
        let decoder = HPACKDecoder()
        for _ in 0..<100 {
            if Int.random(in: 0..<10, using: &random) == 0 {
                encoder.setPeerMaximum(Int.random(in: 0...4096, using: &random))
            }
            let pairs = Self.randomPairs(&random)
            #expect(try decoder.pairs(encoder.block(pairs)) == pairs)
            #expect(decoder.tableSize == encoder.tableSize)
        }
    }
}
