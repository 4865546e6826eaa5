import Foundation
import WeftCore

/// Something in a configuration file that cannot be used: where, and why.
package struct FieldProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// As it is written in the file: `static_resources.clusters[0].name`.
    package var path: String
    package var reason: String

    package init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    package var description: String { path.isEmpty ? reason : "\(path): \(reason)" }
}

/// Turns protobuf's JSON form into protobuf's bytes, by the field table. Reports every problem with its path.
///
/// A published field that our definitions leave out becomes an unknown field with an empty value, so that the decoder
/// treats it as it treats one that came over the wire. An `Any` of an unknown type keeps its type and loses its value,
/// for the same reason.
///
/// For patches of users (`isLenient`), a field that the API does not have is left out and noted, as Istio does. For a
/// proxy that may have extensions that we do not (`passesUnknownTypes`), these are written as ``TypedStruct``.
struct JSONMessageEncoder {
    private(set) var problems: [FieldProblem] = []
    /// Members that are no fields of their message; problems unless the encoder is lenient.
    private(set) var unknownFields: [FieldProblem] = []
    /// Published fields that our definitions leave out.
    private(set) var leftOutFields: [FieldProblem] = []
    /// Extensions whose message our definitions do not have.
    private(set) var unknownTypes: [FieldProblem] = []
    private let isLenient: Bool
    let passesUnknownTypes: Bool
    private let schema = FieldSchema.shared

    init(isLenient: Bool = false, passesUnknownTypes: Bool = false) {
        self.isLenient = isLenient
        self.passesUnknownTypes = passesUnknownTypes
    }

    mutating func encode(_ value: JSONValue, as message: String, path: String) -> [UInt8] {
        var out = WireBytes()
        if let wellKnown = WellKnown(rawValue: message) {
            encode(value, wellKnown, path: path, into: &out)
            return out.bytes
        }
        guard let type = schema.messages[message] else {
            fail(path, "message \(message) is not known")
            return []
        }
        guard case .object(let members) = value else {
            fail(path, "expected an object, found \(value.typeName)")
            return []
        }
        encode(members, as: type, path: path, into: &out)
        return out.bytes
    }

    mutating func meet(unknownType url: String, _ path: String) {
        unknownTypes.append(
            FieldProblem(path: path, reason: "the extension \(url) is not known to this version"))
    }

    mutating func fail(_ path: String, _ reason: String) { problems.append(FieldProblem(path: path, reason: reason)) }

    static func child(_ path: String, _ name: String) -> String {
        if path.isEmpty { return name }
        return name.contains(".") || name.contains("/") ? "\(path)[\(name)]" : "\(path).\(name)"
    }

    private mutating func encode(
        _ members: [String: JSONValue], as type: FieldSchema.Message, path: String, into out: inout WireBytes
    ) {
        var found: [(field: FieldSchema.Field, value: JSONValue, path: String)] = []
        for (key, value) in members where key != "@type" {
            let place = Self.child(path, key)
            guard let field = type.field(key) else {
                let problem = FieldProblem(path: place, reason: "\(type.name) has no such field")
                if isLenient { unknownFields.append(problem) } else { problems.append(problem) }
                continue
            }
            if !value.isNull || field.type == "google.protobuf.Value" { found.append((field, value, place)) }
        }
        found.sort { $0.field.number < $1.field.number }
        var members: [String: String] = [:]
        for (field, value, place) in found {
            if let oneof = field.oneof {
                if let other = members[oneof] { fail(place, "only one of \(other) and \(field.name) may be given") }
                members[oneof] = field.name
            }
            encode(value, as: field, path: place, into: &out)
        }
    }

    private mutating func encode(
        _ value: JSONValue, as field: FieldSchema.Field, path: String, into out: inout WireBytes
    ) {
        if field.isLeftOut {
            leftOutFields.append(
                FieldProblem(path: path, reason: "\(field.name) is a field of Envoy's that this version does not have"))
            return Self.leaveOut(value, field, into: &out)
        }
        if field.isMap { return encodeMap(value, as: field, path: path, into: &out) }
        guard field.isRepeated else { return encodeSingle(value, as: field, path: path, into: &out) }
        guard case .array(let elements) = value else {
            return fail(path, "expected a list, found \(value.typeName)")
        }
        for (index, element) in elements.enumerated() {
            encodeSingle(element, as: field, path: "\(path)[\(index)]", into: &out)
        }
    }

