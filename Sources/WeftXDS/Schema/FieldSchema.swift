import WeftProto

/// The messages that we know, by name: what dev/proto-fields wrote down. Parsed when first asked for.
///
/// Immutable, so any thread may read it. About 1 MB once parsed: a proxy that meets no unknown field and reads no
/// bootstrap never parses it.
struct FieldSchema: Sendable {
    struct Field: Sendable {
        var number: Int
        var name: String
        var kind: Kind
        var isRepeated = false
        var isMap = false
        /// Published, but not part of our reduced definition.
        var isLeftOut = false
        var isDeprecated = false
        var oneof: String?
        /// Full name of the message or enum; empty for scalars and for fields that are left out.
        var type = ""
    }
    enum Kind: String, Sendable {
        case double, float, int64, uint64, int32, uint32, fixed64, fixed32, sfixed64, sfixed32, sint64, sint32
        case bool, string, bytes, message, `enum`
    }
    struct Message: Sendable {
        var name: String
        var fields: [Field] = []

        /// By the name in the `.proto` file or by its lowerCamelCase form, as the JSON mapping has it.
        func field(_ name: String) -> Field? {
            fields.first { $0.name == name || FieldSchema.camelCase($0.name) == name }
        }
        func field(_ number: Int) -> Field? { fields.first { $0.number == number } }
    }

    static let shared = FieldSchema(parsing: FieldTable.text.description)

    private(set) var messages: [String: Message] = [:]
    private(set) var enums: [String: [(name: String, number: Int)]] = [:]
    /// Names of the messages in the order of the table.
    private(set) var order: [String] = []

    init(parsing text: String) {
        var message: Message?
        var valuesOf: String?
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count > 1 else { continue }
            if words[0] == "M" || words[0] == "E" {
                if let message { messages[message.name] = message }
                message = words[0] == "M" ? Message(name: words[1]) : nil
                valuesOf = words[0] == "E" ? words[1] : nil
                if words[0] == "M" { order.append(words[1]) }
            } else if let valuesOf, let number = Int(words[0]) {
                enums[valuesOf, default: []].append((words[1], number))
            } else if let field = Field(words) {
                message?.fields.append(field)
            }
        }
        if let message { messages[message.name] = message }
    }

    static func camelCase(_ name: String) -> String {
        guard name.contains("_") else { return name }
        var result = ""
        var isUpper = false
        for character in name {
            if character == "_" {
                isUpper = true
            } else {
                result += isUpper ? character.uppercased() : String(character)
                isUpper = false
            }
        }
        return result
    }
}

extension FieldSchema.Field {
    fileprivate init?(_ words: [String]) {
        guard words.count == 5, let number = Int(words[0]), let kind = FieldSchema.Kind(rawValue: words[2]) else {
            return nil
        }
        self.init(number: number, name: words[1], kind: kind)
        let flags = words[3].split(separator: "=", maxSplits: 1).map(String.init)
        let marks = words[3].hasPrefix("=") ? "" : flags.first ?? ""
        isRepeated = marks.contains("*")
        isMap = marks.contains("%")
        isLeftOut = marks.contains("!")
        isDeprecated = marks.contains("~")
        if words[3].contains("=") { oneof = flags.last }
        if words[4] != "-" { type = words[4] }
    }
}
