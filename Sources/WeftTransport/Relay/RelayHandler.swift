package import NIOCore

/// The far end of a relay that is no connection of its own: a stream of one.
package protocol RelayPeer: AnyObject {
    func send(_ bytes: ByteBuffer)
    func flush()
    /// No more will come.
    func closeOutput()
    /// Both directions end at once.
    func closeAll()
    /// The other end is gone: what is on its way goes out, then this end closes.
    func partnerGone()
    /// The other end can take more, or no more.
    func writabilityChanged(_ isWritable: Bool)
    var isWritable: Bool { get }
}

/// Copies bytes between two connections: two of these refer to each other, one in each pipeline.
///
/// Loop-confined; both channels live on one loop. Back-pressure: while the other side cannot write, this side does not
/// read. Half-close is passed on. Bytes that arrive before the other side is there are kept.
package final class RelayHandler: ChannelDuplexHandler, RemovableChannelHandler, RelayPeer {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private var context: ChannelHandlerContext?
    private var partner: (any RelayPeer)?
    private var early: [ByteBuffer] = []
    private var inputClosed = false
    private var outputClosed = false
    private var onClose: (() -> Void)?
    private let isPlain: Bool
    private var socket = SocketWriter()
    /// Written and not yet flushed: what one read of the other end brought.
    private var waiting: ByteBuffer?
    /// Bytes that this connection sent to us.
    package private(set) var bytesReceived: UInt64 = 0
    /// When bytes last moved on this connection; read by idle timers.
    package private(set) var lastActivity: NIODeadline = .now()

    /// - Parameters:
    ///   - isPlain: No handler between this one and the socket changes what is written: it may be written to the socket
    ///     directly.
    ///   - onClose: Called once, when this connection is gone.
    package init(isPlain: Bool = false, onClose: (() -> Void)? = nil) {
        self.isPlain = isPlain
        self.onClose = onClose
    }

    /// Connects two relays and moves what came early.
    package static func join(_ one: RelayHandler, _ other: RelayHandler) {
        one.partner = other
        other.partner = one
        one.flushEarly()
        other.flushEarly()
    }

    /// Connects this connection with a stream of another, and moves what came early.
    package func join(_ peer: any RelayPeer) {
        partner = peer
        flushEarly()
    }

    private func flushEarly() {
        let waiting = early
        early = []
        for bytes in waiting { partner?.send(bytes) }
        if !waiting.isEmpty { partner?.flush() }
        if inputClosed { partner?.closeOutput() }
        if context == nil { partner?.closeAll() }
        setReading(partner?.isWritable ?? true)
    }

    package var isWritable: Bool { context?.channel.isWritable ?? true }

    package func flush() {
        guard let context else { return }
        if var bytes = waiting.take() {
            if socket.transmit(&bytes, context) { return }
            writeToChannel(bytes, context)
        }
        context.flush()
    }

    package func send(_ bytes: ByteBuffer) {
        guard let context else { return }
        lastActivity = .now()
        guard waiting != nil || bytes.readableBytes > SocketWriter.directLimit else {
            waiting = bytes
            return
        }
        passOn(context)
        writeToChannel(bytes, context)
    }

    /// What waits is the channel's now.
    private func passOn(_ context: ChannelHandlerContext) {
        if let bytes = waiting.take() { writeToChannel(bytes, context) }
    }

    private func writeToChannel(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        socket.noteChannelWrite()
        context.write(wrapOutboundOut(bytes), promise: nil)
    }

    package func setReading(_ on: Bool) {
        try? context?.channel.syncOptions?.setOption(.autoRead, value: on)
        if on { context?.read() }
    }

    package func closeOutput() {
        guard let context, !outputClosed else { return }
        outputClosed = true
        passOn(context)
        if inputClosed { return context.close(promise: nil) }
        context.close(mode: .output, promise: nil)
    }

    /// Closes both directions at once.
    package func closeAll() { context?.close(promise: nil) }

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if isPlain { socket.attach(to: context.channel) }
    }
    package func handlerRemoved(context: ChannelHandlerContext) { finish() }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        bytesReceived += UInt64(bytes.readableBytes)
        lastActivity = .now()
        guard let partner else {
            early.append(bytes)
            if bytesReceived > 64 << 10 { setReading(false) }
            return
        }
        partner.send(bytes)
        if !partner.isWritable { setReading(false) }
    }

    package func channelReadComplete(context: ChannelHandlerContext) { partner?.flush() }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        partner?.writabilityChanged(context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            inputClosed = true
            partner?.closeOutput()
            if outputClosed { context.close(promise: nil) }
        }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        finish()
        context.fireChannelInactive()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func finish() {
        guard context != nil else { return }
        context = nil
        socket.detach()
        waiting = nil
        let other = partner
        partner = nil
        other?.partnerGone()
        let callback = onClose
        onClose = nil
        callback?()
    }

    package func writabilityChanged(_ isWritable: Bool) { setReading(isWritable) }

    package func partnerGone() {
        partner = nil
        // Flush what is on its way before closing: close() in NIO fails pending writes only after the flush below.
        guard let context else { return }
        passOn(context)
        socket.noteChannelWrite()
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).assumeIsolated().whenComplete { _ in
            context.close(promise: nil)
        }
    }
}
