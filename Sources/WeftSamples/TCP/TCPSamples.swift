import NIOCore
import NIOPosix

/// Plain TCP servers: one that sends back what it gets, one that speaks first.
enum TCPSamples {
    static func echo(port: Int, prefix: String) async throws {
        try await run(port: port) { EchoHandler(prefix: prefix) }
    }

    static func greeter(port: Int, banner: String) async throws {
        try await run(port: port) { GreeterHandler(banner: banner) }
    }

    private static func run(port: Int, handler: @escaping @Sendable () -> any ChannelHandler) async throws {
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(handler()) }
            }
        let channel = try await bootstrap.bind(host: "0.0.0.0", port: port).get()
        print("listening on \(channel.localAddress?.description ?? "port \(port)")")
        try await channel.closeFuture.get()
    }
}

/// Sends every byte back, each read after the prefix; closes when the peer has finished and all is sent.
private final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let prefix: String
    init(prefix: String) { self.prefix = prefix }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if !prefix.isEmpty { context.write(wrapOutboundOut(ByteBuffer(string: prefix)), promise: nil) }
        context.writeAndFlush(data, promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .some(.inputClosed) = event as? ChannelEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in channel.close(promise: nil) }
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Sends a line as soon as a connection is accepted (as MySQL and SMTP do), then answers each read with `ok`.
private final class GreeterHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let banner: String
    init(banner: String) { self.banner = banner }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: banner + "\n")), promise: nil)
    }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "ok\n")), promise: nil)
    }
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent { context.close(promise: nil) }
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
