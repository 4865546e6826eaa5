import Foundation
import Testing

/// Every row of `docs/feature-table.md` and of `docs/feature-groups.md` names what shows it, and what it names exists.
@Suite struct FeatureTableTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path(percentEncoded: false)

    private struct Row: Sendable, CustomTestStringConvertible {
        var line: Int
        var area: String
        var shownBy: String
        var testDescription: String { "line \(line), \(area)" }
    }

    /// The rows of all tables above "Not there yet".
    private static func rows(_ text: String) -> [Row] {
        var rows: [Row] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.hasPrefix("## Not there yet") { break }
            guard line.hasPrefix("| "), !line.hasPrefix("| ---"), !line.hasPrefix("| area ") else { continue }
            let cells = line.replacing("\\|", with: "/").split(separator: "|").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            rows.append(Row(line: index + 1, area: cells.first ?? "", shownBy: cells.count == 3 ? cells[2] : ""))
        }
        return rows
    }

    /// Sources of the tests in one text, by folder.
    private static func sources(_ folder: String) throws -> String {
        let names = try FileManager.default.subpathsOfDirectory(atPath: root + folder).filter { $0.hasSuffix(".swift") }
        return try names.sorted().map { try String(contentsOfFile: "\(root)\(folder)/\($0)", encoding: .utf8) }
            .joined(separator: "\n")
    }

    /// What a cell names and the repository has not.
    private static func missing(_ cell: String, tests: String, cases: String) -> [String] {
        let suites = cell.matches(of: /[A-Z][A-Za-z0-9]*Tests(?![A-Za-z0-9])/).map { String($0.output) }
        let quoted = cell.matches(of: /`([^`]+)`/).map { String($0.output.1) }
        let hasSuite = { (name: String) in
            FileManager.default.fileExists(atPath: "\(root)Tests/\(name)")
                || tests.contains("struct \(name) ") || tests.contains("struct \(name):")
                || tests.contains("enum \(name) ") || tests.contains("class \(name) ")
        }
        let unknown = quoted.filter { word in
            if word.hasSuffix("Tests") { return false }
            if word.hasPrefix("dev/") || word.hasPrefix("Tests/") {
                return !FileManager.default.fileExists(atPath: root + (word.split(separator: " ").first ?? ""))
            }
            // A test function, a group of cases of the differential suite, a case, or several by their beginning.
            let names = ["func \(word)(", "static let \(word) ", "static let \(word):", "\"\(word)\""]
            if word.hasSuffix("*") { return !cases.contains("\"\(word.dropLast())") }
            return !tests.contains(names[0]) && !names.dropFirst().contains(where: cases.contains)
        }
        return suites.filter { !hasSuite($0) } + unknown
            + (suites.isEmpty && quoted.isEmpty ? ["(nothing is named)"] : [])
    }

    @Test(arguments: [("docs/feature-table.md", 50), ("docs/feature-groups.md", 20)])
    func everyRowNamesATestThatExists(_ file: String, _ least: Int) throws {
        let text = try String(contentsOfFile: Self.root + file, encoding: .utf8)
        let rows = Self.rows(text)
        #expect(rows.count > least, "the table was not found")
        let (tests, cases) = (try Self.sources("Tests"), try Self.sources("Tests/DifferentialTests"))
        for row in rows {
            let missing = Self.missing(row.shownBy, tests: tests, cases: cases)
            #expect(missing.isEmpty, "\(file):\(row.line) (\(row.area)): \(missing) does not exist")
        }
    }

    @Test func theCheckFindsMistakes() {
        let tests = "@Suite struct RealTests {"
        let cases = #"DifferentialCase("real-case", toH2"#
        #expect(Self.missing("RealTests `real-case`, `real-*`, `dev/test`", tests: tests, cases: cases) == [])
        #expect(Self.missing("GoneTests", tests: tests, cases: cases) == ["GoneTests"])
        #expect(Self.missing("RealTests `gone-case`", tests: tests, cases: cases) == ["gone-case"])
        #expect(Self.missing("`dev/gone`", tests: tests, cases: cases) == ["dev/gone"])
        #expect(Self.missing("by hand", tests: tests, cases: cases) == ["(nothing is named)"])
        #expect(
            Self.rows("| a | b | C |\n\nx\n| d | e \\| f | G |\n## Not there yet\n| h | i | J |").map(\.shownBy) == [
                "C", "G",
            ])
    }
}
