import Logging
import Testing
import WeftTelemetry

@Suite struct PrometheusAPITests {
    private static let now: Int64 = 1_700_000_060_000

    private func api(_ limits: QueryLimits = QueryLimits()) throws -> PrometheusAPI {
        let store = try TimeSeriesStore(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        for (name, value) in [("a", 1.0), ("b", 2.5)] {
            let id = try #require(store.identify(Labels(["__name__": "m", "x": name, "odd": "<\"\n>"])))
            for step in 0..<5 {
                store.append([(series: id, value: value)], at: Self.now - Int64(step * -15_000) - 60_000)
            }
        }
        return PrometheusAPI(
            store: store, limits: limits, version: "1", now: { Self.now },
            statuses: { [TargetStatus(target: ScrapeTarget(url: "http://t", labels: ["job": "j"]), seconds: 0.5)] },
            metadata: { ["m": MetricMetadata(kind: "gauge", help: "h", unit: "")] })
    }

    private func ask(_ api: PrometheusAPI, _ path: String, _ pairs: [(String, String)] = []) -> (Int, String) {
        let answer = api.respond(path, FormParameters(pairs))
        return (answer.status, String(decoding: answer.body, as: UTF8.self))
    }

    @Test(
        arguments: [
            (
                "query", [("query", "m{x=\"a\"}")],
                #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"m","odd":"\u003c\"\n\u003e","x":"a"},"value":[1700000060,"1"]}]}}"#
            ),
            (
                "query", [("query", "1.5"), ("time", "1700000000.25")],
                #"{"status":"success","data":{"resultType":"scalar","result":[1700000000.25,"1.5"]}}"#
            ),
            (
                "query", [("query", "\"s\""), ("time", "2023-11-14T22:13:20Z")],
                #"{"status":"success","data":{"resultType":"string","result":[1700000000,"s"]}}"#
            ),
            (
                "query_range", [("query", "sum(m)"), ("start", "1700000000"), ("end", "1700000030"), ("step", "15s")],
                #"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1700000000,"3.5"],[1700000015,"3.5"],[1700000030,"3.5"]]}]}}"#
            ),
            (
                "series", [("match[]", "m{x=~\"a|c\"}")],
                #"{"status":"success","data":[{"__name__":"m","odd":"\u003c\"\n\u003e","x":"a"}]}"#
            ),
            ("labels", [], #"{"status":"success","data":["__name__","odd","x"]}"#),
            ("label/x/values", [("match[]", "m")], #"{"status":"success","data":["a","b"]}"#),
            ("metadata", [], #"{"status":"success","data":{"m":[{"type":"gauge","help":"h","unit":""}]}}"#),
        ] as [(String, [(String, String)], String)])
    func answers(_ path: String, _ parameters: [(String, String)], _ expected: String) throws {
        let (status, body) = ask(try api(), path, parameters)
        #expect(status == 200)
        #expect(body == expected)
    }

    @Test(
        arguments: [
            (
                "query", [("query", "rate(m)")], 400,
                "1:1: parse error: expected type range vector in call to function \\\"rate\\\", got instant vector"
            ),
            (
                "query", [("query", "m{")], 400,
                "1:3: parse error: unexpected end of input in label matching, expected identifier"
            ),
            ("query", [("query", "")], 400, "no expression found in input"),
            (
                "query", [("query", "m"), ("time", "soon")], 400,
                "invalid parameter \\\"time\\\": cannot parse \\\"soon\\\""
            ),
            ("query", [("query", "m * on(odd) m")], 422, "found duplicate series for the match group"),
            (
                "query_range", [("query", "m"), ("start", "0"), ("end", "1e6"), ("step", "1")], 400,
                "exceeded maximum resolution of 11000 points"
            ),
            (
                "query_range", [("query", "m"), ("start", "10"), ("end", "1"), ("step", "1")], 400,
                "end timestamp must not be before start time"
            ),
            (
                "query_range", [("query", "m"), ("start", "1"), ("end", "2"), ("step", "0")], 400,
                "zero or negative query resolution"
            ),
            (
                "query_range", [("query", "m[5m]"), ("start", "1"), ("end", "2"), ("step", "1")], 400,
                "invalid expression type"
            ),
            ("series", [], 400, "no match[] parameter provided"),
            ("label/1/values", [], 400, "invalid label name"),
            ("nothing", [], 404, "there is no /api/v1/nothing"),
        ] as [(String, [(String, String)], Int, String)])
    func refuses(_ path: String, _ parameters: [(String, String)], _ status: Int, _ words: String) throws {
        let answer = ask(try api(), path, parameters)
        #expect(answer.0 == status)
        #expect(answer.1.contains(words), "\(answer.1)")
        #expect(answer.1.hasPrefix(#"{"status":"error","errorType":""#))
    }

    @Test func limitsAreNamed() throws {
        var limits = QueryLimits()
        limits.samples = 3
        #expect(ask(try api(limits), "query", [("query", "m[10m]")]).1.contains("too many samples"))
        limits = QueryLimits()
        limits.points = 10
        let range = [("query", "m"), ("start", "1699990000"), ("end", "1700000060"), ("step", "15")]
        let tooMany = ask(try api(limits), "query_range", range)
        #expect(tooMany.0 == 422)
        #expect(tooMany.1.contains("at most 10 values"))
        #expect(
            ask(try api(), "query", [("query", String(repeating: "(", count: 300) + "1")]).1.contains(
                "nested more than"))
        #expect(ask(try api(), "query", [("query", String(repeating: "1+", count: 60_000) + "1")]).0 == 400)
    }

    @Test func aCancelledQueryEnds() async throws {
        let store = SeriesList(
            (0..<200).map { index in
                var encoder = ChunkEncoder()
                encoder.append(Self.now, 1)
                return SelectedSeries(labels: Labels(["__name__": "m", "x": "\(index)"]), chunks: [encoder.chunk])
            })
        let task = Task { () -> String in
            withUnsafeCurrentTask { $0?.cancel() }
            do {
                _ = try QueryEngine(source: store).instant(PromQLParser.parse("sum(m)"), at: Self.now)
                return "an answer"
            } catch {
                return "\(error)"
            }
        }
        #expect(await task.value == "query was canceled in expression evaluation")
    }

    @Test func formsAreRead() {
        var parameters = FormParameters()
        parameters.add(encoded: "query=sum%28m%29+%2B+1&match%5B%5D=a&match[]=b&x&%zz=1".utf8)
        #expect(parameters["query"] == "sum(m) + 1")
        #expect(parameters.all("match[]") == ["a", "b"])
        #expect(parameters["x"] == "")
        #expect(parameters["%zz"] == "1")
    }

    @Test(arguments: [
        ("2026-11-21T14:03:05.250Z", 1_795_269_785_250 as Int64?), ("2026-11-21T15:03:05+01:00", 1_795_269_785_000),
        ("1969-12-31T23:59:59.999Z", -1), ("2026-13-01T00:00:00Z", nil), ("yesterday", nil),
        ("2026-11-21T14:03:05", nil),
    ])
    func timesAreRead(_ text: String, _ expected: Int64?) {
        #expect(TimeText.milliseconds(text) == expected)
        if let expected { #expect(TimeText.milliseconds(TimeText.text(expected)) == expected) }
    }
}
