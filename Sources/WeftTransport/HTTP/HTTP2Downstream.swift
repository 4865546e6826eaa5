import NIOCore
import NIOHPACK
import NIOHTTP2
import WeftHTTP

/// The downstream end of an HTTP/2 connection.
final class HTTP2Downstream: HTTP2Session {
    private let delegate: any DownstreamConnectionDelegate

    init(delegate: any DownstreamConnectionDelegate) { self.delegate = delegate }

    override func headersReceived(_ id: HTTP2StreamID, _ entry: Entry?, _ frame: HTTP2Frame.FramePayload.Headers) {
        if let entry {
            if frame.endStream { endReceived(id, entry, trailers: HeaderBlock(frame.headers)) }
            return
        }
        let entry = Entry()
        streams[id] = entry
        let stream = HTTP2DownstreamStream(session: self, id: id)
        guard let head = RequestHead(frame.headers, endStream: frame.endStream) else {
            entry.receivedEnd = frame.endStream
            return delegate.refuse(stream: stream, error: .malformed)
        }
        entry.receiver = delegate.open(stream: stream, head: head, endStream: frame.endStream)
        if frame.endStream {
            entry.receivedEnd = true
            finishIfDone(id, entry)
        }
    }

    override func channelInactive(context: ChannelHandlerContext) {
        super.channelInactive(context: context)
        delegate.connectionClosed()
    }

    /// Says goodbye: streams under way finish, no new ones are taken.
    func drain() {
        guard !isGoingAway else { return }
        isGoingAway = true
        send(
            .rootStream, .goAway(lastStreamID: streams.keys.max() ?? .rootStream, errorCode: .noError, opaqueData: nil))
        context?.flush()
        streamEnded()
    }

    override func streamEnded() {
        if isGoingAway, streams.isEmpty { context?.close(promise: nil) }
    }
}

/// One request on an HTTP/2 downstream connection.
final class HTTP2DownstreamStream: DownstreamStream {
    private let session: HTTP2Downstream
    private let id: HTTP2StreamID

    init(session: HTTP2Downstream, id: HTTP2StreamID) {
        self.session = session
        self.id = id
    }

    override func respond(_ head: ResponseHead, endStream: Bool) {
        session.write(id, headers: HPACKHeaders(head), endStream: endStream)
    }
    override func inform(_ head: ResponseHead) {
        session.write(id, headers: HPACKHeaders(head), endStream: false)
        session.context?.flush()
    }
    override func write(body: ByteBuffer) { session.write(id, body: body) }
    override func writeEnd(trailers: HeaderBlock?) { session.writeEnd(id, trailers: trailers) }
    override func flush() { session.context?.flush() }
    override func reset() { session.abort(id) }
    override func setReading(_ on: Bool) { session.setReading(id, on) }
    override var isWritable: Bool { session.context?.channel.isWritable ?? false }
    override func closeAfterResponse() { session.drain() }
}
