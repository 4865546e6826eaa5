import WeftCore

/// The subset of JSONPath that printer columns use: members, indexes, wildcards and equality filters.
struct JSONPath: Sendable {
    private enum Step: Sendable {
        case member(String), index(Int), all
        case filter([String], equals: String)
    }
    private var steps: [Step] = []

    /// - Parameter text: `.spec.hosts`, `.status.conditions[?(@.type=="Ready")].status`.
    init(_ text: String) {
        var rest = text[...]
        if rest.hasPrefix("{") { rest = rest.dropFirst().dropLast() }
        while let first = rest.first {
            if first == "." || first == "$" {
                rest = rest.dropFirst()
            } else if first == "[" {
                var depth = 0
                let close = rest.firstIndex { character in
                    if character == "[" { depth += 1 }
                    if character == "]" { depth -= 1 }
                    return depth == 0
                }
                guard let close else { break }
                steps.append(Self.bracket(rest[rest.index(after: rest.startIndex)..<close]))
                rest = rest[rest.index(after: close)...]
            } else {
                var name = ""
                while let character = rest.first, character != ".", character != "[" {
                    rest = rest.dropFirst()
                    if character == "\\", let escaped = rest.popFirst() {
                        name.append(escaped)
                    } else {
                        name.append(character)
                    }
                }
                steps.append(name == "*" ? .all : .member(name))
            }
        }
    }

    private static func bracket(_ text: Substring) -> Step {
        if text == "*" { return .all }
        if let index = Int(text) { return .index(index) }
        if text.hasPrefix("?("), let equal = text.firstRange(of: "==") {
            let path = text[text.index(text.startIndex, offsetBy: 2)..<equal.lowerBound].drop {
                $0 == "@" || $0 == "." || $0 == " "
            }
            let value = text[equal.upperBound...].dropLast()
            let names = String(path).trimmed.split(separator: ".").map(String.init)
            return .filter(names, equals: unquoted(String(value).trimmed))
        }
        return .member(unquoted(String(text)))
    }
    private static func unquoted(_ text: String) -> String {
        guard text.count >= 2, text.first == "'" || text.first == "\"" else { return text }
        return String(text.dropFirst().dropLast())
    }

    func evaluate(_ root: JSONValue) -> [JSONValue] {
        steps.reduce([root]) { values, step in
            values.flatMap { value -> [JSONValue] in
                switch step {
                case .member(let name): value[name].map { [$0] } ?? []
                case .index(let index):
                    (index < 0 ? value[(value.arrayValue?.count ?? 0) + index] : value[index]).map { [$0] } ?? []
                case .all: value.arrayValue ?? value.objectValue.map { Array($0.values) } ?? []
                case .filter(let path, let wanted):
                    value.arrayValue?.filter { $0[path: path[...]]?.plain == wanted } ?? []
                }
            }
        }
    }
}
