import NIOCore

/// Frames that concern the connection (RFC 9113, section 6). The payload lies at the input's reader index.
extension HTTP2Connection {
    func handle(_ header: HTTP2FrameHeader) throws(HTTP2Failure) -> HTTP2Event? {
        if block != nil, header.type != HTTP2FrameType.continuation {
            throw .connection(.protocolError, .frameState)
        }
        if !sawSettings {
            guard header.type == HTTP2FrameType.settings, !header.has(HTTP2Flags.ack) else {
                throw .connection(.protocolError, .preface)
            }
            sawSettings = true
        }
        switch header.type {
        case HTTP2FrameType.data: return try data(header)
        case HTTP2FrameType.headers: return try headers(header)
        case HTTP2FrameType.continuation: return try continuation(header)
        case HTTP2FrameType.priority: return try priority(header)
        case HTTP2FrameType.reset: return try reset(header)
        case HTTP2FrameType.settings: return try settings(header)
        case HTTP2FrameType.pushPromise: throw .connection(.protocolError, .pushPromise)
        case HTTP2FrameType.ping: return try ping(header)
        case HTTP2FrameType.goAway: return try goAway(header)
        case HTTP2FrameType.windowUpdate: return try windowUpdate(header)
        default: return nil  // RFC 9113, 4.1: unknown types are ignored
        }
    }

    /// Whether no frame of the stream was ever sent by either side.
    func isIdle(_ id: UInt32) -> Bool {
        let isPeers = (id & 1 == 1) == (role == .server)
        return isPeers ? id > lastPeerStream : role == .server || id >= nextLocalStream
    }

    private func priority(_ header: HTTP2FrameHeader) throws(HTTP2Failure) -> HTTP2Event? {
        guard header.streamID != 0 else { throw .connection(.protocolError, .streamID) }
        try flood.priority()
        let isKnown = !isIdle(header.streamID)
        guard header.length == 5, let parent: UInt32 = input.readInteger() else {
            if isKnown { throw .stream(header.streamID, .frameSizeError, .frameSize) }
            throw .connection(.frameSizeError, .frameSize)
        }
        if parent & 0x7FFF_FFFF == header.streamID {
            if isKnown { throw .stream(header.streamID, .protocolError, .priority) }
            throw .connection(.protocolError, .priority)
        }
        return nil
    }

    private func reset(_ header: HTTP2FrameHeader) throws(HTTP2Failure) -> HTTP2Event? {
        guard header.streamID != 0, !isIdle(header.streamID) else { throw .connection(.protocolError, .streamID) }
        guard header.length == 4, let code: UInt32 = input.readInteger() else {
            throw .connection(.frameSizeError, .frameSize)
        }
        guard let slot = streams.slot(of: header.streamID) else {
            _ = ignoreLate(header.streamID, endStream: true)
            return nil
        }
        let age = now &- streams[slot].openedAt
        remove(slot)
        events.append(
            .reset(
                HTTP2StreamRef(id: header.streamID, slot: slot), HTTP2ErrorCode(rawValue: code), isRemote: true))
        if role == .server { try flood.streamReset(age: age) }
        return nil
    }

    private func ping(_ header: HTTP2FrameHeader) throws(HTTP2Failure) -> HTTP2Event? {
        guard header.streamID == 0 else { throw .connection(.protocolError, .streamID) }
        guard header.length == 8, let payload: UInt64 = input.readInteger() else {
            throw .connection(.frameSizeError, .frameSize)
        }
        if header.has(HTTP2Flags.ack) {
            if payload == Self.drainPing { finishDrain() }
            return payload == Self.keepAlivePing ? .pingAcknowledged : nil
        }
        try flood.ping()
        writePing(payload, ack: true)
        return nil
    }

    private func goAway(_ header: HTTP2FrameHeader) throws(HTTP2Failure) -> HTTP2Event? {
        guard header.streamID == 0 else { throw .connection(.protocolError, .streamID) }
        guard header.length >= 8, let last: UInt32 = input.readInteger() else {
            throw .connection(.frameSizeError, .frameSize)
        }
        peerIsGoingAway = true
        if role == .client {
            // What the server will not look at may be tried elsewhere.
            for slot in 0..<streams.slotCount where streams.isOpen(slot) && streams[slot].id > last & 0x7FFF_FFFF {
                let ref = HTTP2StreamRef(id: streams[slot].id, slot: slot)
                remove(slot)
                events.append(.reset(ref, .refusedStream, isRemote: true))
            }
        }
        return .goAway
    }

