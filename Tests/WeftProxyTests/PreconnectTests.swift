import NIOCore
import NIOPosix
import Synchronization
import Testing
import WeftIR
import WeftRouting

@testable import WeftProxy

/// Connections that are opened before anybody needs them.
@Suite(.timeLimit(.minutes(1))) struct PreconnectTests {
    /// Answers every read with an empty 200, and tells when so many connections have come.
    private final class Answers: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let reply = ByteBuffer(string: "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            context.writeAndFlush(NIOAny(reply), promise: nil)
        }
    }

    private final class Counter: Sendable { let value = Atomic(0) }

    @Test func opensAsManyAsTheRatioSays() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let accepted = loop.makePromise(of: Void.self)
        let count = Counter()
        let server = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answers())
                    if count.value.wrappingAdd(1, ordering: .relaxed).newValue == 3 { accepted.succeed() }
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        let port = UInt16(try #require(server.localAddress?.port))
        var cluster = Cluster(name: "c", discovery: .static)
        cluster.preconnect.perUpstreamRatio = 3
        cluster.endpoints = ClusterLoadAssignment(
            clusterName: "c",
            localities: [LocalityEndpoints(endpoints: [Endpoint(address: .ip("127.0.0.1", port: port))])])
        let route = Route(match: RouteMatch(path: .prefix("/")), action: .forward(RouteAction(cluster: .cluster("c"))))
        let host = VirtualHost(name: "all", domains: ["*"], routes: [route])
        let manager = HTTPConnectionManager(
            statPrefix: "in", routes: .inline(RouteConfiguration(name: "r", virtualHosts: [host])),
            filters: [HTTPFilter(name: "router", kind: .router)])
        var listener = Listener(name: "in", address: .ip("127.0.0.1", port: 0))
        listener.filterChains = [FilterChain(name: "c", filters: [.httpConnectionManager(manager)])]
        var configuration = ProxyConfiguration()
        configuration.listeners["in"] = listener
        configuration.clusters["c"] = cluster
        let plane = DataPlane()
        let (bound, problems) = await plane.start(configuration)
        #expect(problems.isEmpty)
        let own = try #require(bound["in"]?.first?.port)
        let client = try await ClientBootstrap(group: loop).connect(host: "127.0.0.1", port: own).get()
        try await client.writeAndFlush(ByteBuffer(string: "GET / HTTP/1.1\r\nhost: h\r\n\r\n"))
        try await accepted.futureResult.get()
        try await client.close()
        await plane.shutdown(grace: .zero)
        try await server.close()
    }

    @Test func countsTheMembersOfItsOwnCluster() {
        let near = Locality(region: "r", zone: "near")
        var down = Endpoint(address: .ip("10.0.0.3", port: 1))
        down.health = .unhealthy
        var cluster = Cluster(name: "own", discovery: .static)
        cluster.endpoints = ClusterLoadAssignment(
            clusterName: "own",
            localities: [
                LocalityEndpoints(locality: near, endpoints: [Endpoint(address: .ip("10.0.0.1", port: 1)), down]),
                LocalityEndpoints(endpoints: [Endpoint(address: .ip("10.0.0.2", port: 1))]),
            ])
        var configuration = ProxyConfiguration()
        configuration.clusters["own"] = cluster
        var builder = SnapshotBuilder()
        #expect(builder.build(configuration, workload: [:]).0.zone == nil)
        builder.home = ProxyHome(locality: near, cluster: "own")
        let zone = builder.build(configuration, workload: [:]).0.zone
        #expect(zone?.locality == near)
        #expect(zone?.proxies == [near: 1, Locality(): 1])
        // Who does not know where it is finds itself among the members.
        builder.home = ProxyHome(cluster: "own", address: "10.0.0.1")
        #expect(builder.build(configuration, workload: [:]).0.zone?.locality == near)
    }
}
