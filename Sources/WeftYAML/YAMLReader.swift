package import WeftCore
import Yams

/// Why a text is not YAML that Kubernetes accepts, and where. Line and column count from 1.
package struct YAMLParseError: Error, Hashable, Sendable, CustomStringConvertible {
    package var message: String
    package var location: SourceLocation

    package init(message: String, location: SourceLocation) {
        self.message = message
        self.location = location
    }

    package var description: String {
        let file = location.file.map { "\($0): " } ?? ""
        let column = location.column.map { ", column \($0)" } ?? ""
        return "\(file)line \(location.line)\(column): \(message)"
    }
}

/// One document of a YAML stream: its value, and where each field of it was written.
package struct YAMLDocument: Sendable, Hashable {
    package var value: JSONValue
    package var source: SourceMap

    package init(value: JSONValue, source: SourceMap) {
        self.value = value
        self.source = source
    }
}

/// Reads YAML 1.1 as Kubernetes does (sigs.k8s.io/yaml): one or more documents, JSON included, to ``JSONValue``.
///
/// Quoted scalars stay strings; `yes`, `no`, `on` and `off` are booleans and `y` and `n` are not; anchors, aliases and
/// merge keys are expanded within a budget; a key set twice is an error.
package enum YAMLReader {
    /// Nodes that a document may hold after its aliases are expanded: no text without aliases comes near.
    private static func nodeBudget(_ text: String) -> Int { 100_000 + text.utf8.count }

    /// All documents of a stream; empty ones (only comments, or nothing) are left out.
    package static func documents(in text: String, file: String? = nil) throws(YAMLParseError) -> [YAMLDocument] {
        if let document = json(in: text, file: file) { return [document] }
        var documents: [YAMLDocument] = []
        do {
            let parser = try Parser(yaml: text, resolver: .basic)
            while let root = try parser.nextRoot() {
                var composer = YAMLComposer(file: file, budget: nodeBudget(text))
                let value = try composer.compose(root, path: "")
                if !value.isNull { documents.append(YAMLDocument(value: value, source: composer.source)) }
            }
        } catch let error as YAMLParseError {
            throw error
        } catch let error as YamlError {
            throw YAMLParseError(error, file: file, text: text)
        } catch {
            throw YAMLParseError(message: "\(error)", location: SourceLocation(file: file, line: 1))
        }
        return documents
    }

    /// All documents that can be read, and what is wrong with each of the others.
    ///
    /// A line that is `---`, or begins with that and a space, begins a document wherever it stands (YAML 1.2 section 9.1.2),
    /// so a mistake in one document hides none of the others.
    package static func readable(in text: String, file: String? = nil) -> (
        documents: [YAMLDocument], errors: [YAMLParseError]
    ) {
        if let documents = try? documents(in: text, file: file) { return (documents, []) }
        var result: (documents: [YAMLDocument], errors: [YAMLParseError]) = ([], [])
        for (line, part) in parts(of: text) {
            do throws(YAMLParseError) {
                for var document in try documents(in: part, file: file) {
                    document.source.locations = document.source.locations.mapValues { $0.moved(by: line) }
                    result.documents.append(document)
                }
            } catch {
                var error = error
                error.location = error.location.moved(by: line)
                result.errors.append(error)
            }
        }
        return result
    }

    /// The text of each document, and how many lines are before it.
    private static func parts(of text: String) -> [(line: Int, text: String)] {
        var parts: [(line: Int, lines: [Substring])] = [(0, [])]
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line == "---" || line == "---\r" || line.hasPrefix("--- ") { parts.append((number, [])) }
            parts[parts.count - 1].lines.append(line)
        }
        return parts.map { ($0.line, $0.lines.joined(separator: "\n")) }
    }

    /// The first document, or `null` for an empty text.
    package static func value(in text: String, file: String? = nil) throws(YAMLParseError) -> JSONValue {
        try documents(in: text, file: file).first?.value ?? .null
    }

    /// A text that starts with a brace and is one JSON document: tabs are fine there and are not in YAML.
    private static func json(in text: String, file: String?) -> YAMLDocument? {
        guard let first = text.utf8.first(where: { $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 }),
            first == UInt8(ascii: "{") || first == UInt8(ascii: "["), let value = try? JSONValue(parsing: text)
        else { return nil }
        var composer = YAMLComposer(file: file, budget: nodeBudget(text))
        if let root = try? Yams.compose(yaml: text, .basic) { _ = try? composer.compose(root, path: "") }
        return YAMLDocument(value: value, source: composer.source)
    }
}

