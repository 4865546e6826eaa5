import NIOCore
import NIOPosix
import Synchronization
import Testing
import WeftIR

@testable import WeftProxy

/// A DNS server on the loopback: answers A questions for `web` as it is told, everything else with no such name.
private final class NameServer: Sendable {
    let addresses = Mutex<[[UInt8]]>([])
    let truncates = Mutex(false)
    let questions = Mutex(0)

    func start() async throws -> (datagram: any Channel, stream: any Channel, port: Int) {
        let group = MultiThreadedEventLoopGroup.singleton
        let datagram = try await DatagramBootstrap(group: group)
            .channelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Datagrams(self))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        let port = datagram.localAddress?.port ?? 0
        let stream = try await ServerBootstrap(group: group)
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Streams(self)) }
            }.bind(host: "127.0.0.1", port: port).get()
        return (datagram, stream, port)
    }

    func answer(_ query: [UInt8], isStream: Bool) -> [UInt8] {
        questions.withLock { $0 += 1 }
        let isWeb = query.dropFirst(12).starts(with: [3, 119, 101, 98]) && query[query.count - 3] == 1
        let known = isWeb ? addresses.withLock { $0 } : []
        let cut = truncates.withLock { $0 } && !isStream
        let flags: [UInt8] = cut ? [0x83, 0x80] : [0x81, isWeb ? 0x80 : 0x83]
        var bytes = Array(query.prefix(2)) + flags
        bytes += [0, 1, 0, cut ? 0 : UInt8(known.count), 0, 0, 0, 0]
        bytes += query.dropFirst(12)
        guard !cut else { return bytes }
        for address in known { bytes += [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4] + address }
        return bytes
    }

    private final class Datagrams: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        typealias OutboundOut = AddressedEnvelope<ByteBuffer>
        let server: NameServer
        init(_ server: NameServer) { self.server = server }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let envelope = unwrapInboundIn(data)
            let bytes = server.answer(Array(envelope.data.readableBytesView), isStream: false)
            let reply = AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: ByteBuffer(bytes: bytes))
            context.writeAndFlush(wrapOutboundOut(reply), promise: nil)
        }
    }

    private final class Streams: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        let server: NameServer
        init(_ server: NameServer) { self.server = server }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = server.answer(Array(unwrapInboundIn(data).readableBytesView.dropFirst(2)), isStream: true)
            let whole = [UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: whole)), promise: nil)
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct DNSClusterTests {
    private func configuration(_ search: [String] = []) -> ResolverConfiguration {
        var configuration = ResolverConfiguration("nameserver 127.0.0.1\noptions timeout:5")
        configuration.search = search
        return configuration
    }

    private func resolve(
        _ name: String, _ family: DNSOptions.Family, port: Int, search: [String] = []
    ) async -> Result<DNSResult, DNSFailure> {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let settings = configuration(search)
        return await withCheckedContinuation { continuation in
            loop.execute {
                DNSResolver(eventLoop: loop, configuration: settings, port: port)
                    .resolve(name, family: family) { continuation.resume(returning: $0) }
            }
        }
    }

    @Test func resolvesOverBothTransports() async throws {
        let server = NameServer()
        server.addresses.withLock { $0 = [[10, 0, 0, 1], [10, 0, 0, 2]] }
        let (datagram, stream, port) = try await server.start()
        let found = DNSResult(addresses: ["10.0.0.1", "10.0.0.2"], timeToLive: 60)
        #expect(try await resolve("web", .auto, port: port).get() == found)
        #expect(try await resolve("web", .v4Only, port: port, search: ["nowhere"]).get() == found)
        server.truncates.withLock { $0 = true }
        #expect(try await resolve("web", .v4Preferred, port: port).get() == found)
        server.truncates.withLock { $0 = false }
        guard case .failure(let failure) = await resolve("other", .auto, port: port) else {
            Issue.record("a name that is not there was found")
            return
        }
        #expect(failure.reason.contains("no such name"))
        #expect(try await resolve("10.9.8.7", .auto, port: port).get().addresses == ["10.9.8.7"])
        try await datagram.close()
        try await stream.close()
    }

    /// A cluster's hosts follow the name; the news arrive once per change.
    @Test func clustersFollowTheirNames() async throws {
        let server = NameServer()
        server.addresses.withLock { $0 = [[10, 0, 0, 1]] }
        let (datagram, stream, port) = try await server.start()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let (news, continuation) = AsyncStream.makeStream(of: [String].self)
        let settings = configuration()
        var cluster = Cluster(name: "c", discovery: .strictDNS)
        cluster.dnsRefreshMilliseconds = 20
        cluster.endpoints = ClusterLoadAssignment(
            clusterName: "c",
            localities: [LocalityEndpoints(endpoints: [Endpoint(address: .hostname("web", port: 80))])])
        let wanted = cluster
        let names = try await loop.submit {
            let resolver = DNSResolver(eventLoop: loop, configuration: settings, port: port)
            let names = ClusterNames(eventLoop: loop, resolver: resolver) { continuation.yield($1) }
            names.update([wanted])
            return NIOLoopBound(names, eventLoop: loop)
        }.get()
        var iterator = news.makeAsyncIterator()
        #expect(await iterator.next() == ["10.0.0.1"])
        server.addresses.withLock { $0 = [[10, 0, 0, 3], [10, 0, 0, 2]] }
        #expect(await iterator.next() == ["10.0.0.2", "10.0.0.3"])
        try await loop.submit { names.value.stop() }.get()
        try await datagram.close()
        try await stream.close()
    }

    @Test func theSnapshotTakesAddressesUp() {
        var builder = SnapshotBuilder()
        var configuration = ProxyConfiguration()
        for (name, discovery) in [("strict", Cluster.Discovery.strictDNS), ("logical", .logicalDNS)] {
            var cluster = Cluster(name: name, discovery: discovery)
            cluster.endpoints = ClusterLoadAssignment(
                clusterName: name,
                localities: [LocalityEndpoints(endpoints: [Endpoint(address: .hostname("web", port: 80))])])
            configuration.clusters[name] = cluster
        }
        let before = builder.build(configuration, workload: [:]).0
        #expect(before.clusters["strict"]?.hosts.isEmpty == true)
        builder.resolved["web"] = ["10.0.0.1", "10.0.0.2"]
        let after = builder.build(configuration, workload: [:]).0
        #expect(after.clusters["strict"]?.hosts.map(\.name) == ["10.0.0.1:80", "10.0.0.2:80"])
        #expect(after.clusters["logical"]?.hosts.map(\.name) == ["10.0.0.1:80"])
        builder.resolved["elsewhere"] = ["10.0.0.9"]
        let same = builder.build(configuration, workload: [:]).0
        #expect(same.clusters["strict"] === after.clusters["strict"])
        #expect(same.generation > after.generation)
    }
}
