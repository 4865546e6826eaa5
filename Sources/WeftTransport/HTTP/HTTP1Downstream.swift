package import NIOCore
package import WeftHTTP

/// Limits of a downstream HTTP/1.1 connection.
package struct DownstreamLimits: Sendable {
    package var head = HTTP1Limits()
    package var idleTimeout: TimeAmount?
    package var maximumRequests: Int?
    /// How long the connection may live before it is drained (`max_connection_duration`).
    package var maximumDuration: TimeAmount?
    package var http2 = HTTP2TransportOptions()
    /// How long the head of a request may take from its first byte (`request_headers_timeout`).
    package var headTimeout: TimeAmount?
    /// How long a client may take to notice that the connection ends (`delayed_close_timeout`); zero does not wait.
    package var closeDelay = TimeAmount.seconds(1)
    package init() {}
}

/// The downstream end of an HTTP/1.1 connection.
///
/// Loop-confined. One exchange at a time: what is pipelined waits in the parser until the response is out, so replies
/// leave in order.
final class HTTP1Downstream: BatchedFlush, ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase { case idle, exchange, tunnel, closing }

    /// Takes the next request; may be replaced between two.
    var delegate: any DownstreamConnectionDelegate
    private let limits: DownstreamLimits
    private var parser: HTTP1RequestParser
    private var input = ByteBuffer()
    private var context: ChannelHandlerContext?
    private var phase = Phase.idle
    private var receiver: (any HTTPStreamReceiver)?
    private var requestEnded = false
    private var responseEnded = false
    private var keepAlive = true
    private var chunked = false
    private var isHTTP10 = false
    private var isHead = false
    /// The parser has not yet said that the request is over.
    private var endPending = false
    private var awaitsUpgrade = false
    private var isParsing = false
    private var isReading = true
    private var requests = 0
    private var draining = false
    /// Too late to say that the connection ends with the answer under way.
    private var isHeadSent = false
    /// Runs once per limit, not once per request: when it fires it looks how long the connection has been idle.
    private var idleTimer: Scheduled<Void>?
    private var idleSince = NIODeadline.distantPast
    private var headTimer: Scheduled<Void>?
    fileprivate private(set) var isWritable = true
    private var stream: HTTP1DownstreamStream?

    init(delegate: any DownstreamConnectionDelegate, limits: DownstreamLimits, flushes: FlushBatch? = nil) {
        self.delegate = delegate
        self.limits = limits
        self.parser = HTTP1RequestParser(limits: limits.head)
        super.init(flushes: flushes)
    }

    override var outputContext: ChannelHandlerContext? { context }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        idleSince = .now()
        if let limit = limits.idleTimeout { watchIdle(after: limit) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        flushes?.clock.stop()
        defer { flushes?.clock.goOn() }
        if phase == .tunnel {
            receiver?.receive(body: bytes)
            return
        }
        if input.readableBytes == 0 { input = bytes } else { input.writeBuffer(&bytes) }
        // A pipelined request waits in the parser, and so does its sender.
        if (phase == .exchange && requestEnded) || (phase == .idle && !isWritable) { setReading(false) }
        parse()
    }

    private func parse() {
        guard !isParsing else { return }
        isParsing = true
        defer { isParsing = false }
        // Who does not read the answers gets no more of them: the next request waits until the last answer has left.
        while (phase == .idle && isWritable) || (phase == .exchange && endPending) {
            do {
                if parser.expectsHead() {
                    guard let head = try parser.nextHead(from: &input) else { break }
                    begin(consume head)
                } else {
                    guard let part = try parser.nextPart(from: &input) else { break }
                    handle(part)
                }
            } catch {
                return refuse(error.status == 431 ? .headersTooLarge : .malformed)
            }
        }
        if phase == .idle { setReading(isWritable) }
        if limits.headTimeout != nil { watchHead() }
        // The bytes of a finished request are not kept for the sake of a place in their buffer.
        if input.readableBytes == 0 { input = ByteBuffer() }
    }

    /// Runs while a part of a head is there.
    private func watchHead() {
        guard phase == .idle, input.readableBytes > 0, let limit = limits.headTimeout else {
            headTimer?.cancel()
            headTimer = nil
            return
        }
        guard headTimer == nil, isWritable else { return }
        headTimer = context?.eventLoop.assumeIsolated().scheduleTask(in: limit) { [self] in
            headTimer = nil
            guard phase == .idle else { return }
            refuse(.timeout)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { receiver?.readComplete() }

    private func handle(_ part: HTTP1Part) {
        switch part {
        case .body(let bytes): receiver?.receive(body: bytes)
        case .end(let trailers):
            endPending = false
            if requestEnded { return finishIfDone() }
            requestEnded = true
            receiver?.receiveEnd(trailers: trailers)
            finishIfDone()
        }
    }

    private func begin(_ head: consuming RequestHead) {
        // A request without a body still gives an end event, which finds the request ended already.
        let isEmpty = head.framing == .none || head.framing == .length(0)
        let endStream = isEmpty && !head.method.isConnect && !head.wantsUpgrade
        phase = .exchange
        requests += 1
        requestEnded = endStream
        responseEnded = false
        isHeadSent = false
        self.keepAlive = head.keepAlive && !draining && limits.maximumRequests.map { requests < $0 } ?? true
        isHTTP10 = head.version == .http10
        isHead = head.method.isHead
        awaitsUpgrade = head.method.isConnect || head.wantsUpgrade
        endPending = true
        if !endStream { setReading(true) }
        let opened = delegate.open(stream: currentStream(), head: head, endStream: endStream)
        if phase == .exchange { receiver = opened }
        finishIfDone()
    }

    private func currentStream() -> HTTP1DownstreamStream {
        if let stream { return stream }
        let made = HTTP1DownstreamStream(self)
        stream = made
        return made
    }

    private func refuse(_ error: RequestError) {
        keepAlive = false
        if phase == .exchange {
            let old = receiver
            receiver = nil
            old?.receive(reset: .protocolError)
            close()
            return
        }
        phase = .exchange
        requestEnded = true
        responseEnded = false
        delegate.refuse(stream: currentStream(), error: error)
    }

    private func finishIfDone() {
        guard phase == .exchange, responseEnded else { return }
        // The end event of a request without a body is still in the parser: the loop that reads on will find it.
        if requestEnded, endPending, isParsing { return }
        if !requestEnded {
            // The reply is complete before the request is (an early refusal): this connection cannot be reused.
            phase = .closing
            receiver = nil
            close(mode: .output)
            linger()
            return
        }
        receiver = nil
        guard keepAlive else {
            phase = .closing
            close()
            return
        }
        if awaitsUpgrade { parser.rejectUpgrade() }
        awaitsUpgrade = false
        phase = .idle
        if limits.idleTimeout != nil { idleSince = flushes?.clock.now ?? .now() }
        // What is there already comes first: reading on for each answer would gather requests faster than it answers.
        if input.readableBytes == 0 { setReading(isWritable) }
        if !isParsing, isWritable, input.readableBytes > 0, let context {
            context.eventLoop.assumeIsolated().execute { [self] in
                parse()
                receiver?.readComplete()
            }
        }
    }

    private func watchIdle(after span: TimeAmount) {
        idleTimer = context?.eventLoop.assumeIsolated().scheduleTask(in: span) { [self] in
            guard let limit = limits.idleTimeout, context != nil else { return }
            guard phase == .idle else { return watchIdle(after: limit) }
            let rest = limit - (NIODeadline.now() - idleSince)
            if rest <= .nanoseconds(0) { close() } else { watchIdle(after: rest) }
        }
    }

    /// Waits for the peer to close, so that it can read our answer although it still sends.
    private func linger() {
        idleTimer?.cancel()
        guard limits.closeDelay > .zero else { return close() }
        idleTimer = context?.eventLoop.assumeIsolated().scheduleTask(in: limits.closeDelay) { [self] in
            close()
        }
    }

    /// - Parameter closesIdle: False tells the client with the next answer, so that no request of its meets a closed
    ///   connection; an answer whose head has left already is not the last one then.
    func drain(closesIdle: Bool = true) {
        draining = true
        if closesIdle || !isHeadSent { keepAlive = false }
        if closesIdle, phase == .idle { close() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            switch phase {
            case .tunnel: receiver?.receiveEnd(trailers: nil)
            case .exchange where requestEnded: keepAlive = false
            default: close()
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        receiver?.writabilityChanged(isWritable)
        guard isWritable, phase == .idle else { return }
        parse()
        receiver?.readComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) {
        idleTimer?.cancel()
        idleTimer = nil
        headTimer?.cancel()
        headTimer = nil
        stream = nil
        self.context = nil
        dropSocket()
        phase = .closing
        let old = receiver
        receiver = nil
        old?.receive(reset: .connectionClosed)
        delegate.connectionClosed()
    }

    // MARK: writing, for the stream

    fileprivate func inform(_ head: ResponseHead) {
        guard context != nil, phase == .exchange, !isHTTP10 else { return }
        withOutput { HTTP1Serializer.write(head, into: &$0) }
        flush()
    }

    fileprivate func respond(_ head: ResponseHead, endStream: Bool) {
        guard phase == .exchange else { return }
        let isTunnel = head.status == 101 || head.framing == .tunnel
        let contentLength = head.headers.contentLength
        let stated = contentLength?.value
        let framing: BodyFraming
        if isTunnel || isHead || head.status == 204 || head.status == 304 {
            framing = .none
        } else if endStream {
            framing = .length(0)
        } else if let stated {
            framing = .length(stated)
        } else {
            framing = isHTTP10 ? .untilClose : .chunked
            if isHTTP10 { keepAlive = false }
        }
        chunked = framing == .chunked
        // What is left of the request would be taken for the next one: this connection ends with the reply.
        let isWhole = endStream || stated != nil
        if endPending, !requestEnded, !awaitsUpgrade, isWhole { keepAlive = false }
        // Bytes after a refused upgrade may be the other protocol's.
        if awaitsUpgrade, !isTunnel { keepAlive = false }
        isHeadSent = true
        // What was read above need not be read again to be kept.
        let isStated = contentLength?.isOnly == true && framing == stated.map { .length($0) }
        let option: HTTP1Serializer.Connection =
            isTunnel
            ? (head.status == 101 ? .upgrade : .unspecified)
            : keepAlive ? (isHTTP10 ? .keepAlive : .unspecified) : .close
        withOutput { HTTP1Serializer.write(head, framing: framing, connection: option, isStated: isStated, into: &$0) }
        if endStream { end() }
    }

    fileprivate func write(_ body: ByteBuffer) {
        guard phase == .tunnel || (phase == .exchange && !isHead) else { return }
        guard body.readableBytes > 0 else { return }
        writeBody(body, chunked: chunked)
    }

    fileprivate func writeEnd(_ trailers: HeaderBlock?) {
        guard context != nil else { return }
        if phase == .tunnel {
            flush()
            close(mode: .output)
            return
        }
        guard phase == .exchange else { return }
        if chunked { withOutput { HTTP1Serializer.writeEnd(trailers, into: &$0) } }
        end()
    }

    private func end() {
        flush(endsMessage: true)
        responseEnded = true
        finishIfDone()
    }

    fileprivate func startTunnel() {
        guard phase == .exchange else { return }
        phase = .tunnel
        chunked = false
        setReading(true)
        let rest = input
        input = ByteBuffer()
        guard rest.readableBytes > 0 else { return }
        receiver?.receive(body: rest)
        receiver?.readComplete()
    }

    fileprivate func setReading(_ on: Bool) {
        guard on != isReading, let context else { return }
        isReading = on
        try? context.channel.syncOptions?.setOption(.autoRead, value: on)
        if on { context.read() }
    }

    /// What was written leaves before the connection closes.
    private func close(mode: CloseMode = .all) {
        flushNow()
        context?.close(mode: mode, promise: nil)
    }
    fileprivate func abort() {
        receiver = nil
        close()
    }
    fileprivate func closeAfter() { keepAlive = false }
}

/// The request under way on an HTTP/1.1 downstream connection.
final class HTTP1DownstreamStream: DownstreamStream {
    private let handler: HTTP1Downstream

    init(_ handler: HTTP1Downstream) { self.handler = handler }

    override func respond(_ head: ResponseHead, endStream: Bool) { handler.respond(head, endStream: endStream) }
    override func inform(_ head: ResponseHead) { handler.inform(head) }
    override func write(body: ByteBuffer) { handler.write(body) }
    override func writeEnd(trailers: HeaderBlock?) { handler.writeEnd(trailers) }
    override func flush() { handler.flush() }
    override func reset() { handler.abort() }
    override func setReading(_ on: Bool) { handler.setReading(on) }
    override var isWritable: Bool { handler.isWritable }
    override var batchesReads: Bool { true }
    override func startTunnel() { handler.startTunnel() }
    override func closeAfterResponse() { handler.closeAfter() }
}
