import NIOCore
import NIOSSL
import WeftHTTP

/// The upstream end of an HTTP/1.1 connection. Loop-confined; one exchange at a time, never pipelined.
final class HTTP1Upstream: BatchedFlush, ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase { case idle, exchange, tunnel, closed }

    let connection: HTTP1UpstreamConnection
    private(set) var phase = Phase.idle
    private(set) var context: ChannelHandlerContext?
    private var parser: HTTP1ResponseParser
    private var input = ByteBuffer()
    private var endedWithHead = false
    private var receiver: (any ResponseReceiver)?
    private var requestEnded = false
    private var responseEnded = false
    private var keepAlive = true
    private var chunked = false
    private var transportFailure: String?
    /// The pool's connector leaves reading off; the pool turns it on.
    private var isReading = true
    private(set) var isWritable = true

    init(connection: HTTP1UpstreamConnection, flushes: FlushBatch?, limits: HTTP1Limits) {
        parser = HTTP1ResponseParser(limits: limits)
        self.connection = connection
        super.init(flushes: flushes)
    }

    override var outputContext: ChannelHandlerContext? { context }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func begin(_ receiver: any ResponseReceiver) -> Bool {
        guard phase == .idle, keepAlive, context != nil else { return false }
        phase = .exchange
        self.receiver = receiver
        requestEnded = false
        responseEnded = false
        return true
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        flushes?.clock.stop()
        defer { flushes?.clock.goOn() }
        switch phase {
        case .tunnel: receiver?.receive(body: bytes)
        case .exchange:
            if input.readableBytes == 0 { input = bytes } else { input.writeBuffer(&bytes) }
            parse()
        case .idle, .closed: context.close(promise: nil)  // bytes nobody asked for
        }
    }

    private func parse() {
        do {
            while phase == .exchange {
                if parser.expectsHead() {
                    guard let head = try parser.nextHead(from: &input) else { break }
                    if head.isInformational { receiver?.receive(informational: head) } else { begin(consume head) }
                } else {
                    guard let part = try parser.nextPart(from: &input) else { break }
                    handle(part)
                }
            }
        } catch { fail(.protocolError) }
        if input.readableBytes == 0 { input = ByteBuffer() }
    }

    func channelReadComplete(context: ChannelHandlerContext) { receiver?.readComplete() }

    private func begin(_ head: consuming ResponseHead) {
        keepAlive = keepAlive && head.keepAlive
        // The parser's end event follows a head without a body at once.
        endedWithHead = head.framing == .none || head.framing == .length(0)
        receiver?.receive(head: head, endStream: endedWithHead)
    }

    private func handle(_ part: HTTP1Part) {
        switch part {
        case .body(let bytes): receiver?.receive(body: bytes)
        case .end(let trailers):
            responseEnded = true
            if !endedWithHead { receiver?.receiveEnd(trailers: trailers) }
            finishIfDone()
        }
    }

    private func finishIfDone() {
        guard phase == .exchange, responseEnded else { return }
        receiver = nil
        // Bytes after the answer belong to no request: they must not become the next one's.
        guard requestEnded, keepAlive, input.readableBytes == 0 else {
            phase = .closed
            context?.close(promise: nil)
            return
        }
        phase = .idle
        setReading(true)
        connection.changed(isClosed: false)
    }

    private func fail(_ reason: StreamReset) {
        let old = receiver
        receiver = nil
        phase = .closed
        context?.close(promise: nil)
        old?.receive(reset: reason)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            switch phase {
            case .tunnel: receiver?.receiveEnd(trailers: nil)
            case .exchange:
                keepAlive = false
                if let last = try? parser.finish() { handle(last) }
                if phase == .exchange { fail(.connectionClosed) }
            case .idle, .closed: context.close(promise: nil)
            }
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        receiver?.writabilityChanged(isWritable)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        // A peer that closes without a word of TLS has closed, and that is all.
        case NIOSSLError.uncleanShutdown: break
        case is NIOSSLError, is BoringSSLError: transportFailure = "\(error)"
        default: break
        }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if phase == .exchange, let last = try? parser.finish() { handle(last) }
        self.context = nil
        dropSocket()
        phase = .closed
        let old = receiver
        receiver = nil
        old?.receive(reset: transportFailure.map { .transportFailure($0) } ?? .connectionClosed)
        connection.changed(isClosed: true)
    }

    // MARK: writing, for the stream

    /// Gathers the head; nothing is flushed yet.
    func write(head: inout RequestHead, endStream: Bool) {
        guard phase == .exchange else { return }
        let asksUpgrade = head.headers.contains(.upgrade)
        parser.begin(head.method, allowsUpgrade: asksUpgrade)
        let isUpgrade = head.method.isConnect || asksUpgrade
        let framing: BodyFraming
        if isUpgrade {
            framing = .none
        } else if let length = head.headers.statedLength {
            framing = .length(endStream ? 0 : length)
        } else if endStream {
            framing = Self.hasNoBody(head.method) ? .none : .length(0)
        } else {
            framing = .chunked
        }
        chunked = framing == .chunked
        let connection: HTTP1Serializer.Connection = isUpgrade && !head.method.isConnect ? .upgrade : .unspecified
        withOutput { HTTP1Serializer.write(head, framing: framing, connection: connection, into: &$0) }
    }

    func headWritten(endStream: Bool) { if endStream, phase == .exchange { end() } }

    /// Methods that usually have no body, of which nobody needs to be told that there is none.
    private static func hasNoBody(_ method: HTTPMethod) -> Bool {
        switch method {
        case .get, .head, .delete, .trace, .connect: true
        default: false
        }
    }

    func write(_ body: ByteBuffer) {
        guard phase == .tunnel || phase == .exchange else { return }
        guard body.readableBytes > 0 else { return }
        writeBody(body, chunked: chunked)
    }

    func writeEnd(_ trailers: HeaderBlock?) {
        guard let context else { return }
        if phase == .tunnel {
            flush()
            flushNow()
            context.close(mode: .output, promise: nil)
            return
        }
        guard phase == .exchange else { return }
        if chunked { withOutput { HTTP1Serializer.writeEnd(trailers, into: &$0) } }
        end()
    }

    private func end() {
        requestEnded = true
        flush(endsMessage: true)
        finishIfDone()
    }

    func startTunnel() {
        guard phase == .exchange else { return }
        phase = .tunnel
        chunked = false
        let rest = input
        input = ByteBuffer()
        guard rest.readableBytes > 0 else { return }
        receiver?.receive(body: rest)
        receiver?.readComplete()
    }

    func setReading(_ on: Bool) {
        guard on != isReading, let context else { return }
        isReading = on
        try? context.channel.syncOptions?.setOption(.autoRead, value: on)
        if on { context.read() }
    }

    func abort() {
        receiver = nil
        phase = .closed
        context?.close(promise: nil)
    }
}

