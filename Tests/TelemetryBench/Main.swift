import Foundation
import Logging
import WeftTelemetry

/// `dev/telemetry-bench`: what an hour of 500 proxies with 300 series each costs the telemetry store.
@main struct TelemetryBench {
    private static let proxies = 500
    private static let rounds = 240
    private static let start: Int64 = 1_700_000_000_000
    private static let step: Int64 = 15_000

    static func main() throws {
        let folder = CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "/tmp/weft-telemetry-bench"
        try? FileManager.default.removeItem(atPath: folder)
        let logger = Logger(label: "bench")
        let store = try TimeSeriesStore(settings: StoreSettings(folder: folder), logger: logger)
        let lines = templates()
        var report = Report()
        report.line(
            "series", "\(proxies * lines.count) (\(proxies) proxies, \(lines.count) each, \(labelCount(lines)) labels)")
        try fill(store, lines, &report)
        let statistics = store.statistics
        report.line(
            "on disk",
            "\(statistics.blocks) blocks, \(statistics.blockBytes >> 20) MiB; log \(statistics.logBytes >> 20) MiB")
        report.line(
            "bytes a sample in blocks",
            String(format: "%.2f", Double(statistics.blockBytes) / Double(max(1, samplesInBlocks(store, lines.count)))))
        try queries(store, &report)
        try spans(folder, logger, &report)
        report.line(
            "largest resident memory, with the queries and the spans", "\(peak() >> 20) MiB",
            goal: (peak() >> 20) <= 300)
        try restart(folder, logger, &report)
        print(report.text)
        try? FileManager.default.removeItem(atPath: folder)
        if !report.isMet { exit(1) }
    }

    /// An hour of scrapes.
    private static func fill(_ store: TimeSeriesStore, _ lines: [Template], _ report: inout Report) throws {
        let sessions = (0..<proxies).map { index in
            ScrapeSession(
                store: store,
                labels: ["instance": "10.244.\(index / 250).\(index % 250):15020", "job": "kubernetes-pods"])
        }
        let idle = resident()
        var first = 0.0
        var later = 0.0
        for round in 0..<rounds {
            let spent = ingest(round, sessions, lines, store)
            if round == 0 { first = spent } else { later += spent }
        }
        let share = later / Double(rounds - 1) / (Double(step) / 1000) * 100
        report.line("taking in the first scrape of all (new series)", String(format: "%.2f s of one core", first))
        report.line("taking in, after that", String(format: "%.1f %% of one core", share), goal: share <= 15)
        report.line("resident memory", "\(resident() >> 20) MiB (\(idle >> 20) MiB before the first scrape)")
    }

    /// Spans of every proxy beside its series: traces of four, with the tags that weft-proxy gives them. More come than
    /// memory may hold; a search over all of it comes last.
    private static func spans(_ folder: String, _ logger: Logger, _ report: inout Report) throws {
        var settings = SpanStoreSettings(folder: folder + "-spans")
        defer { try? FileManager.default.removeItem(atPath: folder + "-spans") }
        settings.spanLimit = 1_000_000
        let store = try SpanStore(settings: settings, logger: logger)
        let before = resident()
        let count = 400_000
        var spent = 0.0
        for batch in 0..<(count / 400) {
            let made = (0..<100).flatMap { trace(batch * 100 + $0) }
            let begin = cpuSeconds()
            store.add(made)
            spent += cpuSeconds() - begin
        }
        let counts = store.counts
        let mebibytes = Double(resident() - before) / 1_048_576
        report.line(
            "taking in \(count) spans of \(proxies) proxies",
            String(format: "%.1f µs of one core each; %d held in memory", spent / Double(count) * 1e6, counts.held))
        report.line(
            "memory of spans, limit \(settings.memoryLimit >> 20) MiB",
            String(format: "%d MiB counted, %.0f MiB more resident", counts.bytes >> 20, mebibytes),
            goal: counts.bytes <= settings.memoryLimit)
        let time = best { _ = store.traces(limit: 20, of: "service-3.shop", in: 0...Int64.max) { $0.isError } }
        report.line("20 traces with an error, of a service", time.text)
    }

