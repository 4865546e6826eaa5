import CAllocationCounter
import Glibc
import NIOCore
import NIOPosix
import Testing
import WeftCore
import WeftIR

@testable import WeftProxy

/// A blocking client of one keep-alive connection: nothing of it runs on the proxy's thread.
private final class PlainClient {
    private let descriptor: CInt
    private var buffer = [UInt8](repeating: 0, count: 4096)
    private let request = Array("GET /a HTTP/1.1\r\nHost: echo\r\nUser-Agent: budget\r\nAccept: */*\r\n\r\n".utf8)

    init(port: Int) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw IOError(errnoCode: errno, reason: "connect") }
    }

    /// - Returns: Whether a reply with status 200 came.
    func exchange() -> Bool {
        guard write(descriptor, request, request.count) == request.count else { return false }
        var count = 0
        while count < buffer.count {
            let part = buffer.withUnsafeMutableBytes { all in
                all.baseAddress.map { read(descriptor, $0 + count, all.count - count) } ?? 0
            }
            guard part > 0 else { return false }
            count += part
            if buffer[..<count].suffix(5).elementsEqual("hello".utf8) { break }
        }
        return buffer.starts(with: "HTTP/1.1 200".utf8)
    }

    deinit { close(descriptor) }
}

/// Answers everything with five bytes.
private final class Answer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let reply = ByteBuffer(
        string: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello")

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(wrapOutboundOut(reply), promise: nil)
    }
}

/// What a request and a connection may cost in heap, in a debug build; a change that needs more says why, here.
@Suite(.timeLimit(.minutes(2)), .serialized) struct BudgetTests {
    /// Measured 2026-11-21.
    private static let allocationsPerRequest = 52.0
    private static let bytesPerIdleConnection = 16_000

    private func startProxy() async throws -> (plane: DataPlane, port: Int, upstream: any Channel) {
        let upstream = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Answer()) }
            }.bind(host: "127.0.0.1", port: 0).get()
        let route = Route(
            match: RouteMatch(path: .prefix("/")), action: .forward(RouteAction(cluster: .cluster("echo"))))
        let host = VirtualHost(name: "all", domains: ["*"], routes: [route])
        let manager = HTTPConnectionManager(
            statPrefix: "out", routes: .inline(RouteConfiguration(name: "r", virtualHosts: [host])),
            filters: [
                HTTPFilter(name: "stats", kind: .stats(StatsFilter(reporter: .source))),
                HTTPFilter(name: "router", kind: .router),
            ])
        var listener = Listener(name: "out", address: .ip("127.0.0.1", port: 0))
        listener.filterChains = [FilterChain(name: "c", filters: [.httpConnectionManager(manager)])]
        var cluster = Cluster(name: "echo", discovery: .static)
        cluster.services = [Cluster.ServiceMetadata(host: "echo.dev", name: "echo", namespace: "dev")]
        var assignment = ClusterLoadAssignment(clusterName: "echo")
        let port = UInt16(upstream.localAddress?.port ?? 0)
        assignment.localities = [LocalityEndpoints(endpoints: [Endpoint(address: .ip("127.0.0.1", port: port))])]
        cluster.endpoints = assignment
        var configuration = ProxyConfiguration()
        configuration.listeners["out"] = listener
        configuration.clusters["echo"] = cluster
        let plane = DataPlane()
        let (bound, problems) = await plane.start(configuration)
        #expect(problems.isEmpty)
        return (plane, try #require(bound["out"]?.first?.port), upstream)
    }

    private func onWorker<Value: Sendable>(
        _ plane: DataPlane, _ work: @escaping @Sendable () -> Value
    ) async throws -> Value {
        try await #require(plane.workers.first).eventLoop.submit(work).get()
    }

    @Test func aRequestStaysWithinItsAllocations() async throws {
        let (plane, port, upstream) = try await startProxy()
        let client = try PlainClient(port: port)
        for _ in 0..<200 { #expect(client.exchange()) }
        let before = try await onWorker(plane) { weft_thread_allocations() }
        let count = 500
        for _ in 0..<count { #expect(client.exchange()) }
        let made = try await onWorker(plane) { weft_thread_allocations() } - before
        let each = Double(made) / Double(count)
        #expect(made > 0, "the counter does not count")
        #expect(each <= Self.allocationsPerRequest, "\(each) allocations per request")
        await plane.shutdown(grace: .zero)
        try await upstream.close()
    }

    @Test func anIdleConnectionStaysSmall() async throws {
        let (plane, port, upstream) = try await startProxy()
        let first = try PlainClient(port: port)
        #expect(first.exchange())
        let before = try await onWorker(plane) { weft_thread_live_bytes() }
        var clients: [PlainClient] = []
        for _ in 0..<100 {
            let client = try PlainClient(port: port)
            #expect(client.exchange())
            clients.append(client)
        }
        let each = Int(try await onWorker(plane) { weft_thread_live_bytes() } - before) / clients.count
        #expect(each > 0, "the counter does not count")
        #expect(each <= Self.bytesPerIdleConnection, "\(each) bytes per idle connection")
        clients.removeAll()
        await plane.shutdown(grace: .zero)
        try await upstream.close()
    }
}
