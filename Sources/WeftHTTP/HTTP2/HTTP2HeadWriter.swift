import NIOCore

/// Writes heads and trailers as HEADERS and CONTINUATION frames, encoding straight into the output.
///
/// Connection-specific fields stay behind (RFC 9113, 8.2.2).
struct HTTP2HeadWriter {
    let encoder: HPACKEncoder
    /// The peer's SETTINGS_MAX_FRAME_SIZE.
    let maximumFrameSize: Int

    /// Static table indices of the pseudo headers that are written by name.
    private enum Index {
        static let authority = 1
        static let method = 2
        static let path = 4
        static let scheme = 6
        static let status = 8
    }

    /// - Parameter extendedProtocol: The `:protocol` of an extended CONNECT; the method is then CONNECT.
    func write(
        _ head: RequestHead, extendedProtocol: ByteBuffer? = nil, streamID: UInt32, endStream: Bool,
        to output: inout HTTP2Output
    ) {
        let extra = head.path.readableBytes + head.authority.readableBytes + 256
        frame(head.headers, extra: extra, streamID, endStream: endStream, to: &output) { target in
            var end = target
            end += text(extendedProtocol == nil ? head.method.description : "CONNECT", Index.method, end)
            if let extendedProtocol {
                end += StaticName.protocol.withBytes { name in
                    extendedProtocol.withUnsafeReadableBytes { value in
                        encoder.encode(
                            name: name.bindMemory(to: UInt8.self), value: value.bindMemory(to: UInt8.self),
                            fingerprint: StaticName.protocol.fingerprint, never: false, at: end)
                    }
                }
            }
            if head.method != .connect || extendedProtocol != nil {
                end += text(head.scheme.rawValue, Index.scheme, end)
                end += buffer(head.path, Index.path, end)
            }
            end += buffer(head.authority, Index.authority, end)
            return end - target
        }
    }

    func write(_ head: ResponseHead, streamID: UInt32, endStream: Bool, to output: inout HTTP2Output) {
        frame(head.headers, extra: 64, streamID, endStream: endStream, to: &output) { target in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 3) { digits in
                digits[0] = UInt8(truncatingIfNeeded: 48 + head.status / 100 % 10)
                digits[1] = UInt8(truncatingIfNeeded: 48 + head.status / 10 % 10)
                digits[2] = UInt8(truncatingIfNeeded: 48 + head.status % 10)
                return encoder.encode(staticName: Index.status, value: UnsafeBufferPointer(digits), at: target)
            }
        }
    }

    func write(trailers: HeaderBlock, streamID: UInt32, to output: inout HTTP2Output) {
        frame(trailers, extra: 16, streamID, endStream: true, to: &output) { _ in 0 }
    }

    private enum StaticName { static let `protocol`: HeaderName = ":protocol" }

    private func text(_ text: String, _ index: Int, _ target: UnsafeMutablePointer<UInt8>) -> Int {
        var text = text
        return text.withUTF8 { encoder.encode(staticName: index, value: $0, at: target) }
    }

    private func buffer(_ buffer: ByteBuffer, _ index: Int, _ target: UnsafeMutablePointer<UInt8>) -> Int {
        buffer.withUnsafeReadableBytes {
            encoder.encode(staticName: index, value: $0.bindMemory(to: UInt8.self), at: target)
        }
    }

    private func frame(
        _ headers: HeaderBlock, extra: Int, _ streamID: UInt32, endStream: Bool, to output: inout HTTP2Output,
        _ pseudo: (UnsafeMutablePointer<UInt8>) -> Int
    ) {
        let worst = headers.byteCount + headers.count * HPACKEncoder.overheadPerField + extra + 128
        let start = output.tail.writerIndex
        let endFlag = endStream ? HTTP2Flags.endStream : 0
        var header = HTTP2FrameHeader(
            length: 0, type: HTTP2FrameType.headers, flags: HTTP2Flags.endHeaders | endFlag, streamID: streamID)
        header.write(to: &output.tail)
        let length = output.tail.writeWithUnsafeMutableBytes(minimumWritableBytes: worst) { room in
            guard let base = room.bindMemory(to: UInt8.self).baseAddress else { return 0 }
            var end = base + encoder.begin(at: base)
            end += pseudo(end)
            end += fields(headers, end)
            return end - base
        }
        if length > maximumFrameSize { return split(start, length, streamID, endFlag, &output) }
        header.length = length
        header.set(in: &output.tail, at: start)
        if !endStream { output.noteEndable(streamID, headerAt: start) }
    }

    private func fields(_ headers: HeaderBlock, _ target: UnsafeMutablePointer<UInt8>) -> Int {
        let isTunnelHead = headers.entries.isEmpty
        if isTunnelHead { return 0 }
        return headers.bytes.withUnsafeReadableBytes { raw in
            let bytes = raw.bindMemory(to: UInt8.self)
            let base = headers.bytes.readerIndex
            var end = target
            for entry in headers.entries {
                let nameStart = Int(entry.nameStart) - base
                let valueStart = Int(entry.valueStart) - base
                let name = UnsafeBufferPointer(rebasing: bytes[nameStart..<(nameStart + Int(entry.nameLength))])
                let value = UnsafeBufferPointer(rebasing: bytes[valueStart..<(valueStart + Int(entry.valueLength))])
                switch HTTP2FieldKind(name) {
                case .hopByHop, .host: continue
                case .te where !HTTP2FieldKind.equal(value, "trailers"): continue
                default: break
                }
                let never = headers.neverIndexed & ASCII.bit(entry.fingerprint) != 0
                end += encoder.encode(
                    name: name, value: value, fingerprint: entry.fingerprint, never: never, at: end)
            }
            return end - target
        }
    }

    /// Spreads a block that is too long for one frame over CONTINUATION frames; rare, so it copies.
    private func split(_ start: Int, _ length: Int, _ id: UInt32, _ endFlag: UInt8, _ output: inout HTTP2Output) {
        guard var block = output.tail.getSlice(at: start + HTTP2FrameHeader.size, length: length) else { return }
        output.tail.moveWriterIndex(to: start)
        var type = HTTP2FrameType.headers
        while block.readableBytes > 0 {
            let size = min(block.readableBytes, maximumFrameSize)
            guard let part = block.readSlice(length: size) else { return }
            let last = block.readableBytes == 0 ? HTTP2Flags.endHeaders : 0
            let flags = last | (type == HTTP2FrameType.headers ? endFlag : 0)
            HTTP2FrameHeader(length: size, type: type, flags: flags, streamID: id).write(to: &output.tail)
            output.tail.writeImmutableBuffer(part)
            type = HTTP2FrameType.continuation
        }
    }
}
