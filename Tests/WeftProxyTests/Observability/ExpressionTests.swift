import Glibc
import Testing
import WeftCore
import WeftIR
import WeftTransport

@testable import WeftProxy

/// Expressions of access logs and metrics, on real requests.
@Suite(.timeLimit(.minutes(2))) struct ExpressionTests {
    private static func stats(_ overrides: [MetricOverride]) -> HTTPFilter.Kind {
        var filter = StatsFilter(reporter: .destination)
        filter.overrides = overrides
        return .stats(filter)
    }

    private static func override(
        _ metric: String, dropped: Bool = false, removed: [String] = [], _ tags: [String: String] = [:]
    ) -> MetricOverride {
        var override = MetricOverride(metric: metric)
        override.isDropped = dropped
        override.removedTags = removed
        override.tags = tags
        return override
    }

    /// Counting is the last thing that is done for a request: it may come after the answer.
    private func metrics(_ proxy: ObservedProxy, until done: (String) -> Bool) async throws -> String {
        while true {
            let text = proxy.plane.metrics.prometheusText(proxy.plane)
            if done(text) { return text }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    @Test func metricsHaveTheLabelsThatAConfigurationGivesThem() async throws {
        let upstream = try await CollectorServer(.http1, body: "hello", headers: [("x-told", "yes")])
        let proxy = try await ObservedProxy(
            ["up": (upstream.port, false)],
            filters: [
                Self.stats([
                    Self.override("istio_request_bytes", dropped: true),
                    Self.override(
                        "istio_requests_total", removed: ["source_version", "response_flags"],
                        [
                            "request_host": "request.host", "told": "response.headers['x-told']",
                            "response_code": "response.code < 400 ? 'good' : 'bad'", "missing": "request.headers.none",
                        ]),
                ])
            ]
        ) { _ in }
        _ = try await proxy.get("/a")
        _ = try await proxy.get("/b")
        let text = try await metrics(proxy) { $0.contains(#"missing="unknown",request_host="shop",told="yes"} 2"#) }
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("istio_requests_total{") })
        #expect(line.contains(#"response_code="good""#) && !line.contains("source_version"), "\(line)")
        #expect(!line.contains("response_flags") && line.contains(#"reporter="destination""#), "\(line)")
        #expect(!text.contains("istio_request_bytes"))
        // What nobody changes is as Istio has it.
        #expect(text.contains(#"response_flags="-",connection_security_policy="none",le="0.5"}"#))
        #expect(text.contains("weft_proxy_metric_series_overflow_total 0\n"))
        await proxy.stop()
        await upstream.stop()
    }

    @Test func logsTellOfRequestsThatMeetTheExpression() async throws {
        let upstream = try await CollectorServer(.http1, body: "hello", headers: [("x-told", "yes")])
        let path = "/tmp/weft-expression-\(upstream.port).log"
        var log = AccessLog(path: path, format: .text("%REQ(:PATH)%\n"))
        log.filter = .expression("request.path.startsWith('/a') && response.headers['x-told'] == 'yes'")
        let logs = [log]
        let proxy = try await ObservedProxy(["up": (upstream.port, false)]) { $0.accessLogs = logs }
        for request in ["/a/1", "/b", "/a/2"] { _ = try await proxy.get(request) }
        // Stopping writes what waits.
        await proxy.stop()
        let text = AgentPaths.text(path) ?? ""
        #expect(text == "/a/1\n/a/2\n")
        await upstream.stop()
        unlink(path)
    }
}
