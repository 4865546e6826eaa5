package import NIOCore

/// What the owner of a connection sends.
extension HTTP2Connection {
    func newStream(_ id: UInt32) -> HTTP2Stream {
        var stream = HTTP2Stream()
        stream.id = id
        stream.openedAt = now
        stream.sendWindow = peer.initialWindow
        let window = Int(options.streamWindow)
        stream.receiveWindow = settingsAcknowledged ? window : max(65_535, window)
        return stream
    }

    /// How many streams a client may open now.
    package var capacity: Int {
        guard failure == nil, !isClosed, !peerIsGoingAway, nextLocalStream < 0x7FFF_FFFF else { return 0 }
        return max(0, Int(peer.maximumStreams) - streams.count)
    }

    /// Client: whether upgrades may go over this connection (RFC 8441).
    package var peerAllowsExtendedConnect: Bool { peer.allowsExtendedConnect }

    /// Client: opens a stream; its request must follow before another stream's.
    package func open() -> HTTP2StreamRef? {
        guard role == .client, capacity > 0 else { return nil }
        let id = nextLocalStream
        nextLocalStream += 2
        flood.streamsOpened += 1
        return HTTP2StreamRef(id: id, slot: streams.insert(newStream(id)))
    }

    /// The stream's slot while something may be sent on it.
    private func sendable(_ ref: HTTP2StreamRef) -> Int? {
        guard failure == nil, !isClosed, streams.contains(ref), !streams[ref.slot].localClosed,
            streams[ref.slot].queue?.isEnded != true
        else { return nil }
        return ref.slot
    }

    private var headWriter: HTTP2HeadWriter {
        HTTP2HeadWriter(encoder: encoder, maximumFrameSize: min(peer.maximumFrameSize, 16_384))
    }

    /// Client: sends the request's head. A head with `upgrade` leaves as extended CONNECT.
    package func send(_ head: RequestHead, on ref: HTTP2StreamRef, endStream: Bool) {
        guard let slot = sendable(ref) else { return }
        streams[slot].isHead = head.method == .head
        var upgrade: ByteBuffer?
        if let value = head.headers[.upgrade] {
            upgrade = ByteBuffer(value)
            streams[slot].isUpgrade = true
        }
        streams[slot].isTunnel = head.method == .connect || upgrade != nil
        headWriter.write(
            head, extendedProtocol: upgrade, streamID: ref.id, endStream: endStream, to: &output)
        flood.outboundFrames += 1
        if endStream { closeLocal(slot) }
    }

    /// Server: sends a response's head, interim ones too.
    package func send(_ head: ResponseHead, on ref: HTTP2StreamRef, endStream: Bool) {
        guard let slot = sendable(ref) else { return }
        var head = head
        if streams[slot].isUpgrade {
            if head.status == 101 { head.status = 200 } else if head.status >= 200 { streams[slot].isTunnel = false }
        }
        headWriter.write(head, streamID: ref.id, endStream: endStream, to: &output)
        flood.outboundFrames += 1
        if endStream { closeLocal(slot) }
    }

    /// Sends body bytes as the windows permit and keeps the rest.
    package func send(_ bytes: ByteBuffer, on ref: HTTP2StreamRef) {
        guard let slot = sendable(ref), bytes.readableBytes > 0 else { return }
        var bytes = bytes
        if streams[slot].queue == nil, emit(slot, &bytes, limit: Int.max) { return }
        let queue = streams[slot].queue ?? HTTP2SendQueue()
        streams[slot].queue = queue
        queue.buffers.append(bytes)
        queue.byteCount += bytes.readableBytes
        if queue.byteCount >= options.streamQueueLimit { queue.isOverLimit = true }
        becomeReady(slot)
    }

    /// Ends this side of the stream.
    package func sendEnd(on ref: HTTP2StreamRef, trailers: HeaderBlock?) {
        guard let slot = sendable(ref) else { return }
        guard let queue = streams[slot].queue else { return writeEnd(slot, trailers) }
        queue.isEnded = true
        queue.trailers = trailers
    }

    private func writeEnd(_ slot: Int, _ trailers: HeaderBlock?) {
        let id = streams[slot].id
        if let trailers, !trailers.isEmpty {
            headWriter.write(trailers: trailers, streamID: id, to: &output)
            flood.outboundFrames += 1
        } else if !output.endLastFrame(of: id) {
            output.writeData(id, ByteBuffer(), endStream: true)
            flood.outboundFrames += 1
        }
        closeLocal(slot)
    }

    /// Gives a stream up.
    package func reset(_ ref: HTTP2StreamRef, _ code: HTTP2ErrorCode) {
        guard failure == nil, !isClosed, streams.contains(ref) else { return }
        writeReset(ref.id, code)
        resets.insert(ref.id)
        remove(ref.slot)
    }

    package func isWritable(_ ref: HTTP2StreamRef) -> Bool {
        guard isTransportWritable, streams.contains(ref) else { return false }
        return streams[ref.slot].queue.map { !$0.isOverLimit } ?? true
    }

    // MARK: - Closing

