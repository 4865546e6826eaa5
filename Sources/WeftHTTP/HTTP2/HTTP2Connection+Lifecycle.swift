import NIOCore

/// Drain, keep-alive, and the frames that only the connection itself writes.
extension HTTP2Connection {
    /// Server: begins a graceful end. The first GOAWAY refuses nothing; the second, after the peer has surely seen the
    /// first (it answered the PING behind it) or after ``finishDrain()``, names the last stream that will be served.
    package func startDrain() {
        guard role == .server, drainState == .none, failure == nil else { return }
        drainState = .announced
        writeGoAway(0x7FFF_FFFF, .noError, debug: "")
        writePing(Self.drainPing, ack: false)
    }

    /// Sends the second GOAWAY now.
    package func finishDrain() {
        guard drainState == .announced, failure == nil else { return }
        drainState = .final
        writeGoAway(lastPeerStream, .noError, debug: "")
    }

    package var isDraining: Bool { drainState != .none }
    /// Nothing is under way, and nothing new will be taken.
    package var isDrained: Bool { drainState == .final && streams.isEmpty }

    /// Sends a PING whose answer is ``HTTP2Event/pingAcknowledged``.
    package func sendKeepAlive() { if failure == nil { writePing(Self.keepAlivePing, ack: false) } }

    /// The transport has written everything it was given.
    package func outputDrained() { flood.outputDrained() }
    /// Frames written since ``outputDrained()``; for the transport to know when it is worth looking.
    package var outboundFrames: Int { flood.outboundFrames }

    // MARK: - Frames

    func writeControl(_ header: HTTP2FrameHeader) {
        header.write(to: &output.tail)
        flood.outboundFrames += 1
        flood.outboundControlFrames += 1
    }

    func writeReset(_ id: UInt32, _ code: HTTP2ErrorCode) {
        writeControl(HTTP2FrameHeader(length: 4, type: HTTP2FrameType.reset, streamID: id))
        output.tail.writeInteger(code.rawValue)
    }

    func writeWindowUpdate(_ id: UInt32, _ increment: Int) {
        HTTP2FrameHeader(length: 4, type: HTTP2FrameType.windowUpdate, streamID: id).write(to: &output.tail)
        output.tail.writeInteger(UInt32(truncatingIfNeeded: increment))
        flood.outboundFrames += 1
    }

    func writePing(_ payload: UInt64, ack: Bool) {
        writeControl(
            HTTP2FrameHeader(length: 8, type: HTTP2FrameType.ping, flags: ack ? HTTP2Flags.ack : 0))
        output.tail.writeInteger(payload)
    }

    func writeGoAway(_ last: UInt32, _ code: HTTP2ErrorCode, debug: String) {
        writeControl(HTTP2FrameHeader(length: 8 + debug.utf8.count, type: HTTP2FrameType.goAway))
        output.tail.writeInteger(last)
        output.tail.writeInteger(code.rawValue)
        output.tail.writeString(debug)
    }
}
