import Foundation
import WeftCore

/// The folder of one local mesh: `$WEFT_HOME`, by default `~/.weft`. Two homes are two independent meshes.
struct LocalHome: Sendable {
    var path: String

    static func current(environment: [String: String] = ProcessInfo.processInfo.environment) -> LocalHome {
        if let home = environment["WEFT_HOME"], !home.isEmpty {
            return LocalHome(path: URL(filePath: home).standardizedFileURL.path(percentEncoded: false))
        }
        return LocalHome(path: (environment["HOME"] ?? NSHomeDirectory()) + "/.weft")
    }

    var kubeconfig: String { path + "/kubeconfig" }
    var nodeLog: String { path + "/logs/node.log" }

    /// The process id of this home's running node; `nil` when none runs, whatever `node.pid` says.
    ///
    /// A process id may have been given to another program since, so the process must also be a `weft-node` of this home.
    var runningNode: Int32? {
        guard let text = try? String(contentsOfFile: path + "/node.pid", encoding: .utf8),
            let pid = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines))
        else { return nil }
        let arguments = Self.arguments(of: pid)
        guard arguments.first?.hasSuffix("weft-node") ?? false, arguments.contains(path) else { return nil }
        return pid
    }

    /// A process's command line; empty when there is no such process.
    static func arguments(of pid: Int32) -> [String] {
        // Files under /proc report no size, so they are read to their end.
        guard let file = FileHandle(forReadingAtPath: "/proc/\(pid)/cmdline") else { return [] }
        let bytes = (try? file.readToEnd()) ?? Data()
        try? file.close()
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Another Weft executable: beside this one, as the build and the packages put them.
    static func executable(_ name: String) -> String {
        let own =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return URL(filePath: own).deletingLastPathComponent().appending(path: name).path(percentEncoded: false)
    }
}
