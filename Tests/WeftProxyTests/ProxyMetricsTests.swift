import NIOCore
import NIOPosix
import Testing
import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting

@testable import WeftProxy

private let metadata: JSONValue = [
    "NAMESPACE": "dev", "WORKLOAD_NAME": "shop-v2", "CLUSTER_ID": "Kubernetes",
    "LABELS": ["app": "shop", "version": "v2", "secret": "no"],
]
private let principal = "spiffe://cluster.local/ns/dev/sa/shop"

@Suite("Peer metadata")
struct PeerMetadataTests {
    @Test(
        "base64 as RFC 4648 section 10 gives it",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ])
    func base64(plain: String, coded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == coded)
        #expect(Base64.decode(Array(coded.utf8)) == Array(plain.utf8))
    }

    @Test("text that is no base64 is refused", arguments: ["Z", "Zg=v", "Z*==", "Zm9v===="])
    func noBase64(text: String) { #expect(Base64.decode(Array(text.utf8)) == nil) }

    @Test("what one proxy writes another reads")
    func roundTrip() throws {
        let labels = try #require(PeerMetadata.decode(Array(PeerMetadata.encode(metadata).utf8)))
        #expect(labels == WorkloadLabels(metadata: metadata))
        #expect(labels.workload == "shop-v2" && labels.app == "shop" && labels.canonicalRevision == "v2")
    }

    private func headers(_ metadata: JSONValue, id: String = "sidecar~1") -> HeaderBlock {
        HeaderBlock([
            ("x-envoy-peer-metadata-id", id), ("a", "b"), ("X-Envoy-Peer-Metadata", PeerMetadata.encode(metadata)),
        ])
    }

    @Test("metadata is taken out of the request and believed of a verified peer")
    func verified() {
        var table = PeerTable()
        var recent: PeerTable.Recent?
        var request = headers(metadata)
        let index = table.take(from: &request, principal: principal, recent: &recent)
        #expect(request.fields.map(\.name) == ["a"])
        #expect(table[index].principal == principal)
        #expect(table[index].labels.workload == "shop-v2")
        var again = headers(metadata)
        #expect(table.take(from: &again, principal: principal, recent: &recent) == index)
        var idOnly = HeaderBlock([("x-envoy-peer-metadata-id", "sidecar~1")])
        #expect(table.take(from: &idOnly, principal: principal, recent: &recent) == index)
    }

    @Test("without a verified peer it is taken out and ignored")
    func unverified() {
        var table = PeerTable()
        var recent: PeerTable.Recent?
        var request = headers(metadata)
        #expect(table.take(from: &request, principal: nil, recent: &recent) == 0)
        #expect(request.fields.map(\.name) == ["a"])
        #expect(table[0] == PeerTable.Peer())
    }

    @Test("nobody can name another namespace than their certificate's, nor use another's cached metadata")
    func forged() {
        var table = PeerTable()
        var recent: PeerTable.Recent?
        var request = headers(metadata)
        _ = table.take(from: &request, principal: principal, recent: &recent)
        recent = nil  // Another connection.
        var forged = headers(metadata)
        let other = table.take(from: &forged, principal: "spiffe://cluster.local/ns/evil/sa/x", recent: &recent)
        #expect(table[other].labels.namespace == "evil")
        var idOnly = HeaderBlock([("x-envoy-peer-metadata-id", "sidecar~1")])
        recent = nil
        let third = table.take(from: &idOnly, principal: "spiffe://cluster.local/ns/third/sa/x", recent: &recent)
        #expect(table[third].labels.workload == "")
        #expect(table[third].labels.namespace == "third")
    }

    @Test("changed metadata under the same id is decoded anew")
    func changed() {
        var table = PeerTable()
        var recent: PeerTable.Recent?
        var request = headers(metadata)
        _ = table.take(from: &request, principal: principal, recent: &recent)
        var other = metadata
        other["WORKLOAD_NAME"] = "shop-v3"
        var next = headers(other)
        let index = table.take(from: &next, principal: principal, recent: &recent)
        #expect(table[index].labels.workload == "shop-v3")
    }

    @Test("a client cannot fill the table past its limit")
    func limit() {
        var table = PeerTable(limit: 2)
        var recent: PeerTable.Recent?
        for number in 0..<10 {
            var request = headers(metadata, id: "sidecar~\(number)")
            _ = table.take(from: &request, principal: principal, recent: &recent)
        }
        var last = headers(metadata, id: "sidecar~9")
        let index = table.take(from: &last, principal: principal, recent: &recent)
        #expect(table[index].labels.workload == "")
        #expect(table[index].labels.namespace == "dev")
    }
}

