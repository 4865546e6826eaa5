import Foundation
import TestSupport
import Testing

/// Raw bytes that try to confuse: each has one defined answer, and nothing reaches the upstream that should not.
@Suite(.serialized) struct HostileInputTests {
    @Test func thereAreManyAndTheirNamesAreUnique() {
        #expect(HostileInputs.all.count >= 150)
        #expect(Set(HostileInputs.all.map(\.wireID)).count == HostileInputs.all.count)
    }

    @Test(arguments: HostileInputs.all.map(\.id))
    func definedAnswer(_ id: String) async throws {
        let run = try await HostileRun.shared()
        let one = try #require(HostileInputs.all.first { $0.id == id })
        let result = try #require(run.results[.weft]?[id])
        #expect(result.answer == one.expected, "Envoy: \(run.results[.envoy]?[id]?.summary ?? "-")")
        #expect(result.forwards == one.forwards)
        let names = Set(result.headers.joined().map { $0.name.lowercased() })
        #expect(
            names.isDisjoint(with: one.forbiddenHeaders), "the upstream saw \(names.intersection(one.forbiddenHeaders))"
        )
    }

    @Test func theProxyLivesOn() async throws {
        let run = try await HostileRun.shared()
        #expect(run.weftIsAlive, "\(run.weftOutput.suffix(2000))")
        // What the cases account for, and the request that asks whether it is alive: nothing else got through.
        let accounted = run.results[.weft]?.values.reduce(1) { $0 + $1.forwards.count }
        #expect(run.weftTotal == accounted)
        #expect(run.weftMemory.after - run.weftMemory.before < 64 << 20)
    }

    /// `docs/hostile-inputs.md` is written by this test when `WEFT_WRITE_DOCS` is set, and held to the cases otherwise.
    @Test func theTableIsUpToDate() async throws {
        let path = Workspace.root + "docs/hostile-inputs.md"
        if ProcessInfo.processInfo.environment["WEFT_WRITE_DOCS"] != nil {
            let memory = try await MemoryRun.shared()
            try HostileTable.text(try await HostileRun.shared(), memory).write(
                toFile: path, atomically: true, encoding: .utf8)
        }
        let text = try String(contentsOfFile: path, encoding: .utf8)
        for one in MemoryCase.all { #expect(text.contains("| \(one.name) | ")) }
        for one in HostileInputs.all {
            #expect(text.contains("| \(one.group) | \(one.name) | \(HostileTable.defined(one)) |"), "\(one.id)")
        }
    }
}

/// The committed comparison.
enum HostileTable {
    static func defined(_ one: HostileCase) -> String {
        cell(HostileResult(answer: one.expected, forwards: one.forwards))
    }

    private static func cell(_ result: HostileResult) -> String {
        let forwards = result.forwards.count > 3 ? ["\(result.forwards.count) requests"] : result.forwards
        let answer =
            result.answer.count > 80 ? result.answer.prefix(30) + " … " + result.answer.suffix(10) : result.answer[...]
        let text = forwards.isEmpty ? String(answer) : "\(answer) → \(forwards.joined(separator: ", "))"
        return text.replacing("|", with: "\\|")
    }

    static func text(_ run: HostileRun, _ memory: MemoryRun) -> String {
        let others: [HostileServer.Kind] = [.envoy, .nginx, .haproxy]
        var lines = [
            "# Hostile inputs and what proxies answer", "",
            "Written by `WEFT_WRITE_DOCS=1 dev/test HostileInputTests`; the tests hold Weft to its column.",
            "An answer is the statuses in order (HTTP/2: stream=status, stream!error, GOAWAY), whether the connection stays "
                + "open, and what reached the upstream.",
            "The others run with equivalent, not identical, configuration: Envoy 1.40 as an edge proxy, nginx and HAProxy as "
                + "packaged; their columns inform and judge nobody.", "",
            "| class | input | Weft | Envoy | nginx | HAProxy |", "| --- | --- | --- | --- | --- | --- |",
        ]
        for one in HostileInputs.all {
            let cells = others.map { kind in run.results[kind]?[one.id].map(cell) ?? "-" }
            lines.append("| \(one.group) | \(one.name) | \(defined(one)) | \(cells.joined(separator: " | ")) |")
        }
        lines += [
            "", "## Memory", "",
            "Resident MiB above those of before, at the peak, while some connections (four unless the name says otherwise) "
                + "send as much as is taken and read nothing. The tests hold Weft below \(HostileInputTests.MemoryTests.bound >> 20) MiB in each "
                + "class; the figures are of one run of a debug build.", "",
            "| class | Weft | Envoy |", "| --- | --- | --- |",
        ]
        for one in MemoryCase.all {
            let cells = [HostileServer.Kind.weft, .envoy].map { kind in
                memory.growth[kind]?[one.name].map { String(max(0, $0) >> 20) } ?? "-"
            }
            lines.append("| \(one.name) | \(cells.joined(separator: " | ")) |")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
