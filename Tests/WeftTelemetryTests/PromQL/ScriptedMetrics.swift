import WeftTelemetry

/// Ninety minutes of scrapes every fifteen seconds, made by arithmetic: the same for Prometheus and for Weft.
struct ScriptedMetrics {
    struct Series {
        var labels: Labels
        var samples: [(time: Int64, value: Double)]
    }
    /// A round two hours boundary, so that what is asked lies in few blocks.
    static let start: Int64 = 1_700_006_400_000
    static let step: Int64 = 15_000
    static let count = 361
    static var end: Int64 { start + Int64(count - 1) * step }

    private(set) var series: [Series] = []
    private var state: UInt64 = 88_172_645_463_325_252

    init() {
        addRequests()
        addTCP()
        addControlPlane()
        addOddities()
    }

    /// Xorshift: repeatable everywhere.
    private mutating func random() -> Double {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Double(state >> 11) / Double(1 << 53)
    }

    private mutating func add(_ name: String, _ labels: [String: String], _ value: (Int) -> Double?) {
        var all = labels
        all["__name__"] = name
        let samples = (0..<Self.count).compactMap { index in
            value(index).map { (time: Self.start + Int64(index) * Self.step, value: $0) }
        }
        series.append(Series(labels: Labels(all), samples: samples))
    }

    private mutating func counter(
        _ name: String, _ labels: [String: String], perStep: Double, resetAt: Int? = nil, gap: Range<Int>? = nil
    ) {
        var total = (random() * 1000).rounded()
        var values: [Double] = []
        for index in 0..<Self.count {
            total = index == resetAt ? 3 : total + (random() * 2 * perStep).rounded()
            values.append(total)
        }
        add(name, labels) { gap?.contains($0) ?? false ? nil : values[$0] }
    }

    private static let edges: [(String, String, String, String)] = [
        ("istio-ingressgateway", "istio-system", "productpage-v1", "productpage"),
        ("productpage-v1", "bookinfo", "reviews-v1", "reviews"),
        ("productpage-v1", "bookinfo", "reviews-v2", "reviews"),
        ("reviews-v2", "bookinfo", "ratings-v1", "ratings"), ("productpage-v1", "bookinfo", "details-v1", "details"),
    ]

    private static func labels(_ edge: (String, String, String, String), _ reporter: String) -> [String: String] {
        let (source, namespace, destination, service) = edge
        return [
            "reporter": reporter, "source_workload": source, "source_workload_namespace": namespace,
            "source_canonical_service": source, "source_canonical_revision": "v1", "source_cluster": "Kubernetes",
            "source_app": source, "source_principal": "spiffe://cluster.local/ns/\(namespace)/sa/\(source)",
            "destination_workload": destination, "destination_workload_namespace": "bookinfo",
            "destination_service": "\(service).bookinfo.svc.cluster.local", "destination_service_name": service,
            "destination_service_namespace": "bookinfo", "destination_canonical_service": service,
            "destination_canonical_revision": String(destination.suffix(2)), "destination_cluster": "Kubernetes",
            "destination_app": service, "request_protocol": "http", "job": "kubernetes-pods",
            "destination_principal": "spiffe://cluster.local/ns/bookinfo/sa/\(service)",
            "connection_security_policy": reporter == "source" ? "unknown" : "mutual_tls",
            "instance": reporter == "source" ? "10.244.0.5:15020" : "10.244.0.6:15020",
        ]
    }

    private mutating func addRequests() {
        for (index, edge) in Self.edges.enumerated() {
            for reporter in ["source", "destination"] {
                let base = Self.labels(edge, reporter)
                for (code, rate) in [("200", 40.0), ("503", 2.0), ("404", 0.5)] {
                    var labels = base
                    labels["response_code"] = code
                    labels["response_flags"] = code == "503" ? "UO" : "-"
                    labels["grpc_response_status"] = code == "404" ? "5" : ""
                    counter(
                        "istio_requests_total", labels, perStep: rate * Double(index + 1),
                        resetAt: index == 1 ? 170 : nil, gap: index == 3 ? 200..<236 : nil)
                }
                base["request_protocol"].map { _ in addHistograms(base) }
            }
        }
    }

    private mutating func addHistograms(_ base: [String: String]) {
        var labels = base
        labels["response_code"] = "200"
        for name in ["istio_request_duration_milliseconds", "istio_request_bytes", "istio_response_bytes"] {
            let bounds = ["0.5", "1", "5", "10", "25", "50", "100", "250", "1000", "5000", "+Inf"]
            var totals = Array(repeating: 0.0, count: bounds.count)
            var table: [[Double]] = []
            for _ in 0..<Self.count {
                var cumulative = 0.0
                for bucket in bounds.indices {
                    cumulative += (random() * Double(12 - bucket)).rounded(.down)
                    totals[bucket] += cumulative
                }
                table.append(totals)
            }
            for (bucket, bound) in bounds.enumerated() {
                var all = labels
                all["le"] = bound
                add("\(name)_bucket", all) { table[$0][bucket] }
            }
            add("\(name)_count", labels) { table[$0][bounds.count - 1] }
            add("\(name)_sum", labels) { table[$0][bounds.count - 1] * 17.25 }
        }
    }

