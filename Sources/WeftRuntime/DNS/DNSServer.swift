import NIOCore
import NIOPosix
import Synchronization

/// The cluster's resolver on UDP and TCP. It knows the cluster alone: the node has no outside to ask.
package final class DNSServer: Sendable {
    private let table: Mutex<DNSTable>

    package init() { table = Mutex(DNSTable(services: [], slices: [])) }

    package func update(_ new: DNSTable) { table.withLock { $0 = new } }

    func answer(_ query: [UInt8], limit: Int) -> [UInt8]? {
        let table = table.withLock { $0 }
        return DNSResponder.answer(query, table, limit: limit)
    }

    package func start(host: String = NodeAddress.gateway, port: Int = 53) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        _ = try await DatagramBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DatagramHandler(self))
                }
            }
            .bind(host: host, port: port).get()
        _ = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(StreamHandler(self))
                }
            }
            .bind(host: host, port: port).get()
    }
}

private final class DatagramHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>
    private let server: DNSServer
    init(_ server: DNSServer) { self.server = server }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard let answer = server.answer(Array(envelope.data.readableBytesView), limit: 512) else { return }
        let reply = AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: ByteBuffer(bytes: answer))
        context.writeAndFlush(wrapOutboundOut(reply), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}

/// Messages over TCP carry their length in front.
private final class StreamHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let server: DNSServer
    private var pending = ByteBuffer()
    init(_ server: DNSServer) { self.server = server }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        pending.writeBuffer(&bytes)
        while let length = pending.getInteger(at: pending.readerIndex, as: UInt16.self),
            pending.readableBytes >= 2 + Int(length)
        {
            pending.moveReaderIndex(forwardBy: 2)
            guard let query = pending.readBytes(length: Int(length)), let answer = server.answer(query, limit: 65535)
            else { continue }
            var reply = ByteBuffer(integer: UInt16(answer.count))
            reply.writeBytes(answer)
            context.writeAndFlush(wrapOutboundOut(reply), promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
