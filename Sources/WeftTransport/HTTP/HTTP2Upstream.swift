import NIOCore
import NIOHPACK
import NIOHTTP2
import WeftHTTP

/// The upstream end of an HTTP/2 connection.
final class HTTP2Upstream: HTTP2Session {
    private var nextID = HTTP2StreamID(1)
    let connection: HTTP2UpstreamConnection
    var isClosed = false

    init(connection: HTTP2UpstreamConnection) { self.connection = connection }

    func open(_ receiver: any ResponseReceiver) -> HTTP2StreamID? {
        guard !isGoingAway, !isClosed, context != nil else { return nil }
        let id = nextID
        nextID = nextID.advanced(by: 2)
        let entry = Entry()
        entry.receiver = receiver
        streams[id] = entry
        return id
    }

    override func headersReceived(_ id: HTTP2StreamID, _ entry: Entry?, _ frame: HTTP2Frame.FramePayload.Headers) {
        guard let entry, let receiver = entry.receiver as? any ResponseReceiver else { return }
        if entry.receivedHead {
            if frame.endStream { endReceived(id, entry, trailers: HeaderBlock(frame.headers)) }
            return
        }
        guard let head = ResponseHead(frame.headers, endStream: frame.endStream) else {
            abort(id)
            return receiver.receive(reset: .protocolError)
        }
        if head.status < 200 { return receiver.receive(informational: head) }
        entry.receivedHead = true
        entry.receivedEnd = frame.endStream
        receiver.receive(head: head, endStream: frame.endStream)
        finishIfDone(id, entry)
    }

    override func streamEnded() { connection.changed(isClosed: false) }

    override func goAwayReceived(last: HTTP2StreamID) {
        if streams.isEmpty { context?.close(promise: nil) }
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

    init(channel: any Channel, maxStreams: Int) {
        self.channel = channel
        self.maxStreams = maxStreams
        super.init()
        session = HTTP2Upstream(connection: self)
    }

    func changed(isClosed: Bool) {
        onChange?(self, isClosed)
        guard isClosed else { return }
        onChange = nil
        session = nil  // breaks the cycle
    }
    override func open(_ receiver: any ResponseReceiver) -> UpstreamStream? {
        guard let session, let id = session.open(receiver) else { return nil }
        return HTTP2UpstreamStream(session: session, connection: self, id: id)
    }
    override func drain() {
        session?.isGoingAway = true
        if activeStreams == 0 { close() }
    }
    override func close() { channel.close(promise: nil) }
    override var activeStreams: Int { session?.streams.count ?? 0 }
    override var capacity: Int {
        guard let session, !session.isGoingAway, !session.isClosed else { return 0 }
        return max(0, maxStreams - session.streams.count)
    }
}

/// One request on an HTTP/2 upstream connection.
final class HTTP2UpstreamStream: UpstreamStream {
    private let session: HTTP2Upstream
    private let connection: HTTP2UpstreamConnection
    private let id: HTTP2StreamID

    init(session: HTTP2Upstream, connection: HTTP2UpstreamConnection, id: HTTP2StreamID) {
        self.session = session
        self.connection = connection
        self.id = id
    }

    override func send(_ head: RequestHead, endStream: Bool) {
        session.write(id, headers: HPACKHeaders(head), endStream: endStream)
    }
    override func write(body: ByteBuffer) { session.write(id, body: body) }
    override func writeEnd(trailers: HeaderBlock?) { session.writeEnd(id, trailers: trailers) }
    override func flush() { session.context?.flush() }
    override func reset() { session.abort(id) }
    override func setReading(_ on: Bool) { session.setReading(id, on) }
    override var isWritable: Bool { session.context?.channel.isWritable ?? false }
    override var localAddress: SocketAddress? { session.context?.channel.localAddress }
}
