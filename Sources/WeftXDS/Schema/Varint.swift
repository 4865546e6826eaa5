/// Variable-length integers of the protobuf wire format (base 128, least significant group first).
enum Varint {
    /// Takes one integer off the front; `nil` when it does not end within its ten bytes or with the bytes there are.
    @inline(__always)
    static func take<Bytes: Collection>(_ bytes: inout Bytes) -> UInt64?
    where Bytes.Element == UInt8, Bytes.SubSequence == Bytes {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 64, by: 7) {
            guard let byte = bytes.popFirst() else { return nil }
            value |= UInt64(byte & 0x7F) << UInt64(shift)
            if byte < 0x80 { return value }
        }
        return nil
    }
}
