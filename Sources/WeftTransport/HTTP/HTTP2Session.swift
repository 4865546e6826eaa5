import NIOCore
import WeftHTTP

/// What both ends of an HTTP/2 connection do: bytes from the channel into the codec, events to receivers, output back.
///
/// Abstract and loop-confined. One handler for all streams; a stream is a reference into the codec's table. What streams
/// write within one turn of the event loop leaves in one flush.
class HTTP2Session: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let codec: HTTP2Connection
    private(set) var context: ChannelHandlerContext?
    private struct Entry {
        var id: UInt32 = 0
        var receiver: (any HTTPStreamReceiver)?
    }

    /// Who takes what comes on the stream in each slot.
    private var entries: [Entry] = []
    /// Who got something with this read and waits for the word to flush.
    private var touched: [any HTTPStreamReceiver] = []
    private var isInReadCycle = false
    private var flushIsScheduled = false
    private var lateResetsAreScheduled = false
    /// Takes the place of the codec's output while that is written.
    private var spare = HTTP2Output()
    private var socket = SocketWriter()
    /// Nothing is read any more, and no timer may begin.
    private(set) var isClosing = false
    private let keepAlive: HTTP2KeepAlive
    private var keepAliveTimer: Scheduled<Void>?
    private var awaitsPing = false
    private var sawBytes = false

    init(role: HTTP2Connection.Role, configuration: HTTP2TransportOptions) {
        codec = HTTP2Connection(role: role, options: configuration.codec, statistics: configuration.statistics)
        keepAlive = configuration.keepAlive
    }

    // MARK: - For the two ends

    func handle(_ event: HTTP2Event) {}
    /// A stream ended, or limits changed.
    func streamsChanged() {}

    func register(_ receiver: any HTTPStreamReceiver, _ ref: HTTP2StreamRef) {
        while entries.count <= ref.slot { entries.append(Entry()) }
        entries[ref.slot] = Entry(id: ref.id, receiver: receiver)
    }

    /// Who takes what comes on the stream; forgotten at once when the stream is gone from the codec.
    func receiver(_ ref: HTTP2StreamRef) -> (any HTTPStreamReceiver)? {
        guard owns(ref) else { return nil }
        let receiver = entries[ref.slot].receiver
        if !codec.contains(ref) { forget(ref) }
        return receiver
    }

    /// Whether the slot is still this stream's.
    func owns(_ ref: HTTP2StreamRef) -> Bool { ref.slot < entries.count && entries[ref.slot].id == ref.id }

    func forget(_ ref: HTTP2StreamRef) { if owns(ref) { entries[ref.slot] = Entry() } }

    /// Notes that the receiver is to hear ``HTTPStreamReceiver/readComplete()``.
    func touch(_ receiver: any HTTPStreamReceiver) {
        if let last = touched.last, last === receiver { return }
        touched.append(receiver)
    }

    /// Nothing between the codec and the socket changes what is written.
    func writeDirectly(to channel: any Channel) { socket.attach(to: channel) }

    // MARK: - Channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        codec.isTransportWritable = context.channel.isWritable
        codec.start()
        if context.channel.isActive { flush() }
        scheduleKeepAlive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        flush()
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosing else { return }
        isInReadCycle = true
        sawBytes = true
        codec.receive(unwrapInboundIn(data), now: NIODeadline.now().uptimeNanoseconds / 1_000_000)
        drainEvents()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        for receiver in touched { receiver.readComplete() }
        touched.removeAll(keepingCapacity: true)
        isInReadCycle = false
        flush()
        context.fireChannelReadComplete()
    }

    private func drainEvents() {
        while let event = codec.next() { dispatch(event) }
    }

    private func dispatch(_ event: HTTP2Event) {
        switch event {
        case .data(let ref, let bytes, let endStream):
            guard let receiver = receiver(ref) else { return }
            if bytes.readableBytes > 0 { receiver.receive(body: bytes) }
            guard endStream else { return touch(receiver) }
            receiver.receiveEnd(trailers: nil)
            streamsChanged()
        case .trailers(let ref, let trailers):
            receiver(ref)?.receiveEnd(trailers: trailers)
            streamsChanged()
        case .reset(let ref, let code, let isRemote):
            let reason: StreamReset = code == .refusedStream ? .refused : isRemote ? .remote : .protocolError
            receiver(ref)?.receive(reset: reason)
            streamsChanged()
        case .writable(let ref): receiver(ref)?.writabilityChanged(codec.isWritable(ref))
        case .pingAcknowledged: awaitsPing = false
        case .failed: close()
        default: handle(event)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        codec.isTransportWritable = context.channel.isWritable
        drainEvents()
        for slot in 0..<codec.slotCount {
            guard let ref = codec.stream(at: slot) else { continue }
            receiver(ref)?.writabilityChanged(codec.isWritable(ref))
        }
        scheduleFlush()
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            flush()
            context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) {
        isClosing = true
        socket.detach()
        keepAliveTimer?.cancel()
        codec.close()
        failStreams(.connectionClosed)
        context.fireChannelInactive()
    }

    private func failStreams(_ reason: StreamReset) {
        for (slot, entry) in entries.enumerated() where entry.receiver != nil {
            forget(HTTP2StreamRef(id: entry.id, slot: slot))
            entry.receiver?.receive(reset: reason)
        }
    }

    // MARK: - Output

    /// Sends what was written so far, at the end of this turn of the event loop.
    func scheduleFlush() {
        guard !isInReadCycle, !flushIsScheduled, codec.hasOutput, let context else { return }
        flushIsScheduled = true
        context.eventLoop.assumeIsolated().execute { [self] in
            flushIsScheduled = false
            flush()
        }
    }

    func flush() {
        guard let context, codec.hasOutput else { return }
        if codec.owesResets, !lateResetsAreScheduled { scheduleLateResets(context) }
        if codec.output.sendWhole({ socket.transmit(&$0, context) }) {
            codec.output.recycle()
            return noteDrained(context)
        }
        guard context.channel.isActive else { return }
        // A write may change the channel's writability at once, and then streams write more.
        var outgoing = spare
        spare = HTTP2Output()
        swap(&outgoing, &codec.output)
        socket.noteChannelWrite()
        outgoing.take { context.write(wrapOutboundOut($0), promise: nil) }
        context.flush()
        outgoing.recycle()
        spare = outgoing
        noteDrained(context)
    }

    /// Leaves clients time to read a whole response before they learn that their request is not read any more: 100 to
    /// 200 ms.
    private func scheduleLateResets(_ context: ChannelHandlerContext) {
        lateResetsAreScheduled = true
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(100)) { [weak self] in
            guard let self, !self.isClosing, let context = self.context else { return }
            self.lateResetsAreScheduled = false
            self.codec.sendLateResets()
            if self.codec.owesResets { self.scheduleLateResets(context) }
            self.flush()
        }
    }

    /// Tells the codec that nothing waits to leave, when it matters.
    private func noteDrained(_ context: ChannelHandlerContext) {
        guard codec.outboundFrames > 100,
            (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0 == 0
        else { return }
        codec.outputDrained()
    }

    /// Closes after GOAWAY has left; what still comes is dropped, so that no reset overtakes it.
    func close() {
        guard !isClosing, let context else { return }
        flush()
        isClosing = true
        failStreams(.protocolError)
        context.close(mode: .output, promise: nil)
        context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { [weak self] in
            self?.context?.close(promise: nil)
        }
    }

    // MARK: - Keep-alive

    /// A PING when nothing came for an interval; no answer within the timeout ends the connection.
    private func scheduleKeepAlive() {
        guard let interval = keepAlive.interval, !isClosing, let context else { return }
        keepAliveTimer = context.eventLoop.assumeIsolated().scheduleTask(in: interval) { [weak self] in
            guard let self, !self.isClosing else { return }
            if self.sawBytes {
                self.sawBytes = false
                return self.scheduleKeepAlive()
            }
            self.awaitsPing = true
            self.codec.sendKeepAlive()
            self.flush()
            self.awaitPing()
        }
    }

    private func awaitPing() {
        guard let context else { return }
        keepAliveTimer = context.eventLoop.assumeIsolated().scheduleTask(in: keepAlive.timeout) { [weak self] in
            guard let self, !self.isClosing else { return }
            guard self.awaitsPing else { return self.scheduleKeepAlive() }
            self.codec.fail(.noError, .keepAliveTimeout)
            self.drainEvents()
        }
    }
}