    /// Unset and zero mean the same to the one who does not know a field.
    private static func leaveOut(_ value: JSONValue, _ field: FieldSchema.Field, into out: inout WireBytes) {
        switch value {
        case .bool(false), .int(0), .string(""), .array([]): break
        case .bool, .int, .double: out.varint(field.number, 1)
        default: out.delimited(field.number, [])
        }
    }

    private mutating func encodeMap(
        _ value: JSONValue, as field: FieldSchema.Field, path: String, into out: inout WireBytes
    ) {
        guard case .object(let members) = value, let entry = schema.messages[field.type],
            let element = entry.field(2)
        else { return fail(path, "expected an object, found \(value.typeName)") }
        for (key, value) in members.sorted(by: { $0.key < $1.key }) {
            var bytes = WireBytes()
            let place = Self.child(path, key)
            bytes.delimited(1, key.utf8)
            encodeSingle(value, as: element, path: place, into: &bytes)
            out.delimited(field.number, bytes.bytes)
        }
    }

    mutating func encodeSingle(
        _ value: JSONValue, as field: FieldSchema.Field, path: String, into out: inout WireBytes
    ) {
        switch field.kind {
        case .message: out.delimited(field.number, encode(value, as: field.type, path: path))
        case .string:
            guard let text = value.stringValue else {
                return fail(path, "expected a string, found \(value.typeName); quote it")
            }
            out.delimited(field.number, text.utf8)
        case .bytes:
            guard let text = value.stringValue, let data = Data(base64Encoded: text) else {
                return fail(path, "expected bytes in base64")
            }
            out.delimited(field.number, data)
        case .bool:
            guard let flag = value.boolValue else {
                return fail(path, "expected true or false, found \(value.typeName)")
            }
            out.varint(field.number, flag ? 1 : 0)
        case .enum: encodeEnum(value, as: field, path: path, into: &out)
        default: encodeNumber(value, as: field, path: path, into: &out)
        }
    }

    private mutating func encodeEnum(
        _ value: JSONValue, as field: FieldSchema.Field, path: String, into out: inout WireBytes
    ) {
        let values = schema.enums[field.type] ?? []
        let number = values.first { $0.name == value.stringValue }?.number ?? value.intValue
        guard let number else {
            let known = values.map(\.name).joined(separator: ", ")
            return fail(path, "\(value.stringValue ?? value.typeName) is not supported; use one of \(known)")
        }
        out.varint(field.number, UInt64(bitPattern: Int64(number)))
    }

    private mutating func encodeNumber(
        _ value: JSONValue, as field: FieldSchema.Field, path: String, into out: inout WireBytes
    ) {
        var value = value
        if case .string(let text) = value, let number = Double(text) {
            value = Int64(text).map { .int($0) } ?? .double(number)
        }
        switch field.kind {
        case .double:
            guard let number = value.doubleValue else {
                return fail(path, "expected a number, found \(value.typeName)")
            }
            return out.fixed64(field.number, number.bitPattern)
        case .float:
            guard let number = value.doubleValue else {
                return fail(path, "expected a number, found \(value.typeName)")
            }
            return out.fixed32(field.number, Float(number).bitPattern)
        default: break
        }
        guard let number = value.intValue else { return fail(path, "expected an integer, found \(value.typeName)") }
        guard field.range.contains(number) else { return fail(path, "\(number) is out of range for \(field.kind)") }
        switch field.kind {
        case .fixed64, .sfixed64: out.fixed64(field.number, UInt64(bitPattern: Int64(number)))
        case .fixed32, .sfixed32: out.fixed32(field.number, UInt32(truncatingIfNeeded: number))
        case .sint32, .sint64:
            let number = Int64(number)
            out.varint(field.number, UInt64(bitPattern: (number << 1) ^ (number >> 63)))
        default: out.varint(field.number, UInt64(bitPattern: Int64(number)))
        }
    }
}

extension FieldSchema.Field {
    /// What an integer field may hold, as far as `Int` reaches.
    fileprivate var range: ClosedRange<Int> {
        switch kind {
        case .uint32, .fixed32: 0...Int(UInt32.max)
        case .int32, .sint32, .sfixed32: Int(Int32.min)...Int(Int32.max)
        case .uint64, .fixed64: 0...Int.max
        default: Int.min...Int.max
        }
    }
}
