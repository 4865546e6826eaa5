import Foundation
import Testing
import WeftCore

/// Holds the package to `dev/layers.txt`: every edge between targets, every third-party product, and the imports that a
/// target must not use although the compiler would let it.
@Suite struct LayerTests {
    /// One line of `dev/layers.txt`.
    struct Rule {
        var target: String
        var allowed: Set<String>
    }

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func lines(of path: String) throws -> [String] {
        try String(contentsOf: root.appending(path: path), encoding: .utf8).split(separator: "\n").map(String.init)
            .filter { !$0.hasPrefix("#") && !$0.allSatisfy(\.isWhitespace) }
    }

    /// Layers from low to high, and the rules of their targets.
    static func layers() throws -> [(name: String, rules: [Rule])] {
        var layers: [(name: String, rules: [Rule])] = []
        for line in try lines(of: "dev/layers.txt") {
            if line.hasPrefix("[") {
                layers.append((String(line.dropFirst().prefix { $0 != "]" }), []))
                continue
            }
            let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
            let target = try #require(parts.first?.trimmingCharacters(in: .whitespaces))
            let allowed = parts.count > 1 ? parts[1].split(separator: " ").map(String.init) : []
            layers[layers.count - 1].rules.append(Rule(target: target, allowed: Set(allowed)))
        }
        return layers
    }

    /// Target name to the names of its dependencies, from the manifest itself.
    static func declared() throws -> [String: Set<String>] {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["swift", "package", "--ignore-lock", "dump-package", "--package-path", root.path()]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let targets = try JSONValue(parsing: output)["targets"]?.arrayValue ?? []
        return targets.reduce(into: [:]) { result, target in
            guard target["type"]?.stringValue != "test", let name = target["name"]?.stringValue else { return }
            let dependencies = target["dependencies"]?.arrayValue ?? []
            result[name] = Set(dependencies.compactMap { ($0["byName"] ?? $0["product"])?[0]?.stringValue })
        }
    }

    @Test func everyEdgeIsPermitted() throws {
        let rules = try Self.layers().flatMap(\.rules)
        let allowed = Dictionary(uniqueKeysWithValues: rules.map { ($0.target, $0.allowed) })
        let declared = try Self.declared()
        #expect(declared.count > 20)
        for (target, dependencies) in declared {
            let permitted = try #require(allowed[target], "\(target) is not in dev/layers.txt")
            let extra = dependencies.subtracting(permitted).sorted()
            #expect(extra.isEmpty, "\(target) may not depend on \(extra): change the design first, then dev/layers.txt")
        }
        let stale = Set(allowed.keys).subtracting(declared.keys).sorted()
        #expect(stale.isEmpty, "dev/layers.txt names targets that do not exist: \(stale)")
    }

    /// Modules that the sources of a target import.
    static func imports(of target: String) throws -> Set<String> {
        let folders = ["Sources/\(target)", "Tests/\(target)"].map { root.appending(path: $0) }
        let folder = try #require(folders.first { FileManager.default.fileExists(atPath: $0.path()) })
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        var modules: Set<String> = []
        for case let file as URL in try #require(files) where file.pathExtension == "swift" {
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                var words = line.split(separator: " ").map(String.init)[...]
                while let word = words.first, word != "import" {
                    guard word.hasPrefix("@") || ["package", "public", "internal", "private"].contains(word) else {
                        break
                    }
                    words = words.dropFirst()
                }
                guard words.popFirst() == "import" else { continue }
                if ["struct", "class", "enum", "func", "protocol", "let", "var", "typealias"].contains(
                    words.first ?? "")
                {
                    words = words.dropFirst()
                }
                if let module = words.first?.split(separator: ".").first { modules.insert(String(module)) }
            }
        }
        return modules
    }

    /// A dependency that nobody imports costs build time and says something untrue about the structure.
    /// Targets in C include headers, which this does not read.
    @Test func everyDependencyIsImported() throws {
        for (target, dependencies) in try Self.declared() where !target.hasPrefix("CWeft") {
            let imported = try Self.imports(of: target)
            let idle = dependencies.subtracting(imported).sorted()
            #expect(idle.isEmpty, "\(target) declares \(idle) in Package.swift and imports them nowhere: remove them")
        }
    }

    @Test func noEdgePointsUp() throws {
        let layers = try Self.layers()
        var height: [String: Int] = [:]
        for (index, layer) in layers.enumerated() {
            for rule in layer.rules { height[rule.target] = index }
        }
        for (index, layer) in layers.enumerated() {
            for rule in layer.rules {
                for dependency in rule.allowed {
                    guard let other = height[dependency] else { continue }
                    #expect(other < index, "\(rule.target) [\(layer.name)] -> \(dependency) does not point down")
                }
            }
        }
    }

    /// Lines of `dev/banned-imports.txt`: `TARGET MODULE reason…`.
    @Test func noBannedImport() throws {
        for line in try Self.lines(of: "dev/banned-imports.txt") {
            let words = line.split(separator: " ", maxSplits: 2).map(String.init)
            try #require(words.count == 3, "each ban needs a reason: \(line)")
            let folder = Self.root.appending(path: "Sources/\(words[0])")
            let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
            var seen = 0
            for case let file as URL in try #require(files) where file.pathExtension == "swift" {
                seen += 1
                let text = try String(contentsOf: file, encoding: .utf8)
                let hit = text.split(separator: "\n").contains { $0.hasSuffix("import \(words[1])") }
                #expect(!hit, "\(file.lastPathComponent) imports \(words[1]): \(words[2])")
            }
            #expect(seen > 0, "\(words[0]) has no sources")
        }
    }
}
