import Foundation
import Testing
import WeftTranslate

/// `docs/gateway-api.md` names a test for every feature that GatewayClasses claim, and the test is there.
@Suite struct GatewayFeatureTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    private static let document = folder.deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs/gateway-api.md")

    @Test func everyFeatureHasATest() throws {
        let text = try String(contentsOf: Self.document, encoding: .utf8)
        let section = try #require(text.components(separatedBy: "\n## Features").last)
        let rows = section.split(separator: "\n").filter { $0.hasPrefix("| ") }.dropFirst(2).map { row in
            row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        #expect(rows.map { $0[0] } == GatewayFeature.supported.map(\.name))
        #expect(rows.map { $0[1] } == GatewayFeature.supported.map(\.summary))
        for row in rows {
            let parts = row[2].split(separator: ".").map(String.init)
            try #require(parts.count == 2, "\(row)")
            let file = Self.folder.appending(path: "\(parts[0]).swift")
            let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
            let index = try #require(
                lines.firstIndex { $0.contains("func \(parts[1])(") }, "\(row[0]): \(row[2]) is not there")
            let above = lines[..<index].reversed().prefix { !$0.contains("func ") }
            let isTest = lines[index].contains("@Test") || above.contains { $0.contains("@Test") }
            #expect(isTest, "\(row[2]) is no test")
        }
    }
}
