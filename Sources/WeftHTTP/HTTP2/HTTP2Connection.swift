package import NIOCore

/// What came out of the bytes of a connection, in their order. Heads lie in boxes: events are moved about, and are small.
package enum HTTP2Event {
    /// Server: a new stream.
    indirect case request(HTTP2StreamRef, RequestHead, endStream: Bool)
    /// Server: a new stream whose header section is larger than allowed; 431 is the answer.
    case headersTooLarge(HTTP2StreamRef)
    /// Client: an interim response.
    indirect case informational(HTTP2StreamRef, ResponseHead)
    indirect case response(HTTP2StreamRef, ResponseHead, endStream: Bool)
    case data(HTTP2StreamRef, ByteBuffer, endStream: Bool)
    /// The end of a message, with trailers.
    indirect case trailers(HTTP2StreamRef, HeaderBlock)
    /// The stream is gone. `isRemote`: the peer reset it; else what it sent was no HTTP, or too much.
    case reset(HTTP2StreamRef, HTTP2ErrorCode, isRemote: Bool)
    /// The stream's queue has room again.
    case writable(HTTP2StreamRef)
    case goAway
    case pingAcknowledged
    /// The peer's limits changed.
    case settings
    /// The connection must be closed after the output is written; nothing follows.
    case failed(HTTP2Reason)
}

