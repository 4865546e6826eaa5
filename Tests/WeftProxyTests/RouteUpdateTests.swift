import Foundation
import NIOCore
import NIOPosix
import Synchronization
import Testing
import WeftIR

@testable import WeftProxy

/// Route tables of 5,000 routes that are replaced while requests run.
@Suite(.timeLimit(.minutes(2))) struct RouteUpdateTests {
    /// Says over one connection what it gets, until told to stop.
    private final class Caller: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let request = ByteBuffer(string: "GET /version HTTP/1.1\r\nHost: any.example\r\n\r\n")
        private var text = ""
        private let seen: @Sendable (Outcome) -> Void

        init(_ seen: @escaping @Sendable (Outcome) -> Void) { self.seen = seen }

        func channelActive(context: ChannelHandlerContext) { context.channel.writeAndFlush(request, promise: nil) }
        func channelInactive(context: ChannelHandlerContext) { seen(.closed) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            text += String(buffer: unwrapInboundIn(data))
            // A version is the body, and ends with a full stop.
            guard text.hasSuffix("."), let start = text.range(of: "\r\n\r\n") else { return }
            let isGood = text.hasPrefix("HTTP/1.1 200 ")
            seen(isGood ? .version(Int(text[start.upperBound...].dropLast()) ?? -1) : .failed(text))
            text = ""
            context.channel.writeAndFlush(request, promise: nil)
        }
    }
    private enum Outcome: Equatable {
        case version(Int)
        case failed(String)
        case closed
    }
    private final class Seen: Sendable {
        let outcomes = Mutex<(count: Int, last: Int, bad: [Outcome])>((0, -1, []))
        func add(_ outcome: Outcome) {
            outcomes.withLock { seen in
                seen.count += 1
                if case .version(let version) = outcome, version >= seen.last {
                    seen.last = version
                } else {
                    seen.bad.append(outcome)
                }
            }
        }
    }

    private func table(_ version: Int, changed: Range<Int>) -> RouteConfiguration {
        var hosts = (0..<1000).map { host in
            VirtualHost(
                name: "h\(host)", domains: ["h\(host).example"],
                routes: (0..<5).map { index in
                    var action = RouteAction(cluster: .cluster("c"))
                    if changed.contains(host) { action.timeoutMilliseconds = UInt64(version + 1) }
                    return Route(match: RouteMatch(path: .prefix("/\(index)")), action: .forward(action))
                })
        }
        let reply = DirectResponse(status: 200, body: "\(version).")
        hosts.append(
            VirtualHost(
                name: "rest", domains: ["*"],
                routes: [Route(match: RouteMatch(path: .exact("/version")), action: .directResponse(reply))]))
        return RouteConfiguration(name: "t", virtualHosts: hosts)
    }

    private func configuration(_ table: RouteConfiguration) -> ProxyConfiguration {
        let manager = HTTPConnectionManager(
            statPrefix: "out", routes: .rds("t"), filters: [HTTPFilter(name: "router", kind: .router)])
        var listener = Listener(name: "out", address: .ip("127.0.0.1", port: 0))
        listener.filterChains = [FilterChain(name: "c", filters: [.httpConnectionManager(manager)])]
        var configuration = ProxyConfiguration()
        configuration.listeners["out"] = listener
        configuration.routes["t"] = table
        return configuration
    }

    /// No request fails, no connection closes, versions never go back, and each is served.
    @Test func noRequestFailsAndNoConnectionCloses() async throws {
        let plane = DataPlane()
        var served = configuration(table(0, changed: 0..<0))
        let (bound, problems) = await plane.start(served)
        #expect(problems.isEmpty)
        let port = try #require(bound["out"]?.first?.port)
        let seen = (0..<4).map { _ in Seen() }
        var channels: [any Channel] = []
        for one in seen {
            channels.append(
                try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHandler(Caller { one.add($0) })
                        }
                    }.connect(host: "127.0.0.1", port: port).get())
        }
        for version in 1...12 {
            served.routes["t"] = table(version, changed: version % 3 == 0 ? 0..<1000 : version..<(version + 1))
            #expect(await plane.apply(served).isEmpty)
            for one in seen {
                // The swap is done when apply returns, so the next request has it.
                while one.outcomes.withLock({ $0.last < version && $0.bad.isEmpty }) { await Task.yield() }
            }
        }
        for one in seen {
            let (count, last, bad) = one.outcomes.withLock { $0 }
            #expect(bad == [])
            #expect(last == 12)
            #expect(count >= 13)
        }
        for channel in channels { try await channel.close() }
        await plane.shutdown(grace: .zero)
    }

    /// What requests have to do with a change of routes is one reference.
    @Test func aRouteChangeLeavesTheWorkerNothingToDo() async throws {
        let plane = DataPlane()
        var served = configuration(table(0, changed: 0..<0))
        served.clusters["c"] = Cluster(name: "c", discovery: .static)
        _ = await plane.start(served)
        let worker = try #require(plane.workers.first)
        let before = plane.snapshot
        let cluster = try await worker.eventLoop.submit { worker.cluster("c").map(ObjectIdentifier.init) }.get()
        served.routes["t"] = table(1, changed: 0..<1000)
        await plane.apply(served)
        #expect(plane.snapshot.clusterLineage === before.clusterLineage)
        #expect(plane.snapshot.listenerLineage === before.listenerLineage)
        let after = try await worker.eventLoop.submit { worker.cluster("c").map(ObjectIdentifier.init) }.get()
        #expect(cluster == after)
        await plane.shutdown(grace: .zero)
    }
}
