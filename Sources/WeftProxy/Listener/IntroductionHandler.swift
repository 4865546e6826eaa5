import NIOCore

/// Takes the introduction of a client's proxy off the front of a plain connection (``PeerMetadata``).
///
/// A connection that begins with anything else goes on untouched. Loop-confined; holds at most
/// ``PeerMetadata/maximumBytes`` and closes a connection that announces more.
final class IntroductionHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private var held = ByteBuffer()
    private var onEnd: (([UInt8]?) -> Void)?

    /// - Parameter onEnd: called once, with the message, or `nil` when there is none.
    init(onEnd: @escaping ([UInt8]?) -> Void) { self.onEnd = onEnd }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard onEnd != nil else { return context.fireChannelRead(data) }
        var bytes = unwrapInboundIn(data)
        held.writeBuffer(&bytes)
        guard Self.canBegin(held) else { return end(context, nil, isDone: true) }
        guard let length = held.getInteger(at: held.readerIndex + 4, as: UInt32.self) else { return }
        guard length <= PeerMetadata.maximumBytes else { return context.close(promise: nil) }
        guard held.readableBytes >= 8 + Int(length) else { return }
        held.moveReaderIndex(forwardBy: 8)
        end(context, held.readBytes(length: Int(length)), isDone: true)
    }

    /// Whether what has come so far is how an introduction begins.
    private static func canBegin(_ bytes: ByteBuffer) -> Bool {
        zip(bytes.readableBytesView, [24, 16, 8, 0]).allSatisfy { byte, shift in
            byte == UInt8(truncatingIfNeeded: PeerMetadata.magic >> UInt32(shift))
        }
    }

    /// - Parameter isDone: no event is under way that the handlers behind this one wait for.
    private func end(_ context: ChannelHandlerContext, _ message: [UInt8]?, isDone: Bool = false) {
        let callback = onEnd
        onEnd = nil
        let rest = held
        held = ByteBuffer()
        callback?(message)
        if rest.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(rest)) }
        if isDone { context.pipeline.syncOperations.removeHandler(self, promise: nil) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent, onEnd != nil { end(context, nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        onEnd = nil
        context.fireChannelInactive()
    }
}
