import WeftCore

/// What a protobuf field holds and how it is written in JSON.
indirect enum ProtobufFieldType: Sendable, Hashable {
    case string, bytes, integer, boolean, double
    /// `Time` and `MicroTime`: seconds and nanoseconds.
    case time, microTime
    /// A quantity: a message around one string.
    case quantity
    case intOrString
    /// A message around bytes that are JSON.
    case rawJSON
    /// A message around a list of strings.
    case stringList
    case message(String)
    /// A message whose members belong to the outer object in JSON.
    case inline(String)
    case list(ProtobufFieldType)
    case map(ProtobufFieldType)
}

/// One field of a protobuf message.
struct ProtobufField: Sendable, Hashable {
    var name: String
    var type: ProtobufFieldType
    /// Whether zero, false and the empty string mean something else than leaving the field out.
    var keepsZero: Bool
}

/// A protobuf message: its fields by number.
typealias ProtobufType = [Int: ProtobufField]

/// Reads the short notation of ``ProtobufTypes``: one message a line, `Name: number field type, …`.
///
/// Types: `s` string, `y` bytes, `i` integer, `b` boolean, `n` double, `t` time, `u` time with microseconds,
/// `q` quantity, `x` integer or string, `raw` JSON in bytes, `items` wrapped list of strings, `{T}` map from strings,
/// `[T]` list, `~T` message whose members are the outer object's, else a message's name. `?` keeps zero values.
enum ProtobufLanguage {
    static func messages(_ text: String) -> [String: ProtobufType] {
        var all: [String: ProtobufType] = [:]
        for line in text.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            var type: ProtobufType = [:]
            for field in line[line.index(after: colon)...].split(separator: ",") {
                let words = field.split(separator: " ")
                guard words.count == 3, let number = Int(words[0]) else { continue }
                let keepsZero = words[2].hasSuffix("?")
                type[number] = ProtobufField(
                    name: String(words[1]), type: fieldType(keepsZero ? words[2].dropLast() : words[2]),
                    keepsZero: keepsZero)
            }
            all[String(line[..<colon]).trimmed] = type
        }
        return all
    }

    /// `apiVersion: Kind, Kind=Message`, one API version a line.
    static func kinds(_ text: String) -> [String: [String: String]] {
        var all: [String: [String: String]] = [:]
        for line in text.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            for item in line[line.index(after: colon)...].split(separator: ",") {
                let sides = item.split(separator: "=").map { String($0).trimmed }
                guard let kind = sides.first, let message = sides.last else { continue }
                all[String(line[..<colon]).trimmed, default: [:]][kind] = message
            }
        }
        return all
    }

    private static func fieldType(_ text: Substring) -> ProtobufFieldType {
        if text.hasPrefix("{") { return .map(fieldType(text.dropFirst().dropLast())) }
        if text.hasPrefix("[") { return .list(fieldType(text.dropFirst().dropLast())) }
        if text.hasPrefix("~") { return .inline(String(text.dropFirst())) }
        return switch text {
        case "s": .string
        case "y": .bytes
        case "i": .integer
        case "b": .boolean
        case "n": .double
        case "t": .time
        case "u": .microTime
        case "q": .quantity
        case "x": .intOrString
        case "raw": .rawJSON
        case "items": .stringList
        default: .message(String(text))
        }
    }
}
