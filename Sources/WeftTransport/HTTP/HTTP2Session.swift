import NIOCore
import NIOHPACK
import NIOHTTP2
import WeftHTTP

/// What both ends of an HTTP/2 connection do with frames: one handler for all streams, no channel per stream.
///
/// Abstract and loop-confined. Window credit is given back as bytes are passed on, unless the stream is paused; then it
/// is kept until reading goes on, which is HTTP/2's own back-pressure.
class HTTP2Session: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    /// One stream as this handler sees it.
    final class Entry {
        var receiver: (any HTTPStreamReceiver)?
        var isReading = true
        var owedCredit = 0
        var receivedHead = false
        var receivedEnd = false
        var sentEnd = false
    }

    var streams: [HTTP2StreamID: Entry] = [:]
    private(set) var context: ChannelHandlerContext?
    private var rootCredit = 0
    var isGoingAway = false

    static let settings: HTTP2Settings = [
        HTTP2Setting(parameter: .maxConcurrentStreams, value: 1 << 20),
        HTTP2Setting(parameter: .maxHeaderListSize, value: 1 << 16),
        HTTP2Setting(parameter: .initialWindowSize, value: 1 << 18),
    ]

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // Overridden by the two ends.
    func headersReceived(_ id: HTTP2StreamID, _ entry: Entry?, _ frame: HTTP2Frame.FramePayload.Headers) {}
    func streamEnded() {}
    func goAwayReceived(last: HTTP2StreamID) {}

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.payload {
        case .headers(let headers):
            headersReceived(frame.streamID, streams[frame.streamID], headers)
        case .data(let content): receive(content, frame.streamID)
        case .rstStream(let code): reset(frame.streamID, code == .refusedStream ? .refused : .remote)
        case .goAway(let last, _, _):
            isGoingAway = true
            goAwayReceived(last: last)
        default: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if rootCredit > 0 {
            send(.rootStream, .windowUpdate(windowSizeIncrement: rootCredit))
            rootCredit = 0
        }
        context.flush()
        context.fireChannelReadComplete()
    }

    private func receive(_ content: HTTP2Frame.FramePayload.Data, _ id: HTTP2StreamID) {
        guard case .byteBuffer(let bytes) = content.data else { return }
        let size = bytes.readableBytes + (content.paddingBytes ?? 0)
        rootCredit += size
        guard let entry = streams[id] else { return }
        if !content.endStream, size > 0 {
            if entry.isReading {
                send(id, .windowUpdate(windowSizeIncrement: size))
            } else {
                entry.owedCredit += size
            }
        }
        if bytes.readableBytes > 0 { entry.receiver?.receive(body: bytes) }
        if content.endStream { endReceived(id, entry, trailers: nil) }
    }

    func endReceived(_ id: HTTP2StreamID, _ entry: Entry, trailers: HeaderBlock?) {
        entry.receivedEnd = true
        entry.receiver?.receiveEnd(trailers: trailers)
        finishIfDone(id, entry)
    }

    func finishIfDone(_ id: HTTP2StreamID, _ entry: Entry) {
        guard entry.receivedEnd, entry.sentEnd, streams.removeValue(forKey: id) != nil else { return }
        entry.receiver = nil
        streamEnded()
    }

    private func reset(_ id: HTTP2StreamID, _ reason: StreamReset) {
        guard let entry = streams.removeValue(forKey: id) else { return }
        let receiver = entry.receiver
        entry.receiver = nil
        receiver?.receive(reset: reason)
        streamEnded()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let closed = event as? StreamClosedEvent, closed.reason != nil { reset(closed.streamID, .remote) }
        if case .inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        for entry in streams.values { entry.receiver?.writabilityChanged(context.channel.isWritable) }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is NIOHTTP2Errors.StreamError { return }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        isGoingAway = true
        for id in Array(streams.keys) { reset(id, .connectionClosed) }
        context.fireChannelInactive()
    }

    // MARK: writing

    func send(_ id: HTTP2StreamID, _ payload: HTTP2Frame.FramePayload) {
        guard let context else { return }
        context.write(wrapOutboundOut(HTTP2Frame(streamID: id, payload: payload)), promise: nil)
    }

    func write(_ id: HTTP2StreamID, headers: HPACKHeaders, endStream: Bool) {
        guard let entry = streams[id], !entry.sentEnd else { return }
        send(id, .headers(.init(headers: headers, endStream: endStream)))
        if endStream { end(id, entry) }
    }

    func write(_ id: HTTP2StreamID, body: ByteBuffer) {
        guard let entry = streams[id], !entry.sentEnd else { return }
        send(id, .data(.init(data: .byteBuffer(body))))
    }

    func writeEnd(_ id: HTTP2StreamID, trailers: HeaderBlock?) {
        guard let entry = streams[id], !entry.sentEnd else { return }
        if let trailers {
            send(id, .headers(.init(headers: HPACKHeaders(trailers), endStream: true)))
        } else {
            send(id, .data(.init(data: .byteBuffer(ByteBuffer()), endStream: true)))
        }
        end(id, entry)
    }

    private func end(_ id: HTTP2StreamID, _ entry: Entry) {
        entry.sentEnd = true
        context?.flush()
        finishIfDone(id, entry)
    }

    func abort(_ id: HTTP2StreamID) {
        guard let entry = streams.removeValue(forKey: id) else { return }
        entry.receiver = nil
        send(id, .rstStream(.cancel))
        context?.flush()
        streamEnded()
    }

    func setReading(_ id: HTTP2StreamID, _ on: Bool) {
        guard let entry = streams[id], entry.isReading != on else { return }
        entry.isReading = on
        if on, entry.owedCredit > 0 {
            if !entry.receivedEnd { send(id, .windowUpdate(windowSizeIncrement: entry.owedCredit)) }
            entry.owedCredit = 0
            context?.flush()
        }
    }
}