/// One end of an HTTP/2 connection (RFC 9113) as a state machine over bytes: no I/O, no clock, no threads.
///
/// Bytes go in by ``receive(_:now:)`` and come out as events of ``next()``; what is to be sent gathers in ``output``.
/// Memory is bounded by the windows, by the caller's respect for ``isWritable(_:)``, and by ``HTTP2Options``.
package final class HTTP2Connection {
    package enum Role: Sendable { case client, server }

    package let role: Role
    package let options: HTTP2Options
    /// For the transport to take and write.
    package var output = HTTP2Output()
    /// Whether there is something in ``output``.
    package var hasOutput: Bool { !output.isEmpty }
    /// Whether the transport takes bytes without piling them up; body bytes wait on their streams meanwhile.
    package var isTransportWritable = true
    /// Why the connection failed, once it has.
    package internal(set) var failure: HTTP2Reason?
    /// The peer said that it takes no new streams.
    package internal(set) var peerIsGoingAway = false

    let statistics: HTTP2Statistics?
    let decoder: HPACKDecoder
    let encoder: HPACKEncoder
    let list: HPACKFieldList
    var input = ByteBuffer()
    /// Where the frame being handled ends in ``input``.
    var frameEnd = 0
    var events = CircularBuffer<HTTP2Event>(initialCapacity: 4)
    var streams = HTTP2StreamTable()
    var peer = HTTP2PeerSettings()
    var flood: HTTP2FloodGuard
    var resets = HTTP2ResetMemory()
    /// Server: streams answered before their requests ended, whose clients have not been told to stop.
    var lateResets = HTTP2LateResets()

    /// Milliseconds, as of the last bytes.
    var now: UInt64 = 0
    /// The transport is gone; nothing is sent any more.
    var isClosed = false
    var prefaceLeft: Int
    var sawSettings = false
    var settingsAcknowledged = false
    /// The header block that CONTINUATION frames are to complete.
    var block: PartialBlock?
    /// Whether a head has begun whose last frame has not come.
    package var isInHeaderBlock: Bool { block != nil }
    var lastPeerStream: UInt32 = 0
    var nextLocalStream: UInt32 = 1
    var sendWindow = 65_535
    var receiveWindow = 65_535
    var owed = 0
    /// Streams with something to send and a window for it, in turn.
    var ready = CircularBuffer<HTTP2StreamRef>(initialCapacity: 4)
    var drainState = DrainState.none

    enum DrainState { case none, announced, final }

    struct PartialBlock {
        var header: HTTP2FrameHeader
        var dependsOnItself: Bool
        var bytes: ByteBuffer
        var frames = 0
    }

    /// What a client sends first (RFC 9113, 3.4).
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    static let drainPing: UInt64 = 0x7765_6674_6472_6E01
    static let keepAlivePing: UInt64 = 0x7765_6674_6B61_6C02

    /// - Parameter statistics: Where failures are counted; may be shared by connections.
    package init(role: Role, options: HTTP2Options = HTTP2Options(), statistics: HTTP2Statistics? = nil) {
        self.role = role
        self.options = options
        self.statistics = statistics
        decoder = HPACKDecoder(maximumTableSize: options.headerTableSize)
        encoder = HPACKEncoder(limit: options.headerTableSize)
        list = HPACKFieldList(
            maximumListSize: options.maximumHeaderListSize, maximumCount: options.maximumHeaderCount + 6)
        flood = HTTP2FloodGuard(options)
        prefaceLeft = role == .server ? Self.preface.count : 0
    }

    package var streamCount: Int { streams.count }
    /// Upper bound of slots in use; for arrays parallel to the streams.
    package var slotCount: Int { streams.slotCount }
    package func contains(_ ref: HTTP2StreamRef) -> Bool { streams.contains(ref) }
    /// The stream in a slot, if there is one.
    package func stream(at slot: Int) -> HTTP2StreamRef? {
        streams.isOpen(slot) ? HTTP2StreamRef(id: streams[slot].id, slot: slot) : nil
    }

    // MARK: - Beginning

    /// Writes the preface and the settings. Call once, first.
    package func start() {
        if role == .client { output.tail.writeBytes(Self.preface) }
        var settings: [(UInt16, UInt32)] = [(4, options.streamWindow), (6, UInt32(options.maximumHeaderListSize))]
        if options.headerTableSize != 4096 { settings.append((1, UInt32(options.headerTableSize))) }
        if role == .server {
            settings.append((3, options.maximumStreams))
            if options.allowsExtendedConnect { settings.append((8, 1)) }
        } else {
            settings.append((2, 0))
        }
        HTTP2FrameHeader(length: settings.count * 6, type: HTTP2FrameType.settings).write(to: &output.tail)
        for (identifier, value) in settings {
            output.tail.writeInteger(identifier)
            output.tail.writeInteger(value)
        }
        let growth = Int(options.connectionWindow) - receiveWindow
        if growth > 0 {
            receiveWindow += growth
            writeWindowUpdate(0, growth)
        }
    }

    /// Takes bytes from the peer. Read them out with ``next()`` before the next call.
    /// - Parameter now: Milliseconds of any clock that never goes back.
    package func receive(_ bytes: ByteBuffer, now: UInt64) {
        guard failure == nil else { return }
        self.now = now
        flood.advance(to: now)
        if input.readableBytes == 0 {
            input = bytes
        } else {
            input.discardReadBytes()
            input.writeImmutableBuffer(bytes)
        }
    }

    /// The next event, or `nil` when more bytes are needed.
    package func next() -> HTTP2Event? {
        if let event = events.popFirst() { return event }
        while failure == nil {
            do throws(HTTP2Failure) {
                guard try readPreface(), let header = HTTP2FrameHeader(peeking: input) else { break }
                guard header.length <= HTTP2Options.maximumFrameSize else {
                    throw HTTP2Failure.connection(.frameSizeError, .frameSize)
                }
                guard input.readableBytes >= HTTP2FrameHeader.size + header.length else { break }
                input.moveReaderIndex(forwardBy: HTTP2FrameHeader.size)
                frameEnd = input.readerIndex + header.length
                let event = try handle(header)
                input.moveReaderIndex(to: frameEnd)
                try flood.checkOutbound()
                if let event { return event }
            } catch { recover(error) }
            if let event = events.popFirst() { return event }
        }
        // Holding on to consumed bytes would keep the transport from reusing their buffer.
        if input.readableBytes == 0 { input = ByteBuffer() }
        pump()
        return events.popFirst()
    }

    private func readPreface() throws(HTTP2Failure) -> Bool {
        guard prefaceLeft > 0 else { return true }
        while prefaceLeft > 0, let byte: UInt8 = input.readInteger() {
            guard byte == Self.preface[Self.preface.count - prefaceLeft] else {
                throw .connection(.protocolError, .preface)
            }
            prefaceLeft -= 1
        }
        return prefaceLeft == 0
    }

    private func recover(_ failure: HTTP2Failure) {
        switch failure {
        case .connection(let code, let reason): fail(code, reason)
        case .stream(let id, let code, let reason):
            resetStream(id, code, reason)
            guard self.failure == nil else { return }
            // The frame's bytes were looked at where they lie; the reader stands somewhere within.
            input.moveReaderIndex(to: frameEnd)
            do throws(HTTP2Failure) { try flood.checkOutbound() } catch { recover(error) }
        }
    }

    /// Ends the connection: GOAWAY with the reason's name, then nothing more is read.
    package func fail(_ code: HTTP2ErrorCode, _ reason: HTTP2Reason) {
        guard failure == nil else { return }
        failure = reason
        statistics?.count(reason)
        writeGoAway(lastPeerStream, code, debug: reason.rawValue)
        input = ByteBuffer()
        events.append(.failed(reason))
    }

    /// Answers a stream error: RST_STREAM, and a word to whoever had the stream.
    private func resetStream(_ id: UInt32, _ code: HTTP2ErrorCode, _ reason: HTTP2Reason) {
        statistics?.count(reason)
        writeReset(id, code)
        // A stream is reset once.
        lateResets.forget(id)
        resets.insert(id)
        if let slot = streams.slot(of: id) {
            let ref = HTTP2StreamRef(id: id, slot: slot)
            remove(slot)
            events.append(.reset(ref, code, isRemote: false))
        }
        guard role == .server else { return }
        do throws(HTTP2Failure) { try flood.streamReset(age: 0) } catch { recover(error) }
    }

    /// The transport is gone: whatever is sent from now on is dropped.
    package func close() {
        isClosed = true
        output = HTTP2Output()
    }

    /// Forgets a stream; credit that it held back returns to the connection.
    func remove(_ slot: Int) {
        let held = streams[slot].held
        streams.remove(slot)
        if held > 0 { creditConnection(held) }
    }
}
