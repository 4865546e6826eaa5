import NIOCore

/// Frames that carry messages: HEADERS, CONTINUATION, DATA.
extension HTTP2Connection {
    func headers(_ header: HTTP2FrameHeader) throws(HTTP2Failure) -> HTTP2Event? {
        guard header.streamID != 0 else { throw .connection(.protocolError, .streamID) }
        let padding = try readPadding(header)
        var dependsOnItself = false
        if header.has(HTTP2Flags.priority) {
            guard frameEnd - input.readerIndex >= 5, let parent: UInt32 = input.readInteger() else {
                throw .connection(.frameSizeError, .frameSize)
            }
            dependsOnItself = parent & 0x7FFF_FFFF == header.streamID
            input.moveReaderIndex(forwardBy: 1)
        }
        let length = frameEnd - input.readerIndex - padding
        guard length >= 0 else { throw .connection(.protocolError, .framePadding) }
        try flood.frame(isEmpty: length == 0, endsStream: header.has(HTTP2Flags.endStream))
        guard header.has(HTTP2Flags.endHeaders) else {
            block = PartialBlock(
                header: header, dependsOnItself: dependsOnItself,
                bytes: input.readSlice(length: length) ?? ByteBuffer())
            return nil
        }
        try decode(input, length)
        return try section(header, dependsOnItself)
    }

    func continuation(_ header: HTTP2FrameHeader) throws(HTTP2Failure) -> HTTP2Event? {
        guard var partial = block, partial.header.streamID == header.streamID else {
            throw .connection(.protocolError, .frameState)
        }
        block = nil
        try flood.frame(isEmpty: header.length == 0, endsStream: false)
        partial.frames += 1
        guard partial.frames <= options.maximumContinuationFrames else {
            throw .connection(.enhanceYourCalm, .continuationFlood)
        }
        // Coded fields are hardly longer than plain ones, so nothing larger than this can be acceptable.
        guard partial.bytes.readableBytes + header.length <= options.maximumHeaderListSize + 16_384 else {
            throw .connection(.enhanceYourCalm, .headerList)
        }
        if var part = input.readSlice(length: header.length) { partial.bytes.writeBuffer(&part) }
        guard header.has(HTTP2Flags.endHeaders) else {
            block = partial
            return nil
        }
        try decode(partial.bytes, partial.bytes.readableBytes)
        return try section(partial.header, partial.dependsOnItself)
    }

    private func readPadding(_ header: HTTP2FrameHeader) throws(HTTP2Failure) -> Int {
        guard header.has(HTTP2Flags.padded) else { return 0 }
        guard header.length > 0, let padding: UInt8 = input.readInteger() else {
            throw .connection(.frameSizeError, .frameSize)
        }
        guard Int(padding) < header.length else { throw .connection(.protocolError, .framePadding) }
        return Int(padding)
    }

    private func decode(_ buffer: ByteBuffer, _ length: Int) throws(HTTP2Failure) {
        let failed = buffer.withUnsafeReadableBytes { bytes in
            do throws(HPACKError) {
                let block = UnsafeRawBufferPointer(rebasing: bytes[..<length]).bindMemory(to: UInt8.self)
                try decoder.decode(block, into: list)
                return false
            } catch { return true }
        }
        if failed { throw .connection(.compressionError, .headerCompression) }
    }

    /// A whole field section is in ``list``.
    private func section(
        _ header: HTTP2FrameHeader, _ dependsOnItself: Bool
    ) throws(HTTP2Failure) -> HTTP2Event? {
        let id = header.streamID
        let endStream = header.has(HTTP2Flags.endStream)
        if let slot = streams.slot(of: id) {
            if dependsOnItself { throw .stream(id, .protocolError, .priority) }
            if streams[slot].remoteClosed { throw .stream(id, .streamClosed, .frameState) }
            if role == .client, !streams[slot].receivedHead { return try response(slot, id, endStream) }
            return try trailers(slot, id, endStream)
        }
        guard role == .server else {
            if isIdle(id) || id & 1 == 0 { throw .connection(.protocolError, .streamID) }
            if ignoreLate(id, endStream: endStream) { return nil }
            throw .connection(.streamClosed, .frameState)
        }
        guard id & 1 == 1 else { throw .connection(.protocolError, .streamID) }
        if id <= lastPeerStream {
            if ignoreLate(id, endStream: endStream) { return nil }
            throw .connection(.streamClosed, .frameState)
        }
        if drainState == .final { return nil }
        lastPeerStream = id
        flood.streamsOpened += 1
        if dependsOnItself { throw .stream(id, .protocolError, .priority) }
        guard streams.count < options.maximumStreams else { throw .stream(id, .refusedStream, .maximumStreams) }
        return try request(id, endStream)
    }

