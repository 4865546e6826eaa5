import Testing
import WeftCore

@testable import WeftAPIServer

@Suite struct ProtobufDecoderTests {
    private static func field(_ number: Int, _ bytes: [UInt8]) -> [UInt8] {
        [UInt8(number << 3 | 2), UInt8(bytes.count)] + bytes
    }
    private static func text(_ number: Int, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

    private static func body(_ version: String, _ kind: String, _ raw: [UInt8], more: [UInt8] = []) -> [UInt8] {
        Array("k8s\0".utf8) + field(1, text(1, version) + text(2, kind)) + field(2, raw) + more
    }

    @Test func readsMapsBytesAndTimes() throws {
        let metadata =
            Self.text(1, "s") + Self.text(3, "") + Self.field(8, []) + Self.field(9, [8, 1])
            + Self.field(11, Self.text(1, "a") + Self.text(2, "b"))
        let raw = Self.field(1, metadata) + Self.field(2, Self.text(1, "k") + Self.field(2, [0xff, 0]))
        let expected: JSONValue = [
            "apiVersion": "v1", "kind": "Secret", "data": ["k": "/wA="],
            "metadata": ["name": "s", "labels": ["a": "b"], "deletionTimestamp": "1970-01-01T00:00:01Z"],
        ]
        #expect(try ProtobufDecoder.object(Self.body("v1", "Secret", raw)) == expected)
    }

    @Test func keepsZeroesThatMeanSomething() throws {
        let options = try ProtobufDecoder.object(Self.body("v1", "DeleteOptions", [8, 0]))
        #expect(options["gracePeriodSeconds"] == 0)
    }

    @Test(arguments: [
        (body("example.com/v1", "Widget", []), "kind Widget"),
        (body("v1", "Secret", text(15, "x")), "field number 15 of Secret"),
        (body("v1", "Secret", [], more: text(3, "gzip")), "\"gzip\""), (body("v1", "Secret", [10, 9]), "longer"),
        (body("v1", "Secret", [10]), "ends within"), (body("v1", "Secret", [8, 1]), "wrong wire type"),
        ([1, 2, 3], "magic"),
    ]) func namesWhatItCannotRead(bytes: [UInt8], words: String) throws {
        do throws(ProtobufProblem) {
            let object = try ProtobufDecoder.object(bytes)
            Issue.record("read as \(object.text())")
        } catch {
            #expect(error.message.contains(words), "\(error.message)")
        }
    }

    /// Every message that a table names has a table.
    @Test func tablesAreClosed() {
        func names(_ type: ProtobufFieldType) -> [String] {
            switch type {
            case .message(let name), .inline(let name): [name]
            case .list(let inner), .map(let inner): names(inner)
            default: []
            }
        }
        let used =
            ProtobufTypes.all.values.flatMap { $0.values.flatMap { names($0.type) } }
            + ProtobufTypes.kinds.values.flatMap(\.values)
        #expect(used.count > 300)
        for name in used { #expect(ProtobufTypes.all[name] != nil, "\(name)") }
    }
}
