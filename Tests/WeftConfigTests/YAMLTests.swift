import Testing
import WeftConfig
import WeftCore

@Test(
    arguments: [
        ("a", JSONValue.string("a")), ("80", 80), ("-3", -3), ("1.5", 1.5), ("1e3", .double(1000)), ("true", true),
        ("yes", true), ("Off", false),
        ("y", "y"), ("n", "n"), ("~", nil), ("null", nil), ("\"80\"", "80"), ("'yes'", "yes"), ("0x1F", 31),
        ("0o17", 15), ("017", 15),
        ("1_000", 1000), ("10.0.0.1", "10.0.0.1"), ("v1", "v1"), ("2026-01-01", "2026-01-01"), ("1m", "1m"),
        ("-", .array([nil])), (".5", 0.5),
        ("!!str 80", "80"), ("5xx,reset", "5xx,reset"), ("08", 8), ("+1", 1), ("1.2.3", "1.2.3"), ("e3", "e3"),
    ] as [(String, JSONValue)])
func readsScalarsAsKubernetesDoes(_ text: String, _ expected: JSONValue) throws {
    let value = try YAMLReader.value(in: "k: \(text == "-" ? "[null]" : text)\n")
    #expect(value["k"] == expected)
}

@Test func readsSeveralDocumentsAnchorsAndMergeKeys() throws {
    let text = """
        # only a comment
        ---
        base: &b {x: 1, y: 2}
        one: {<<: *b, y: 3}
        list: [*b]
        ---
        ---
        {"json": [1, true]}
        """
    let documents = try YAMLReader.documents(in: text, file: "f.yaml")
    #expect(documents.count == 2)
    #expect(documents[0].value["one"] == ["x": 1, "y": 3])
    #expect(documents[0].value["list"] == [["x": 1, "y": 2]])
    #expect(documents[1].value == ["json": [1, true]])
}

@Test func readsJSONWithTabs() throws {
    #expect(try YAMLReader.value(in: "{\n\t\"a\": 1\n}") == ["a": 1])
}

@Test func knowsWhereFieldsAre() throws {
    let text = "kind: A\nspec:\n  http:\n  - route:\n    - weight: -1\n"
    let object = try #require(ManifestReader.objects(in: text, file: "vs.yaml").first)
    let place = try #require(object.source.location(of: "spec.http[0].route[0].weight"))
    #expect(place == SourceLocation(file: "vs.yaml", line: 5, column: 7))
    #expect(object.source.location(of: "spec.http[0].route[0].missing")?.line == 5)
}

@Test func takesListsApart() throws {
    let text = "kind: List\nitems:\n- {kind: A, metadata: {name: x}}\n- {kind: B, metadata: {name: y}}\n"
    let objects = try ManifestReader.objects(in: text)
    #expect(objects.map(\.object.kind) == ["A", "B"])
    #expect(objects[1].source.location(of: "metadata.name")?.line == 4)
}

@Test(arguments: [
    ("a: 1\nb: [1, 2\nc: 3\n", 3, "flow"), ("a: 1\na: 2\n", 1, "already set"), ("a: *nope\n", 1, "alias"),
    ("\tb: 1\n", 1, "token"), ("a: b: c\n", 1, "mapping values"),
])
func saysWhereYAMLIsWrong(_ text: String, _ line: Int, _ words: String) {
    let error = #expect(throws: YAMLParseError.self) { try YAMLReader.documents(in: text, file: "x.yaml") }
    #expect(error?.location.line == line)
    #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    #expect(error?.description.hasPrefix("x.yaml: line ") == true)
}

@Test func refusesAliasBombs() {
    var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in 1...9 {
        text += "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ",") + "]\n"
    }
    let error = #expect(throws: YAMLParseError.self) { try YAMLReader.documents(in: text) }
    #expect(error?.message == "document contains excessive aliasing")
}

@Test func refusesManifestsThatAreNoObjects() {
    #expect(throws: YAMLParseError.self) { try ManifestReader.objects(in: "just text\n") }
}

@Test func writesInTheMannerOfKubectl() {
    let value: JSONValue = [
        "kind": "A", "metadata": ["labels": ["on": "yes", "n": "1"], "name": "x"], "empty": [:], "none": [],
        "nothing": nil,
        "spec": [
            "ports": [["port": 80, "names": ["a", "b"]], ["port": 81]], "text": "one\ntwo\n", "star": "*",
            "colon": "a: b", "ratio": 0.5,
        ],
    ]
    let expected = """
        empty: {}
        kind: A
        metadata:
          labels:
            n: "1"
            "on": "yes"
          name: x
        none: []
        nothing: null
        spec:
          colon: 'a: b'
          ports:
          - names:
            - a
            - b
            port: 80
          - port: 81
          ratio: 0.5
          star: '*'
          text: |
            one
            two

        """
    #expect(YAMLWriter.text(value) == expected)
}

@Test(arguments: [
    "plain", "", " lead", "trail ", "yes", "1.5", "a\nb", "a\nb\n", "a\n\n", "\n", "# no", "a #b", "- x", "it's",
    "\"q\"", "{a}", "tab\there", "a:", "null", "=",
    "2026-01-01T00:00:00Z", "\u{1}", "é", "|", "%a", "@a", "--- a", "<<", "0x1", "  two\nlines", ",", "?", "? a", "~",
])
func readsWhatItWrites(_ text: String) throws {
    let value: JSONValue = ["k": .string(text), "list": [.string(text), [.string(text)]], text: "v"]
    #expect(try YAMLReader.value(in: YAMLWriter.text(value)) == value)
}

/// A mistake in one document hides none of the others, and places are those of the whole text.
@Test func everyDocumentIsReadByItself() throws {
    let text = """
        # first
        kind: A
        metadata: {name: a}
        ---
        kind: B
         bad: [
        --- # third
        kind: C
        spec:
          text: |
            --
            ----
        ---
        - no object
        ---
        kind: D
        kind: E
        ---
        kind: F
        """
    let (objects, errors) = ManifestReader.readable(in: text, file: "f.yaml")
    #expect(objects.map(\.object.kind) == ["A", "C", "F"])
    #expect(objects.map { $0.source.location(of: "kind")?.line } == [2, 8, 19])
    #expect(errors.map(\.location.line) == [6, 14, 16], "\(errors)")
    #expect(errors.allSatisfy { $0.location.file == "f.yaml" })
    #expect(ManifestReader.readable(in: "kind: A\n---\nkind: B\n").errors.isEmpty)
}
