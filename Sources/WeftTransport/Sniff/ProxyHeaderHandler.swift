package import NIOCore

/// Takes the PROXY header off a connection's first bytes and tells what it says; leaves the pipeline afterwards.
///
/// Loop-confined. Holds what arrives until then, at most one header. A connection whose header is missing or malformed
/// is for its owner to close.
package final class ProxyHeaderHandler: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package enum Outcome {
        case header(ProxyHeader)
        /// No header, within the time or at all.
        case absent(isTimeout: Bool)
        case invalid
    }

    private let timeout: TimeAmount?
    private let decided: (any Channel, Outcome) -> Void
    private var buffered = ByteBuffer()
    private var isDecided = false
    private var timer: Scheduled<Void>?

    package init(timeoutMilliseconds: UInt32, decided: @escaping (any Channel, Outcome) -> Void) {
        timeout = timeoutMilliseconds > 0 ? .milliseconds(Int64(timeoutMilliseconds)) : nil
        self.decided = decided
    }

    package func handlerAdded(context: ChannelHandlerContext) {
        guard let timeout else { return }
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) { [weak self] in
            guard let self, !self.isDecided else { return }
            self.decide(.absent(isTimeout: true), context)
        }
    }

    package func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if isDecided { return context.fireChannelRead(wrapInboundOut(bytes)) }
        buffered.writeBuffer(&bytes)
        switch ProxyHeader.parse(buffered) {
        case .needMore: break
        case .absent: decide(.absent(isTimeout: false), context)
        case .invalid: decide(.invalid, context)
        case .header(let header, let length):
            buffered.moveReaderIndex(forwardBy: length)
            decide(.header(header), context)
        }
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent, !isDecided else {
            return context.fireUserInboundEventTriggered(event)
        }
        decide(.invalid, context)
    }

    private func decide(_ outcome: Outcome, _ context: ChannelHandlerContext) {
        isDecided = true
        timer?.cancel()
        decided(context.channel, outcome)
        let bytes = buffered
        buffered = ByteBuffer()
        if bytes.readableBytes > 0 {
            context.fireChannelRead(wrapInboundOut(bytes))
            context.fireChannelReadComplete()
        }
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
}
