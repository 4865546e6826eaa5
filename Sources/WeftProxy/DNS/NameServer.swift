import Logging
import NIOCore
import NIOPosix
import Synchronization
import WeftIR

/// Answers the workload's DNS questions: names of the mesh from the table that the control plane sends, everything else by
/// asking the servers of `/etc/resolv.conf`. UDP and TCP.
///
/// Any thread may call it; work on the wire is confined to one event loop. What a client may cost is bounded: questions
/// that wait for an upstream server, connections, and the time that a connection may be idle.
final class NameServer: Sendable {
    /// Where Istio's agent answers.
    static let standardPort = 15053
    /// Seconds that answers from the table may be kept.
    static let timeToLive: UInt32 = 30

    struct Limits: Sendable {
        var waiting = 1024
        var connections = 128
        var idle = TimeAmount.seconds(10)
        /// For one upstream server.
        var timeout = TimeAmount.seconds(5)
    }

    private struct State {
        var names = MeshNames(NameTable(), namespace: "", search: [])
        var waiting = 0
        var connections = 0
        var channels: [any Channel] = []
    }

    private let namespace: String
    private let search: [String]
    private let servers: [SocketAddress]
    private let limits: Limits
    private let eventLoop: any EventLoop
    private let state = Mutex(State())

    /// - Parameter upstreamPort: another one than 53 only in tests.
    init(
        namespace: String, configuration: ResolverConfiguration, upstreamPort: Int = 53, limits: Limits = Limits(),
        eventLoop: any EventLoop
    ) {
        self.namespace = namespace
        search = configuration.search
        servers = configuration.servers.compactMap { try? SocketAddress(ipAddress: $0, port: upstreamPort) }
        self.limits = limits
        self.eventLoop = eventLoop
    }

    /// Answers by this table from now on.
    func update(_ table: NameTable) {
        let names = MeshNames(table, namespace: namespace, search: search)
        state.withLock { $0.names = names }
    }

    /// Listens on both transports.
    /// - Returns: the port; with `port` 0 whichever the system gives.
    func start(host: String = "127.0.0.1", port: Int = standardPort) async throws -> Int {
        let datagrams = try await DatagramBootstrap(group: eventLoop)
            .channelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DatagramQuestions(server: self))
                }
            }.bind(host: host, port: port).get()
        let bound = datagrams.localAddress?.port ?? port
        let streams = try await ServerBootstrap(group: eventLoop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [self] channel in
                guard enterConnection() else { return channel.close() }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(StreamQuestions(server: self, idle: limits.idle))
                }
            }.bind(host: host, port: bound).get()
        state.withLock { $0.channels = [datagrams, streams] }
        return bound
    }

    func stop() async {
        let channels = state.withLock { state in
            defer { state.channels = [] }
            return state.channels
        }
        for channel in channels { try? await channel.close() }
    }

    /// Answers one message; `reply` is called once, or never for what is no question. To be called on the event loop.
    func answer(_ bytes: [UInt8], isDatagram: Bool, reply: @escaping ([UInt8]) -> Void) {
        do throws(DNSQuery.Problem) {
            let query = try DNSQuery(bytes)
            let asksAddress = query.type == DNSQuery.typeA || query.type == DNSQuery.typeAAAA
            if asksAddress, let match = state.withLock({ $0.names }).find(query.name) {
                return reply(
                    query.answer(
                        match.addresses.shuffled(), canonical: match.canonical, timeToLive: Self.timeToLive,
                        isDatagram: isDatagram))
            }
            forward(bytes, query, isDatagram: isDatagram, reply: reply)
        } catch {
            if case .refused(let code) = error { reply(DNSQuery.failure(code, to: bytes)) }
        }
    }

    private func forward(
        _ bytes: [UInt8], _ query: DNSQuery, isDatagram: Bool, reply: @escaping ([UInt8]) -> Void
    ) {
        let isAllowed = state.withLock { state in
            guard state.waiting < limits.waiting else { return false }
            state.waiting += 1
            return true
        }
        guard isAllowed else { return reply(query.failure(.serverFailure)) }
        DNSForward(
            message: bytes, query: query, isDatagram: isDatagram, servers: servers, timeout: limits.timeout,
            eventLoop: eventLoop
        ) { [self] answer in
            state.withLock { $0.waiting -= 1 }
            reply(answer ?? query.failure(.serverFailure))
        }.start()
    }

    private func enterConnection() -> Bool {
        state.withLock { state in
            guard state.connections < limits.connections else { return false }
            state.connections += 1
            return true
        }
    }

    fileprivate func leaveConnection() { state.withLock { $0.connections -= 1 } }
}

private final class DatagramQuestions: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>
    private let server: NameServer

    init(server: NameServer) { self.server = server }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        let channel = context.channel
        server.answer(Array(envelope.data.readableBytesView), isDatagram: true) { answer in
            let back = AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: ByteBuffer(bytes: answer))
            channel.writeAndFlush(back, promise: nil)
        }
    }

    /// A socket error of one client's making (ICMP) is no reason to stop.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}

private final class StreamQuestions: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let server: NameServer
    private let idle: TimeAmount
    private var bytes: [UInt8] = []
    private var timer: Scheduled<Void>?

    init(server: NameServer, idle: TimeAmount) {
        self.server = server
        self.idle = idle
    }

    func channelActive(context: ChannelHandlerContext) { wait(context) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes += unwrapInboundIn(data).readableBytesView
        wait(context)
        while bytes.count >= 2 {
            let length = Int(bytes[0]) << 8 | Int(bytes[1])
            guard bytes.count >= 2 + length else { return }
            let message = Array(bytes[2..<(2 + length)])
            bytes.removeFirst(2 + length)
            let channel = context.channel
            server.answer(message, isDatagram: false) { answer in
                let prefix = [UInt8(answer.count >> 8 & 255), UInt8(answer.count & 255)]
                channel.writeAndFlush(ByteBuffer(bytes: prefix + answer), promise: nil)
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        server.leaveConnection()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func wait(_ context: ChannelHandlerContext) {
        timer?.cancel()
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: idle) { channel.close(promise: nil) }
    }
}
