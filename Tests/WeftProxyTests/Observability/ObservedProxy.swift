import NIOCore
import NIOPosix
import Testing
import WeftIR

@testable import WeftProxy

/// A proxy with one listener `in` and clusters by name, for one test.
struct ObservedProxy {
    let plane: DataPlane
    let port: UInt16

    /// - Parameters:
    ///   - clusters: Name to port on loopback, and whether HTTP/2 is spoken there.
    ///   - change: The connection manager, whose only route leads to cluster `up`.
    init(
        _ clusters: [String: (port: UInt16, isHTTP2: Bool)], filters: [HTTPFilter.Kind] = [],
        direction: TrafficDirection = .inbound, route: (inout Route) -> Void = { _ in },
        _ change: (inout HTTPConnectionManager) -> Void
    ) async throws {
        var only = Route(
            name: "only", match: RouteMatch(path: .prefix("/")), action: .forward(RouteAction(cluster: .cluster("up"))))
        route(&only)
        let host = VirtualHost(name: "all", domains: ["*"], routes: [only])
        let named = filters.enumerated().map { HTTPFilter(name: "f\($0)", kind: $1) }
        var manager = HTTPConnectionManager(
            statPrefix: "in", routes: .inline(RouteConfiguration(name: "r", virtualHosts: [host])),
            filters: named + [HTTPFilter(name: "router", kind: .router)])
        change(&manager)
        var listener = Listener(name: "in", address: .ip("127.0.0.1", port: 0))
        listener.trafficDirection = direction
        listener.filterChains = [FilterChain(name: "c", filters: [.httpConnectionManager(manager)])]
        var configuration = ProxyConfiguration()
        configuration.listeners["in"] = listener
        for (name, target) in clusters { configuration.clusters[name] = Self.cluster(name, target) }
        var options = DataPlane.Options()
        options.observedNode = ObservedNode(id: "node-1", cluster: "shop", zone: "z")
        plane = DataPlane(options: options)
        let (bound, problems) = await plane.start(configuration)
        #expect(problems.isEmpty)
        port = UInt16(try #require(bound["in"]?.first?.port))
    }

    /// With network filters in place of a connection manager.
    init(network filters: [NetworkFilter], _ clusters: [String: (port: UInt16, isHTTP2: Bool)]) async throws {
        var listener = Listener(name: "in", address: .ip("127.0.0.1", port: 0))
        listener.filterChains = [FilterChain(name: "c", filters: filters)]
        var configuration = ProxyConfiguration()
        configuration.listeners["in"] = listener
        for (name, target) in clusters { configuration.clusters[name] = Self.cluster(name, target) }
        plane = DataPlane(options: DataPlane.Options())
        let (bound, problems) = await plane.start(configuration)
        #expect(problems.isEmpty)
        port = UInt16(try #require(bound["in"]?.first?.port))
    }

    static func cluster(_ name: String, _ target: (port: UInt16, isHTTP2: Bool)) -> Cluster {
        var cluster = Cluster(name: name, discovery: .static)
        cluster.httpProtocol = target.isHTTP2 ? .http2 : .http1
        cluster.endpoints = ClusterLoadAssignment(
            clusterName: name,
            localities: [LocalityEndpoints(endpoints: [Endpoint(address: .ip("127.0.0.1", port: target.port))])])
        return cluster
    }

    /// Sends a request and returns everything until the connection ends.
    /// - Parameter body: Goes after the text, byte for byte.
    func ask(_ request: String, _ body: ByteBuffer = ByteBuffer()) async throws -> ByteBuffer {
        final class Collector: ChannelInboundHandler {
            typealias InboundIn = ByteBuffer
            var all = ByteBuffer()
            let done: EventLoopPromise<ByteBuffer>
            init(_ done: EventLoopPromise<ByteBuffer>) { self.done = done }
            func channelRead(context: ChannelHandlerContext, data: NIOAny) {
                all.writeImmutableBuffer(unwrapInboundIn(data))
            }
            func channelInactive(context: ChannelHandlerContext) { done.succeed(all) }
        }
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let done = loop.makePromise(of: ByteBuffer.self)
        let channel = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(done))
                }
            }.connect(host: "127.0.0.1", port: Int(port)).get()
        var all = ByteBuffer(string: request)
        all.writeImmutableBuffer(body)
        try await channel.writeAndFlush(all)
        return try await done.futureResult.get()
    }

    func get(_ path: String = "/", _ headers: String...) async throws -> String {
        let lines = headers.map { $0 + "\r\n" }.joined()
        return String(buffer: try await ask("GET \(path) HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\(lines)\r\n"))
    }

    func stop() async { await plane.shutdown(grace: .zero) }
}
