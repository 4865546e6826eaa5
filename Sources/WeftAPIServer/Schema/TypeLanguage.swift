import WeftCore

/// Reads the short notation of ``BuiltInTypes``: one type a line, `Name: field type, field type …`.
///
/// Types: `s` string, `i` integer, `n` number, `b` boolean, `q` quantity, `x` integer or string, `t` time, `any`,
/// `{T}` map, `[T]` list, anything else a type's name. `@set` or `@key|key` after a list says how it is merged;
/// `!` marks a required field.
enum TypeLanguage {
    static func parse(_ text: String) -> [String: BuiltInType] {
        var types: [String: BuiltInType] = [:]
        for line in text.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            var type = BuiltInType(fields: [:], required: [])
            for field in line[line.index(after: colon)...].split(separator: ",") {
                let words = field.split(separator: " ")
                guard words.count == 2 else { continue }
                let name = String(words[0])
                var notation = words[1]
                if notation.hasSuffix("!") {
                    notation = notation.dropLast()
                    type.required.insert(name)
                }
                type.fields[name] = parseType(notation)
            }
            types[String(line[..<colon]).trimmed] = type
        }
        return types
    }

    private static func parseType(_ text: Substring) -> SchemaType {
        if text.hasPrefix("{") { return .map(parseType(text.dropFirst().dropLast())) }
        if text.hasPrefix("["), let close = text.lastIndex(of: "]") {
            let element = parseType(text[text.index(after: text.startIndex)..<close])
            let merge = text[text.index(after: close)...].dropFirst()
            if merge.isEmpty { return .list(element, .atomic) }
            return .list(element, merge == "set" ? .set : .byKeys(merge.split(separator: "|").map(String.init)))
        }
        return switch text {
        case "s": .string
        case "i": .integer
        case "n": .number
        case "b": .boolean
        case "q": .quantity
        case "x": .intOrString
        case "t": .time
        case "any": .any
        default: .named(String(text))
        }
    }
}
