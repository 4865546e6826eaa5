package import WeftCore

/// Writes values as YAML in the manner of kubectl: keys sorted, two spaces, lists not indented below their key.
package enum YAMLWriter {
    package static func text(_ value: JSONValue) -> String {
        var writer = Writer()
        writer.write(value, indent: 0)
        return writer.text
    }

    /// Several documents, separated by `---`.
    package static func text(_ values: [JSONValue]) -> String { values.map(text(_:)).joined(separator: "---\n") }
}

private struct Writer {
    var text = ""

    mutating func write(_ value: JSONValue, indent: Int) {
        switch value {
        case .object(let members) where !members.isEmpty: writeMembers(members, indent: indent)
        case .array(let elements) where !elements.isEmpty: writeElements(elements, indent: indent)
        default: text += inline(value, indent: indent) + "\n"
        }
    }

    private mutating func writeMembers(_ members: [String: JSONValue], indent: Int, firstIsPlaced: Bool = false) {
        let margin = String(repeating: " ", count: indent)
        for (position, key) in members.keys.sorted().enumerated() {
            guard let value = members[key] else { continue }
            text += (position == 0 && firstIsPlaced ? "" : margin) + self.key(key) + ":"
            switch value {
            case .object(let inner) where !inner.isEmpty:
                text += "\n"
                writeMembers(inner, indent: indent + 2)
            case .array(let inner) where !inner.isEmpty:
                text += "\n"
                writeElements(inner, indent: indent)
            default: text += " " + inline(value, indent: indent + 2) + "\n"
            }
        }
    }

    private mutating func writeElements(_ elements: [JSONValue], indent: Int, firstIsPlaced: Bool = false) {
        let margin = String(repeating: " ", count: indent)
        for (position, element) in elements.enumerated() {
            text += (position == 0 && firstIsPlaced ? "" : margin) + "- "
            switch element {
            case .object(let inner) where !inner.isEmpty: writeMembers(inner, indent: indent + 2, firstIsPlaced: true)
            case .array(let inner) where !inner.isEmpty: writeElements(inner, indent: indent + 2, firstIsPlaced: true)
            default: text += inline(element, indent: indent + 2) + "\n"
            }
        }
    }

    private func inline(_ value: JSONValue, indent: Int) -> String {
        switch value {
        case .object: "{}"
        case .array: "[]"
        case .string(let string): scalar(string, indent: indent)
        default: value.text()
        }
    }

    /// A key stays on one line.
    private func key(_ string: String) -> String {
        string.contains("\n") ? JSONValue.string(string).text() : scalar(string, indent: 0)
    }

    private func scalar(_ string: String, indent: Int) -> String {
        if string.utf8.contains(UInt8(ascii: "\n")), isPrintable(string) { return block(string, indent: indent) }
        if string.isEmpty || PlainScalar.needsQuotes(string) || !isPrintable(string) {
            return JSONValue.string(string).text()
        }
        return isPlain(string)
            ? string
            : "'" + string.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
    }

    /// A literal block. The chomping indicator keeps exactly the line ends that the string has.
    private func block(_ string: String, indent: Int) -> String {
        var lines = string.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard lines.first?.first != " ", !lines.allSatisfy(\.isEmpty) else { return JSONValue.string(string).text() }
        var indicator = "|-"
        if lines.last == "" {
            lines.removeLast()
            indicator = lines.last == "" ? "|+" : "|"
        }
        let margin = String(repeating: " ", count: max(indent, 2))
        return indicator + "\n" + lines.map { $0.isEmpty ? "" : margin + $0 }.joined(separator: "\n")
    }

    private func isPrintable(_ string: String) -> Bool {
        string.unicodeScalars.allSatisfy { ($0.value >= 0x20 && $0.value != 0x7F && $0.value != 0xFEFF) || $0 == "\n" }
    }

    /// True if the text needs no quotes: no indicator at its start, no `: ` or ` #` inside, no white space at its ends.
    private func isPlain(_ string: String) -> Bool {
        guard let first = string.first, let last = string.last, first != " ", last != " ", last != ":" else {
            return false
        }
        if "!&*{}[],#|>@`\"'%=<".contains(first), !(first == "<" && string != "<<" && string != "<") { return false }
        if "-?:".contains(first), string.count == 1 || string.dropFirst().first == " " { return false }
        if string.hasPrefix("---") || string.hasPrefix("...") { return false }
        return !string.contains(": ") && !string.contains(" #") && !isTimestamp(string)
    }

    /// YAML 1.1 reads a bare date as a time stamp, and Go's library therefore quotes it.
    private func isTimestamp(_ string: String) -> Bool {
        let bytes = Array(string.utf8.prefix(10))
        guard bytes.count == 10, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-") else { return false }
        return bytes.enumerated().allSatisfy {
            $0 == 4 || $0 == 7 || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($1)
        }
    }
}
