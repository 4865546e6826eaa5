import Foundation
import SwiftProtobuf

/// Where decoding is, and what it could not honour on the way. Lives for the decoding of one resource.
final class WireReader {
    var resource = ""
    private(set) var warnings: [String] = []
    private var path: [String] = []

    /// Runs `body` inside a field, so that errors and warnings name it.
    func at<T>(_ field: String, _ body: () throws -> T) rethrows -> T {
        path.append(field)
        defer { path.removeLast() }
        return try body()
    }

    /// Decodes each element of a repeated field, with its index in the path.
    func map<Element, T>(_ field: String, _ elements: [Element], _ body: (Element) throws -> T) rethrows -> [T] {
        try elements.enumerated().map { index, element in try at("\(field)[\(index)]") { try body(element) } }
    }

    func error(_ reason: String) -> XDSDecodingError {
        XDSDecodingError(resource: resource, field: path.joined(separator: "."), reason: reason)
    }

    func warn(_ text: String) {
        warnings.append((path + [text]).joined(separator: path.isEmpty ? "" : ": "))
    }

    /// - Parameter condition: true if the setting is there but has no effect.
    func ignored(_ field: String, if condition: Bool) {
        if condition { warn("\(field) is not supported and has no effect") }
    }

    /// Unpacks a typed message; fields that its definition does not have become warnings.
    func unpack<M: Message>(_ any: Google_Protobuf_Any, as type: M.Type) throws -> M {
        let message: M
        do {
            message = try M(serializedBytes: any.value)
        } catch {
            throw self.error("malformed \(M.protoMessageName)")
        }
        try check(message)
        return message
    }

    /// Names the fields of a message that have no effect here.
    func check<M: Message>(_ message: M) throws {
        var visitor = UnknownFieldVisitor(message: M.protoMessageName)
        try message.traverse(visitor: &visitor)
        for finding in visitor.findings.sorted() { warn(finding) }
    }

    func port(_ value: UInt32) throws -> UInt16 {
        guard let port = UInt16(exactly: value) else { throw error("port \(value) is out of range") }
        return port
    }

    func status(_ value: UInt32) throws -> UInt16 {
        guard let status = UInt16(exactly: value), status < 600 else { throw error("status \(value) is out of range") }
        return status
    }
}

extension Google_Protobuf_Any {
    /// The full name of the message inside.
    var messageName: String { typeURL.split(separator: "/").last.map(String.init) ?? typeURL }

    func holds<M: Message>(_ type: M.Type) -> Bool { messageName == M.protoMessageName }
}

/// Packs a message, map entries in order.
func pack(_ message: some Message) throws -> Google_Protobuf_Any {
    var options = BinaryEncodingOptions()
    options.useDeterministicOrdering = true
    var any = Google_Protobuf_Any()
    any.typeURL = "type.googleapis.com/\(type(of: message).protoMessageName)"
    any.value = try message.serializedBytes(options: options)
    return any
}

/// Finds fields that our reduced definitions do not have, in a message and everything below it.
private struct UnknownFieldVisitor: Visitor {
    let message: String
    var findings: Set<String> = []

    init(message: String) { self.message = message }

    mutating func visitUnknown(bytes: Data) throws {
        findings.insert("\(message) has fields that are not supported and have no effect")
    }

    mutating func visitSingularMessageField<M: Message>(value: M, fieldNumber: Int) throws {
        var inner = UnknownFieldVisitor(message: M.protoMessageName)
        try value.traverse(visitor: &inner)
        findings.formUnion(inner.findings)
    }

    mutating func visitMapField<KeyType, ValueType: MapValueType>(
        fieldType: _ProtobufMap<KeyType, ValueType>.Type, value: _ProtobufMap<KeyType, ValueType>.BaseType,
        fieldNumber: Int
    ) throws {}

    mutating func visitMapField<KeyType, ValueType>(
        fieldType: _ProtobufEnumMap<KeyType, ValueType>.Type, value: _ProtobufEnumMap<KeyType, ValueType>.BaseType,
        fieldNumber: Int
    ) throws where ValueType.RawValue == Int {}

    mutating func visitMapField<KeyType, ValueType>(
        fieldType: _ProtobufMessageMap<KeyType, ValueType>.Type,
        value: _ProtobufMessageMap<KeyType, ValueType>.BaseType,
        fieldNumber: Int
    ) throws {
        for element in value.values { try visitSingularMessageField(value: element, fieldNumber: fieldNumber) }
    }

    mutating func visitSingularDoubleField(value: Double, fieldNumber: Int) throws {}
    mutating func visitSingularInt64Field(value: Int64, fieldNumber: Int) throws {}
    mutating func visitSingularUInt64Field(value: UInt64, fieldNumber: Int) throws {}
    mutating func visitSingularBoolField(value: Bool, fieldNumber: Int) throws {}
    mutating func visitSingularStringField(value: String, fieldNumber: Int) throws {}
    mutating func visitSingularBytesField(value: Data, fieldNumber: Int) throws {}
    mutating func visitSingularEnumField<E: Enum>(value: E, fieldNumber: Int) throws {}
}
