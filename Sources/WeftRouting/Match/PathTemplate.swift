package import WeftCore

/// A path pattern of segments: `*` is one segment, `**` any number at the end, `{name}` a segment with a name and
/// `{name=pattern}` a pattern with one (`envoy.extensions.path.match.uri_template.v3`).
package struct PathTemplate: Sendable {
    private let regex: Regex
    /// The same pattern with the places of its variables.
    private let variables: RegexReplacement
    private static let characters = "a-zA-Z0-9._~%!$&'()*+,;:@="

    /// - Throws: ``RegexError`` for what is no template, with the place.
    package init(_ pattern: String) throws(RegexError) {
        var reader = TemplateReader(pattern)
        guard pattern.hasPrefix("/") else { throw RegexError(message: "a path template begins with /", position: 0) }
        let text = try reader.read(inVariable: false)
        regex = try Regex(text)
        variables = try RegexReplacement("^\(text)$", substitution: "")
    }

    package func matches(_ path: some Sequence<UInt8>) -> Bool { regex.matches(path) }

    /// The path for a template of literals and `{name}`s, with what this pattern binds in `path`.
    package func rewrite(_ path: some Sequence<UInt8>, by target: String) -> [UInt8]? {
        let path = Array(path)
        guard let slots = variables.find(in: path, from: 0) else { return nil }
        var result: [UInt8] = []
        var rest = target[...]
        while let open = rest.firstIndex(of: "{") {
            result += rest[..<open].utf8
            guard let close = rest[open...].firstIndex(of: "}") else { return nil }
            guard let group = variables.groupNames[String(rest[rest.index(after: open)..<close])] else { return nil }
            if slots[2 * group] >= 0 { result += path[slots[2 * group]..<slots[2 * group + 1]] }
            rest = rest[rest.index(after: close)...]
        }
        return result + rest.utf8
    }

    /// Why `target` cannot be filled by this pattern's variables; `nil` when it can.
    package func problem(rewriting target: String) -> String? {
        var rest = target[...]
        guard rest.hasPrefix("/") else { return "a path rewrite begins with /" }
        while let open = rest.firstIndex(of: "{") {
            guard let close = rest[open...].firstIndex(of: "}") else { return "a variable has no }" }
            let name = String(rest[rest.index(after: open)..<close])
            guard variables.groupNames[name] != nil else { return "the path template has no variable \(name)" }
            rest = rest[rest.index(after: close)...]
        }
        return rest.contains("}") ? "a } has no {" : nil
    }

    /// Turns a template into a regular expression.
    private struct TemplateReader {
        private let bytes: [UInt8]
        private var position = 0
        private var names: Set<String> = []

        init(_ pattern: String) { bytes = Array(pattern.utf8) }

        mutating func read(inVariable: Bool) throws(RegexError) -> String {
            var result = ""
            while position < bytes.count {
                let byte = bytes[position]
                switch byte {
                case UInt8(ascii: "*"): result += try star()
                case UInt8(ascii: "{"):
                    guard !inVariable else { throw error("a variable inside of a variable") }
                    result += try variable()
                case UInt8(ascii: "}"):
                    guard inVariable else { throw error("a } without {") }
                    return result
                default: result += try literal(byte)
                }
            }
            guard !inVariable else { throw error("a { without }") }
            return result
        }

        private func error(_ message: String) -> RegexError { RegexError(message: message, position: position) }

        private mutating func star() throws(RegexError) -> String {
            position += 1
            guard position < bytes.count, bytes[position] == UInt8(ascii: "*") else {
                return "[\(PathTemplate.characters)-]+"
            }
            position += 1
            guard position == bytes.count || bytes[position] == UInt8(ascii: "}") else {
                throw error("** must be the last part")
            }
            return "[\(PathTemplate.characters)/-]*"
        }

        private mutating func variable() throws(RegexError) -> String {
            position += 1
            let start = position
            while position < bytes.count, PathTemplate.isName(bytes[position]) { position += 1 }
            let name = String(decoding: bytes[start..<position], as: UTF8.self)
            guard !name.isEmpty, names.count < 5 || names.contains(name) else {
                throw error("a variable needs a name, and there are five at most")
            }
            guard names.insert(name).inserted else { throw error("variable \(name) is there twice") }
            var inner = "[\(PathTemplate.characters)-]+"
            if position < bytes.count, bytes[position] == UInt8(ascii: "=") {
                position += 1
                inner = try read(inVariable: true)
            }
            guard position < bytes.count, bytes[position] == UInt8(ascii: "}") else { throw error("a { without }") }
            position += 1
            return "(?P<\(name)>\(inner))"
        }

        private mutating func literal(_ byte: UInt8) throws(RegexError) -> String {
            position += 1
            guard byte > 32, byte < 127, byte != UInt8(ascii: "?"), byte != UInt8(ascii: "#") else {
                throw error("a character that paths do not have")
            }
            let text = String(UnicodeScalar(byte))
            return PathTemplate.isName(byte) || byte == UInt8(ascii: "/") ? text : "\\" + text
        }
    }

    private static func isName(_ byte: UInt8) -> Bool { Regex.isWord(byte) }
}
