import NIOCore
import WeftHTTP

/// The upstream end of an HTTP/2 connection.
final class HTTP2Upstream: HTTP2Session {
    let connection: HTTP2UpstreamConnection
    var isDraining = false
    private(set) var isClosed = false
    /// Who waits for the head of a response, by slot; kept typed, because a cast costs more than all else here.
    private var responders: [(any ResponseReceiver)?] = []

    init(connection: HTTP2UpstreamConnection, configuration: HTTP2TransportOptions) {
        self.connection = connection
        super.init(role: .client, configuration: configuration)
    }

    func open(_ receiver: any ResponseReceiver) -> HTTP2StreamRef? {
        guard !isDraining, !isClosed, context != nil, let ref = codec.open() else { return nil }
        register(receiver, ref)
        while responders.count <= ref.slot { responders.append(nil) }
        responders[ref.slot] = receiver
        return ref
    }

    override func forget(_ ref: HTTP2StreamRef) {
        if owns(ref) { responders[ref.slot] = nil }
        super.forget(ref)
    }

    override func handle(_ event: HTTP2Event) {
        switch event {
        case .informational(let ref, let head): if owns(ref) { responders[ref.slot]?.receive(informational: head) }
        case .response(let ref, let head, let endStream):
            guard owns(ref), let receiver = responders[ref.slot] else { return }
            if !codec.contains(ref) { forget(ref) }
            receiver.receive(head: head, endStream: endStream)
            if endStream { streamsChanged() } else { touch(receiver) }
        case .settings, .goAway: streamsChanged()
        default: break
        }
    }

    override func streamsChanged() {
        if isDraining || codec.peerIsGoingAway, codec.streamCount == 0 { context?.close(promise: nil) }
        connection.changed(isClosed: false)
    }

    override func channelInactive(context: ChannelHandlerContext) {
        isClosed = true
        super.channelInactive(context: context)
        connection.changed(isClosed: true)
    }
}

/// A pooled HTTP/2 connection.
final class HTTP2UpstreamConnection: UpstreamHTTPConnection {
    private(set) var session: HTTP2Upstream?
    private let channel: any Channel
    private let maxStreams: Int

    init(channel: any Channel, maxStreams: Int, configuration: HTTP2TransportOptions) {
        self.channel = channel
        self.maxStreams = maxStreams
        super.init()
        session = HTTP2Upstream(connection: self, configuration: configuration)
    }

    override var tlsFacts: TLSFacts? { TLSFacts(channel) }

    func changed(isClosed: Bool) {
        onChange?(self, isClosed)
        guard isClosed else { return }
        onChange = nil
        session = nil  // breaks the cycle
    }
    override func open(_ receiver: any ResponseReceiver) -> UpstreamStream? {
        guard let session, session.codec.streamCount < maxStreams, let ref = session.open(receiver) else { return nil }
        return HTTP2UpstreamStream(session: session, ref: ref)
    }
    override func drain() {
        session?.isDraining = true
        if activeStreams == 0 { close() }
    }
    override func close() { channel.close(promise: nil) }
    override var activeStreams: Int { session?.codec.streamCount ?? 0 }
    override var isMultiplexed: Bool { true }
    override var capacity: Int {
        guard let session, !session.isDraining, !session.isClosed else { return 0 }
        return max(0, min(maxStreams - session.codec.streamCount, session.codec.capacity))
    }
}

/// One request on an HTTP/2 upstream connection.
final class HTTP2UpstreamStream: UpstreamStream {
    private let session: HTTP2Upstream
    private let ref: HTTP2StreamRef

    init(session: HTTP2Upstream, ref: HTTP2StreamRef) {
        self.session = session
        self.ref = ref
    }

    override func write(head: inout RequestHead, endStream: Bool) {
        session.codec.send(head, on: ref, endStream: endStream)
    }
    override func headWritten(endStream: Bool) { if endStream { finish() } }
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
        session.codec.reset(ref, .cancel)
        finish()
    }
    override func setReading(_ on: Bool) {
        session.codec.setReading(ref, on)
        session.scheduleFlush()
    }
    override var isWritable: Bool { session.codec.isWritable(ref) }
    override var localAddress: SocketAddress? { session.context?.channel.localAddress }
}
