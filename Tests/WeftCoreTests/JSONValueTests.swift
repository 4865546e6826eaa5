import Testing
import WeftCore

@Suite struct JSONValueTests {
    @Test(arguments: [
        ("{\"a\":[1,2.5,\"x\\n\",null,true]}", "{\"a\":[1,2.5,\"x\\n\",null,true]}"),
        (" [ ] ", "[]"),
        ("\"\\ud83d\\ude00\"", "\"😀\""),
        ("\"\\ud83d\"", "\"\u{FFFD}\""),
        ("{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}"),
        ("1e2", "100"),
        ("9223372036854775807", "9223372036854775807"),
    ])
    func roundTrips(_ input: String, _ output: String) throws {
        #expect(try JSONValue(parsing: input).text() == output)
    }

    @Test(arguments: [
        ("{\"a\":}", 1, 6), ("[1,\n 2,,]", 2, 4), ("", 1, 1), ("{} x", 1, 4), ("01", 1, 3), ("\"\u{01}\"", 1, 2),
    ])
    func refusesWithPosition(_ input: String, _ line: Int, _ column: Int) {
        let error = #expect(throws: JSONParseError.self) { try JSONValue(parsing: input) }
        #expect(error?.line == line)
        #expect(error?.column == column)
    }

    @Test func refusesDeepNesting() {
        #expect(throws: JSONParseError.self) {
            try JSONValue(parsing: String(repeating: "[", count: 10_000))
        }
    }

    struct Sample: Codable, Equatable {
        struct Inner: Codable, Equatable { var port: UInt16 }
        var name: String
        var inner: [Inner]
        var labels: [String: String]?
    }

    @Test func codesTypedValues() throws {
        let sample = Sample(name: "a", inner: [.init(port: 80)], labels: nil)
        let json = try JSONValue(encoding: sample)
        #expect(json == ["name": "a", "inner": [["port": 80]]])
        #expect(try json.decode(Sample.self) == sample)
    }

    @Test func decodingErrorsNameTheField() throws {
        let json: JSONValue = ["name": "a", "inner": [["port": "80"]]]
        let error = #expect(throws: DecodingError.self) { try json.decode(Sample.self) }
        #expect(error?.fieldPath == "inner[0].port")
        #expect(error?.reason == "must be of type integer, but is string")
    }

    @Test func writesNestedMembers() {
        var json: JSONValue = [:]
        json[path: "metadata", "labels", "app"] = "x"
        #expect(json == ["metadata": ["labels": ["app": "x"]]])
        json[path: "metadata", "labels", "app"] = nil
        #expect(json == ["metadata": ["labels": [:]]])
    }
}