/// A pooled HTTP/1.1 connection.
final class HTTP1UpstreamConnection: UpstreamHTTPConnection {
    private(set) var handler: HTTP1Upstream?
    private let channel: any Channel
    private var isDraining = false
    private var stream: HTTP1UpstreamStream?

    init(channel: any Channel, flushes: FlushBatch?, limits: HTTP1Limits) {
        self.channel = channel
        super.init()
        handler = HTTP1Upstream(connection: self, flushes: flushes, limits: limits)
    }

    override var tlsFacts: TLSFacts? { TLSFacts(channel) }

    func changed(isClosed: Bool) {
        if !isClosed, isDraining { return close() }
        onChange?(self, isClosed)
        guard isClosed else { return }
        onChange = nil
        // Breaks the cycles.
        handler = nil
        stream = nil
    }
    override func open(_ receiver: any ResponseReceiver) -> UpstreamStream? {
        guard let handler, handler.begin(receiver) else { return nil }
        if let stream { return stream }
        let made = HTTP1UpstreamStream(handler, connection: self)
        stream = made
        return made
    }
    override func drain() {
        isDraining = true
        if activeStreams == 0 { close() }
    }
    override func close() { channel.close(promise: nil) }
    override var activeStreams: Int { handler.map { $0.phase == .exchange || $0.phase == .tunnel ? 1 : 0 } ?? 0 }
    override var capacity: Int { !isDraining && handler?.phase == .idle ? 1 : 0 }
}

/// The request under way on an HTTP/1.1 upstream connection.
final class HTTP1UpstreamStream: UpstreamStream {
    private let handler: HTTP1Upstream
    private let connection: HTTP1UpstreamConnection

    init(_ handler: HTTP1Upstream, connection: HTTP1UpstreamConnection) {
        self.handler = handler
        self.connection = connection
    }

    override func write(head: inout RequestHead, endStream: Bool) { handler.write(head: &head, endStream: endStream) }
    override func headWritten(endStream: Bool) { handler.headWritten(endStream: endStream) }
    override func write(body: ByteBuffer) { handler.write(body) }
    override func writeEnd(trailers: HeaderBlock?) { handler.writeEnd(trailers) }
    override func flush() { handler.flush() }
    override func reset() { handler.abort() }
    override func setReading(_ on: Bool) { handler.setReading(on) }
    override var isWritable: Bool { handler.isWritable && handler.context != nil }
    override func startTunnel() { handler.startTunnel() }
    override var batchesReads: Bool { true }
    override var localAddress: SocketAddress? { handler.context?.channel.localAddress }
}
