import NIOCore

/// Writes protobuf's wire format (protobuf.dev, "Encoding") field by field, for messages of which many leave: no object
/// for each message, no second pass for the lengths.
struct ProtobufWriter {
    private(set) var bytes = ByteBuffer()

    /// How fields are laid out.
    private enum WireType: UInt8 { case varint = 0, fixed64 = 1, lengthDelimited = 2 }

    mutating func reserve(_ count: Int) { bytes.reserveCapacity(minimumWritableBytes: count) }

    /// Fields that are encoded already.
    mutating func write(_ fields: some Sequence<UInt8>) { bytes.writeBytes(fields) }

    mutating func write(_ field: Int, _ text: String) {
        start(field, .lengthDelimited)
        varint(UInt64(text.utf8.count))
        bytes.writeString(text)
    }

    mutating func write(_ field: Int, _ content: [UInt8]) {
        start(field, .lengthDelimited)
        varint(UInt64(content.count))
        bytes.writeBytes(content)
    }

    /// The numbers as bytes, the highest byte first.
    mutating func write(_ field: Int, bytesOf numbers: UInt64...) {
        start(field, .lengthDelimited)
        varint(UInt64(numbers.count * 8))
        for number in numbers { bytes.writeInteger(number) }
    }

    mutating func write(_ field: Int, fixed number: UInt64) {
        start(field, .fixed64)
        bytes.writeInteger(number, endianness: .little)
    }

    mutating func write(_ field: Int, _ number: UInt64) {
        start(field, .varint)
        varint(number)
    }

    /// A message in this one.
    mutating func write(_ field: Int, message body: (inout ProtobufWriter) -> Void) {
        start(field, .lengthDelimited)
        let place = bytes.writerIndex
        // Room for a length below 128; what is longer moves up when its length is known.
        bytes.writeInteger(UInt8(0))
        body(&self)
        let length = UInt64(bytes.writerIndex - place - 1)
        let missing = Self.size(length) - 1
        if missing > 0 {
            bytes.writeRepeatingByte(0, count: missing)
            bytes.withUnsafeMutableReadableBytes { all in
                let content = UnsafeRawBufferPointer(rebasing: all[(place + 1)..<(all.count - missing)])
                UnsafeMutableRawBufferPointer(rebasing: all[(place + 1 + missing)...]).copyMemory(from: content)
            }
        }
        let end = bytes.writerIndex
        bytes.moveWriterIndex(to: place)
        varint(length)
        bytes.moveWriterIndex(to: end)
    }

    /// Bytes of a number with variable length.
    static func size(_ number: UInt64) -> Int { max(1, (70 - number.leadingZeroBitCount) / 7) }

    private mutating func start(_ field: Int, _ type: WireType) { varint(UInt64(field) << 3 | UInt64(type.rawValue)) }

    private mutating func varint(_ number: UInt64) {
        var rest = number
        while rest > 0x7f {
            bytes.writeInteger(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.writeInteger(UInt8(truncatingIfNeeded: rest))
    }
}
