import WeftConfig
import WeftCore

/// A label selector and a field selector, as in a list's query.
struct Selection: Sendable {
    private var labels: [LabelSelector.Requirement] = []
    private var notEqual: [(key: String, value: String)] = []
    private var fields: [(path: String, value: String, equal: Bool)] = []

    static let everything = Selection()
    private init() {}

    init(labels: String, fields: String) throws {
        for term in Self.splitOutsideParentheses(labels) { try add(term) }
        for term in fields.split(separator: ",") { try addField(String(term)) }
    }

    /// The single name that a `metadata.name` selector asks for.
    var name: String? { fields.first { $0.path == "metadata.name" && $0.equal }?.value }
    /// The first field of the selector that `supported` does not have.
    func unsupportedField(_ supported: (String) -> Bool) -> String? { fields.first { !supported($0.path) }?.path }

    func matches(_ object: JSONValue) -> Bool {
        if !labels.isEmpty || !notEqual.isEmpty {
            let own = KubernetesObject(object).labels
            guard labels.allSatisfy({ $0.matches(own) }), notEqual.allSatisfy({ own[$0.key] != $0.value }) else {
                return false
            }
        }
        return fields.allSatisfy { field in
            let path = field.path.split(separator: ".").map(String.init)
            let value: String =
                switch object[path: path[...]] {
                case .string(let text)?: text
                case .null?, nil: field.path == "status.successful" ? "0" : ""
                case .some(let other): other.text()
                }
            return (value == field.value) == field.equal
        }
    }

    private static func splitOutsideParentheses(_ text: String) -> [String] {
        var parts: [String] = []
        var current = ""
        var depth = 0
        for character in text {
            if character == "(" { depth += 1 }
            if character == ")" { depth -= 1 }
            if character == ",", depth == 0 {
                parts.append(current)
                current = ""
            } else {
                current.append(character)
            }
        }
        parts.append(current)
        return parts.map(\.trimmed).filter { !$0.isEmpty }
    }

    private mutating func add(_ term: String) throws {
        if let range = term.firstRange(of: "!=") {
            notEqual.append((String(term[..<range.lowerBound]).trimmed, String(term[range.upperBound...]).trimmed))
        } else if let range = term.firstRange(of: "==") ?? term.firstRange(of: "=") {
            labels.append(
                .init(
                    key: String(term[..<range.lowerBound]).trimmed, operator: .isIn,
                    values: [String(term[range.upperBound...]).trimmed]))
        } else if let open = term.firstIndex(of: "("), term.hasSuffix(")") {
            let words = term[..<open].split(separator: " ")
            let values = term[term.index(after: open)...].dropLast().split(separator: ",").map { String($0).trimmed }
            guard words.count == 2, words[1] == "in" || words[1] == "notin" else { throw Self.bad(term) }
            labels.append(.init(key: String(words[0]), operator: words[1] == "in" ? .isIn : .notIn, values: values))
        } else if term.hasPrefix("!") {
            labels.append(.init(key: String(term.dropFirst()).trimmed, operator: .doesNotExist))
        } else if !term.contains(" ") {
            labels.append(.init(key: term, operator: .exists))
        } else {
            throw Self.bad(term)
        }
    }

    private mutating func addField(_ term: String) throws {
        if let range = term.firstRange(of: "!=") {
            fields.append((String(term[..<range.lowerBound]), String(term[range.upperBound...]), false))
        } else if let range = term.firstRange(of: "==") ?? term.firstRange(of: "=") {
            fields.append((String(term[..<range.lowerBound]), String(term[range.upperBound...]), true))
        } else {
            throw APIError.badRequest("invalid field selector: \(term)")
        }
    }

    private static func bad(_ term: String) -> APIError {
        APIError.badRequest("unable to parse requirement: \"\(term)\" is not a label selector")
    }
}

extension String {
    var trimmed: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
