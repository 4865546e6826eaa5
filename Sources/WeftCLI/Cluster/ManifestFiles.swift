import Foundation
import WeftConfig

/// Reads manifests that a user names: files, folders (`.yaml`, `.yml`, `.json`), `-` for standard input.
enum ManifestFiles {
    static func objects(at paths: [String]) throws -> [KubernetesObject] { try manifests(at: paths).map(\.object) }

    static func manifests(at paths: [String]) throws -> [ManifestObject] {
        try paths.flatMap(expanded).flatMap { path in
            try ManifestReader.objects(in: try text(of: path), file: path == "-" ? "stdin" : path)
        }
    }

    /// The objects of all documents that can be read, and what is wrong with each of the others.
    static func readable(at paths: [String]) throws -> (objects: [ManifestObject], errors: [YAMLParseError]) {
        var result: (objects: [ManifestObject], errors: [YAMLParseError]) = ([], [])
        for path in try paths.flatMap(expanded) {
            let read = ManifestReader.readable(in: try text(of: path), file: path == "-" ? "stdin" : path)
            result.objects += read.objects
            result.errors += read.errors
        }
        return result
    }

    static func text(of path: String) throws -> String {
        if path == "-" { return String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self) }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure("cannot read \(path): check that the file exists and may be read.")
        }
        return String(decoding: data, as: UTF8.self)
    }

    private static func expanded(_ path: String) throws -> [String] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
            return [path]
        }
        let found = try FileManager.default.subpathsOfDirectory(atPath: path).sorted().filter { name in
            [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
        }
        return found.map { "\(path)/\($0)" }
    }
}
