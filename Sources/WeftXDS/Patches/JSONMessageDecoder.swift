import FoundationEssentials
import WeftCore

/// Turns protobuf's bytes into protobuf's JSON form, by the field table: the inverse of ``JSONMessageEncoder``. Fields
/// have the names of the `.proto` files.
struct JSONMessageDecoder {
    /// A field that the table does not have, or bytes that are no message.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }
    private let schema = FieldSchema.shared

    func decode(_ bytes: some Collection<UInt8>, as message: String) throws(Failure) -> JSONValue {
        if let wellKnown = WellKnown(rawValue: message) { return try decode(Array(bytes), wellKnown) }
        guard let type = schema.messages[message] else { throw Failure(description: "message \(message) is not known") }
        var members: [String: JSONValue] = [:]
        for part in try WireParts.read(Array(bytes)) {
            guard let field = type.field(part.number), !field.isLeftOut else {
                throw Failure(description: "field \(part.number) of \(message) is not known")
            }
            if field.isMap {
                guard let entry = schema.messages[field.type], let element = entry.field(2) else { continue }
                let parts = try WireParts.read(part.bytes)
                let key = parts.first { $0.number == 1 }.map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
                var map = members[field.name]?.objectValue ?? [:]
                let content = parts.last { $0.number == 2 } ?? WireParts.empty(number: 2)
                map[key] = try value(content, element)
                members[field.name] = .object(map)
            } else if field.isRepeated {
                members[field.name] = .array(
                    (members[field.name]?.arrayValue ?? []) + (try elements(part, field)))
            } else {
                members[field.name] = try value(part, field)
            }
        }
        return .object(members)
    }

    /// One element, or a packed run of numbers.
    private func elements(_ part: WireParts.Part, _ field: FieldSchema.Field) throws(Failure) -> [JSONValue] {
        let isText = field.kind == .message || field.kind == .string || field.kind == .bytes
        guard part.isDelimited, !isText else { return [try value(part, field)] }
        var result: [JSONValue] = []
        for packed in try WireParts.packed(part.bytes, field.kind, number: part.number) {
            result.append(try value(packed, field))
        }
        return result
    }

    private func value(_ part: WireParts.Part, _ field: FieldSchema.Field) throws(Failure) -> JSONValue {
        switch field.kind {
        case .message: return try decode(part.bytes, as: field.type)
        case .string: return .string(String(decoding: part.bytes, as: UTF8.self))
        case .bytes: return .string(Data(part.bytes).base64EncodedString())
        case .bool: return .bool(part.number64 != 0)
        case .enum:
            let number = Int(Int32(truncatingIfNeeded: part.number64))
            let name = schema.enums[field.type]?.first { $0.number == number }?.name
            return name.map { .string($0) } ?? .int(Int64(number))
        case .double: return .double(Double(bitPattern: part.number64))
        case .float: return .double(Double(Float(bitPattern: UInt32(truncatingIfNeeded: part.number64))))
        case .uint64, .fixed64: return .int(Int64(clamping: part.number64))
        case .uint32, .fixed32: return .int(Int64(UInt32(truncatingIfNeeded: part.number64)))
        case .int32, .sfixed32: return .int(Int64(Int32(truncatingIfNeeded: part.number64)))
        case .int64, .sfixed64: return .int(Int64(bitPattern: part.number64))
        case .sint32, .sint64:
            return .int(Int64(bitPattern: part.number64 >> 1) ^ -Int64(bitPattern: part.number64 & 1))
        }
    }

    // MARK: - Types with a JSON form of their own

    private func decode(_ bytes: [UInt8], _ type: WellKnown) throws(Failure) -> JSONValue {
        let parts = try WireParts.read(bytes)
        switch type {
        case .any: return try any(parts)
        case .duration: return .string(Self.duration(parts))
        case .structure: return try structure(parts)
        case .value: return try dynamic(parts)
        case .list: return try list(parts)
        case .empty: return .object([:])
        default: return try wrapped(parts, type)
        }
    }

    private func any(_ parts: [WireParts.Part]) throws(Failure) -> JSONValue {
        let url = parts.last { $0.number == 1 }.map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
        let name = url.split(separator: "/").last.map(String.init) ?? url
        let content = parts.last { $0.number == 2 }?.bytes ?? []
        let value = try decode(content, as: name)
        guard WellKnown(rawValue: name) == nil, case .object(var members) = value else {
            return ["@type": .string(url), "value": value]
        }
        members["@type"] = .string(url)
        return .object(members)
    }

