import FoundationEssentials
import WeftCore
package import WeftXDS
import WeftYAML

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Why a bootstrap cannot be used: every problem on a line of its own, with file, line and field.
package struct BootstrapError: Error, CustomStringConvertible {
    package var lines: [String]
    package var description: String { lines.joined(separator: "\n") }
}

/// Reads bootstraps as Envoy does: a file in YAML or JSON, and a text that is merged over it.
package enum BootstrapFile {
    /// - Parameters:
    ///   - path: `--config-path`.
    ///   - text: `--config-yaml`.
    package static func load(path: String?, text: String?) throws(BootstrapError) -> BootstrapDecoder.Result {
        var value = JSONValue.object([:])
        var source = SourceMap()
        if let path {
            let document = try read(contents(path), name: path)
            (value, source) = (document.value, document.source)
        }
        if let text {
            let document = try read(text, name: "--config-yaml")
            value = merge(value, document.value)
            if path == nil { source = document.source }
        }
        do {
            return try BootstrapDecoder.decode(value)
        } catch {
            throw BootstrapError(lines: error.problems.map { line($0, source) })
        }
    }

    private static func contents(_ path: String) throws(BootstrapError) -> String {
        guard unsafe access(path, R_OK) == 0 else {
            throw BootstrapError(lines: ["\(path): cannot be read: \(unsafe String(cString: strerror(errno)))"])
        }
        guard let data = try? Data(contentsOf: URL(filePath: path)), let text = String(data: data, encoding: .utf8)
        else { throw BootstrapError(lines: ["\(path): is not UTF-8 text"]) }
        return text
    }

    private static func read(_ text: String, name: String) throws(BootstrapError) -> YAMLDocument {
        do {
            let documents = try YAMLReader.documents(in: text, file: name)
            guard documents.count <= 1 else {
                throw BootstrapError(lines: ["\(name): holds \(documents.count) documents; a bootstrap is one"])
            }
            return documents.first ?? YAMLDocument(value: .object([:]), source: SourceMap())
        } catch let error as YAMLParseError {
            throw BootstrapError(lines: ["\(error)"])
        } catch let error as BootstrapError {
            throw error
        } catch {
            throw BootstrapError(lines: ["\(name): \(error)"])
        }
    }

    /// As protobuf merges messages: objects member by member, lists are joined, anything else is replaced.
    private static func merge(_ base: JSONValue, _ over: JSONValue) -> JSONValue {
        switch (base, over) {
        case (.object(let left), .object(let right)): .object(left.merging(right) { merge($0, $1) })
        case (.array(let left), .array(let right)): .array(left + right)
        default: over
        }
    }

    private static func line(_ problem: FieldProblem, _ source: SourceMap) -> String {
        guard let place = source.location(of: problem.path) else { return problem.description }
        return "\(place.file ?? "bootstrap"): line \(place.line): \(problem)"
    }
}
