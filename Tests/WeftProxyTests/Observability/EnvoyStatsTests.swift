import NIOCore
import Testing
import WeftIR
import WeftTransport

@testable import WeftProxy

/// Counters under Envoy's names.
@Suite(.timeLimit(.minutes(1))) struct EnvoyStatsTests {
    @Test func everyCellHasOneName() {
        func check<Name: CounterName>(_ names: Name.Type) {
            #expect(names.names.count == names.allCases.count)
            #expect(Set(names.names).count == names.names.count)
            #expect(names.allCases.map(\.rawValue) == Array(0..<names.names.count))
        }
        check(HTTPCounter.self)
        check(ClusterCounter.self)
        check(ListenerCounter.self)
        check(TCPCounter.self)
        check(GRPCCounter.self)
    }

    /// The counters once no request is under way: the client has its answer before the proxy has counted it.
    private func stats(_ proxy: ObservedProxy) async throws -> [String: Int] {
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            let found = now(proxy)
            if found.allSatisfy({ !$0.key.hasSuffix("rq_active") || $0.value == 0 }) { return found }
            try await Task.sleep(for: .milliseconds(5))
        }
        return now(proxy)
    }

    /// Everything for Prometheus, once the metrics tell of the one message that was answered.
    private func textOfOneCall(_ proxy: ObservedProxy) async throws -> String {
        let deadline = ContinuousClock.now + .seconds(20)
        var text = ""
        while ContinuousClock.now < deadline {
            text = proxy.plane.metrics.prometheusText(proxy.plane)
            let lines = text.split(separator: "\n").filter { $0.hasPrefix("istio_response_messages_total{") }
            if lines.contains(where: { $0.hasSuffix(" 1") }) { break }
            try await Task.sleep(for: .milliseconds(5))
        }
        return text
    }

    private func now(_ proxy: ObservedProxy) -> [String: Int] {
        Dictionary(
            EnvoyStats(plane: proxy.plane).all.map { ($0.name, $0.value) },
            uniquingKeysWith: { first, _ in
                Issue.record("a name is there twice")
                return first
            })
    }

    @Test func countRequests() async throws {
        let upstream = try await CollectorServer(.http1, body: "hi")
        let proxy = try await ObservedProxy(["up": (upstream.port, false), "idle": (1, false)]) { _ in }
        for _ in 0..<3 { _ = try await proxy.get() }
        let found = try await stats(proxy)
        let expected = [
            "http.in.downstream_rq_total": 3, "http.in.downstream_rq_2xx": 3, "http.in.downstream_rq_4xx": 0,
            "http.in.downstream_rq_completed": 3, "http.in.downstream_rq_active": 0,
            "http.in.downstream_rq_http1_total": 3, "http.in.downstream_cx_total": 3,
            "http.in.downstream_cx_http1_total": 3, "http.in.rq_total": 3,
            "listener.127.0.0.1_0.downstream_cx_total": 3,
            "cluster.up.upstream_rq_total": 3, "cluster.up.upstream_rq_200": 3, "cluster.up.upstream_rq_2xx": 3,
            "cluster.up.upstream_rq_completed": 3, "cluster.up.membership_total": 1,
            "cluster.up.membership_healthy": 1, "cluster.up.circuit_breakers.default.rq_open": 0,
            "cluster.up.upstream_rq_active": 0, "cluster.idle.upstream_rq_2xx": 0, "cluster.idle.upstream_rq_total": 0,
            "server.concurrency": 1,
        ]
        for (name, value) in expected { #expect(found[name] == value, "\(name)") }
        #expect((found["cluster.up.upstream_cx_http1_total"] ?? 0) >= 1)
        let text = proxy.plane.metrics.prometheusText(proxy.plane)
        #expect(text.contains("envoy_cluster_upstream_rq{response_code=\"200\",cluster_name=\"up\"} 3\n"))
        #expect(text.contains("envoy_cluster_upstream_rq_xx{response_code_class=\"2\",cluster_name=\"up\"} 3\n"))
        #expect(text.contains("envoy_http_downstream_rq_time_count{http_conn_manager_prefix=\"in\"} 3\n"))
        #expect(text.contains("envoy_listener_downstream_cx_total{listener_address=\"127.0.0.1_0\"} 3\n"))
        await proxy.stop()
        await upstream.stop()
    }

    private static let call =
        "POST /pkg.Service/Call HTTP/1.1\r\nhost: h\r\ncontent-type: application/grpc\r\ncontent-length: 11\r\n"
        + "connection: close\r\n\r\n"
    /// A message of a byte, and an empty one.
    private static let messages = ByteBuffer(bytes: [0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 0])

    @Test func countGRPCCalls() async throws {
        let upstream = try await CollectorServer(.http2, message: [1, 2])
        var calls = GRPCStats()
        calls.methods = .all
        calls.timesUpstream = true
        calls.replacesDots = true
        let proxy = try await ObservedProxy(
            ["up": (upstream.port, true)], filters: [.stats(StatsFilter(reporter: .destination)), .grpcStats(calls)]
        ) { _ in }
        _ = try await proxy.ask(Self.call, Self.messages)
        let found = try await stats(proxy).filter { $0.key.contains(".grpc.") }
        let prefix = "cluster.up.grpc.pkg_Service.Call."
        #expect(
            found == [
                prefix + "success": 1, prefix + "total": 1, prefix + "0": 1, prefix + "request_message_count": 2,
                prefix + "response_message_count": 1,
            ])
        let text = try await textOfOneCall(proxy)
        let labels =
            "{cluster_name=\"up\",grpc_bridge_method=\"Call\",grpc_bridge_service=\"pkg_Service\"}"
        #expect(text.contains("envoy_cluster_grpc_success\(labels) 1\n"))
        #expect(text.contains("envoy_cluster_grpc_upstream_rq_time_count\(labels) 1\n"))
        let lines = text.split(separator: "\n")
        for (metric, count) in [("istio_request_messages_total", 2), ("istio_response_messages_total", 1)] {
            let line = try #require(lines.first { $0.hasPrefix(metric + "{reporter=\"destination\",") })
            #expect(line.hasSuffix("} \(count)"))
            // As Istio's: how the call ended is not known while it is counted.
            #expect(!line.contains("response_code") && !line.contains("request_protocol"))
        }
        await proxy.stop()
        await upstream.stop()
    }

    @Test func dropMessageMetrics() async throws {
        let upstream = try await CollectorServer(.http2, message: [1, 2])
        var filter = StatsFilter(reporter: .destination)
        var dropped = MetricOverride(metric: "istio_request_messages_total")
        dropped.isDropped = true
        var renamed = MetricOverride(metric: "istio_response_messages_total")
        renamed.tags = ["path": "request.url_path"]
        filter.overrides = [dropped, renamed]
        let proxy = try await ObservedProxy(["up": (upstream.port, true)], filters: [.stats(filter)]) { _ in }
        _ = try await proxy.ask(Self.call, Self.messages)
        let text = try await textOfOneCall(proxy)
        #expect(!text.contains("istio_request_messages_total{"))
        #expect(text.contains("path=\"/pkg.Service/Call\"} 1\n"))
        await proxy.stop()
        await upstream.stop()
    }

    @Test func countFailures() async throws {
        let proxy = try await ObservedProxy(
            [:], route: { $0.match = RouteMatch(path: .prefix("/known")) }
        ) { _ in }
        _ = try await proxy.get("/known")
        _ = try await proxy.get("/unknown")
        _ = try await proxy.ask("rubbish\r\n\r\n")
        let found = try await stats(proxy)
        #expect(found["http.in.no_cluster"] == 1 && found["http.in.downstream_rq_5xx"] == 1)
        // What was no request is answered with 400, and counts.
        #expect(found["http.in.no_route"] == 1 && found["http.in.downstream_rq_4xx"] == 2)
        #expect(found["http.in.downstream_cx_protocol_error"] == 1)
        await proxy.stop()
    }

    @Test func countDeadUpstreams() async throws {
        let proxy = try await ObservedProxy(["up": (1, false)]) { _ in }
        _ = try await proxy.get()
        let found = try await stats(proxy)
        #expect(found["cluster.up.upstream_cx_connect_fail"] == 1)
        #expect(found["cluster.up.upstream_rq_pending_total"] == 1)
        #expect(found["cluster.up.upstream_rq_pending_failure_eject"] == 1)
        await proxy.stop()
    }
}
