import Foundation
import TestSupport

/// The differences that are meant or not yet mended: `known-differences.txt`, one case a line.
///
/// `CASE: FIELD, FIELD: REASON`. A field may end in `*`; the field `configuration` says that Weft
/// refuses the configuration by name.
struct KnownDifferences: Sendable {
    struct Entry: Sendable {
        var fields: [String]
        var reason: String
        /// Weft refuses the configuration of the case, which is then put to neither.
        var isUnsupported: Bool { fields == ["configuration"] }
        func covers(_ field: String) -> Bool {
            fields.contains { $0.hasSuffix("*") ? field.hasPrefix($0.dropLast()) : field == $0 }
        }
    }
    var entries: [String: Entry] = [:]
    var malformed: [String] = []

    static let path = Workspace.root + "Tests/DifferentialTests/known-differences.txt"

    init(_ text: String) {
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(separator: ": ", maxSplits: 2).map(String.init)
            guard parts.count == 3, parts[2].count > 10 else {
                malformed.append(String(line))
                continue
            }
            entries[parts[0]] = Entry(fields: parts[1].split(separator: ", ").map(String.init), reason: parts[2])
        }
    }

    /// What covers a case: its own line, and for a case put in HTTP/2 the line of the case it is made of. Generated cases
    /// have ``ExplainedDifference``.
    func entry(for name: String) -> Entry? {
        entries[name] ?? (name.hasPrefix("h2-") ? entries[String(name.dropFirst(3))] : nil)
    }

    static func committed() throws -> KnownDifferences {
        KnownDifferences(try String(contentsOfFile: path, encoding: .utf8))
    }
}
