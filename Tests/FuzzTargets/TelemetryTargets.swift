import WeftTelemetry

extension FuzzTarget {
    private static let source = SeriesList(
        ["a", "b"].map { name in
            var encoder = ChunkEncoder()
            for index in 0..<20 { encoder.append(Int64(index) * 15_000, Double(index * index)) }
            return SelectedSeries(labels: Labels(["__name__": name, "x": name]), chunks: [encoder.chunk])
        })

    /// Any text parses or is refused with a place; what parses evaluates or says why not.
    static let promql = FuzzTarget(
        name: "promql",
        seeds: [
            "sum by (x) (rate(a{x=~\"a|b\"}[5m] offset 1m)) / ignoring(x) group_left a > bool 3",
            "label_replace(topk(2, a or b unless on(x) a), \"y\", \"$1\", \"x\", \"(.*)\") @ end()",
            "max_over_time((a + 2 ^ -b)[1m:15s]) == histogram_quantile(0.9, a)", "\"x\\u00e9\\n\" # note",
        ].map { Array($0.utf8) },
        words: [
            "(", ")", "[5m]", "[1m:]", "{", "}", "\"", " offset -1h", " @ ", "sum(", "rate(", " by (x)", " or ", "^",
            "0x1f",
            "1e308", "NaN", "count_values(\"v\",", "absent(", "quantile(", "clamp(", " on(x) group_left(y) ",
            "holt_winters(",
        ]
    ) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        let expression: Expression
        do throws(PromQLError) {
            expression = try PromQLParser.parse(text)
        } catch {
            return error.kind == .badData && !error.message.isEmpty ? nil : "refused with \(error)"
        }
        var limits = QueryLimits()
        limits.samples = 100_000
        limits.points = 100_000
        let engine = QueryEngine(source: source, limits: limits)
        _ = try? engine.instant(expression, at: 200_000)
        _ = try? engine.range(expression, start: 0, end: 300_000, step: 60_000)
        return nil
    }

    /// One scrape of anything: nothing grows beyond its limits, and what is left out is counted.
    static let exposition = FuzzTarget(
        name: "exposition",
        seeds: [
            "# HELP a b\n# TYPE a counter\na_total{b=\"c\\\"d\",e=\"f\"} 1 1700000000000\n",
            "a 1\nb{} +Inf\nc{x=\"y\",} NaN # {t=\"1\"} 2\n# EOF\n",
        ].map { Array($0.utf8) },
        words: ["\n", "{", "}", "\"", "\\", ",", "=", "# EOF", "# TYPE ", " 1\n", "NaN", "-Inf", "1e999", "\t"]
    ) { bytes in
        var limits = ScrapeLimits()
        limits.labels = 4
        limits.samples = 20
        var parser = ExpositionParser(limits: limits, openMetrics: bytes.first == 0)
        var samples = 0
        var broken: String?
        let naming = ExpositionParser(limits: limits)
        parser.read(bytes) { line in
            samples += 1
            guard let pairs = try? naming.labels(line.series) else { return }
            if pairs.count > 5 { broken = "\(pairs.count) labels" }
            if Set(pairs.map(\.0)).count != pairs.count { broken = "a label twice" }
        }
        return samples > 20 ? "\(samples) samples" : broken
    }

    private static let otlpSeed: [UInt8] = {
        var span = ProtobufWriter()
        span.message(1, [UInt8](repeating: 1, count: 16))
        span.message(2, [UInt8](repeating: 2, count: 8))
        span.string(5, "get")
        span.message(9, [10, 1, 97, 18, 3, 10, 1, 98])
        var scope = ProtobufWriter()
        scope.message(2, span.bytes)
        var resource = ProtobufWriter()
        resource.message(1, [10, 8, 10, 1, 97, 18, 3, 10, 1, 98])
        resource.message(2, scope.bytes)
        var request = ProtobufWriter()
        request.message(1, resource.bytes)
        return request.bytes
    }()

    private static func complaint(_ spans: [Span]) -> String? {
        spans.first { $0.traceID.isEmpty || $0.spanID.isEmpty || $0.duration < 0 }.map { "took in \($0)" }
    }

    static let otlp = FuzzTarget(
        name: "otlp", seeds: [otlpSeed, []], words: ["\u{a}\u{2}", "\u{12}\u{8}", "\u{32}\u{6}", "\u{7f}\u{7f}"]
    ) { bytes in
        guard let decoded = try? OTLPDecoder.decode(bytes) else { return nil }
        return complaint(decoded.spans)
    }

    static let otlpJSON = FuzzTarget(
        name: "otlp-json",
        seeds: [
            Array(
                #"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","name":"n","kind":2,"startTimeUnixNano":"1","endTimeUnixNano":"2000"}]}]}]}"#
                    .utf8)
        ], words: ["{", "}", "[", "]", "\"", "null", "-1", "1e999", "\"spans\":", "\"kvlistValue\":{\"values\":["]
    ) { bytes in
        guard let decoded = try? SpanJSON.openTelemetry(bytes) else { return nil }
        return complaint(decoded.spans)
    }

    static let zipkin = FuzzTarget(
        name: "zipkin",
        seeds: [
            Array(
                #"[{"traceId":"1","id":"2","parentId":"3","name":"n","kind":"CLIENT","timestamp":1,"duration":2,"localEndpoint":{"serviceName":"s","ipv4":"1.2.3.4"},"tags":{"a":"b"},"annotations":[{"timestamp":1,"value":"v"}]}]"#
                    .utf8)
        ], words: ["{", "}", "[", "]", "\"", "null", "-1", "\"timestamp\":", "1e30"]
    ) { bytes in
        guard let decoded = try? SpanJSON.zipkin(bytes) else { return nil }
        return decoded.spans.contains { $0.traceID.isEmpty || $0.spanID.isEmpty } ? "a span without identifiers" : nil
    }

    /// What is compressed comes back; what claims to be compressed ends.
    static let snappy = FuzzTarget(
        name: "snappy", seeds: [Snappy.compress(Array("abcabcabcabcabcabc".utf8)), [5, 0x10, 1, 2, 3, 4, 5]],
        words: ["abcabcabc", "\u{fe}\u{1}\0", "\u{f0}"]
    ) { bytes in
        _ = Snappy.decompress(bytes, limit: 1 << 20)
        return Snappy.decompress(Snappy.compress(bytes)) == bytes ? nil : "other bytes come back"
    }
}