    /// A request through four proxies.
    private static func trace(_ number: Int) -> [Span] {
        let id = String(format: "%032x", 0x7000_0000 + number)
        let begin = start * 1000 + Int64(number) * 36_000
        return (0..<4).map { hop in
            let proxy = (number * 7 + hop * 13) % proxies
            let service = proxy % 40
            let address = "10.244.\(proxy / 250).\(proxy % 250)"
            let isServer = hop % 2 == 0
            let tags: [(String, String)] = [
                ("component", "proxy"),
                ("upstream_cluster", "outbound|9080||service-\(service).shop.svc.cluster.local"),
                ("upstream_cluster.name", "outbound|9080||service-\(service).shop.svc.cluster.local"),
                ("request_size", "0"), ("response_size", String(number % 900)), ("response_flags", "-"),
                ("http.protocol", "HTTP/1.1"), ("http.method", "GET"), ("http.status_code", "200"),
                ("http.url", "http://service-\(service).shop:9080/items/\(number)"), ("peer.address", address),
                ("node_id", "sidecar~\(address)~workload-\(proxy)-v1-5f6d7c8b9-abcde.shop~shop.svc.cluster.local"),
                ("guid:x-request-id", String(format: "%08x-1111-2222-3333-%012x", number, hop)),
                ("user_agent", "Mozilla/5.0 (X11; Linux x86_64)"), ("downstream_cluster", "-"), ("zone", "zone-a"),
                ("istio.canonical_service", "service-\(service)"), ("istio.canonical_revision", "v1"),
                ("istio.mesh_id", "cluster.local"), ("istio.namespace", "shop"), ("istio.cluster_id", "Kubernetes"),
                ("weft.config", "VirtualService shop/service-\(service) rule 0"), ("weft.route", "route-\(service)"),
            ]
            return Span(
                traceID: id, spanID: String(format: "%016x", number * 4 + hop + 1),
                parentID: hop == 0 ? nil : String(format: "%016x", number * 4 + hop),
                service: "service-\(service).shop",
                operation: "service-\(service).shop.svc.cluster.local:9080/*", kind: isServer ? "server" : "client",
                start: begin + Int64(hop) * 300, duration: Int64(4_000 - hop * 700),
                tags: tags.map { SpanTag($0, .string($1)) },
                events: [], resource: [SpanTag("service.name", .string("service-\(service).shop"))],
                isError: number % 97 == 0)
        }
    }

    /// What the next process reads when this one is gone.
    private static func restart(_ folder: String, _ logger: Logger, _ report: inout Report) throws {
        let begin = ContinuousClock.now
        let store = try TimeSeriesStore(settings: StoreSettings(folder: folder), logger: logger)
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        report.line("opening all of it again", String(format: "%.1f s, %d series", seconds, store.statistics.series))
    }

    private static func samplesInBlocks(_ store: TimeSeriesStore, _ perProxy: Int) -> Int {
        // Half an hour of scrapes a block.
        store.statistics.blocks * proxies * perProxy * 121
    }

    // MARK: - Scrapes

    /// A line of a scrape around the proxy's name.
    private struct Template {
        var head: [UInt8]
        var tail: [UInt8]
        var rate: Int
    }

    private static func templates() -> [Template] {
        var lines: [Template] = []
        let metrics = [
            "istio_requests_total", "istio_request_duration_milliseconds_bucket", "istio_response_bytes_bucket",
        ]
        for index in 0..<300 {
            let name = metrics[index % 3]
            let peer = index / 30
            var labels =
                "destination_workload=\"service-\(peer)-v1\",destination_workload_namespace=\"shop\","
                + "destination_service=\"service-\(peer).shop.svc.cluster.local\",destination_service_name=\"service-\(peer)\","
                + "destination_service_namespace=\"shop\",destination_app=\"service-\(peer)\",destination_version=\"v1\","
                + "destination_canonical_service=\"service-\(peer)\",destination_canonical_revision=\"v1\","
                + "destination_principal=\"spiffe://cluster.local/ns/shop/sa/service-\(peer)\",destination_cluster=\"Kubernetes\","
                + "source_workload_namespace=\"shop\",source_version=\"v1\",source_canonical_revision=\"v1\","
                + "source_cluster=\"Kubernetes\",request_protocol=\"http\",response_flags=\"-\",reporter=\"source\","
                + "connection_security_policy=\"unknown\",response_code=\"\(index % 2 == 0 ? 200 : 503)\""
            if index % 3 > 0 { labels += ",le=\"\(index)\"" } else { labels += ",grpc_response_status=\"\(index)\"" }
            lines.append(
                Template(
                    head: Array("\(name){source_workload=\"".utf8), tail: Array("\",\(labels)} ".utf8),
                    // Half of what a proxy has stands still.
                    rate: index % 2 == 0 ? 0 : 1 + index % 17))
        }
        return lines
    }

