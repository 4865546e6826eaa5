/// Writes numbers and strings as the store's files have them: little-endian, or of variable length (LEB128).
struct ByteWriter: Sendable {
    private(set) var bytes: [UInt8] = []

    mutating func fixed(_ value: UInt32) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }
    mutating func fixed(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }
    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
    /// Small either way of zero (zigzag).
    mutating func signed(_ value: Int64) { varint(UInt64(bitPattern: (value << 1) ^ (value >> 63))) }
    mutating func string(_ text: String) {
        varint(UInt64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }
    mutating func append(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }
    mutating func clear() { bytes.removeAll(keepingCapacity: true) }
}

/// Reads what ``ByteWriter`` wrote. Every read says whether there was enough; nothing traps.
struct ByteReader {
    private let bytes: ArraySlice<UInt8>
    private(set) var position: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }
    init(_ bytes: [UInt8]) { self.init(bytes[...]) }

    var isAtEnd: Bool { position >= bytes.endIndex }
    var remaining: Int { bytes.endIndex - position }

    mutating func fixed32() -> UInt32? {
        guard remaining >= 4 else { return nil }
        defer { position += 4 }
        return (0..<4).reduce(0) { $0 | UInt32(bytes[position + $1]) << UInt32(8 * $1) }
    }
    mutating func fixed64() -> UInt64? {
        guard let low = fixed32(), let high = fixed32() else { return nil }
        return UInt64(high) << 32 | UInt64(low)
    }
    mutating func varint() -> UInt64? {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while position < bytes.endIndex, shift < 64 {
            let byte = bytes[position]
            position += 1
            result |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return result }
            shift += 7
        }
        return nil
    }
    mutating func signed() -> Int64? {
        guard let raw = varint() else { return nil }
        return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
    }
    mutating func slice(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, count <= remaining else { return nil }
        defer { position += count }
        return bytes[position..<position + count]
    }
    mutating func counted() -> ArraySlice<UInt8>? {
        guard let count = varint(), count <= UInt64(remaining) else { return nil }
        return slice(Int(count))
    }
    mutating func string() -> String? { counted().map { String(decoding: $0, as: UTF8.self) } }
}

/// Reads what ``ByteWriter`` wrote from memory that somebody else holds: not to be kept beyond it. Every read says
/// whether there was enough; nothing traps.
struct RawReader {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    var isAtEnd: Bool { position >= bytes.count }
    var rest: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(rebasing: bytes[position...]) }

    private mutating func fixed<Number: FixedWidthInteger>(_ type: Number.Type) -> Number? {
        guard bytes.count - position >= MemoryLayout<Number>.size else { return nil }
        defer { position += MemoryLayout<Number>.size }
        return Number(
            littleEndian: UnsafeRawBufferPointer(bytes).loadUnaligned(fromByteOffset: position, as: Number.self))
    }
    mutating func fixed32() -> UInt32? { fixed(UInt32.self) }
    mutating func fixed64() -> UInt64? { fixed(UInt64.self) }
    mutating func varint() -> UInt64? {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while position < bytes.count, shift < 64 {
            let byte = bytes[position]
            position += 1
            result |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return result }
            shift += 7
        }
        return nil
    }
    mutating func signed() -> Int64? {
        guard let raw = varint() else { return nil }
        return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
    }
    mutating func counted() -> UnsafeBufferPointer<UInt8>? {
        guard let count = varint(), count <= UInt64(bytes.count - position) else { return nil }
        defer { position += Int(count) }
        return UnsafeBufferPointer(rebasing: bytes[position..<position + Int(count)])
    }

    /// What ``ByteWriter/summary(_:)`` wrote; the outer `nil` where it makes no sense.
    mutating func summary() -> ChunkSummary?? {
        switch varint() {
        case 0: return .some(nil)
        case 1:
            guard let last = signed(), let fallen = signed() else { return nil }
            return ChunkSummary(last: Double(last), fallen: Double(fallen))
        case 2:
            guard let last = fixed64(), let fallen = fixed64() else { return nil }
            return ChunkSummary(last: Double(bitPattern: last), fallen: Double(bitPattern: fallen))
        default: return nil
        }
    }
}

extension ByteWriter {
    /// 0 for none; 1 and two whole numbers, which most are; or 2 and the bits of two numbers.
    mutating func summary(_ summary: ChunkSummary?) {
        guard let summary else { return varint(0) }
        if let last = Self.whole(summary.last), let fallen = Self.whole(summary.fallen) {
            varint(1)
            signed(last)
            signed(fallen)
        } else {
            varint(2)
            fixed(summary.last.bitPattern)
            fixed(summary.fallen.bitPattern)
        }
    }

    private static func whole(_ value: Double) -> Int64? {
        guard let whole = Int64(exactly: value), whole.magnitude < 1 << 52, whole != 0 || value.sign == .plus else {
            return nil
        }
        return whole
    }
}