    func closeLocal(_ slot: Int) {
        streams[slot].localClosed = true
        streams[slot].queue = nil
        if streams[slot].remoteClosed {
            if role == .server { flood.streamCompleted() }
            return remove(slot)
        }
        // RFC 9113, 8.1: a whole response makes the rest of the request needless. A client that still sends may throw
        // the response away when it reads RST_STREAM together with it (curl 7.88 does), so that comes later.
        if role == .server, !streams[slot].isTunnel {
            if let oldest = lateResets.add(streams[slot].id) { writeReset(oldest, .noError) }
            flood.streamCompleted()
            forgetReset(slot)
        }
    }

    func closeRemote(_ slot: Int) {
        streams[slot].remoteClosed = true
        if streams[slot].localClosed { return remove(slot) }
        if role == .client, !streams[slot].isTunnel {
            writeReset(streams[slot].id, .noError)
            forgetReset(slot)
        }
    }

    /// Drops a stream whose peer may not know yet that nothing more is taken.
    private func forgetReset(_ slot: Int) {
        resets.insert(streams[slot].id)
        remove(slot)
    }

    /// Server: whether ``sendLateResets()`` has something to say, now or later.
    package var owesResets: Bool { !lateResets.isEmpty }

    /// Server: tells the client which requests it may stop sending. For a timer: what was answered since the last call
    /// waits for the next one, so that no reset leaves together with its response.
    package func sendLateResets() {
        guard failure == nil, !isClosed else { return }
        for id in lateResets.takeDue() { writeReset(id, .noError) }
    }

    /// A frame for a stream that was dropped: no error, and when it is the request's last one, no reset is due.
    func ignoreLate(_ id: UInt32, endStream: Bool) -> Bool {
        guard resets.contains(id) else { return false }
        if endStream { lateResets.forget(id) }
        return true
    }

    // MARK: - Windows of the peer

    /// Lets a stream with something to send take part in ``pump()`` if its window is open.
    func becomeReady(_ slot: Int) {
        guard streams[slot].queue != nil, !streams[slot].isReady, streams[slot].sendWindow > 0 else { return }
        streams[slot].isReady = true
        ready.append(HTTP2StreamRef(id: streams[slot].id, slot: slot))
    }

    /// Writes DATA frames.
    /// - Parameter limit: No more bytes than this.
    /// - Returns: whether nothing is left of `bytes`.
    private func emit(_ slot: Int, _ bytes: inout ByteBuffer, limit: Int) -> Bool {
        var limit = limit
        while bytes.readableBytes > 0 {
            let window = min(sendWindow, streams[slot].sendWindow, limit)
            let size = min(bytes.readableBytes, window, HTTP2Options.maximumFrameSize, peer.maximumFrameSize)
            guard size > 0, isTransportWritable, let part = bytes.readSlice(length: size) else { return false }
            sendWindow -= size
            streams[slot].sendWindow -= size
            limit -= size
            output.writeData(streams[slot].id, part, endStream: false)
            flood.dataFrameSent()
        }
        return true
    }

    /// Sends what waits on streams, one frame each in turn, as far as windows and the transport permit.
    package func pump() {
        while sendWindow > 0, isTransportWritable, failure == nil, let ref = ready.popFirst() {
            guard streams.contains(ref), let queue = streams[ref.slot].queue else { continue }
            streams[ref.slot].isReady = false
            if var first = queue.buffers.popFirst() {
                let before = first.readableBytes
                if !emit(ref.slot, &first, limit: HTTP2Options.maximumFrameSize) { queue.buffers.prepend(first) }
                queue.byteCount -= before - first.readableBytes
            }
            if queue.buffers.isEmpty {
                streams[ref.slot].queue = nil
                if queue.isEnded { writeEnd(ref.slot, queue.trailers) }
            } else {
                becomeReady(ref.slot)
            }
            if queue.isOverLimit, queue.byteCount <= options.streamQueueLimit / 2 {
                queue.isOverLimit = false
                if streams.contains(ref), !queue.isEnded { events.append(.writable(ref)) }
            }
        }
    }

    // MARK: - Our own windows

    /// Pauses or goes on taking body bytes: without credit the peer must stop after one window.
    package func setReading(_ ref: HTTP2StreamRef, _ on: Bool) {
        guard streams.contains(ref), streams[ref.slot].isPaused == on else { return }
        streams[ref.slot].isPaused = !on
        guard on, streams[ref.slot].held > 0 else { return }
        let held = streams[ref.slot].held
        streams[ref.slot].held = 0
        credit(ref.slot, held)
    }

    /// Bytes of a stream are consumed; the peer hears of it when half a window has come together.
    func credit(_ slot: Int, _ count: Int) {
        guard count > 0 else { return }
        creditConnection(count)
        streams[slot].owed += count
        guard !streams[slot].remoteClosed, streams[slot].owed * 2 >= Int(options.streamWindow) else { return }
        let owed = streams[slot].owed
        streams[slot].owed = 0
        streams[slot].receiveWindow += owed
        writeWindowUpdate(streams[slot].id, owed)
    }

    func creditConnection(_ count: Int) {
        owed += count
        guard owed * 2 >= max(65_535, Int(options.connectionWindow)) else { return }
        receiveWindow += owed
        writeWindowUpdate(0, owed)
        owed = 0
    }
}