    private static func labelCount(_ lines: [Template]) -> Int { (lines.first?.tail.count { $0 == 61 } ?? 0) + 4 }

    /// - Returns: Processor seconds, without the making of the texts.
    private static func ingest(
        _ round: Int, _ sessions: [ScrapeSession], _ lines: [Template], _ store: TimeSeriesStore
    ) -> Double {
        var spent = 0.0
        var body: [UInt8] = []
        for (proxy, session) in sessions.enumerated() {
            body.removeAll(keepingCapacity: true)
            let name = Array("workload-\(proxy)-v1".utf8)
            for line in lines {
                body += line.head
                body += name
                body += line.tail
                let jitter = (round &* 7 &+ proxy &* 13) % 5
                body += String(round * line.rate * 3 + (line.rate == 0 ? 0 : jitter)).utf8
                body.append(10)
            }
            let begin = cpuSeconds()
            _ = session.ingest(body, openMetrics: false, at: start + Int64(round) * step, seconds: 0.01)
            spent += cpuSeconds() - begin
        }
        let begin = cpuSeconds()
        store.synchronize()
        return spent + cpuSeconds() - begin
    }

    // MARK: - Queries

    private static func queries(_ store: TimeSeriesStore, _ report: inout Report) throws {
        let engine = QueryEngine(source: store)
        let end = start + Int64(rounds - 1) * step
        let ranges = [
            "sum by (destination_service_name, response_code) (rate(istio_requests_total{source_workload=\"workload-7-v1\"}[1m]))",
            "sum by (destination_service_name) (rate(istio_requests_total{destination_service_name=\"service-3\"}[1m]))",
        ]
        for query in ranges {
            let expression = try PromQLParser.parse(query)
            let time = try best { _ = try engine.range(expression, start: end - 3_600_000, end: end, step: 15_000) }
            report.line("1 h in steps of 15 s: `\(query)`", time.text, goal: time.milliseconds <= 300)
        }
        for query in [
            "sum by (destination_service_name) (rate(istio_requests_total[1h]))",
            "sum(increase({__name__=~\"istio_.+\"}[1h]))",
            // A window that cuts the oldest chunks, which must be decoded then.
            "sum(increase({__name__=~\"istio_.+\"}[50m]))",
            "histogram_quantile(0.99, sum by (le) (rate(istio_request_duration_milliseconds_bucket[1h])))",
        ] {
            let expression = try PromQLParser.parse(query)
            let time = try best { _ = try engine.instant(expression, at: end) }
            report.line("at one time: `\(query)`", time.text, goal: time.milliseconds <= 300)
        }
        let all = "sum by (destination_service_name) (rate(istio_requests_total[1m]))"
        let expression = try PromQLParser.parse(all)
        let time = try best { _ = try engine.range(expression, start: end - 3_600_000, end: end, step: 60_000) }
        report.line("1 h in steps of 60 s: `\(all)`", time.text, goal: time.milliseconds <= 300)
    }

    private static func best(_ body: () throws -> Void) rethrows -> (milliseconds: Double, text: String) {
        var (best, used) = (Double.infinity, 0.0)
        for _ in 0..<3 {
            let (begin, cpu) = (ContinuousClock.now, cpuSeconds())
            try body()
            let seconds = (ContinuousClock.now - begin) / .seconds(1)
            if seconds < best { (best, used) = (seconds, cpuSeconds() - cpu) }
        }
        return (best * 1000, String(format: "%.0f ms (%.0f ms of processor)", best * 1000, used * 1000))
    }

    // MARK: - Measuring

    private static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func peak() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
        return (line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) << 10
    }

    private static func resident() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
    }
}

/// A table in Markdown.
private struct Report {
    private(set) var text = "| what | figure | goal |\n| --- | --- | --- |\n"
    /// Whether every goal is reached.
    private(set) var isMet = true

    mutating func line(_ what: String, _ figure: String, goal: Bool? = nil) {
        text += "| \(what) | \(figure) | \(goal.map { $0 ? "met" : "missed" } ?? "") |\n"
        if goal == false { isMet = false }
    }
}