    private static func duration(_ parts: [WireParts.Part]) -> String {
        let seconds = Int64(bitPattern: parts.last { $0.number == 1 }?.number64 ?? 0)
        let nanos = Int32(truncatingIfNeeded: parts.last { $0.number == 2 }?.number64 ?? 0)
        guard nanos != 0 else { return "\(seconds)s" }
        let fraction = String(1_000_000_000 + Int64(nanos.magnitude)).dropFirst()
        return "\(seconds < 0 || nanos < 0 ? "-" : "")\(seconds.magnitude).\(fraction)s"
    }

    private func structure(_ parts: [WireParts.Part]) throws(Failure) -> JSONValue {
        var members: [String: JSONValue] = [:]
        for part in parts where part.number == 1 {
            let entry = try WireParts.read(part.bytes)
            let key = entry.last { $0.number == 1 }.map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
            members[key] = try dynamic(WireParts.read(entry.last { $0.number == 2 }?.bytes ?? []))
        }
        return .object(members)
    }

    private func list(_ parts: [WireParts.Part]) throws(Failure) -> JSONValue {
        var elements: [JSONValue] = []
        for part in parts where part.number == 1 { elements.append(try dynamic(WireParts.read(part.bytes))) }
        return .array(elements)
    }

    private func dynamic(_ parts: [WireParts.Part]) throws(Failure) -> JSONValue {
        guard let part = parts.last else { return .null }
        switch part.number {
        case 2:
            let number = Double(bitPattern: part.number64)
            return Int64(exactly: number).map { .int($0) } ?? .double(number)
        case 3: return .string(String(decoding: part.bytes, as: UTF8.self))
        case 4: return .bool(part.number64 != 0)
        case 5: return try structure(WireParts.read(part.bytes))
        case 6: return try list(WireParts.read(part.bytes))
        default: return .null
        }
    }

    private func wrapped(_ parts: [WireParts.Part], _ type: WellKnown) throws(Failure) -> JSONValue {
        guard let kind = type.wrapped else { return .null }
        let field = FieldSchema.Field(number: 1, name: "value", kind: kind)
        return try value(parts.last ?? WireParts.empty(number: 1), field)
    }
}

/// Takes a message apart into its fields (protobuf's encoding: varint, 64-bit, length-delimited, 32-bit).
enum WireParts {
    struct Part {
        var number: Int
        /// Of numbers of any width.
        var number64: UInt64 = 0
        var bytes: [UInt8] = []
        var isDelimited = false
    }

    static func empty(number: Int) -> Part { Part(number: number) }

    static func read(_ bytes: [UInt8]) throws(JSONMessageDecoder.Failure) -> [Part] {
        var parts: [Part] = []
        var position = 0
        while position < bytes.count {
            let tag = try varint(bytes, &position)
            var part = Part(number: Int(truncatingIfNeeded: tag >> 3))
            switch tag & 7 {
            case 0: part.number64 = try varint(bytes, &position)
            case 1: part.number64 = try fixed(bytes, &position, 8)
            case 5: part.number64 = try fixed(bytes, &position, 4)
            case 2:
                let length = try varint(bytes, &position)
                guard length <= UInt64(bytes.count - position) else { throw truncated }
                part.bytes = Array(bytes[position..<(position + Int(length))])
                part.isDelimited = true
                position += Int(length)
            default: throw truncated
            }
            parts.append(part)
        }
        return parts
    }

    static func packed(
        _ bytes: [UInt8], _ kind: FieldSchema.Kind, number: Int
    ) throws(JSONMessageDecoder.Failure) -> [Part] {
        var parts: [Part] = []
        var position = 0
        while position < bytes.count {
            var part = Part(number: number)
            switch kind {
            case .double, .fixed64, .sfixed64: part.number64 = try fixed(bytes, &position, 8)
            case .float, .fixed32, .sfixed32: part.number64 = try fixed(bytes, &position, 4)
            default: part.number64 = try varint(bytes, &position)
            }
            parts.append(part)
        }
        return parts
    }

    private static var truncated: JSONMessageDecoder.Failure { .init(description: "malformed protobuf") }

    private static func varint(_ bytes: [UInt8], _ position: inout Int) throws(JSONMessageDecoder.Failure) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard position < bytes.count else { throw truncated }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw truncated
    }

    private static func fixed(
        _ bytes: [UInt8], _ position: inout Int, _ width: Int
    ) throws(JSONMessageDecoder.Failure) -> UInt64 {
        guard bytes.count - position >= width else { throw truncated }
        defer { position += width }
        return (0..<width).reduce(0) { $0 | UInt64(bytes[position + $1]) << UInt64($1 * 8) }
    }
}
