import Foundation
import WeftCore

/// A table for people: columns padded with three spaces, as kubectl and istioctl print them.
struct Table {
    var header: [String]
    var rows: [[String]] = []

    init(_ header: [String], rows: [[String]] = []) {
        self.header = header
        self.rows = rows
    }

    /// The header as names of members: `RESOURCE NAME` is `resourceName`.
    var keys: [String] {
        header.map { title in
            let words = title.lowercased().split(separator: " ")
            return words.dropFirst().reduce(words.first.map(String.init) ?? "") { $0 + $1.capitalized }
        }
    }

    /// A list of objects with the columns as keys: `RESOURCE NAME` is `resourceName`.
    var json: JSONValue {
        let keys = keys
        return .array(
            rows.map { row in .object(Dictionary(zip(keys, row.map { JSONValue.string($0) })) { $1 }) })
    }

    var text: String {
        let lines = [header] + rows
        let widths = header.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { cells in
            var line = ""
            for (column, cell) in cells.enumerated() {
                line += cell
                if column < cells.count - 1 {
                    line += String(repeating: " ", count: widths[column] - cell.count + 3)
                }
            }
            return line
        }.joined(separator: "\n")
    }
}
