/// Reads protobuf's wire format field by field, without generated code. Nothing traps, whatever the bytes are.
package struct ProtobufReader {
    /// The value of one field as the wire has it.
    package enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case bytes(ArraySlice<UInt8>)
        case fixed32(UInt32)

        var bytes: ArraySlice<UInt8>? { if case .bytes(let bytes) = self { bytes } else { nil } }
        var string: String? { bytes.flatMap { String(validating: $0, as: UTF8.self) } }
        /// Of `int64`, `uint64`, `bool`, an enumeration or a `fixed64`.
        var unsigned: UInt64? {
            switch self {
            case .varint(let value), .fixed64(let value): value
            case .fixed32(let value): UInt64(value)
            case .bytes: nil
            }
        }
    }

    /// Bytes that are no protobuf.
    package struct Malformed: Error, Sendable, Hashable, CustomStringConvertible {
        package var message: String
        /// Byte offset.
        package var position: Int
        package var description: String { "malformed protobuf at byte \(position): \(message)" }
    }

    private var reader: ByteReader

    package init(_ bytes: ArraySlice<UInt8>) { reader = ByteReader(bytes) }

    /// The next field's number and value; `nil` at the end.
    package mutating func next() throws(Malformed) -> (field: Int, value: Value)? {
        guard !reader.isAtEnd else { return nil }
        let start = reader.position
        func bad(_ message: String) -> Malformed { Malformed(message: message, position: start) }
        guard let tag = reader.varint() else { throw bad("a tag is cut off") }
        guard tag >> 3 > 0, tag >> 3 < 1 << 29 else { throw bad("no field has number \(tag >> 3)") }
        let field = Int(tag >> 3)
        switch tag & 7 {
        case 0:
            guard let value = reader.varint() else { throw bad("field \(field) is cut off") }
            return (field, .varint(value))
        case 1:
            guard let value = reader.fixed64() else { throw bad("field \(field) is cut off") }
            return (field, .fixed64(value))
        case 2:
            guard let value = reader.counted() else { throw bad("field \(field) is longer than the message") }
            return (field, .bytes(value))
        case 5:
            guard let value = reader.fixed32() else { throw bad("field \(field) is cut off") }
            return (field, .fixed32(value))
        default: throw bad("field \(field) has wire type \(tag & 7), which is not read")
        }
    }
}

/// Writes protobuf's wire format.
package struct ProtobufWriter: Sendable {
    private var writer = ByteWriter()
    package var bytes: [UInt8] { writer.bytes }

    package init() {}

    package mutating func varint(_ field: Int, _ value: UInt64) {
        writer.varint(UInt64(field) << 3)
        writer.varint(value)
    }
    package mutating func double(_ field: Int, _ value: Double) {
        writer.varint(UInt64(field) << 3 | 1)
        writer.fixed(value.bitPattern)
    }
    package mutating func string(_ field: Int, _ text: String) {
        writer.varint(UInt64(field) << 3 | 2)
        writer.string(text)
    }
    package mutating func message(_ field: Int, _ content: [UInt8]) {
        writer.varint(UInt64(field) << 3 | 2)
        writer.varint(UInt64(content.count))
        writer.append(content)
    }
}
