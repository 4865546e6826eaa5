import NIOCore
import WeftHTTP

/// The downstream end of an HTTP/2 connection.
final class HTTP2Downstream: HTTP2Session {
    /// Takes the next request; may be replaced between two.
    var delegate: any DownstreamConnectionDelegate
    private let limits: DownstreamLimits
    private var requests = 0
    private var idleTimer: Scheduled<Void>?
    private var idleSince: NIODeadline = .now()
    private var headTimer: Scheduled<Void>?

    init(delegate: any DownstreamConnectionDelegate, limits: DownstreamLimits) {
        self.delegate = delegate
        self.limits = limits
        super.init(role: .server, configuration: limits.http2)
    }

    override func handlerAdded(context: ChannelHandlerContext) {
        super.handlerAdded(context: context)
        // The first write may have met a connection that was reset.
        startIdleTimer(after: limits.idleTimeout)
    }

    override func handle(_ event: HTTP2Event) {
        switch event {
        case .request(let ref, let head, let endStream):
            countRequest()
            let stream = HTTP2DownstreamStream(session: self, ref: ref)
            let receiver = delegate.open(stream: stream, head: head, endStream: endStream)
            guard codec.contains(ref) else { return streamsChanged() }
            register(receiver, ref)
            if !endStream { touch(receiver) }
        case .headersTooLarge(let ref):
            delegate.refuse(stream: HTTP2DownstreamStream(session: self, ref: ref), error: .headersTooLarge)
        default: break
        }
    }

    private func countRequest() {
        requests += 1
        if let most = limits.maximumRequests, requests >= most { drain() }
    }

    override func channelInactive(context: ChannelHandlerContext) {
        idleTimer?.cancel()
        headTimer?.cancel()
        super.channelInactive(context: context)
        delegate.connectionClosed()
    }

    /// Says goodbye: streams under way finish, and so do those that cross the first GOAWAY.
    func drain() {
        guard !codec.isDraining, let context else { return }
        codec.startDrain()
        scheduleFlush()
        context.eventLoop.assumeIsolated().scheduleTask(in: limits.http2.drainTimeout) { [weak self] in
            guard let self else { return }
            self.codec.finishDrain()
            self.flush()
            self.closeIfDrained()
        }
    }

    private func closeIfDrained() { if codec.isDrained { close() } }

    override func channelReadComplete(context: ChannelHandlerContext) {
        super.channelReadComplete(context: context)
        if limits.headTimeout != nil { watchHead() }
        closeIfDrained()
    }

    /// A head in several frames that does not come to its end: nothing else can be said on the connection meanwhile.
    private func watchHead() {
        guard codec.isInHeaderBlock, let limit = limits.headTimeout, let context else {
            headTimer?.cancel()
            headTimer = nil
            return
        }
        guard headTimer == nil else { return }
        headTimer = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { [weak self] in
            guard let self, self.codec.isInHeaderBlock else { return }
            self.close()
        }
    }

    override func streamsChanged() {
        guard codec.streamCount == 0 else { return }
        idleSince = .now()
        closeIfDrained()
    }

    /// One timer for the connection, moved only when it fires.
    private func startIdleTimer(after span: TimeAmount?) {
        guard let span, !isClosing, let limit = limits.idleTimeout, let context else { return }
        idleTimer = context.eventLoop.assumeIsolated().scheduleTask(in: span) { [weak self] in
            guard let self else { return }
            guard self.codec.streamCount == 0 else { return self.startIdleTimer(after: limit) }
            let rest = limit - (NIODeadline.now() - self.idleSince)
            if rest > .zero { return self.startIdleTimer(after: rest) }
            self.drain()
            self.codec.finishDrain()
            self.close()
        }
    }
}

/// One request on an HTTP/2 downstream connection.
final class HTTP2DownstreamStream: DownstreamStream {
    private let session: HTTP2Downstream
    private let ref: HTTP2StreamRef

    init(session: HTTP2Downstream, ref: HTTP2StreamRef) {
        self.session = session
        self.ref = ref
    }

    override func respond(_ head: ResponseHead, endStream: Bool) {
        session.codec.send(head, on: ref, endStream: endStream)
        if endStream { finish() }
    }
    override func inform(_ head: ResponseHead) {
        session.codec.send(head, on: ref, endStream: false)
        session.scheduleFlush()
    }
    override func write(body: ByteBuffer) { session.codec.send(body, on: ref) }
    override func writeEnd(trailers: HeaderBlock?) {
        session.codec.sendEnd(on: ref, trailers: trailers)
        finish()
    }
    private func finish() {
        session.scheduleFlush()
        guard !session.codec.contains(ref) else { return }
        session.forget(ref)
        session.streamsChanged()
    }
    override func flush() { session.scheduleFlush() }
    override var batchesReads: Bool { true }
    override func reset() {
        session.codec.reset(ref, .internalError)
        finish()
    }
    override func setReading(_ on: Bool) {
        session.codec.setReading(ref, on)
        session.scheduleFlush()
    }
    override var isWritable: Bool { session.codec.isWritable(ref) }
    override func closeAfterResponse() { session.drain() }
}