    private func request(_ id: UInt32, _ endStream: Bool) throws(HTTP2Failure) -> HTTP2Event? {
        var stream = newStream(id)
        stream.receivedHead = true
        stream.remoteClosed = endStream
        if list.isOverLimit {
            statistics?.count(.headerList)
            return .headersTooLarge(HTTP2StreamRef(id: id, slot: streams.insert(stream)))
        }
        let head: RequestHead
        do throws(HTTP2Reason) {
            let reader = try HTTP2HeadReader(list)
            head = try reader.request(endStream: endStream, allowsProtocol: options.allowsExtendedConnect)
            stream.isUpgrade = reader.hasProtocol
            stream.isTunnel = head.method == .connect || stream.isUpgrade
            try expect(reader.contentLength, &stream, endStream)
        } catch { throw .stream(id, .protocolError, error) }
        return .request(HTTP2StreamRef(id: id, slot: streams.insert(stream)), head, endStream: endStream)
    }

    private func response(_ slot: Int, _ id: UInt32, _ endStream: Bool) throws(HTTP2Failure) -> HTTP2Event? {
        if list.isOverLimit { throw .stream(id, .enhanceYourCalm, .headerList) }
        let ref = HTTP2StreamRef(id: id, slot: slot)
        let head: ResponseHead
        do throws(HTTP2Reason) {
            let reader = try HTTP2HeadReader(list)
            head = try reader.response(endStream: endStream)
            // RFC 9113, 8.6: there is no 101 here; 8.1: an interim response ends nothing.
            if head.status == 101 || (head.status < 200 && endStream) { throw .pseudoHeader }
            if head.status >= 200 {
                let hasNoBody = streams[slot].isHead || head.status == 204 || head.status == 304
                if !hasNoBody { try expect(reader.contentLength, &streams[slot], endStream) }
            }
        } catch { throw .stream(id, .protocolError, error) }
        guard head.status >= 200 else {
            streams[slot].interimResponses += 1
            guard streams[slot].interimResponses <= HTTP1ResponseParser.interimLimit else {
                throw .stream(id, .enhanceYourCalm, .interimResponses)
            }
            return .informational(ref, head)
        }
        streams[slot].receivedHead = true
        if endStream { closeRemote(slot) }
        return .response(ref, head, endStream: endStream)
    }

    private func expect(
        _ length: UInt64?, _ stream: inout HTTP2Stream, _ endStream: Bool
    ) throws(HTTP2Reason) {
        guard let length, !stream.isTunnel else { return }
        if endStream, length > 0 { throw .contentLength }
        stream.remaining = Int64(clamping: length)
    }

    private func trailers(_ slot: Int, _ id: UInt32, _ endStream: Bool) throws(HTTP2Failure) -> HTTP2Event? {
        guard endStream else { throw .stream(id, .protocolError, .trailers) }
        if list.isOverLimit { throw .stream(id, .enhanceYourCalm, .headerList) }
        let block: HeaderBlock
        do throws(HTTP2Reason) {
            block = try HTTP2HeadReader(list, isTrailers: true).block(dropsHost: false)
        } catch { throw .stream(id, .protocolError, error) }
        if streams[slot].remaining > 0 { throw .stream(id, .protocolError, .contentLength) }
        closeRemote(slot)
        return .trailers(HTTP2StreamRef(id: id, slot: slot), block)
    }

    func data(_ header: HTTP2FrameHeader) throws(HTTP2Failure) -> HTTP2Event? {
        let id = header.streamID
        guard id != 0, !isIdle(id) else { throw .connection(.protocolError, .streamID) }
        let endStream = header.has(HTTP2Flags.endStream)
        receiveWindow -= header.length
        guard receiveWindow >= 0 else { throw .connection(.flowControlError, .windowExceeded) }
        let padding = try readPadding(header)
        let length = frameEnd - input.readerIndex - padding
        guard length >= 0 else { throw .connection(.protocolError, .framePadding) }
        try flood.frame(isEmpty: length == 0, endsStream: endStream)
        guard let slot = streams.slot(of: id) else {
            creditConnection(header.length)
            if ignoreLate(id, endStream: endStream) { return nil }
            throw .connection(.streamClosed, .frameState)
        }
        try account(slot, id, header.length, length)
        guard let bytes = input.readSlice(length: length) else { return nil }
        if endStream {
            if streams[slot].remaining > 0 { throw .stream(id, .protocolError, .contentLength) }
            closeRemote(slot)
        } else if length == 0 {
            return nil
        }
        return .data(HTTP2StreamRef(id: id, slot: slot), bytes, endStream: endStream)
    }

    /// Takes a DATA frame off the windows; credit for it is due at once unless the stream is paused.
    private func account(_ slot: Int, _ id: UInt32, _ whole: Int, _ length: Int) throws(HTTP2Failure) {
        let stream = streams[slot]
        guard !stream.remoteClosed, stream.receivedHead else {
            creditConnection(whole)
            if stream.remoteClosed { throw .stream(id, .streamClosed, .frameState) }
            throw .stream(id, .protocolError, .frameState)
        }
        streams[slot].receiveWindow -= whole
        guard streams[slot].receiveWindow >= 0 else {
            creditConnection(whole)
            throw .stream(id, .flowControlError, .windowExceeded)
        }
        if stream.isPaused {
            streams[slot].held += length
            credit(slot, whole - length)
        } else {
            credit(slot, whole)
        }
        guard stream.remaining >= 0 else { return }
        streams[slot].remaining -= Int64(length)
        if streams[slot].remaining < 0 { throw .stream(id, .protocolError, .contentLength) }
    }
}
