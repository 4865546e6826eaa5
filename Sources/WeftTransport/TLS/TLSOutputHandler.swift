package import NIOCore

/// Sends what TLS has encrypted to the socket directly, below NIO's queue of pending writes (ADR 0040, ADR 0050).
///
/// Stands between the socket and the NIOSSL handler, which flushes after every write. Loop-confined. What the socket does
/// not take, and whatever somebody awaits, goes to the channel, as without this handler.
package final class TLSOutputHandler: ChannelOutboundHandler {
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private var socket = SocketWriter()
    /// Written and not yet flushed.
    private var waiting: ByteBuffer?

    package init() {}

    package func handlerAdded(context: ChannelHandlerContext) { socket.attach(to: context.channel) }

    package func handlerRemoved(context: ChannelHandlerContext) { socket.detach() }

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if promise == nil, waiting == nil {
            waiting = unwrapOutboundIn(data)
            return
        }
        passOn(context)
        socket.noteChannelWrite()
        context.write(data, promise: promise)
    }

    /// What waits is the channel's now.
    private func passOn(_ context: ChannelHandlerContext) {
        guard let bytes = waiting.take() else { return }
        socket.noteChannelWrite()
        context.write(wrapOutboundOut(bytes), promise: nil)
    }

    package func flush(context: ChannelHandlerContext) {
        // NIO closes a socket only just before the channel is inactive: an active one still has its descriptor.
        guard context.channel.isActive, var bytes = waiting.take() else {
            passOn(context)
            return context.flush()
        }
        if socket.transmit(&bytes, context) { return }
        socket.noteChannelWrite()
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        passOn(context)
        if mode == .all { socket.detach() }
        context.close(mode: mode, promise: promise)
    }
}
