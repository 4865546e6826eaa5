package import NIOCore
package import WeftHTTP

/// An upstream that speaks no HTTP: the far end of a CONNECT that ends at this proxy (`connect_config`).
///
/// Loop-confined. The connection standing is the answer 200; from then on both directions are bytes.
package final class RawUpstreamStream: UpstreamStream {
    private let handler: RawUpstreamHandler
    private let framing: BodyFraming

    /// - Parameters:
    ///   - channel: Comes from ``UpstreamConnector``, with reading off.
    ///   - framing: Of the answer: a tunnel to CONNECT, a body to POST.
    ///   - receiver: Hears 200 at once, then bytes.
    package init(_ channel: any Channel, framing: BodyFraming = .tunnel, receiver: any ResponseReceiver) throws {
        handler = RawUpstreamHandler(receiver)
        self.framing = framing
        super.init()
        handler.endsOrderly = framing != .tunnel
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    override package func headWritten(endStream: Bool) {
        handler.receiver?.receive(head: ResponseHead(status: 200, framing: framing), endStream: false)
        handler.setReading(true)
        if endStream { writeEnd(trailers: nil) }
    }
    override package func write(body: ByteBuffer) { handler.context?.write(NIOAny(body), promise: nil) }
    override package func writeEnd(trailers: HeaderBlock?) {
        handler.context?.flush()
        handler.context?.close(mode: .output, promise: nil)
    }
    override package func flush() { handler.context?.flush() }
    override package func reset() {
        handler.receiver = nil
        handler.context?.close(promise: nil)
    }
    override package func setReading(_ on: Bool) { handler.setReading(on) }
    override package var isWritable: Bool { handler.context?.channel.isWritable ?? false }
    override package var batchesReads: Bool { true }
    override package var localAddress: SocketAddress? { handler.context?.channel.localAddress }
}

private final class RawUpstreamHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    var receiver: (any ResponseReceiver)?
    private(set) var context: ChannelHandlerContext?
    private var isReading = false
    /// The end of the connection is the end of the answer, when nothing has failed: a peer whose half closes after ours
    /// is told of no other way.
    var endsOrderly = false

    init(_ receiver: any ResponseReceiver) { self.receiver = receiver }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) { receiver?.receive(body: unwrapInboundIn(data)) }
    func channelReadComplete(context: ChannelHandlerContext) { receiver?.readComplete() }
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        receiver?.writabilityChanged(context.channel.isWritable)
    }
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return }
        receiver?.receiveEnd(trailers: nil)
        endsOrderly = false
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        endsOrderly = false
        context.close(promise: nil)
    }
    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        let old = receiver
        receiver = nil
        if endsOrderly { old?.receiveEnd(trailers: nil) } else { old?.receive(reset: .connectionClosed) }
    }

    func setReading(_ on: Bool) {
        guard on != isReading, let context else { return }
        isReading = on
        try? context.channel.syncOptions?.setOption(.autoRead, value: on)
        if on { context.read() }
    }
}
