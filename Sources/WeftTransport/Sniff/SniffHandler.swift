package import NIOCore

/// Holds back a connection's first bytes until it is known what they are, then hands connection and bytes over.
///
/// Loop-confined. Decides once: after enough bytes, after the time-out (if the listener continues then), or closes.
package final class SniffHandler: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias Decision = (any Channel, SniffResult) -> Void

    private let sniffer: ProtocolSniffer
    private let timeout: TimeAmount?
    private let continueOnTimeout: Bool
    private let decided: Decision
    private var buffered = ByteBuffer()
    private var isDecided = false
    private var timer: Scheduled<Void>?

    package init(
        sniffer: ProtocolSniffer, timeoutMilliseconds: UInt32, continueOnTimeout: Bool, decided: @escaping Decision
    ) {
        self.sniffer = sniffer
        self.timeout = timeoutMilliseconds > 0 ? .milliseconds(Int64(timeoutMilliseconds)) : nil
        self.continueOnTimeout = continueOnTimeout
        self.decided = decided
    }

    package func handlerAdded(context: ChannelHandlerContext) {
        guard let timeout else { return }
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) { [weak self] in
            guard let self, !self.isDecided else { return }
            if self.continueOnTimeout { self.decide(SniffResult(), context) } else { context.close(promise: nil) }
        }
    }

    package func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if isDecided { return context.fireChannelRead(wrapInboundOut(bytes)) }
        buffered.writeBuffer(&bytes)
        if let result = sniffer.examine(buffered) { decide(result, context) }
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent, !isDecided else {
            return context.fireUserInboundEventTriggered(event)
        }
        decide(SniffResult(), context, then: event)
    }

    /// - Parameter event: What whoever comes next is to hear after the bytes; this handler is gone then.
    private func decide(_ result: SniffResult, _ context: ChannelHandlerContext, then event: Any? = nil) {
        isDecided = true
        timer?.cancel()
        decided(context.channel, result)
        let bytes = buffered
        buffered = ByteBuffer()
        if bytes.readableBytes > 0 {
            context.fireChannelRead(wrapInboundOut(bytes))
            context.fireChannelReadComplete()
        }
        if let event { context.fireUserInboundEventTriggered(event) }
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
}
