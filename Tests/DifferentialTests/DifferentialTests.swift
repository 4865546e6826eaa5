import Foundation
import TestSupport
import Testing

/// The same bootstrap file and the same bytes to real Envoy and to weft-proxy: status, headers, body, what the upstreams
/// saw, and the access log must agree, apart from `known-differences.txt`.
@Suite(.serialized) struct DifferentialTests {
    private func check(_ name: String) async throws {
        let run = try await DifferentialRun.shared()
        let known = try KnownDifferences.committed().entry(for: name)
        if known?.isUnsupported == true { return try await refusesConfiguration(of: name) }
        let found = try #require(run.differences[name], "the case was not run")
        var unexplained: [String] = []
        var explained: Set<String> = []
        for (index, differences) in found.enumerated() {
            for difference in differences {
                if let known, known.covers(difference.field) {
                    explained.insert(difference.field)
                } else {
                    unexplained.append("request \(index): \(difference)")
                }
            }
        }
        #expect(unexplained.isEmpty, "\(name):\n  \(unexplained.joined(separator: "\n  "))")
        // A derived case shares its origin's line and need not show each difference of it.
        guard let known, try KnownDifferences.committed().entries[name] != nil else { return }
        for field in known.fields {
            let stem: String? = field.hasSuffix("*") ? String(field.dropLast()) : nil
            let isSeen = explained.contains { stem.map($0.hasPrefix) ?? ($0 == field) }
            #expect(isSeen, "\(name): \(field) agrees now; remove it from known-differences.txt")
        }
    }

    /// What is not supported is refused by name, never ignored.
    private func refusesConfiguration(of name: String) async throws {
        let one = try #require(HandWritten.cases.first { $0.name == name })
        let folder = try Workspace.folder("refused-\(name)")
        let result = try await DifferentialRun.validate(one, folder: folder)
        #expect(!result.succeeded, "\(name): the configuration is taken now; remove it from known-differences.txt")
        #expect(result.all.contains("not supported"), "\(result)")
    }

    @Test(arguments: HandWritten.cases.map(\.name))
    func handWritten(_ name: String) async throws { try await check(name) }

    /// Generated route tables, headers and requests. `WEFT_DIFFERENTIAL_CASES` sets how many, `WEFT_DIFFERENTIAL_SEED`
    /// which.
    @Test func generated() async throws {
        let run = try await DifferentialRun.shared()
        let random = run.differences.filter { $0.key.hasPrefix(RandomCases.prefix) }
        #expect(random.values.reduce(0) { $0 + $1.count } >= RandomCases.count)
        for (name, requests) in random.sorted(by: { $0.key < $1.key }) {
            for index in requests.indices {
                let differences = run.generatedResult(name, index).unexplained
                if differences.isEmpty { continue }
                Issue.record("\(name), request \(index): \(differences.map(\.description).joined(separator: "; "))")
            }
        }
    }

    /// For `dev/differential`, which sets `WEFT_DIFFERENTIAL_LONG=FILE`: the committed report of a long run.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["WEFT_DIFFERENTIAL_LONG"] != nil))
    func longRunReport() async throws {
        let path = try #require(ProcessInfo.processInfo.environment["WEFT_DIFFERENTIAL_LONG"])
        let report = try await LongRunReport(DifferentialRun.shared())
        try report.text.write(toFile: path, atomically: true, encoding: .utf8)
    }

    @Test func theListOfDifferencesIsTrue() throws {
        let known = try KnownDifferences.committed()
        #expect(known.malformed.isEmpty)
        let names = Set(HandWritten.cases.map(\.name))
        #expect(names.count == HandWritten.cases.count, "two cases have one name")
        #expect(Set(known.entries.keys).subtracting(names).isEmpty, "entries without a case")
        #expect(Set(ExplainedDifference.all.map(\.name)).count == ExplainedDifference.all.count)
    }
}
