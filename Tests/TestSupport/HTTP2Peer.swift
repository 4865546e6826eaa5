import NIOCore
import NIOHPACK

/// One end of an HTTP/2 connection as a test needs it: frames by hand, NIOHPACK for header blocks, windows respected.
/// None of the code under test.
package final class HTTP2Peer {
    package enum Event: Equatable {
        /// Header fields, pseudo headers among them.
        case headers(stream: UInt32, [WireMessage.Field], ended: Bool)
        case data(stream: UInt32, [UInt8], ended: Bool)
        case reset(stream: UInt32, code: UInt32)
        case goAway(last: UInt32, code: UInt32)
    }
    private struct Sending {
        var bytes: [UInt8]
        var trailers: [WireMessage.Field]?
    }

    package static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    private let stream: any ByteStream
    private var buffer: [UInt8] = []
    private var encoder = HPACKEncoder(allocator: ByteBufferAllocator())
    private var decoder = HPACKDecoder(allocator: ByteBufferAllocator(), maxDynamicTableSize: 4096)
    private var window = 65_535
    private var initialWindow = 65_535
    private var windows: [UInt32: Int] = [:]
    private var waiting: [UInt32: Sending] = [:]
    private var block: (stream: UInt32, ended: Bool, bytes: [UInt8])?
    private var prefaceLeft: Int
    private var corked: [UInt8]?
    private var events: [Event] = []
    package private(set) var hasEnded = false

    /// Sends the preface (as a client) and large windows.
    package init(_ stream: any ByteStream, isClient: Bool, received: [UInt8] = []) {
        self.stream = stream
        buffer = received
        prefaceLeft = isClient ? 0 : Self.preface.count
        var out = isClient ? Self.preface : []
        let settings: [UInt8] = [0, 4, 0x3f, 255, 255, 255] + (isClient ? [0, 2, 0, 0, 0, 0] : [0, 3, 0, 0, 4, 0])
        out += Self.frame(4, 0, 0, settings)
        out += Self.frame(8, 0, 0, [0x3f, 0, 0, 0])
        stream.send(out)
        take()
    }

    package static func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
        let count = UInt32(payload.count)
        return Array(integer(count).dropFirst()) + [type, flags] + integer(stream) + payload
    }
    private static func integer(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
    private static func integer(_ bytes: some Collection<UInt8>) -> UInt32 {
        bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Gathers frames until ``uncork()``: what is sent in one go arrives in one go.
    package func cork() { corked = corked ?? [] }
    package func uncork() {
        guard let bytes = corked else { return }
        corked = nil
        if !bytes.isEmpty { stream.send(bytes) }
    }
    private func write(_ bytes: [UInt8]) {
        if corked == nil { stream.send(bytes) } else { corked?.append(contentsOf: bytes) }
    }

    package func headers(_ id: UInt32, _ fields: [WireMessage.Field], ended: Bool) {
        try? encoder.beginEncoding(allocator: ByteBufferAllocator())
        try? encoder.append(headers: HPACKHeaders(fields.map { ($0.name, $0.value) }))
        guard let block = try? encoder.endEncoding() else { return }
        var bytes = Array(block.readableBytesView)[...]
        var type: UInt8 = 1
        repeat {
            let part = bytes.prefix(16_384)
            bytes = bytes.dropFirst(16_384)
            let flags: UInt8 = (bytes.isEmpty ? 4 : 0) | (type == 1 && ended ? 1 : 0)
            write(Self.frame(type, flags, id, Array(part)))
            type = 9
        } while !bytes.isEmpty
        windows[id] = windows[id] ?? initialWindow
    }

    /// Sends a body, as the windows allow, and what ends it.
    package func body(_ id: UInt32, _ bytes: [UInt8], trailers: [WireMessage.Field]? = nil) {
        waiting[id] = Sending(bytes: bytes, trailers: trailers)
        flush(id)
    }

    /// Sends a part of a body that does not end the stream; the windows must have room.
    package func part(_ id: UInt32, _ bytes: [UInt8]) {
        write(Self.frame(0, 0, id, bytes))
        window -= bytes.count
        windows[id, default: initialWindow] -= bytes.count
    }

    /// Bytes as they are; the letters `STRM` stand for the stream's number.
    package func raw(_ bytes: [UInt8], _ id: UInt32) {
        write(ByteSearch.replace(Array("STRM".utf8), with: Self.integer(id), in: bytes))
    }

    package func reset(_ id: UInt32, _ code: UInt32) { write(Self.frame(3, 0, id, Self.integer(code))) }
    package func goAway(_ last: UInt32, _ code: UInt32) {
        write(Self.frame(7, 0, 0, Self.integer(last) + Self.integer(code)))
    }

    private func flush(_ id: UInt32) {
        while let sending = waiting[id] {
            let room = min(window, windows[id, default: initialWindow], 16_384, sending.bytes.count)
            if room <= 0, !sending.bytes.isEmpty { return }
            let isLast = room == sending.bytes.count
            let trailers = sending.trailers ?? []
            let part = Array(sending.bytes.prefix(room))
            if !part.isEmpty || trailers.isEmpty {
                write(Self.frame(0, isLast && trailers.isEmpty ? 1 : 0, id, part))
            }
            window -= room
            windows[id, default: initialWindow] -= room
            waiting[id]?.bytes.removeFirst(room)
            guard isLast else { continue }
            waiting[id] = nil
            if !trailers.isEmpty { headers(id, trailers, ended: true) }
        }
    }

    /// The next event, waited for at most `milliseconds`; `nil` when nothing came or the connection ended.
    package func next(within milliseconds: Int) -> Event? {
        let end = ContinuousClock.now + .milliseconds(milliseconds)
        // Frames such as SETTINGS are no events and may arrive alone.
        while events.isEmpty, !hasEnded {
            switch stream.receive(within: max(0, Int((end - .now) / .milliseconds(1)))) {
            case .bytes(let bytes):
                buffer += bytes
                take()
            case .closed, .reset: hasEnded = true
            case .nothing: return nil
            }
        }
        return events.isEmpty ? nil : events.removeFirst()
    }

    private func take() {
        if prefaceLeft > 0 {
            guard buffer.count >= prefaceLeft else { return }
            buffer.removeFirst(prefaceLeft)
            prefaceLeft = 0
        }
        var offset = 0
        while buffer.count - offset >= 9 {
            let length = Int(Self.integer(buffer[offset..<offset + 3]))
            guard buffer.count - offset >= 9 + length else { break }
            let id = Self.integer(buffer[offset + 5..<offset + 9]) & 0x7fff_ffff
            frame(
                type: buffer[offset + 3], flags: buffer[offset + 4], id,
                Array(buffer[offset + 9..<offset + 9 + length]))
            offset += 9 + length
        }
        buffer.removeFirst(offset)
    }

    private func frame(type: UInt8, flags: UInt8, _ id: UInt32, _ payload: [UInt8]) {
        var payload = payload[...]
        if type <= 1, flags & 8 != 0, let padding = payload.popFirst() { payload = payload.dropLast(Int(padding)) }
        switch type {
        case 0:
            events.append(.data(stream: id, Array(payload), ended: flags & 1 != 0))
            if !payload.isEmpty { write(Self.frame(8, 0, 0, Self.integer(UInt32(payload.count)))) }
        case 1:
            if flags & 32 != 0 { payload = payload.dropFirst(5) }
            block = (id, flags & 1 != 0, Array(payload))
            if flags & 4 != 0 { endBlock() }
        case 9:
            block?.bytes += payload
            if flags & 4 != 0 { endBlock() }
        case 3: events.append(.reset(stream: id, code: Self.integer(payload)))
        case 4 where flags & 1 == 0:
            settings(Array(payload))
            write(Self.frame(4, 1, 0, []))
        case 6 where flags & 1 == 0: write(Self.frame(6, 1, 0, Array(payload)))
        case 7:
            events.append(
                .goAway(last: Self.integer(payload.prefix(4)), code: Self.integer(payload.dropFirst(4).prefix(4))))
        case 8:
            let growth = Int(Self.integer(payload))
            if id == 0 { window += growth } else { windows[id, default: initialWindow] += growth }
            for id in waiting.keys.sorted() { flush(id) }
        default: break
        }
    }

    private func settings(_ payload: [UInt8]) {
        for start in stride(from: 0, to: payload.count - 5, by: 6) {
            let value = Int(Self.integer(payload[start + 2..<start + 6]))
            switch payload[start + 1] {
            case 4:
                for id in windows.keys { windows[id, default: 0] += value - initialWindow }
                initialWindow = value
            case 1: try? encoder.setDynamicTableSize(min(value, 4096))
            default: break
            }
        }
        for id in waiting.keys.sorted() { flush(id) }
    }

    private func endBlock() {
        guard let complete = block else { return }
        block = nil
        var bytes = ByteBuffer(bytes: complete.bytes)
        let fields = (try? decoder.decodeHeaders(from: &bytes))?.map { WireMessage.Field($0.name, $0.value) }
        events.append(.headers(stream: complete.stream, fields ?? [.init("undecodable", "")], ended: complete.ended))
    }
}
