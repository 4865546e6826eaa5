package import NIOCore

/// What a parser found next.
package enum HTTP1Event<Head: Sendable>: Sendable {
    case head(Head)
    /// A 1xx response other than 101; the final head follows.
    case informational(Head)
    case body(ByteBuffer)
    /// The message is complete, with its trailers if there were any.
    case end(HeaderBlock?)
}

/// What follows a head.
package enum HTTP1Part: Sendable {
    case body(ByteBuffer)
    /// The message is complete, with its trailers if there were any.
    case end(HeaderBlock?)
}

/// Reads a body by its framing: length, chunks or until the connection closes.
struct BodyReader: Sendable {
    private enum State: Sendable {
        case length(UInt64)
        case chunkSize
        case chunk(UInt64)
        case chunkEnd
        case trailers
        case open
        case done
    }
    enum Step {
        case body(ByteBuffer)
        case end(HeaderBlock?)
    }
    private var state: State
    private var trailerReader: HeadReader
    /// Longest accepted chunk-size line, extensions included.
    private static let chunkLineLimit = 4096

    init(_ framing: BodyFraming, limits: HTTP1Limits) {
        trailerReader = HeadReader(limits: limits)
        switch framing {
        case .none: state = .done
        case .length(let length): state = length == 0 ? .done : .length(length)
        case .chunked: state = .chunkSize
        case .untilClose, .tunnel: state = .open
        }
    }

    var isOpen: Bool { if case .open = state { true } else { false } }

    mutating func next(from buffer: inout ByteBuffer) throws(HTTP1ParseError) -> Step? {
        while true {
            switch state {
            case .done: return .end(nil)
            case .open:
                guard let slice = buffer.readSlice(length: buffer.readableBytes), slice.readableBytes > 0 else {
                    return nil
                }
                return .body(slice)
            case .length(let left):
                guard let (slice, rest) = Self.take(left, from: &buffer) else { return nil }
                state = rest == 0 ? .done : .length(rest)
                return .body(slice)
            case .chunkSize:
                guard let size = try chunkSize(&buffer) else { return nil }
                state = size == 0 ? .trailers : .chunk(size)
            case .chunk(let left):
                guard let (slice, rest) = Self.take(left, from: &buffer) else { return nil }
                state = rest == 0 ? .chunkEnd : .chunk(rest)
                return .body(slice)
            case .chunkEnd:
                guard let end = buffer.readInteger(as: UInt16.self) else { return nil }
                guard end == 0x0D0A else { throw .invalidChunkEnd }
                state = .chunkSize
            case .trailers:
                guard let length = try trailerReader.section(in: &buffer, hasStartLine: false) else { return nil }
                let most = trailerReader.limits.headerCount
                var fields = FieldReader()
                try HeadReader.reading(buffer, length) { (bytes) throws(HTTP1ParseError) in
                    try fields.read(bytes, limit: most, dropsHost: false)
                }
                let trailers = fields.takeBlock()
                trailerReader.finish(&buffer, length: length)
                state = .done
                return .end(trailers.isEmpty ? nil : trailers)
            }
        }
    }

    static func take(_ left: UInt64, from buffer: inout ByteBuffer) -> (ByteBuffer, UInt64)? {
        let count = Int(min(left, UInt64(buffer.readableBytes)))
        guard count > 0, let slice = buffer.readSlice(length: count) else { return nil }
        return (slice, left - UInt64(count))
    }

    private func chunkSize(_ buffer: inout ByteBuffer) throws(HTTP1ParseError) -> UInt64? {
        let view = buffer.readableBytesView
        guard let feed = view.firstIndex(of: 10) else {
            if view.count > BodyReader.chunkLineLimit { throw .invalidChunkSize }
            return nil
        }
        let line = view[view.startIndex..<feed]
        guard line.last == 13, line.count <= BodyReader.chunkLineLimit else { throw .invalidChunkSize }
        var size: UInt64 = 0
        var digits = 0
        for byte in line.dropLast() {
            guard let value = ASCII.hexValue(byte) else {
                guard byte == 59 || byte == 32 || byte == 9 else { throw .invalidChunkSize }
                break
            }
            size = size << 4 | UInt64(value)
            digits += 1
            // Fifteen digits are an exbibyte: more cannot be meant and would overflow.
            guard digits <= 15 else { throw .invalidChunkSize }
        }
        // Blanks may stand before an extension; another number after them would be read differently by others.
        let rest = line.dropLast().dropFirst(digits)
        let next = rest.first { $0 != 32 && $0 != 9 }
        guard digits > 0, next == nil || next == 59, rest.allSatisfy(ASCII.isFieldValue) else {
            throw .invalidChunkSize
        }
        buffer.moveReaderIndex(to: feed + 1)
        return size
    }
}
