package import NIOCore

/// Keeps what a connection sends until somebody has decided about it. Loop-confined; reads no more meanwhile.
package final class HoldHandler: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer

    private var context: ChannelHandlerContext?
    private var early: [ByteBuffer] = []
    private var inputClosed = false
    private var onClose: (() -> Void)?

    /// - Parameter onClose: The connection went away before ``release(then:)``.
    package init(onClose: @escaping () -> Void) { self.onClose = onClose }

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)
    }
    package func channelRead(context: ChannelHandlerContext, data: NIOAny) { early.append(unwrapInboundIn(data)) }
    package func channelReadComplete(context: ChannelHandlerContext) {}
    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            inputClosed = true
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }
    package func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        let callback = onClose
        onClose = nil
        callback?()
        context.fireChannelInactive()
    }

    /// Hands over what came to the handlers that `build` adds behind this one, which then leaves. Nothing happens when
    /// the connection is gone.
    package func release(then build: () -> Void) {
        guard let context else { return }
        self.context = nil
        onClose = nil
        // Before the next one may hold the connection in its turn.
        try? context.channel.syncOptions?.setOption(.autoRead, value: true)
        build()
        guard context.channel.isActive else { return }
        for bytes in early { context.fireChannelRead(wrapInboundOut(bytes)) }
        if !early.isEmpty { context.fireChannelReadComplete() }
        if inputClosed { context.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
        early = []
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
}
