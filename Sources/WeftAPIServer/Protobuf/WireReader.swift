/// One field as it stands on the wire.
enum WireValue {
    case varint(UInt64)
    case fixed64(UInt64)
    case fixed32(UInt32)
    case bytes(ArraySlice<UInt8>)
}

/// Walks the fields of one protobuf message. Throws ``ProtobufProblem`` on a truncated or malformed one.
struct WireReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    mutating func next() throws(ProtobufProblem) -> (number: Int, value: WireValue)? {
        if rest.isEmpty { return nil }
        let key = try varint()
        let number = Int(truncatingIfNeeded: key >> 3)
        switch key & 7 {
        case 0: return (number, .varint(try varint()))
        case 1: return (number, .fixed64(try fixed(8)))
        case 2:
            let count = try varint()
            guard count <= UInt64(rest.count) else { throw .malformed("a field is longer than its message") }
            let bytes = rest.prefix(Int(count))
            rest = rest.dropFirst(Int(count))
            return (number, .bytes(bytes))
        case 5: return (number, .fixed32(UInt32(truncatingIfNeeded: try fixed(4))))
        default: throw .malformed("wire type \(key & 7) is not used in proto2 messages of Kubernetes")
        }
    }

    private mutating func varint() throws(ProtobufProblem) -> UInt64 {
        var result: UInt64 = 0
        for shift in stride(from: 0, to: 70, by: 7) {
            guard let byte = rest.popFirst() else { throw .malformed("the message ends within a number") }
            result |= UInt64(byte & 0x7f) << UInt64(shift)
            if byte < 0x80 { return result }
        }
        throw .malformed("a number has more than 64 bits")
    }

    private mutating func fixed(_ count: Int) throws(ProtobufProblem) -> UInt64 {
        guard rest.count >= count else { throw .malformed("the message ends within a number") }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// Why a protobuf body cannot be read.
enum ProtobufProblem: Error {
    case malformed(String)
    /// A kind that has no table.
    case unknownKind(apiVersion: String, kind: String)
    case unknownField(message: String, number: Int)
    case wrongWireType(message: String, field: String)
    case unsupportedEncoding(String)

    var message: String {
        switch self {
        case .malformed(let text): "malformed protobuf: \(text)"
        case .unknownKind(let version, let kind):
            "protobuf bodies of kind \(kind) in version \"\(version)\" are not supported; send application/json"
        case .unknownField(let message, let number):
            "protobuf field number \(number) of \(message) is not known; send application/json"
        case .wrongWireType(let message, let field): "protobuf field \(message).\(field) has the wrong wire type"
        case .unsupportedEncoding(let name): "protobuf content encoding \"\(name)\" is not supported"
        }
    }
}
