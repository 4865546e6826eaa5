import Testing

@testable import WeftMetrics

private let requests = MetricFamily("requests_total", help: "Requests.", kind: .counter, labels: ["code", "peer"])
private let open = MetricFamily("open", help: "Open.", kind: .gauge, labels: [])
private let time = MetricFamily("time", help: "Time.", kind: .histogram(bounds: [0.5, 1, 10]), labels: ["code"])

@Suite("Metric registry")
struct MetricRegistryTests {
    private let registry = MetricRegistry(families: [requests, open, time], shards: 2)

    @Test("a scrape sums the shards and keeps label sets apart")
    func sums() {
        let one = registry.recorder(0)
        let two = registry.recorder(1)
        one.series(0, ["200", "a"]).add()
        one.series(0, ["200", "a"]).add(2)
        two.series(0, ["200", "a"]).add(4)
        two.series(0, ["503", "a"]).add()
        one.series(1, []).subtract()
        two.series(1, []).add(3)
        #expect(
            registry.prometheusText() == """
                # HELP requests_total Requests.
                # TYPE requests_total counter
                requests_total{code="200",peer="a"} 7
                requests_total{code="503",peer="a"} 1
                # HELP open Open.
                # TYPE open gauge
                open 2

                """)
    }

    @Test("a gauge may be negative in one shard and in the sum")
    func negative() {
        registry.recorder(0).series(1, []).subtract(2)
        #expect(registry.prometheusText().hasSuffix("open -2\n"))
    }

    @Test("a value on a bound belongs to that bucket; buckets are cumulative")
    func histogram() {
        let series = registry.recorder(0).series(2, ["200"])
        for value: UInt64 in [0, 1, 2, 10, 11] { series.observe(value) }
        #expect(
            registry.prometheusText() == """
                # HELP time Time.
                # TYPE time histogram
                time_bucket{code="200",le="0.5"} 1
                time_bucket{code="200",le="1"} 2
                time_bucket{code="200",le="10"} 4
                time_bucket{code="200",le="+Inf"} 5
                time_sum{code="200"} 24
                time_count{code="200"} 5

                """)
    }

    @Test(
        "label values are escaped",
        arguments: [("a\"b", #"a\"b"#), (#"a\b"#, #"a\\b"#), ("a\nb", #"a\nb"#), ("ä", "ä")])
    func escapes(value: String, expected: String) {
        registry.recorder(0).series(0, ["200", value]).add()
        #expect(registry.prometheusText().contains("peer=\"\(expected)\"} 1\n"))
    }

    @Test("past the limit new label sets share one series")
    func limit() {
        let registry = MetricRegistry(families: [requests, open, time], shards: 2, seriesLimit: 3)
        for peer in ["a", "b"] { registry.recorder(0).series(0, ["200", peer]).add() }
        let recorder = registry.recorder(1)
        for peer in ["a", "c", "d", "c"] { recorder.series(0, ["200", peer]).add() }
        let lines = registry.prometheusText().split(separator: "\n").dropFirst(2)
        #expect(lines.count == 3)
        #expect(lines.contains(#"requests_total{code="200",peer="a"} 2"#))
        #expect(lines.contains(#"requests_total{code="overflow",peer="overflow"} 3"#))
        #expect(registry.seriesCount == 3 && registry.seriesLimit == 3 && registry.overflowCount == 3)
        // Other families have no room either, and what is known keeps counting.
        recorder.series(2, ["200"]).observe(1)
        recorder.series(0, ["200", "a"]).add()
        #expect(registry.prometheusText().contains(#"time_count{code="overflow"} 1"#))
        #expect(registry.prometheusText().contains(#"requests_total{code="200",peer="a"} 3"#))
    }

    @Test("a family's series may have other labels than the family")
    func changedLabels() {
        let recorder = registry.recorder(0)
        recorder.series(0, ["200", "a"]).add()
        recorder.series(0, ["200", "a", "b.example"], names: ["code", "peer", "host"]).add()
        registry.recorder(1).series(0, ["200"], names: ["code"]).add()
        registry.recorder(0).series(0, ["200"], names: ["code"]).add()
        #expect(
            registry.prometheusText().split(separator: "\n").dropFirst(2) == [
                #"requests_total{code="200"} 2"#, #"requests_total{code="200",peer="a"} 1"#,
                #"requests_total{code="200",peer="a",host="b.example"} 1"#,
            ])
    }

    @Test("reading while a worker writes loses nothing")
    func concurrentRead() async {
        let registry = MetricRegistry(families: [requests], shards: 1)
        async let writing: Void = Task.detached {
            let series = registry.recorder(0).series(0, ["200", "a"])
            for _ in 0..<20_000 { series.add() }
        }.value
        for _ in 0..<50 { _ = registry.prometheusText() }
        await writing
        #expect(registry.prometheusText().contains(" 20000\n"))
    }

    @Test("Envoy's buckets")
    func buckets() {
        #expect(MetricKind.envoyHistogram.bounds.count == 19)
        #expect(MetricKind.envoyHistogram.bounds == MetricKind.envoyHistogram.bounds.sorted())
    }
}
