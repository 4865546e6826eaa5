import NIOCore
import NIOPosix
import Testing
import WeftCore
import WeftIR
import WeftTransport

@testable import WeftProxy

/// A server that answers every request on a connection with one fixed reply, after reading a blank line.
private func startServer(_ reply: String) async throws -> (any Channel, UInt16) {
    final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        let reply: String
        init(_ reply: String) { self.reply = reply }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let text = String(buffer: unwrapInboundIn(data))
            guard text.hasSuffix("\r\n\r\n") else { return }
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: reply)), promise: nil)
        }
    }
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Handler(reply)) }
        }.bind(host: "127.0.0.1", port: 0).get()
    return (channel, UInt16(channel.localAddress?.port ?? 0))
}

/// Sends `request` and returns everything until the other side closes.
private func exchange(_ port: UInt16, _ request: String) async throws -> String {
    final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        var text = ""
        let done: EventLoopPromise<String>
        init(_ done: EventLoopPromise<String>) { self.done = done }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) { text += String(buffer: unwrapInboundIn(data)) }
        func channelInactive(context: ChannelHandlerContext) { done.succeed(text) }
    }
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let done = loop.makePromise(of: String.self)
    let channel = try await ClientBootstrap(group: loop)
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Collector(done)) }
        }.connect(host: "127.0.0.1", port: Int(port)).get()
    try await channel.writeAndFlush(ByteBuffer(string: request))
    return try await done.futureResult.get()
}

private func configuration(routes: [Route], upstream: UInt16?) -> ProxyConfiguration {
    var host = VirtualHost(name: "all", domains: ["*"], routes: routes)
    host.includeRequestAttemptCount = true
    let manager = HTTPConnectionManager(
        statPrefix: "out", routes: .inline(RouteConfiguration(name: "r", virtualHosts: [host])),
        filters: [HTTPFilter(name: "router", kind: .router)])
    var listener = Listener(name: "out", address: .ip("127.0.0.1", port: 0))
    listener.trafficDirection = .outbound
    listener.filterChains = [FilterChain(name: "c", filters: [.httpConnectionManager(manager)])]
    var cluster = Cluster(name: "echo", discovery: .eds(serviceName: ""))
    cluster.provenance = Provenance(ResourceReference(kind: "DestinationRule", namespace: "dev", name: "echo"))
    var assignment = ClusterLoadAssignment(clusterName: "echo")
    if let upstream {
        assignment.localities = [LocalityEndpoints(endpoints: [Endpoint(address: .ip("127.0.0.1", port: upstream))])]
    } else {
        assignment.emptyReason = "subset v1 of echo.dev selects no pod"
    }
    var result = ProxyConfiguration()
    result.listeners["out"] = listener
    result.clusters["echo"] = cluster
    result.endpoints["echo"] = assignment
    return result
}

