import NIOCore

/// Writes protobuf's wire format (protobuf.dev, "Encoding") field by field, for messages of which many leave: no object
/// for each message, no second pass for the lengths. Grows as needed; confined to where it is made.
final class ProtobufWriter {
    private var memory: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0

    /// How fields are laid out.
    private enum WireType: UInt64 { case varint = 0, fixed64 = 1, lengthDelimited = 2 }
    /// The longest number with variable length.
    private static let longestNumber = 10

    init(capacity: Int = 1024) {
        self.capacity = max(64, capacity)
        memory = .allocate(byteCount: self.capacity, alignment: 8)
    }

    deinit { memory.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: count) }

    /// Fields that are encoded already.
    func write(_ fields: [UInt8]) { fields.withUnsafeBytes { append($0) } }

    func write(_ field: Int, _ text: String) {
        var text = text
        text.withUTF8 { write(field, UnsafeRawBufferPointer($0)) }
    }

    func write(_ field: Int, _ content: [UInt8]) { content.withUnsafeBytes { write(field, $0) } }

    private func write(_ field: Int, _ content: UnsafeRawBufferPointer) {
        start(field, .lengthDelimited)
        varint(UInt64(content.count))
        append(content)
    }

    /// Two numbers as sixteen bytes, the highest byte first.
    func write(_ field: Int, bytesOf high: UInt64, _ low: UInt64) {
        start(field, .lengthDelimited)
        varint(16)
        append(high.bigEndian)
        append(low.bigEndian)
    }

    /// A number as eight bytes, the highest byte first.
    func write(_ field: Int, bytesOf number: UInt64) {
        start(field, .lengthDelimited)
        varint(8)
        append(number.bigEndian)
    }

    func write(_ field: Int, fixed number: UInt64) {
        start(field, .fixed64)
        append(number.littleEndian)
    }

    func write(_ field: Int, _ number: UInt64) {
        start(field, .varint)
        varint(number)
    }

    /// A message in this one: what `body` writes meanwhile.
    func write(_ field: Int, message body: () -> Void) {
        start(field, .lengthDelimited)
        let place = count
        // Room for a length below 128; what is longer moves up when its length is known.
        reserve(1)
        count += 1
        body()
        let length = UInt64(count - place - 1)
        let missing = Self.size(length) - 1
        if missing > 0 {
            reserve(missing)
            (memory + place + 1 + missing).copyMemory(from: memory + place + 1, byteCount: Int(length))
        }
        count = place
        varint(length)
        count += Int(length)
    }

    /// Bytes of a number with variable length.
    static func size(_ number: UInt64) -> Int { max(1, (70 - number.leadingZeroBitCount) / 7) }

    private func start(_ field: Int, _ type: WireType) { varint(UInt64(field) << 3 | type.rawValue) }

    private func varint(_ number: UInt64) {
        reserve(Self.longestNumber)
        var rest = number
        while rest > 0x7f {
            memory.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: count, as: UInt8.self)
            count += 1
            rest >>= 7
        }
        memory.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: count, as: UInt8.self)
        count += 1
    }

    private func append(_ number: UInt64) {
        reserve(8)
        memory.storeBytes(of: number, toByteOffset: count, as: UInt64.self)
        count += 8
    }

    private func append(_ content: UnsafeRawBufferPointer) {
        guard let source = content.baseAddress else { return }
        reserve(content.count)
        (memory + count).copyMemory(from: source, byteCount: content.count)
        count += content.count
    }

    private func reserve(_ more: Int) {
        guard capacity - count < more else { return }
        capacity = max(capacity * 2, count + more)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 8)
        larger.copyMemory(from: memory, byteCount: count)
        memory.deallocate()
        memory = larger
    }
}
