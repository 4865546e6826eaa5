import Testing
import WeftTelemetry

@Suite struct PrometheusTextTests {
    @Test(arguments: [
        ("up 1", MetricSample(name: "up", value: 1)),
        ("up 1 1700000000", MetricSample(name: "up", value: 1)),
        ("a{} 2.5", MetricSample(name: "a", value: 2.5)),
        (#"a{b="c",d="e,f}"} 3"#, MetricSample(name: "a", labels: ["b": "c", "d": "e,f}"], value: 3)),
        (#"a{b="q\"\\\n",} 4"#, MetricSample(name: "a", labels: ["b": "q\"\\\n"], value: 4)),
        (#"a{le="+Inf"} +Inf"#, MetricSample(name: "a", labels: ["le": "+Inf"], value: .infinity)),
    ])
    func readsOneLine(_ line: String, _ expected: MetricSample) {
        #expect(PrometheusText.samples(in: Array(line.utf8)) == [expected])
    }

    @Test(arguments: ["", "# HELP up is it", "up", "up x", #"a{b="c 1"#, #"a{b=c} 1"#, "{} 1"])
    func passesOverWhatIsNoSample(_ line: String) {
        #expect(PrometheusText.samples(in: Array(line.utf8)).isEmpty)
    }

    @Test func oneBadLineHidesNoOther() {
        let text = "# TYPE a counter\na 1\nnonsense{\nb{x=\"y\"} 2\n"
        #expect(PrometheusText.samples(in: Array(text.utf8)).map(\.name) == ["a", "b"])
        #expect(PrometheusText.samples(in: Array(text.utf8), prefix: "b").map(\.value) == [2])
    }
}
