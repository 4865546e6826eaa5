import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Reads field lines into a ``HeaderBlock``, in one pass over bytes that end with a line feed.
///
/// The fields are copied out once, with room for those that the proxy adds, so neither keeps the other's buffer busy.
struct FieldReader {
    /// Bytes and fields that a block has room for beyond those that came: the proxy's own additions.
    private static let spareBytes = 448
    private static let spareFields = 8

    /// The value of `host`, which is no field of a request's block; offsets into the section.
    private(set) var hostStart = 0
    private(set) var hostLength = -1
    private(set) var hosts = 0
    private var block: HeaderBlock?

    /// What was read last; taken once, so that nobody else holds it.
    mutating func takeBlock() -> HeaderBlock { block.take() ?? HeaderBlock() }

    /// - Parameters:
    ///   - bytes: the field lines, each with CR and LF.
    ///   - limit: how many fields there may be.
    ///   - dropsHost: keeps `host` out of the block and remembers where it is.
    mutating func read(
        _ bytes: UnsafeRawBufferPointer, limit: Int, dropsHost: Bool
    ) throws(HTTP1ParseError) {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return }
        var buffer = ByteBufferAllocator().buffer(capacity: bytes.count + Self.spareBytes)
        buffer.writeBytes(bytes)
        var entries: [HeaderBlock.Entry] = []
        // A field takes some 30 bytes; when they are shorter, the array grows.
        entries.reserveCapacity(bytes.count / 24 + Self.spareFields)
        var mask = NameBits()
        var start = 0
        while start < bytes.count {
            guard let found = memchr(base + start, 10, bytes.count - start) else { throw .unexpectedEnd }
            let feed = UnsafeRawPointer(found) - base
            let entry = try Self.field(bytes, start, feed)
            if dropsHost, entry.fingerprint == HeaderName.host.fingerprint, Self.isHost(bytes, entry) {
                hosts += 1
                hostStart = Int(entry.valueStart)
                hostLength = Int(entry.valueLength)
            } else {
                mask.note(entry.fingerprint)
                entries.append(entry)
            }
            if entries.count + hosts > limit { throw .tooManyHeaders }
            start = feed + 1
        }
        block = HeaderBlock(bytes: buffer, entries: entries, mask: mask)
    }

    private static func isHost(_ bytes: UnsafeRawBufferPointer, _ entry: HeaderBlock.Entry) -> Bool {
        entry.nameLength == 4
            && bytes.loadUnaligned(fromByteOffset: Int(entry.nameStart), as: UInt32.self) | 0x2020_2020
                == UInt32(littleEndian: 0x7473_6F68)
    }

    /// One line from `start` to the line feed at `feed`.
    @inline(__always)
    private static func field(
        _ bytes: UnsafeRawBufferPointer, _ start: Int, _ feed: Int
    ) throws(HTTP1ParseError) -> HeaderBlock.Entry {
        let end = feed - 1
        guard end >= start, bytes[end] == 13 else { throw .bareLineFeed }
        var colon = start
        while true {
            // Eight bytes at a time as far as the line goes; the first that is no letter and no dash is looked at alone.
            if colon + 8 <= end {
                let plain = plainBytes(bytes.loadUnaligned(fromByteOffset: colon, as: UInt64.self))
                colon += plain
                if plain == 8 { continue }
            }
            let byte = bytes[colon]
            if byte == 58 { break }
            guard ASCII.isToken(byte) else { throw nameError(bytes, start, colon, end) }
            colon += 1
        }
        guard colon > start, let base = bytes.baseAddress else { throw .invalidHeaderName }
        let fingerprint = ASCII.fingerprint(base + start, colon - start)
        var first = colon + 1
        var last = end
        while first < last, bytes[first] == 32 || bytes[first] == 9 { first += 1 }
        while last > first, bytes[last - 1] == 32 || bytes[last - 1] == 9 { last -= 1 }
        try checkValue(bytes, first, last)
        return HeaderBlock.Entry(
            nameStart: Int32(truncatingIfNeeded: start), nameLength: Int32(truncatingIfNeeded: colon - start),
            valueStart: Int32(truncatingIfNeeded: first), valueLength: Int32(truncatingIfNeeded: last - first),
            fingerprint: fingerprint)
    }

    /// How many bytes are letters or dashes, as nearly all bytes of names are, before the first that is none.
    @inline(__always) private static func plainBytes(_ memory: UInt64) -> Int {
        let word = memory.littleEndian
        let high: UInt64 = 0x8080_8080_8080_8080
        let low = (word | 0x2020_2020_2020_2020) & ~high
        let letters = (low &+ 0x1F1F_1F1F_1F1F_1F1F) & ~(low &+ 0x0505_0505_0505_0505)
        // A dash is 0x2D, and is told from 0x0D, which has the same bits but the one that was set.
        let other = word ^ 0x2D2D_2D2D_2D2D_2D2D
        let dashes = ~((other & ~high) &+ ~high)
        let others = ~((letters | dashes) & ~word) & high
        return others.trailingZeroBitCount >> 3
    }

    /// Why the byte at `place`, or the end of the line, does not belong into a name.
    private static func nameError(
        _ bytes: UnsafeRawBufferPointer, _ start: Int, _ place: Int, _ end: Int
    ) -> HTTP1ParseError {
        if place == start, bytes[place] == 32 || bytes[place] == 9 { return .obsoleteFolding }
        return bytes[place] == 13 && place < end ? .bareCarriageReturn : .invalidHeaderName
    }

    /// Eight bytes at a time: controls and DEL are what a value may not hold, a tab excepted.
    @inline(__always)
    private static func checkValue(
        _ bytes: UnsafeRawBufferPointer, _ first: Int, _ last: Int
    ) throws(HTTP1ParseError) {
        var place = first
        while place + 8 <= last, isPlainValue(bytes, place) { place += 8 }
        // The last eight once more, in place of one byte after the other.
        if last - place < 8, last - first >= 8, isPlainValue(bytes, last - 8) { return }
        while place < last {
            let byte = bytes[place]
            guard ASCII.isFieldValue(byte) else { throw byte == 13 ? .bareCarriageReturn : .invalidHeaderValue }
            place += 1
        }
    }

    /// Whether none of eight bytes is below 32, or 127; bytes above 127 are neither (obs-text). In doubt it says no.
    @inline(__always) private static func isPlainValue(_ bytes: UnsafeRawBufferPointer, _ place: Int) -> Bool {
        let word = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
        let low = (word &- 0x2020_2020_2020_2020) & ~word
        let delete = word ^ 0x7F7F_7F7F_7F7F_7F7F
        return (low | ((delete &- 0x0101_0101_0101_0101) & ~delete)) & 0x8080_8080_8080_8080 == 0
    }
}
