import Testing
import WeftTelemetry

@Suite struct EdgeCalculatorTests {
    private func requests(
        _ value: Double, reporter: String = "source", code: String = "200", flags: String = "-",
        policy: String = "unknown",
        from: String = "frontend", to: String = "backend"
    ) -> MetricSample {
        MetricSample(
            name: "istio_requests_total",
            labels: [
                "reporter": reporter, "source_workload": from, "source_workload_namespace": "dev",
                "destination_workload": to, "destination_workload_namespace": "dev",
                "destination_service": "\(to).dev.svc.cluster.local", "request_protocol": "http", "response_code": code,
                "response_flags": flags, "connection_security_policy": policy,
            ], value: value)
    }

    @Test func ratesAreDifferencesOverTime() throws {
        let pair = ScrapePair(
            first: [requests(100)], last: [requests(160), requests(40, code: "503", flags: "UO")], seconds: 10)
        let edges = EdgeCalculator.edges(from: [pair])
        let edge = try #require(edges.first)
        #expect(edges.count == 1)
        #expect(edge.requestsPerSecond == 10)
        #expect(edge.successShare == 0.6)
        #expect(edge.responses == ["200": 6, "503 UO": 4])
        #expect(edge.mutualTLSShare == nil)
    }

    @Test func bothReportersAreOneEdgeAndTheCalleeTellsAboutTLS() throws {
        let client = ScrapePair(first: [requests(0)], last: [requests(50)], seconds: 10)
        let server = ScrapePair(
            first: [requests(0, reporter: "destination", policy: "mutual_tls")],
            last: [
                requests(30, reporter: "destination", policy: "mutual_tls"),
                requests(10, reporter: "destination", policy: "none"),
            ], seconds: 10)
        let edges = EdgeCalculator.edges(from: [client, server])
        let edge = try #require(edges.first)
        #expect(edges.count == 1)
        #expect(edge.requestsPerSecond == 5)
        #expect(edge.mutualTLSShare == 0.75)
    }

    @Test func aRestartedProxyCountsFromZero() {
        let pair = ScrapePair(first: [requests(1000)], last: [requests(20)], seconds: 10)
        #expect(EdgeCalculator.edges(from: [pair]).map(\.requestsPerSecond) == [2])
    }

    @Test func nothingNewIsNoEdge() {
        let pair = ScrapePair(first: [requests(1000)], last: [requests(1000)], seconds: 10)
        #expect(EdgeCalculator.edges(from: [pair]).isEmpty)
        #expect(EdgeCalculator.edges(from: []).isEmpty)
    }

    @Test(arguments: [
        (0.5, [10.0: 50.0, 100: 100, .infinity: 100], 10.0 as Double?),
        (0.75, [10.0: 50.0, 100: 100, .infinity: 100], 55),
        (0.99, [10.0: 50.0, 100: 50, .infinity: 100], 100),
        (0.5, [:], nil),
        (0.5, [10.0: 0.0, .infinity: 0], nil),
    ])
    func quantiles(_ share: Double, _ buckets: [Double: Double], _ expected: Double?) {
        #expect(EdgeCalculator.quantile(share, buckets) == expected)
    }
}
