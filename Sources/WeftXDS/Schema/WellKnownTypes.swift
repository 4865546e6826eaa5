import WeftCore

/// The types that protobuf's JSON mapping writes in a form of their own.
enum WellKnown: String {
    case any = "google.protobuf.Any"
    case duration = "google.protobuf.Duration"
    case structure = "google.protobuf.Struct"
    case value = "google.protobuf.Value"
    case list = "google.protobuf.ListValue"
    case empty = "google.protobuf.Empty"
    case bool = "google.protobuf.BoolValue"
    case uint32 = "google.protobuf.UInt32Value"
    case uint64 = "google.protobuf.UInt64Value"
    case int32 = "google.protobuf.Int32Value"
    case int64 = "google.protobuf.Int64Value"
    case double = "google.protobuf.DoubleValue"
    case float = "google.protobuf.FloatValue"
    case string = "google.protobuf.StringValue"
    case bytes = "google.protobuf.BytesValue"

    /// What a wrapper wraps.
    var wrapped: FieldSchema.Kind? {
        switch self {
        case .bool: .bool
        case .uint32: .uint32
        case .uint64: .uint64
        case .int32: .int32
        case .int64: .int64
        case .double: .double
        case .float: .float
        case .string: .string
        case .bytes: .bytes
        case .any, .duration, .structure, .value, .list, .empty: nil
        }
    }
}

extension JSONMessageEncoder {
    mutating func encode(_ value: JSONValue, _ type: WellKnown, path: String, into out: inout WireBytes) {
        switch type {
        case .any: encodeAny(value, path: path, into: &out)
        case .duration: encodeDuration(value, path: path, into: &out)
        case .structure:
            guard case .object(let members) = value else {
                return fail(path, "expected an object, found \(value.typeName)")
            }
            Self.write(members, into: &out)
        case .value: Self.write(value, into: &out)
        case .list:
            guard case .array(let elements) = value else {
                return fail(path, "expected a list, found \(value.typeName)")
            }
            Self.write(elements, into: &out)
        case .empty: break
        default:
            guard let kind = type.wrapped else { return }
            encodeWrapped(value, kind, path: path, into: &out)
        }
    }

    private mutating func encodeAny(_ value: JSONValue, path: String, into out: inout WireBytes) {
        guard case .object(var members) = TypedStruct.unwrapped(value) else {
            return fail(path, "expected an object, found \(value.typeName)")
        }
        guard let url = members["@type"]?.stringValue else {
            return fail(path, "\"@type\" is missing: it names the message, type.googleapis.com/…")
        }
        let name = url.split(separator: "/").last.map(String.init) ?? url
        let place = TypedStruct.isOne(value) ? "\(path).value" : path
        members["@type"] = nil
        let isKnown = WellKnown(rawValue: name) != nil || FieldSchema.shared.messages[name] != nil
        guard isKnown || !passesUnknownTypes else { return encodeTypedStruct(url, members, path: path, into: &out) }
        out.delimited(1, url.utf8)
        if WellKnown(rawValue: name) != nil {
            out.delimited(2, encode(members["value"] ?? .object(members), as: name, path: place))
        } else if isKnown {
            out.delimited(2, encode(.object(members), as: name, path: place))
        } else {
            meet(unknownType: url, "\(path).@type")
        }
    }

    /// For a proxy that has the message, though we do not.
    private mutating func encodeTypedStruct(
        _ url: String, _ members: [String: JSONValue], path: String, into out: inout WireBytes
    ) {
        meet(unknownType: url, "\(path).@type")
        var fields = WireBytes()
        Self.write(members, into: &fields)
        var message = WireBytes()
        message.delimited(1, url.utf8)
        message.delimited(2, fields.bytes)
        out.delimited(1, "type.googleapis.com/\(TypedStruct.name)".utf8)
        out.delimited(2, message.bytes)
    }

    /// `5s`, `0.250s`, `-1s`.
    private mutating func encodeDuration(_ value: JSONValue, path: String, into out: inout WireBytes) {
        guard let text = value.stringValue, let (seconds, nanos) = Self.duration(text) else {
            return fail(path, "expected a duration such as \"5s\" or \"0.25s\"")
        }
        if seconds != 0 { out.varint(1, UInt64(bitPattern: seconds)) }
        if nanos != 0 { out.varint(2, UInt64(bitPattern: Int64(nanos))) }
    }

    private static func duration(_ text: String) -> (Int64, Int32)? {
        guard text.hasSuffix("s") else { return nil }
        var digits = text.dropLast()
        let isNegative = digits.hasPrefix("-")
        if isNegative { digits = digits.dropFirst() }
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), !parts[0].isEmpty, parts.joined().allSatisfy({ "0"..."9" ~= $0 }),
            let seconds = Int64(parts[0])
        else { return nil }
        var nanos: Int32 = 0
        if parts.count == 2 {
            guard (1...9).contains(parts[1].count), let fraction = Int32(parts[1]) else { return nil }
            nanos = fraction
            for _ in parts[1].count..<9 { nanos *= 10 }
        }
        return isNegative ? (-seconds, -nanos) : (seconds, nanos)
    }

    private mutating func encodeWrapped(
        _ value: JSONValue, _ kind: FieldSchema.Kind, path: String, into out: inout WireBytes
    ) {
        encodeSingle(value, as: FieldSchema.Field(number: 1, name: "value", kind: kind), path: path, into: &out)
    }

    private static func write(_ members: [String: JSONValue], into out: inout WireBytes) {
        for (key, value) in members.sorted(by: { $0.key < $1.key }) {
            var inner = WireBytes()
            write(value, into: &inner)
            var entry = WireBytes()
            entry.delimited(1, key.utf8)
            entry.delimited(2, inner.bytes)
            out.delimited(1, entry.bytes)
        }
    }

    private static func write(_ elements: [JSONValue], into out: inout WireBytes) {
        for element in elements {
            var inner = WireBytes()
            write(element, into: &inner)
            out.delimited(1, inner.bytes)
        }
    }

    private static func write(_ value: JSONValue, into out: inout WireBytes) {
        switch value {
        case .null: out.varint(1, 0)
        case .int(let number): out.fixed64(2, Double(number).bitPattern)
        case .double(let number): out.fixed64(2, number.bitPattern)
        case .string(let text): out.delimited(3, text.utf8)
        case .bool(let flag): out.varint(4, flag ? 1 : 0)
        case .object(let members):
            var inner = WireBytes()
            write(members, into: &inner)
            out.delimited(5, inner.bytes)
        case .array(let elements):
            var inner = WireBytes()
            write(elements, into: &inner)
            out.delimited(6, inner.bytes)
        }
    }
}