@Suite("Istio's labels")
struct IstioMetricsTests {
    @Test("every label has a value, in Istio's order")
    func order() {
        var labels = BaseLabels()
        labels.reporter = "source"
        labels.source = WorkloadLabels(metadata: metadata)
        labels.destination.cluster = "other"
        labels.service = "backend.dev.svc.cluster.local"
        let values = labels.values
        #expect(values.count == IstioMetrics.baseLabels.count)
        let named = Dictionary(uniqueKeysWithValues: zip(IstioMetrics.baseLabels, values))
        #expect(named["source_workload"] == "shop-v2")
        #expect(named["source_workload_namespace"] == "dev")
        #expect(named["source_cluster"] == "Kubernetes")
        #expect(named["destination_workload"] == "unknown")
        #expect(named["destination_service"] == "backend.dev.svc.cluster.local")
        #expect(named["destination_cluster"] == "other")
        #expect(values.last == "other")
    }

    @Test("a request and a connection through a data plane are counted")
    func dataPlane() async throws {
        var options = DataPlane.Options()
        options.node = MetricsNode(id: "sidecar~1", metadata: metadata, principal: principal)
        let plane = DataPlane(options: options)
        let (bound, problems) = await plane.start(Self.configuration())
        #expect(problems.isEmpty)
        let http = UInt16(try #require(bound["http"]?.first?.port))
        let tcp = UInt16(try #require(bound["tcp"]?.first?.port))
        let reply = try await Self.send(http, "GET / HTTP/1.1\r\nHost: backend\r\nConnection: close\r\n\r\n")
        #expect(reply.hasPrefix("HTTP/1.1 418"))
        _ = try await Self.send(tcp, "hello")
        try await Task.sleep(for: .milliseconds(100))
        let text = plane.metrics.prometheusText(plane)
        let request = try #require(text.split(separator: "\n").first { $0.hasPrefix("istio_requests_total{") })
        #expect(request.hasPrefix(#"istio_requests_total{reporter="source",source_workload="shop-v2","#))
        #expect(request.contains(#"destination_service="backend","#))
        #expect(
            request.hasSuffix(
                #"request_protocol="http",response_code="418",grpc_response_status="",response_flags="-","#
                    + #"connection_security_policy="unknown"} 1"#))
        #expect(text.contains("istio_request_duration_milliseconds_bucket{"))
        let closed = try #require(
            text.split(separator: "\n").first { $0.hasPrefix("istio_tcp_connections_closed_total{") })
        #expect(closed.contains(#"reporter="destination""#) && closed.contains(#"destination_workload="shop-v2""#))
        #expect(closed.hasSuffix(#"request_protocol="tcp",response_flags="NC",connection_security_policy="none"} 1"#))
        #expect(text.contains(#"envoy_http_downstream_rq_total{http_conn_manager_prefix="out"} 1"#))
        #expect(
            text.contains(
                #"envoy_http_downstream_rq_xx{response_code_class="4",http_conn_manager_prefix="out"} 1"#))
        #expect(text.contains("istio_build{component=\"proxy\",tag=\"\(WeftVersion.current)\"} 1\n"))
        await plane.shutdown(grace: .zero)
    }

    /// Every five seconds (the span that Istio's proxies have), long before the call itself is counted.
    @Test("a gRPC call that lasts is told of while it lasts", .timeLimit(.minutes(2)))
    func longCall() async throws {
        // It takes the call and never answers.
        let upstream = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let plane = DataPlane()
        let (bound, problems) = await plane.start(
            Self.forwarding(to: UInt16(try #require(upstream.localAddress?.port))))
        #expect(problems.isEmpty)
        let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: Int(try #require(bound["http"]?.first?.port))).get()
        let head =
            "POST /s/m HTTP/1.1\r\nHost: echo\r\nContent-Type: application/grpc\r\n"
            + "Transfer-Encoding: chunked\r\n\r\n"
        // Two messages: a flag, four octets of length, the octets.
        let messages = "\0\0\0\0\u{2}hi\0\0\0\0\u{1}!"
        try await client.writeAndFlush(ByteBuffer(string: head + "d\r\n" + messages + "\r\n"))
        var told: Substring?
        while told == nil {
            try await Task.sleep(for: .milliseconds(200))
            told = plane.metrics.prometheusText(plane).split(separator: "\n")
                .first { $0.hasPrefix("istio_request_messages_total{") && !$0.hasSuffix(" 0") }
        }
        #expect(told?.hasSuffix(" 2") == true)
        #expect(told?.contains(#"reporter="source""#) == true)
        #expect(!plane.metrics.prometheusText(plane).contains("istio_requests_total{"))
        try await client.close()
        try await upstream.close()
        await plane.shutdown(grace: .zero)
    }

    private static func forwarding(to port: UInt16) -> ProxyConfiguration {
        var configuration = configuration()
        let route = Route(
            match: RouteMatch(path: .prefix("/")), action: .forward(RouteAction(cluster: .cluster("echo"))))
        let manager = HTTPConnectionManager(
            statPrefix: "out",
            routes: .inline(
                RouteConfiguration(
                    name: "r", virtualHosts: [VirtualHost(name: "all", domains: ["*"], routes: [route])])),
            filters: [
                HTTPFilter(name: "stats", kind: .stats(StatsFilter(reporter: .source))),
                HTTPFilter(name: "router", kind: .router),
            ])
        configuration.listeners["http"]?.filterChains = [
            FilterChain(name: "c", filters: [.httpConnectionManager(manager)])
        ]
        var cluster = Cluster(name: "echo", discovery: .static)
        var assignment = ClusterLoadAssignment(clusterName: "echo")
        assignment.localities = [LocalityEndpoints(endpoints: [Endpoint(address: .ip("127.0.0.1", port: port))])]
        cluster.endpoints = assignment
        configuration.clusters["echo"] = cluster
        return configuration
    }

    private static func configuration() -> ProxyConfiguration {
        let direct = DirectResponse(status: 418, body: "teapot")
        let host = VirtualHost(
            name: "all", domains: ["*"],
            routes: [Route(match: RouteMatch(path: .prefix("/")), action: .directResponse(direct))])
        let manager = HTTPConnectionManager(
            statPrefix: "out", routes: .inline(RouteConfiguration(name: "r", virtualHosts: [host])),
            filters: [
                HTTPFilter(name: "stats", kind: .stats(StatsFilter(reporter: .source))),
                HTTPFilter(name: "router", kind: .router),
            ])
        var out = Listener(name: "http", address: .ip("127.0.0.1", port: 0))
        out.trafficDirection = .outbound
        out.filterChains = [FilterChain(name: "c", filters: [.httpConnectionManager(manager)])]
        var plain = Listener(name: "tcp", address: .ip("127.0.0.1", port: 0))
        plain.trafficDirection = .inbound
        plain.filterChains = [
            FilterChain(
                name: "c",
                filters: [
                    .stats(StatsFilter(reporter: .destination)),
                    .tcpProxy(TCPProxy(statPrefix: "in", cluster: .cluster("none"))),
                ])
        ]
        var configuration = ProxyConfiguration()
        configuration.listeners = ["http": out, "tcp": plain]
        return configuration
    }

    /// Sends `text` and returns everything until the other side closes.
    private static func send(_ port: UInt16, _ text: String) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: Int(port)) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            // The proxy may have closed already, which is an answer too.
            try? await outbound.write(ByteBuffer(string: text))
            var all = ""
            do { for try await bytes in inbound { all += String(buffer: bytes) } } catch is IOError {}
            return all
        }
    }
}
