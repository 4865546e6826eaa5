/// Writes protobuf's wire format (encoding.proto: varint, 64-bit, length-delimited, 32-bit).
struct WireBytes {
    private(set) var bytes: [UInt8] = []

    mutating func varint(_ value: UInt64) {
        var value = value
        while value > 0x7F {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }

    mutating func tag(_ number: Int, _ wireType: UInt64) { varint(UInt64(number) << 3 | wireType) }

    mutating func varint(_ number: Int, _ value: UInt64) {
        tag(number, 0)
        varint(value)
    }

    mutating func fixed64(_ number: Int, _ value: UInt64) {
        tag(number, 1)
        for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: value >> (UInt64(shift) * 8))) }
    }

    mutating func fixed32(_ number: Int, _ value: UInt32) {
        tag(number, 5)
        for shift in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: value >> (UInt32(shift) * 8))) }
    }

    mutating func delimited(_ number: Int, _ content: some Collection<UInt8>) {
        tag(number, 2)
        varint(UInt64(content.count))
        bytes.append(contentsOf: content)
    }
}
