import FoundationEssentials
import WeftCore

/// Reads `application/vnd.kubernetes.protobuf` bodies into the JSON form of the same object.
///
/// The body is the magic `k8s\0` and a `runtime.Unknown` around the object. A kind or a field that the table does not know
/// is an error: nothing of a body is lost in silence.
enum ProtobufDecoder {
    private static let magic: [UInt8] = Array("k8s\0".utf8)

    static func object(_ body: [UInt8]) throws(ProtobufProblem) -> JSONValue {
        guard body.starts(with: magic) else { throw .malformed("the body does not start with the magic number k8s\\0") }
        var (apiVersion, kind, raw) = ("", "", ArraySlice<UInt8>())
        var reader = WireReader(body.dropFirst(magic.count))
        while let (number, value) = try reader.next() {
            guard case .bytes(let bytes) = value else { throw .wrongWireType(message: "Unknown", field: "\(number)") }
            switch number {
            case 1:
                var meta = WireReader(bytes)
                while let (number, value) = try meta.next() {
                    guard case .bytes(let text) = value else {
                        throw .wrongWireType(message: "TypeMeta", field: "\(number)")
                    }
                    if number == 1 { apiVersion = string(text) }
                    if number == 2 { kind = string(text) }
                }
            case 2: raw = bytes
            case 3: if !bytes.isEmpty { throw .unsupportedEncoding(string(bytes)) }
            case 4: break
            default: throw .unknownField(message: "Unknown", number: number)
            }
        }
        guard let name = ProtobufTypes.message(apiVersion: apiVersion, kind: kind) else {
            throw .unknownKind(apiVersion: apiVersion, kind: kind)
        }
        var members = try members(raw, of: name)
        members["apiVersion"] = .string(apiVersion)
        members["kind"] = .string(kind)
        return .object(members)
    }