@Suite(.timeLimit(.minutes(1))) struct DataPlaneTests {
    private let get = "GET /a HTTP/1.1\r\nHost: echo\r\nConnection: close\r\n\r\n"

    private func answer(_ configuration: ProxyConfiguration) async throws -> String {
        let plane = DataPlane()
        let (bound, problems) = await plane.start(configuration)
        #expect(problems.isEmpty)
        let port = try #require(bound["out"]?.first?.port)
        let text = try await exchange(UInt16(port), get)
        await plane.shutdown(grace: .zero)
        return text
    }

    @Test func forwards() async throws {
        let (server, port) = try await startServer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        let route = Route(
            match: RouteMatch(path: .prefix("/")), action: .forward(RouteAction(cluster: .cluster("echo"))))
        let text = try await answer(configuration(routes: [route], upstream: port))
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(text.hasSuffix("\r\n\r\nhi"))
        #expect(text.contains("server: envoy\r\n"))
        try await server.close()
    }

    /// What the NACK of a listener says; the next change tries again.
    @Test func aSocketThatCannotBeBoundIsTold() async throws {
        let plane = DataPlane()
        var configuration = ProxyConfiguration()
        // TEST-NET-1 (RFC 5737): no machine has it.
        configuration.listeners["l"] = Listener(name: "l", address: .ip("192.0.2.1", port: 9))
        #expect(await plane.apply(configuration).contains { $0.hasPrefix("listener l: cannot listen on 192.0.2.1:9") })
        #expect(plane.bindFailures["l"]?.hasPrefix("cannot listen on 192.0.2.1:9") == true)
        configuration.listeners["l"] = Listener(name: "l", address: .ip("127.0.0.1", port: 0))
        #expect(await plane.apply(configuration).isEmpty)
        #expect(plane.bindFailures.isEmpty)
        await plane.shutdown(grace: .zero)
    }

    @Test func saysWhyThereIsNoEndpoint() async throws {
        let route = Route(
            match: RouteMatch(path: .prefix("/")), action: .forward(RouteAction(cluster: .cluster("echo"))))
        let text = try await answer(configuration(routes: [route], upstream: nil))
        #expect(text.hasPrefix("HTTP/1.1 503 "))
        #expect(text.contains("x-weft-config: DestinationRule/dev/echo"))
        #expect(text.contains("subset v1 of echo.dev selects no pod"))
    }

    @Test func unknownRouteIsNotFound() async throws {
        let route = Route(match: RouteMatch(path: .exact("/b")), action: .directResponse(DirectResponse(status: 200)))
        #expect(try await answer(configuration(routes: [route], upstream: nil)).hasPrefix("HTTP/1.1 404 "))
    }

    @Test func retriesUntilItGivesUp() async throws {
        let (server, port) = try await startServer("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        var action = RouteAction(cluster: .cluster("echo"))
        var policy = RetryPolicy(retryOn: ["5xx"])
        policy.numRetries = 2
        action.retryPolicy = policy
        let route = Route(match: RouteMatch(path: .prefix("/")), action: .forward(action))
        #expect(try await answer(configuration(routes: [route], upstream: port)).hasPrefix("HTTP/1.1 503 "))
        try await server.close()
    }

    @Test func namedHostsAreResolved() async throws {
        let (server, port) = try await startServer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        let route = Route(
            match: RouteMatch(path: .prefix("/")), action: .forward(RouteAction(cluster: .cluster("echo"))))
        var made = configuration(routes: [route], upstream: nil)
        made.clusters["echo"] = Cluster(name: "echo", discovery: .dynamicForwardProxy(DynamicForwardProxy()))
        let plane = DataPlane()
        let listening = try #require(await plane.start(made).bound["out"]?.first?.port)
        func ask(_ host: String) async throws -> String {
            try await exchange(UInt16(listening), "GET / HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n")
        }
        #expect(try await ask("localhost:\(port)").hasSuffix("\r\n\r\nhi"))
        #expect(try await ask("127.0.0.1:\(port)").hasSuffix("\r\n\r\nhi"))
        #expect(try await ask("not..a..name").contains("DNS resolution failure"))
        await plane.shutdown(grace: .zero)
        try await server.close()
    }

    @Test func aGeneratedCookieKeepsTheHost() async throws {
        let (server, port) = try await startServer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        var action = RouteAction(cluster: .cluster("echo"))
        action.hashPolicies = [.cookie(name: "stay", ttlMilliseconds: 5_000, path: "/", terminal: false)]
        let route = Route(match: RouteMatch(path: .prefix("/")), action: .forward(action))
        var made = configuration(routes: [route], upstream: port)
        made.clusters["echo"]?.loadBalancer = .ringHash(minimumRingSize: 64)
        let text = try await answer(made)
        #expect(text.contains("set-cookie: stay=\""))
        #expect(text.contains("; Max-Age=5; Path=/; HttpOnly"))
        try await server.close()
    }

    @Test func brokenRewritesAreTold() async throws {
        var action = RouteAction(cluster: .cluster("none"))
        action.pathRewrite = .regex(pattern: "(", substitution: "")
        let plane = DataPlane()
        let route = Route(match: RouteMatch(path: .prefix("/")), action: .forward(action))
        let problems = await plane.start(configuration(routes: [route], upstream: nil)).problems
        #expect(problems.contains { $0.contains("path rewrite") })
        await plane.shutdown(grace: .zero)
    }

    /// Connections to endpoints that stay outlive the coming and going of others.
    @Test func poolsOutliveOtherEndpoints() {
        var builder = SnapshotBuilder()
        func build(_ ports: [UInt16], timeout: UInt64 = 5_000) -> CompiledCluster? {
            var cluster = Cluster(name: "c", discovery: .eds(serviceName: ""))
            cluster.connectTimeoutMilliseconds = timeout
            var configuration = ProxyConfiguration()
            configuration.clusters["c"] = cluster
            configuration.endpoints["c"] = ClusterLoadAssignment(
                clusterName: "c",
                localities: [LocalityEndpoints(endpoints: ports.map { Endpoint(address: .ip("127.0.0.1", port: $0)) })])
            return builder.build(configuration, workload: [:]).0.clusters["c"]
        }
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        guard let first = build([1, 2]), let second = build([3, 2]), let third = build([3, 2], timeout: 1) else {
            Issue.record("no cluster")
            return
        }
        let old = WorkerCluster(first, eventLoop: loop)
        let kept = old.pool(for: first.hosts[1], version: .http1)
        let new = WorkerCluster(second, eventLoop: loop)
        new.adopt(old)
        #expect(new.pool(for: second.hosts[1], version: .http1) === kept)
        let other = WorkerCluster(third, eventLoop: loop)
        other.adopt(new)
        #expect(other.pool(for: third.hosts[1], version: .http1) !== kept)
    }
}