    private func settings(_ header: HTTP2FrameHeader) throws(HTTP2Failure) -> HTTP2Event? {
        guard header.streamID == 0 else { throw .connection(.protocolError, .streamID) }
        if header.has(HTTP2Flags.ack) {
            guard header.length == 0 else { throw .connection(.frameSizeError, .frameSize) }
            acknowledged()
            return nil
        }
        guard header.length % 6 == 0 else { throw .connection(.frameSizeError, .frameSize) }
        try flood.settings()
        for _ in 0..<(header.length / 6) {
            guard let identifier: UInt16 = input.readInteger(), let value: UInt32 = input.readInteger() else { break }
            try apply(identifier, value)
        }
        writeControl(HTTP2FrameHeader(length: 0, type: HTTP2FrameType.settings, flags: HTTP2Flags.ack))
        return .settings
    }

    /// From now on the peer obeys our initial window. Only a smaller one than the default changes what we expect.
    private func acknowledged() {
        guard !settingsAcknowledged else { return }
        settingsAcknowledged = true
        let change = Int(options.streamWindow) - max(65_535, Int(options.streamWindow))
        guard change != 0 else { return }
        for slot in 0..<streams.slotCount where streams.isOpen(slot) { streams[slot].receiveWindow += change }
    }

    private func apply(_ identifier: UInt16, _ value: UInt32) throws(HTTP2Failure) {
        func check(_ condition: Bool) throws(HTTP2Failure) {
            guard condition else { throw .connection(.protocolError, .settingValue) }
        }
        switch identifier {
        case 1: encoder.setPeerMaximum(Int(value))
        case 2: try check(value == 0 || (value == 1 && role == .server))
        case 3: peer.maximumStreams = value
        case 4:
            guard value <= 0x7FFF_FFFF else { throw .connection(.flowControlError, .settingValue) }
            try changeInitialWindow(to: Int(value))
        case 5:
            try check((16_384...16_777_215).contains(value))
            peer.maximumFrameSize = Int(value)
        case 8:
            try check(value == 1 || (value == 0 && !peer.allowsExtendedConnect))
            peer.allowsExtendedConnect = value == 1
        default: break
        }
    }

    /// Applies to open streams too, whose windows may become negative (RFC 9113, 6.9.2).
    private func changeInitialWindow(to size: Int) throws(HTTP2Failure) {
        let change = size - peer.initialWindow
        peer.initialWindow = size
        guard change != 0 else { return }
        for slot in 0..<streams.slotCount where streams.isOpen(slot) {
            streams[slot].sendWindow += change
            guard streams[slot].sendWindow <= 0x7FFF_FFFF else {
                throw .connection(.flowControlError, .windowOverflow)
            }
            becomeReady(slot)
        }
    }

    private func windowUpdate(_ header: HTTP2FrameHeader) throws(HTTP2Failure) -> HTTP2Event? {
        let id = header.streamID
        guard header.length == 4, let word: UInt32 = input.readInteger() else {
            throw .connection(.frameSizeError, .frameSize)
        }
        if id != 0, isIdle(id) { throw .connection(.protocolError, .streamID) }
        try flood.windowUpdate()
        let increment = Int(word & 0x7FFF_FFFF)
        guard increment > 0 else {
            if id == 0 { throw .connection(.protocolError, .windowOverflow) }
            throw .stream(id, .protocolError, .windowOverflow)
        }
        if id == 0 {
            sendWindow += increment
            guard sendWindow <= 0x7FFF_FFFF else { throw .connection(.flowControlError, .windowOverflow) }
        } else if let slot = streams.slot(of: id) {
            streams[slot].sendWindow += increment
            guard streams[slot].sendWindow <= 0x7FFF_FFFF else {
                throw .stream(id, .flowControlError, .windowOverflow)
            }
            becomeReady(slot)
        }
        return nil
    }
}
