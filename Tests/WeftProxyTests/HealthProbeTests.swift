import NIOCore
import NIOPosix
import Synchronization
import Testing
import WeftIR
import WeftTransport

@testable import WeftProxy
@testable import WeftRouting

/// Answers everything on a connection with one text, which the test may change.
private final class Answers: Sendable {
    let text: Mutex<String>
    init(_ text: String) { self.text = Mutex(text) }

    func start() async throws -> (any Channel, UInt16) {
        final class Handler: ChannelInboundHandler {
            typealias InboundIn = ByteBuffer
            typealias OutboundOut = ByteBuffer
            let answers: Answers
            init(_ answers: Answers) { self.answers = answers }
            func channelRead(context: ChannelHandlerContext, data: NIOAny) {
                let text = answers.text.withLock { $0 }
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            }
        }
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Handler(self)) }
            }.bind(host: "127.0.0.1", port: 0).get()
        return (channel, UInt16(channel.localAddress?.port ?? 0))
    }
}

@Suite(.timeLimit(.minutes(1))) struct HealthProbeTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    private func cluster(_ kind: HealthCheck.Kind, port: UInt16) -> CompiledCluster? {
        var cluster = Cluster(name: "c", discovery: .static)
        var check = HealthCheck(kind, intervalMilliseconds: 20)
        check.noTrafficIntervalMilliseconds = 20
        check.unhealthyThreshold = 1
        cluster.healthChecks = [check]
        cluster.endpoints = ClusterLoadAssignment(
            clusterName: "c",
            localities: [LocalityEndpoints(endpoints: [Endpoint(address: .ip("127.0.0.1", port: port))])])
        var configuration = ProxyConfiguration()
        configuration.clusters["c"] = cluster
        var builder = SnapshotBuilder()
        return builder.build(configuration, workload: [:]).0.clusters["c"]
    }

    private func probe(_ kind: HealthCheck.Kind, port: UInt16) async throws -> HealthCheckState.Result {
        let compiled = cluster(kind, port: port)
        let cluster = try #require(compiled)
        let loop = loop
        let result = loop.makePromise(of: HealthCheckState.Result.self)
        loop.execute {
            let probe = HealthProbe(
                cluster.cluster.healthChecks[0], host: cluster.hosts[0], clusterName: "c", eventLoop: loop)
            probe.start(reusing: nil) { outcome, connection in
                // Held until its report.
                _ = probe
                connection?.close()
                result.succeed(outcome)
            }
        }
        return try await result.futureResult.get()
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", HealthCheckState.Result.passed(degraded: false)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-envoy-degraded: 1\r\n\r\n", .passed(degraded: true)),
        ("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n", .failed(retriable: false)), ("nonsense\r\n\r\n", .unreachable),
    ])
    func http(answer: String, expected: HealthCheckState.Result) async throws {
        let (server, port) = try await Answers(answer).start()
        #expect(try await probe(.http(.init(path: "/health")), port: port) == expected)
        try await server.close()
    }

    @Test func bodies() async throws {
        let (server, port) = try await Answers("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nall is well!").start()
        var http = HealthCheck.HTTP(path: "/")
        http.method = "POST"
        http.send = Array("ping".utf8)
        http.receive = [Array("all".utf8), Array("well".utf8)]
        #expect(try await probe(.http(http), port: port) == .passed(degraded: false))
        // Only so much of the answer is looked at.
        http.maxAnswerBytes = 8
        #expect(try await probe(.http(http), port: port) == .failed(retriable: false))
        http.maxAnswerBytes = 0
        http.receive = [Array("ill".utf8)]
        #expect(try await probe(.http(http), port: port) == .failed(retriable: false))
        try await server.close()
    }

    @Test func tcp() async throws {
        let (server, port) = try await Answers("+PONG\r\n").start()
        var ping = HealthCheck.TCP()
        #expect(try await probe(.tcp(ping), port: port) == .passed(degraded: false))
        ping.send = Array("PING\r\n".utf8)
        ping.receive = [Array("+PO".utf8), Array("NG".utf8)]
        #expect(try await probe(.tcp(ping), port: port) == .passed(degraded: false))
        try await server.close()
        #expect(try await probe(.tcp(ping), port: port) == .unreachable)
    }

    /// A checked host is out until the first good answer, goes when the answer changes, and comes back.
    @Test func hostsComeAndGo() async throws {
        let good = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
        let answers = Answers(good)
        let (server, port) = try await answers.start()
        let compiled = cluster(.http(.init(path: "/")), port: port)
        let cluster = try #require(compiled)
        #expect(cluster.balanced[0].health == .unhealthy)
        let loop = loop
        let upkeep = try await loop.submit {
            let upkeep = ClusterUpkeep(eventLoop: loop)
            upkeep.update(["c": cluster])
            return NIOLoopBound(upkeep, eventLoop: loop)
        }.get()
        func wait(for health: BalancedHost.Health) async throws {
            while cluster.balanced[0].health != health { try await Task.sleep(for: .milliseconds(5)) }
        }
        try await wait(for: .healthy)
        answers.text.withLock { $0 = "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n" }
        try await wait(for: .unhealthy)
        answers.text.withLock { $0 = good }
        try await wait(for: .healthy)
        #expect(cluster.shared.healthCheckFailures.load(ordering: .relaxed) > 0)
        try await loop.submit { upkeep.value.stop() }.get()
        try await server.close()
    }
}