    private mutating func addTCP() {
        for reporter in ["source", "destination"] {
            var labels = Self.labels(("reviews-v2", "bookinfo", "mongodb-v1", "mongodb"), reporter)
            labels["request_protocol"] = "tcp"
            labels["response_flags"] = "-"
            for (name, rate) in [
                ("istio_tcp_sent_bytes_total", 5000.0), ("istio_tcp_received_bytes_total", 1200),
                ("istio_tcp_connections_opened_total", 2), ("istio_tcp_connections_closed_total", 2),
                ("istio_request_messages_total", 9), ("istio_response_messages_total", 9),
            ] {
                counter(name, labels, perStep: rate)
            }
        }
    }

    private mutating func addControlPlane() {
        let base = ["app": "istiod", "job": "pilot", "instance": "10.244.0.2:15014"]
        func with(_ more: [String: String]) -> [String: String] { base.merging(more) { $1 } }
        for type in ["cds", "eds", "lds", "rds"] { counter("pilot_xds_pushes", with(["type": type]), perStep: 3) }
        for (event, type) in [("add", "Service"), ("update", "Pod"), ("delete", "EndpointSlice")] {
            counter("pilot_k8s_reg_events", with(["event": event, "type": type]), perStep: 1)
            counter("pilot_k8s_cfg_events", with(["event": event, "type": type]), perStep: 0.4)
        }
        counter("pilot_push_triggers", with(["type": "endpoint"]), perStep: 2)
        counter("galley_validation_passed", base, perStep: 1)
        counter("galley_validation_failed", base, perStep: 0.3)
        counter("sidecar_injection_success_total", base, perStep: 0.5)
        counter("process_cpu_seconds_total", base, perStep: 0.4)
        for name in ["pilot_xds_push_time", "pilot_proxy_convergence_time", "pilot_xds_config_size_bytes"] {
            for (index, bound) in ["0.01", "0.1", "1", "3", "5", "+Inf"].enumerated() {
                add("\(name)_bucket", with(["le": bound, "type": "cds"])) { Double(($0 / 3) * (index + 1)) }
            }
            add("\(name)_count", with(["type": "cds"])) { Double(($0 / 3) * 6) }
            add("\(name)_sum", with(["type": "cds"])) { Double(($0 / 3) * 6) * 0.31 }
        }
        add("istio_build", with(["component": "pilot", "tag": "1.31.0"])) { _ in 1 }
        add("istio_build", ["component": "proxy", "tag": "1.30.2", "instance": "10.244.0.5:15020"]) { _ in 1 }
        add("pilot_xds", with(["version": "1.31.0"])) { Double(5 + $0 / 100) }
        add("pilot_services", base) { Double(20 + $0 % 3) }
        add("process_resident_memory_bytes", base) { 90_000_000 + Double($0 * 1111) }
        add("envoy_cluster_upstream_cx_active", ["cluster_name": "xds-grpc", "instance": "10.244.0.5:15020"]) { _ in 1 }
        add("up", base) { $0 % 50 == 49 ? 0 : 1 }
    }

    private mutating func addOddities() {
        add("wave", ["shape": "sine"]) { Double((($0 * 37) % 101) - 50) / 7 }
        add("wave", ["shape": "noise"]) { index in Double((index &* 7919) % 997) / 13 - 20 }
        add("wave", ["shape": "late"]) { $0 < 180 ? nil : Double($0) }
        add("wave", ["shape": "early"]) { $0 > 100 ? nil : Double($0) * -1.5 }
        add("wave", ["shape": "sparse"]) { $0 % 30 == 0 ? Double($0) : nil }
        add("odd", ["kind": "nan"]) { $0 % 7 == 3 ? .nan : Double($0) }
        add("odd", ["kind": "inf"]) { $0 == 150 ? .infinity : $0 == 151 ? -.infinity : Double($0 % 11) }
        add("odd", ["kind": "flat"]) { _ in 4.25 }
        add("odd", ["kind": "zero"]) { _ in 0 }
        add("odd", ["kind": "tiny"]) { Double($0) * 1e-9 }
        add("odd", ["kind": "huge"]) { Double($0) * 1e21 }
        add("path", ["url": "/a/b/c", "host": "web-7f.example.com"]) { Double($0) }
        add("path", ["url": "/x", "host": ""]) { Double($0 * 2) }
        add("bad_bucket", ["le": "1"]) { Double($0) }
        add("bad_bucket", ["le": "words"]) { Double($0) }
        add("bad_bucket", ["le": "2"]) { Double($0 * 2) }
        add("seconds", [:]) { 951_782_400 + Double($0) * 86_400 }
    }

    /// For `promtool tsdb create-blocks-from openmetrics`.
    var openMetrics: String {
        var text = ""
        for one in series {
            let pairs = one.labels.withoutName.pairs.map { "\($0.name)=\"\($0.value)\"" }.joined(separator: ",")
            for sample in one.samples {
                text += "\(one.labels.name){\(pairs)} \(PromQLText.number(sample.value)) \(sample.time / 1000)\n"
            }
        }
        return text + "# EOF\n"
    }

    /// For Weft: in chunks of 120 samples, as a store keeps them.
    var source: SeriesList {
        SeriesList(
            series.map { one in
                var chunks: [Chunk] = []
                var encoder = ChunkEncoder()
                for sample in one.samples {
                    encoder.append(sample.time, sample.value)
                    if encoder.count == 120 {
                        chunks.append(encoder.chunk)
                        encoder = ChunkEncoder()
                    }
                }
                if encoder.count > 0 { chunks.append(encoder.chunk) }
                return SelectedSeries(labels: one.labels, chunks: chunks)
            })
    }
}