/// Turns a tree of nodes into a value and notes where each path came from.
private struct YAMLComposer {
    let file: String?
    var budget: Int
    var source = SourceMap()

    init(file: String?, budget: Int) {
        self.file = file
        self.budget = budget
        source.file = file
    }

    mutating func compose(_ node: Yams.Node, path: String) throws(YAMLParseError) -> JSONValue {
        budget -= 1
        guard budget > 0 else { throw failure("document contains excessive aliasing", node.mark) }
        if let mark = node.mark, source.locations[path] == nil { source.locations[path] = location(mark) }
        switch node {
        case .scalar(let scalar): return try resolve(scalar)
        case .sequence(let sequence):
            var elements: [JSONValue] = []
            for (index, element) in sequence.enumerated() {
                elements.append(try compose(element, path: "\(path)[\(index)]"))
            }
            return .array(elements)
        case .mapping(let mapping): return .object(try members(of: mapping, path: path))
        case .alias: throw failure("found undefined alias", node.mark)
        }
    }

    private mutating func members(of mapping: Yams.Node.Mapping, path: String) throws(YAMLParseError) -> [String:
        JSONValue]
    {
        var members: [String: JSONValue] = [:]
        var merged: [String: JSONValue] = [:]
        for (key, value) in mapping {
            guard case .scalar(let scalar) = key else { throw failure("a mapping's key must be a scalar", key.mark) }
            if scalar.string == "<<", scalar.style == .plain {
                for source in mergeSources(value) {
                    guard case .mapping(let other) = source else {
                        throw failure("map merge requires map or sequence of maps as the value", value.mark)
                    }
                    merged.merge(try self.members(of: other, path: path)) { first, _ in first }
                }
                continue
            }
            let name = scalar.string
            let child = path.isEmpty ? name : SourceMap.child(of: path, name)
            if let mark = key.mark { source.locations[child] = location(mark) }
            guard members.updateValue(try compose(value, path: child), forKey: name) == nil else {
                throw failure("key \"\(name)\" already set in map", key.mark)
            }
        }
        return members.merging(merged) { own, _ in own }
    }

    private func mergeSources(_ node: Yams.Node) -> [Yams.Node] {
        if case .sequence(let sequence) = node { return Array(sequence) }
        return [node]
    }

    private func resolve(_ scalar: Yams.Node.Scalar) throws(YAMLParseError) -> JSONValue {
        guard scalar.style == .plain, !scalar.tag.description.hasSuffix(":str") || scalar.tag.description.isEmpty else {
            return .string(scalar.string)
        }
        return PlainScalar.resolve(scalar.string)
    }

    private func location(_ mark: Mark) -> SourceLocation {
        SourceLocation(file: file, line: mark.line, column: mark.column)
    }

    private func failure(_ message: String, _ mark: Mark?) -> YAMLParseError {
        YAMLParseError(message: message, location: mark.map(location) ?? SourceLocation(file: file, line: 1))
    }
}

extension YAMLParseError {
    fileprivate init(_ error: YamlError, file: String?, text: String) {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let activity = context.map { "\($0.text) (line \($0.mark.line)), " } ?? ""
            self.init(
                message: activity + problem,
                location: SourceLocation(file: file, line: max(1, mark.line), column: max(1, mark.column)))
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.map { "\"\($0)\"" }.joined(separator: ", ")
            self.init(
                message: "key \(names) already set in map: it is given twice, first here",
                location: SourceLocation(file: file, line: context.mark.line, column: context.mark.column))
        case .reader(let problem, let offset, _, _):
            let before = text.utf8.prefix(offset ?? 0)
            let line = before.reduce(into: 1) { if $1 == 0x0A { $0 += 1 } }
            self.init(message: problem, location: SourceLocation(file: file, line: line))
        default:
            self.init(message: "\(error)", location: SourceLocation(file: file, line: 1))
        }
    }
}

extension SourceLocation {
    fileprivate func moved(by lines: Int) -> SourceLocation {
        var moved = self
        moved.line += lines
        return moved
    }
}
