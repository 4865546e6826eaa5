import Foundation
import Logging
import Synchronization
import TestSupport
import Testing
import WeftTelemetry

/// Remote write into Debian's Prometheus, which takes every sample as the store has it.
@Suite struct RemoteWriteTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/prometheus")))
    func prometheusTakesWhatIsSent() async throws {
        let folder = try Workspace.folder("remote-write")
        let (server, port) = try await receiver(folder)
        defer { server.stop() }
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        let store = try TimeSeriesStore(logger: Self.logger)
        let url = "http://127.0.0.1:\(port)/api/v1/write"
        // It begins three minutes ago; then it is now.
        let clock = Mutex(now - 180_000)
        let writer = RemoteWriter(source: store, logger: Self.logger, now: { clock.withLock { $0 } }) { body in
            try Data(body).write(to: URL(filePath: folder + "/body"))
            let answer = try await command([
                "curl", "-s", "-o", folder + "/answer", "-w", "%{http_code}", "--data-binary", "@\(folder)/body",
                "-H", "content-type: application/x-protobuf", "-H", "content-encoding: snappy",
                "-H", "x-prometheus-remote-write-version: 0.1.0", url,
            ]).checked()
            return Int(answer.out) ?? 0
        }
        // More samples than one request holds, a label with every kind of text, values at the edges, and an end.
        let session = ScrapeSession(store: store, labels: ["job": "kubernetes-pods"])
        let scrapes = stride(from: now - 150_000, through: now - 30_000, by: 15_000)
        for (step, time) in scrapes.enumerated() {
            var text = (0..<400).map { "weft_many{number=\"\($0)\"} \(step * $0)\n" }.joined()
            text +=
                "weft_text{path=\"/a\\\"b\\\\c\\n\u{e9}\u{1F600}\"} 1\nweft_edge{v=\"inf\"} +Inf\nweft_edge{v=\"small\"} 5e-324\n"
            if step < 4 { text += "weft_ends 7\n" }
            _ = session.ingest(Array(text.utf8), openMetrics: false, at: time, seconds: 0)
        }
        clock.withLock { $0 = now }
        try await writer.sendNew()

        let last = Double(now - 30_000) / 1000
        for query in [
            "sum(weft_many)", "count(weft_many)", "sum(increase(weft_many[2m]))", "weft_text", "weft_edge", "weft_ends",
            "max_over_time(weft_ends[3m])", "count_over_time(weft_many{number=\"399\"}[3m])",
        ] {
            let theirs = try await ask(query, at: last, port: port)
            var parameters = FormParameters()
            let encoded = query.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            parameters.add(encoded: "query=\(encoded)&time=\(last)".utf8)
            let ours = PrometheusAPI(store: store, version: "test", now: { now }).respond("query", parameters)
            #expect(try PrometheusComparisonTests.parse(Data(ours.body)) == theirs, "\(query)")
            if query == "weft_ends" { #expect(theirs == .values([:]), "its end was sent") }
        }
        let many = try await ask("sum(weft_many)", at: last, port: port)
        #expect(many != .values([:]))
    }

    private func ask(_ query: String, at time: Double, port: UInt16) async throws
        -> PrometheusComparisonTests.Answer
    {
        let answer = try await command([
            "curl", "-s", "--data-urlencode", "query=\(query)", "--data-urlencode", "time=\(time)",
            "http://127.0.0.1:\(port)/api/v1/query",
        ]).checked()
        return try PrometheusComparisonTests.parse(Data(answer.out.utf8))
    }

    private func receiver(_ folder: String) async throws -> (ServerProcess, UInt16) {
        try "scrape_configs: []\n".write(toFile: folder + "/prometheus.yml", atomically: true, encoding: .utf8)
        let port = try RawListener.freePorts(1)[0]
        let process = try ServerProcess(
            "prometheus", "/usr/bin/prometheus",
            [
                "--config.file=\(folder)/prometheus.yml", "--storage.tsdb.path=\(folder)/data",
                "--web.enable-remote-write-receiver", "--web.listen-address=127.0.0.1:\(port)",
            ], log: folder + "/prometheus.log")
        try await process.waitForPort(port)
        try await eventually("Prometheus ready") {
            let answer = try await command(["curl", "-s", "http://127.0.0.1:\(port)/-/ready"])
            return answer.out.contains("Ready") ? true : nil
        }
        return (process, port)
    }
}
