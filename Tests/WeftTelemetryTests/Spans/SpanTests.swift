import Foundation
import Logging
import TestSupport
import Testing
import WeftTelemetry

@Suite struct SpanTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private static let now: Int64 = 1_700_000_000_000_000

    private func store(_ folder: String? = nil, limit: Int = 1000) throws -> SpanStore {
        var settings = SpanStoreSettings(folder: folder)
        settings.spanLimit = limit
        return try SpanStore(settings: settings, logger: Self.logger)
    }

    private func span(
        _ trace: Int, _ id: String, parent: String? = nil, service: String = "a", name: String = "get",
        kind: String = "server",
        at: Int64 = 0, duration: Int64 = 1000, tags: [SpanTag] = [], error: Bool = false
    ) -> Span {
        Span(
            traceID: Self.id(trace), spanID: id, parentID: parent, service: service, operation: name, kind: kind,
            start: Self.now + at, duration: duration, tags: tags, events: [], resource: [], isError: error)
    }

    private static func id(_ trace: Int) -> String {
        String(repeating: "0", count: 31 - String(trace).count) + "a" + String(trace)
    }

    private func ask(_ store: SpanStore, _ path: String, _ pairs: [(String, String)] = []) throws -> (
        Int, [String: Any]
    ) {
        let answer = JaegerAPI(store: store, now: { Self.now + 60_000_000 }).respond(path, FormParameters(pairs))
        let json = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
        return (answer.status, json ?? [:])
    }

    private func ids(_ answer: (Int, [String: Any])) -> [String] {
        (answer.1["data"] as? [[String: Any]] ?? []).compactMap { $0["traceID"] as? String }
    }

    // MARK: - Memory

    /// However large spans are, what they take stays within the limit, and failures stay longest.
    @Test(arguments: [0, 100, 4000]) func memoryIsBoundedByBytes(_ length: Int) throws {
        var settings = SpanStoreSettings()
        settings.memoryLimit = 1 << 20
        let store = try SpanStore(settings: settings, logger: Self.logger)
        for trace in 0..<6000 {
            let text = String(trace) + String(repeating: "x", count: length)
            store.add([
                span(
                    trace, "0123456789abcdef", at: Int64(trace), tags: [SpanTag("k", .string(text))], error: trace == 7)
            ])
            #expect(store.counts.bytes <= 1 << 20)
        }
        #expect(store.counts.held > 100)
        #expect(store.counts.held + Int(store.counts.dropped) == 6000)
        #expect(store.trace(Self.id(7)) != nil)
        #expect(store.trace(Self.id(5999)) != nil)
        #expect(store.trace(Self.id(8)) == nil)
    }

    /// What many spans have in common takes memory once.
    @Test func sharedTextsAreCountedOnce() throws {
        let text = String(repeating: "x", count: 200)
        func bytes(_ text: (Int) -> String) throws -> Int {
            let store = try store()
            for trace in 0..<100 {
                var one = span(trace, "0123456789abcdef", tags: [SpanTag("user_agent", .string(text(trace)))])
                one.resource = [SpanTag("host.name", .string(text(trace)))]
                store.add([one])
            }
            return store.counts.bytes
        }
        let (shared, own) = (try bytes { _ in text }, try bytes { "\($0) \(text)" })
        #expect(own - shared > 99 * 200)
    }

    // MARK: - Jaeger

    @Test func jaegerFindsTraces() throws {
        let store = try store()
        store.add([
            span(
                1, "0000000000000001", at: 0, duration: 5000, tags: [SpanTag("http.status_code", .integer(500))],
                error: true),
            span(
                1, "0000000000000002", parent: "0000000000000001", service: "b", name: "call", kind: "client", at: 100),
            span(2, "0000000000000003", at: 1000, duration: 200),
            span(3, "0000000000000004", service: "c", name: "put", at: 2000),
        ])
        #expect(try ask(store, "services").1["data"] as? [String] == ["a", "b", "c"])
        #expect(try ask(store, "services/a/operations").1["data"] as? [String] == ["get"])
        let operations = try ask(store, "operations", [("service", "b")]).1["data"] as? [[String: String]]
        #expect(operations == [["name": "call", "spanKind": "client"]])
        func search(_ pairs: (String, String)...) throws -> [String] {
            ids(try ask(store, "traces", [("service", "a")] + pairs))
        }
        #expect(try search() == [Self.id(2), Self.id(1)])
        #expect(try search(("limit", "1")) == [Self.id(2)])
        #expect(try search(("minDuration", "1ms")) == [Self.id(1)])
        #expect(try search(("maxDuration", "500us")) == [Self.id(2)])
        #expect(try search(("tags", #"{"http.status_code":"500"}"#)) == [Self.id(1)])
        #expect(try search(("tag", "error:true")) == [Self.id(1)])
        #expect(try search(("operation", "put")).isEmpty)
        #expect(try search(("start", "\(Self.now + 500)")) == [Self.id(2)])
        #expect(try search(("end", "\(Self.now + 500)"), ("lookback", "1h")) == [Self.id(1)])
        let links =
            try ask(store, "dependencies", [("endTs", "\(Self.now / 1000 + 1000)")]).1["data"] as? [[String: Any]]
        #expect(links?.count == 1)
        #expect(links?.first?["parent"] as? String == "a")
        #expect(links?.first?["callCount"] as? Int == 1)
    }

    @Test func jaegerShowsOneTrace() throws {
        let store = try store()
        store.add([
            span(
                1, "0000000000000001",
                tags: [SpanTag("a", .string("<b>")), SpanTag("n", .double(1.5)), SpanTag("f", .bool(true))]),
            span(1, "0000000000000002", parent: "0000000000000001", service: "b"),
        ])
        let answer = try ask(store, "traces/\(Self.id(1))")
        let trace = try #require((answer.1["data"] as? [[String: Any]])?.first)
        let spans = try #require(trace["spans"] as? [[String: Any]])
        #expect(spans.count == 2)
        #expect(spans.first?["duration"] as? Int == 1000)
        #expect((spans.last?["references"] as? [[String: String]])?.first?["spanID"] == "0000000000000001")
        #expect((trace["processes"] as? [String: Any])?.count == 2)
    }

    @Test(
        arguments: [
            ("traces", [("limit", "5")], 400), ("traces", [("service", "a"), ("limit", "x")], 400),
            ("traces", [("service", "a"), ("minDuration", "long")], 400),
            ("traces", [("service", "a"), ("tags", "[]")], 400),
            ("traces", [("service", "a"), ("tag", "x")], 400), ("traces/zz", [], 400), ("traces/12ab", [], 404),
            ("operations", [], 400), ("nothing", [], 404),
        ] as [(String, [(String, String)], Int)])
    func jaegerRefuses(_ path: String, _ parameters: [(String, String)], _ status: Int) throws {
        let answer = try ask(try store(), path, parameters)
        #expect(answer.0 == status)
        let errors = try #require(answer.1["errors"] as? [[String: Any]])
        #expect((errors.first?["msg"] as? String)?.isEmpty == false)
    }

    // MARK: - Keeping

    /// Fifty thousand spans of a mesh say the same words over and over.
    @Test func equalTextsAreHeldOnce() throws {
        let store = try store()
        for number in 1...2 {
            // Made anew each time, as a decoder makes them.
            let key = ["a", "name", "that", "is", "long"].joined(separator: ".")
            let value = String(repeating: "v", count: 40)
            store.add([span(number, "000000000000000\(number)", tags: [SpanTag(key, .string(value))])])
        }
        func addresses(_ number: Int) throws -> [UnsafePointer<UInt8>?] {
            let tag = try #require(store.trace(Self.id(number))?.spans.first?.tags.first)
            return [tag.key, tag.value.text].map { text in
                text.utf8.withContiguousStorageIfAvailable { $0.baseAddress } ?? nil
            }
        }
        let first = try addresses(1)
        #expect(!first.contains(nil))
        #expect(try addresses(2) == first)
    }

    @Test func errorsAndSlowTracesStayLongest() throws {
        let store = try store(limit: 100)
        store.add([span(9001, "00000000000000e1", error: true), span(9002, "00000000000000e2", duration: 5_000_000)])
        for trace in 0..<500 { store.add([span(trace, "0000000000000001", at: Int64(trace))]) }
        #expect(store.trace(Self.id(9001)) != nil)
        #expect(store.trace(Self.id(9002)) != nil)
        #expect(store.trace(Self.id(0)) == nil)
        #expect(store.trace(Self.id(499)) != nil)
        #expect(store.counts.held <= 100)
        #expect(store.counts.dropped > 300)
    }

    /// What memory lets go of is on disk, and found there by its identifier, its time and its tags.
    @Test func whatMemoryLetsGoOfIsFoundOnDisk() throws {
        let folder = try Workspace.folder("spans-archive")
        func check(_ store: SpanStore) throws {
            #expect(store.counts.held <= 100)
            let found = try #require(store.trace(Self.id(7)))
            #expect(found.spans.map(\.spanID) == ["0000000000000007", "00000000000000ff"])
            #expect(store.trace(Self.id(9999)) == nil)
            func starts(_ window: ClosedRange<Int64>, limit: Int = 20, tag: String? = nil) -> [Int64] {
                let times = (Self.now + window.lowerBound)...(Self.now + window.upperBound)
                return store.traces(limit: limit, of: "a", in: times) { span in
                    tag.map { tag in span.tags.contains { $0.value.text == tag } } ?? true
                }.map { $0.start - Self.now }
            }
            #expect(starts(5...8) == [8, 7, 6, 5])
            #expect(starts(0...499, limit: 3) == [499, 498, 497])
            #expect(starts(0...499, tag: "v7") == [7])
            #expect(starts(600...700).isEmpty)
            #expect(store.traces(limit: 5, of: "nobody", in: 0...(.max)) { _ in true }.isEmpty)
        }
        let first = try store(folder, limit: 100)
        for trace in 0..<500 {
            let tags = [SpanTag("n", .string("v\(trace)"))]
            let id = String(repeating: "0", count: 16 - String(trace).count) + String(trace)
            first.add([span(trace, id, at: Int64(trace), tags: tags)])
            if trace == 7 { first.add([span(trace, "00000000000000ff", parent: id, at: 8)]) }
        }
        try check(first)
        // Read back by the next process.
        try check(store(folder, limit: 100))
    }

    @Test func spansSurviveAKillAndATornRecord() throws {
        let folder = try Workspace.folder("spans-kill")
        let tags = [
            SpanTag("s", .string("x")), SpanTag("i", .integer(-5)), SpanTag("d", .double(0.5)),
            SpanTag("b", .bool(false)),
        ]
        let first = span(1, "0000000000000001", parent: "0000000000000009", tags: tags, error: true)
        try store(folder).add([first])
        try store(folder).add([span(2, "0000000000000002")])
        #expect(try store(folder).trace(Self.id(1))?.spans == [first])
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: folder).sorted().last)
        let data = try Data(contentsOf: URL(filePath: folder + "/" + name))
        try data.dropLast(1).write(to: URL(filePath: folder + "/" + name))
        let again = try store(folder)
        #expect(again.trace(Self.id(1)) != nil)
        #expect(again.trace(Self.id(2)) == nil)
    }

    @Test func theSameSpanTwiceCountsOnce() throws {
        let store = try store()
        store.add([span(1, "0000000000000001")])
        store.add([span(1, "0000000000000001")])
        #expect(store.trace(Self.id(1))?.spans.count == 1)
    }

    // MARK: - Receivers

    private static func otlp(traceID: [UInt8] = [UInt8](repeating: 0xab, count: 16), nested: Int = 0) -> [UInt8] {
        var value = ProtobufWriter()
        value.string(1, "deep")
        for _ in 0..<nested {
            var list = ProtobufWriter()
            list.message(1, value.bytes)
            value = ProtobufWriter()
            value.message(5, list.bytes)
        }
        var attribute = ProtobufWriter()
        attribute.string(1, "http.method")
        attribute.message(2, value.bytes)
        var status = ProtobufWriter()
        status.string(2, "broken")
        status.varint(3, 2)
        var span = ProtobufWriter()
        span.message(1, traceID)
        span.message(2, [0, 0, 0, 0, 0, 0, 0, 7])
        span.string(5, "GET /")
        span.varint(6, 3)
        span.double(7, Double(bitPattern: 1_700_000_000_000_000_000))
        span.double(8, Double(bitPattern: 1_700_000_000_250_000_000))
        span.message(9, attribute.bytes)
        span.message(15, status.bytes)
        var name = ProtobufWriter()
        name.string(1, "service.name")
        name.message(2, [10, 4] + Array("shop".utf8))
        var resource = ProtobufWriter()
        resource.message(1, name.bytes)
        var scope = ProtobufWriter()
        scope.message(2, span.bytes)
        var list = ProtobufWriter()
        list.message(1, resource.bytes)
        list.message(2, scope.bytes)
        var request = ProtobufWriter()
        request.message(1, list.bytes)
        return request.bytes
    }

    @Test func openTelemetryInBothForms() throws {
        let store = try store()
        let receiver = SpanReceiver(store: store)
        #expect(receiver.openTelemetry(Self.otlp()).status == 200)
        let json = """
            {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
            "scopeSpans":[{"spans":[{"traceId":"ABABABABABABABABABABABABABABABAB","spanId":"0000000000000008",
            "parentSpanId":"0000000000000007","name":"GET /","kind":"SPAN_KIND_CLIENT",
            "startTimeUnixNano":"1700000000000000000","endTimeUnixNano":1700000000250000000,
            "attributes":[{"key":"n","value":{"intValue":"42"}}],"status":{"code":2,"message":"broken"}}]}]}]}
            """
        #expect(receiver.openTelemetryJSON(Array(json.utf8)).status == 200)
        let trace = try #require(store.trace(String(repeating: "ab", count: 16)))
        #expect(trace.spans.map(\.service) == ["shop", "shop"])
        #expect(trace.spans.map(\.duration) == [250_000, 250_000])
        #expect(trace.spans.map(\.kind) == ["client", "client"])
        #expect(trace.spans.map(\.isError) == [true, true])
        #expect(trace.spans.last?.parentID == "0000000000000007")
        #expect(trace.spans.last?.tags.contains(SpanTag("n", .integer(42))) == true)
    }

    @Test func zipkinSpansJoinTheTrace() throws {
        let store = try store()
        let body = """
            [{"traceId":"abababababababababababababababab","id":"9","parentId":"7","kind":"SERVER","name":"get",
            "timestamp":1700000000000000,"duration":1000,"localEndpoint":{"serviceName":"pay","ipv4":"10.0.0.1"},
            "tags":{"error":"timeout"},"annotations":[{"timestamp":1700000000000100,"value":"retry"}]}]
            """
        let receiver = SpanReceiver(store: store)
        _ = receiver.openTelemetry(Self.otlp())
        #expect(receiver.zipkin(Array(body.utf8)).status == 202)
        let trace = try #require(store.trace(String(repeating: "ab", count: 16)))
        #expect(trace.spans.map(\.service) == ["shop", "pay"])
        #expect(trace.spans.last?.parentID == trace.spans.first?.spanID)
        #expect(trace.spans.last?.isError == true)
    }

    @Test func brokenSpansGetAClearAnswerAndLoseNoOther() throws {
        let store = try store()
        let receiver = SpanReceiver(store: store)
        let cut = receiver.openTelemetry(Array(Self.otlp().dropLast(3)))
        #expect(cut.status == 400)
        #expect(String(decoding: cut.body, as: UTF8.self).contains("malformed protobuf"))
        // A good request and one with an empty trace identifier, in one body.
        let partial = receiver.openTelemetry(Self.otlp() + Self.otlp(traceID: []))
        #expect(partial.status == 200)
        #expect(String(decoding: partial.body, as: UTF8.self).contains("no trace identifier"))
        #expect(store.counts.held == 1)
        #expect(receiver.openTelemetryJSON(Array("{}".utf8)).status == 400)
        #expect(receiver.zipkin(Array("{".utf8)).status == 400)
        #expect(receiver.zipkin(Array(#"[{"id":"1"}]"#.utf8)).status == 400)
        // Depth does not exhaust the stack.
        #expect(receiver.openTelemetry(Self.otlp(nested: 5000)).status == 200)
    }

    @Test func snappyComesBack() {
        let text = Array(String(repeating: "istio_requests_total{reporter=\"source\"} ", count: 500).utf8)
        #expect(Snappy.compress(text).count < text.count / 10)
        for sample in [[], [1], text, (0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }] {
            #expect(Snappy.decompress(Snappy.compress(sample)) == sample)
        }
        #expect(Snappy.decompress([255, 255, 255, 255, 15]) == nil)
        #expect(Snappy.decompress([4, 1, 9]) == nil)
    }
}
