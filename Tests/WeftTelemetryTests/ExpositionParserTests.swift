import Testing
import WeftTelemetry

@Suite struct ExpositionParserTests {
    private struct Sample: Equatable {
        var labels: [String: String]
        var value: Double
        var time: Int64?
    }

    private func read(_ text: String, openMetrics: Bool = false, limits: ScrapeLimits = ScrapeLimits()) -> (
        samples: [Sample], problem: String?
    ) {
        var parser = ExpositionParser(limits: limits, openMetrics: openMetrics)
        var samples: [Sample] = []
        var problem: String?
        let naming = ExpositionParser(limits: limits)
        parser.read(Array(text.utf8)) { line in
            do {
                let pairs = try naming.labels(line.series)
                samples.append(
                    Sample(labels: Dictionary(uniqueKeysWithValues: pairs), value: line.value, time: line.time))
            } catch {
                problem = problem ?? "\(error)"
            }
        }
        return (samples, parser.firstProblem ?? problem)
    }

    @Test(arguments: [
        ("up 1\n", ["__name__": "up"], 1.0, nil as Int64?),
        ("up 1 1700000000000\n", ["__name__": "up"], 1, 1_700_000_000_000),
        ("a{} 2.5\n", ["__name__": "a"], 2.5, nil),
        (#"a{b="c",d="e,f}"} 3e2"# + "\n", ["__name__": "a", "b": "c", "d": "e,f}"], 300, nil),
        (#"a{b="q\"\\\n",} 4"# + "\n", ["__name__": "a", "b": "q\"\\\n"], 4, nil),
        ("a:b\t{ c = \"d\" } -Inf\n", ["__name__": "a:b", "c": "d"], -.infinity, nil),
    ])
    func readsOneLine(_ line: String, _ labels: [String: String], _ value: Double, _ time: Int64?) {
        // A tab between name and labels is allowed for the value alone.
        let text = line.replacing("\t{", with: "{")
        #expect(read(text).samples == [Sample(labels: labels, value: value, time: time)])
    }

    @Test(arguments: [
        ("up\n", "line 1: no metric name, or labels without an end"), ("up x\n", "line 1: no value behind the metric"),
        ("a{b=\"c 1\n", "line 1: no metric name, or labels without an end"),
        ("a{b=c} 1\n", "a: label b has no quoted value"),
        ("1a 2\n", "\"1a\" is no metric name"), ("a{b=\"c\",b=\"d\"} 1\n", "a has label b twice"),
        ("a{1=\"c\"} 1\n", "a: \"1\" is no label name"), ("a 1 x\n", "line 1: the time stamp is no number"),
        ("a 1", "line 1: the text ends within a line"), ("a{__name__=\"b\"} 1\n", "a: \"__name__\" is no label name"),
    ])
    func saysWhatIsWrong(_ text: String, _ problem: String) {
        let result = read(text)
        #expect(result.samples.isEmpty)
        #expect(result.problem == problem)
    }

    @Test func oneBadLineHidesNoOther() {
        let result = read("# TYPE a counter\na 1\nnonsense{\nb{x=\"y\"} 2\n")
        #expect(result.samples.map(\.value) == [1, 2])
        #expect(result.problem == "line 3: no metric name, or labels without an end")
    }

    @Test func openMetricsHasSecondsExemplarsAndAnEnd() {
        let text = "# TYPE a counter\na_total 1 1700000000.5 # {trace_id=\"x\"} 0.5\n# EOF\nb 2\n"
        let result = read(text, openMetrics: true)
        #expect(result.samples == [Sample(labels: ["__name__": "a_total"], value: 1, time: 1_700_000_000_500)])
    }

    @Test func labelBombsAreCut() {
        var limits = ScrapeLimits()
        limits.samples = 3
        #expect(read(String(repeating: "a 1\n", count: 5), limits: limits).samples.count == 3)
        let many = (0..<80).map { "l\($0)=\"v\"" }.joined(separator: ",")
        #expect(read("a{\(many)} 1\nb 2\n").samples.map(\.value) == [2])
        #expect(read("a{\(many)} 1\n").problem == "a has more than 64 labels")
        let long = String(repeating: "x", count: 5000)
        #expect(read("a{b=\"\(long)\"} 1\n").problem == "a has a label value of more than 4096 bytes")
    }
}