    private static func string(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    private static func members(_ bytes: ArraySlice<UInt8>, of name: String) throws(ProtobufProblem) -> [String:
        JSONValue]
    {
        guard let type = ProtobufTypes.all[name] else { throw .unknownKind(apiVersion: "", kind: name) }
        var members: [String: JSONValue] = [:]
        var lists: [String: [JSONValue]] = [:]
        var maps: [String: [String: JSONValue]] = [:]
        var reader = WireReader(bytes)
        while let (number, value) = try reader.next() {
            guard let field = type[number] else { throw .unknownField(message: name, number: number) }
            let place = Place(message: name, field: field.name)
            switch field.type {
            case .list(let element): lists[field.name, default: []].append(try scalar(value, element, place))
            case .map(let element):
                let (key, item) = try entry(value, element, place)
                maps[field.name, default: [:]][key] = item
            case .inline(let inner):
                members.merge(try Self.members(try place.bytes(value), of: inner)) { $1 }
            default:
                let item = try scalar(value, field.type, place)
                if item.isNull || (!field.keepsZero && isZero(item)) { continue }
                members[field.name] = item
            }
        }
        for (key, list) in lists { members[key] = .array(list) }
        for (key, map) in maps { members[key] = .object(map) }
        return members
    }

    private static func isZero(_ value: JSONValue) -> Bool {
        value == .bool(false) || value == .int(0) || value == .string("") || value == .double(0)
    }

    private static func entry(_ value: WireValue, _ element: ProtobufFieldType, _ place: Place) throws(ProtobufProblem)
        -> (String, JSONValue)
    {
        var key = ""
        var item: JSONValue?
        var reader = WireReader(try place.bytes(value))
        while let (number, value) = try reader.next() {
            if number == 1 { key = string(try place.bytes(value)) }
            if number == 2 { item = try scalar(value, element, place) }
        }
        if let item { return (key, item) }
        return (key, try scalar(.bytes([]), element, place))
    }

    private static func scalar(_ value: WireValue, _ type: ProtobufFieldType, _ place: Place) throws(ProtobufProblem)
        -> JSONValue
    {
        switch (type, value) {
        case (.integer, .varint(let number)): return .int(Int64(bitPattern: number))
        case (.boolean, .varint(let number)): return .bool(number != 0)
        case (.double, .fixed64(let bits)): return .double(Double(bitPattern: bits))
        case (.string, .bytes(let bytes)): return .string(string(bytes))
        case (.bytes, .bytes(let bytes)): return .string(Data(bytes).base64EncodedString())
        case (.message(let name), .bytes(let bytes)): return .object(try members(bytes, of: name))
        case (.time, .bytes(let bytes)): return try time(bytes, place, fraction: false)
        case (.microTime, .bytes(let bytes)): return try time(bytes, place, fraction: true)
        case (.rawJSON, .bytes(let bytes)): return try rawJSON(bytes, place)
        case (.quantity, .bytes(let bytes)):
            return try fields(bytes).first { $0.number == 1 }.map { field throws(ProtobufProblem) in
                .string(string(try place.bytes(field.value)))
            } ?? "0"
        case (.stringList, .bytes(let bytes)):
            return .array(
                try fields(bytes).map { field throws(ProtobufProblem) in .string(string(try place.bytes(field.value))) }
            )
        case (.intOrString, .bytes(let bytes)): return try intOrString(bytes, place)
        default: throw .wrongWireType(message: place.message, field: place.field)
        }
    }

    private static func fields(_ bytes: ArraySlice<UInt8>) throws(ProtobufProblem) -> [(number: Int, value: WireValue)]
    {
        var reader = WireReader(bytes)
        var list: [(number: Int, value: WireValue)] = []
        while let field = try reader.next() { list.append(field) }
        return list
    }

    private static func intOrString(_ bytes: ArraySlice<UInt8>, _ place: Place) throws(ProtobufProblem) -> JSONValue {
        var (isString, number, text) = (false, Int64(0), "")
        for field in try fields(bytes) {
            switch (field.number, field.value) {
            case (1, .varint(let kind)): isString = kind == 1
            case (2, .varint(let value)): number = Int64(bitPattern: value)
            case (3, .bytes(let value)): text = string(value)
            default: throw .unknownField(message: "IntOrString", number: field.number)
            }
        }
        return isString ? .string(text) : .int(number)
    }

    private static func rawJSON(_ bytes: ArraySlice<UInt8>, _ place: Place) throws(ProtobufProblem) -> JSONValue {
        guard let raw = try fields(bytes).first(where: { $0.number == 1 }) else { return .null }
        let text = string(try place.bytes(raw.value))
        guard let value = try? JSONValue(parsing: text) else {
            throw .malformed("\(place.message).\(place.field) holds no JSON")
        }
        return value
    }

    /// `null` for the zero time, which Go writes as an empty message.
    private static func time(_ bytes: ArraySlice<UInt8>, _ place: Place, fraction: Bool) throws(ProtobufProblem)
        -> JSONValue
    {
        if bytes.isEmpty { return .null }
        var (seconds, nanoseconds) = (Int64(0), Int64(0))
        for field in try fields(bytes) {
            guard case .varint(let number) = field.value else {
                throw .wrongWireType(message: place.message, field: place.field)
            }
            if field.number == 1 { seconds = Int64(bitPattern: number) }
            if field.number == 2 { nanoseconds = Int64(bitPattern: number) }
        }
        let text = Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
        if !fraction { return .string(text) }
        let digits = String(1_000_000 + max(0, min(nanoseconds / 1000, 999_999))).dropFirst()
        return .string("\(text.dropLast()).\(digits)Z")
    }

    /// Which field is being read, for errors.
    private struct Place {
        var message: String
        var field: String

        func bytes(_ value: WireValue) throws(ProtobufProblem) -> ArraySlice<UInt8> {
            guard case .bytes(let bytes) = value else { throw .wrongWireType(message: message, field: field) }
            return bytes
        }
    }
}
