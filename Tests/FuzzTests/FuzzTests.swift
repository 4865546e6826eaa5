import Foundation
import FuzzTargets
import TestSupport
import Testing

/// Seeded mutation of a small corpus against every parser; `dev/fuzz TARGET SECONDS` runs one for long.
@Suite struct FuzzTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let corpusFolder = Workspace.root + "Tests/FuzzTests/Corpus/"

    /// What is committed for a target: found crashes among them, which so stay tested.
    private static func corpus(_ name: String) throws -> [[UInt8]] {
        let folder = corpusFolder + name
        guard FileManager.default.fileExists(atPath: folder) else { return [] }
        return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map {
            Array(try Data(contentsOf: URL(filePath: folder + "/" + $0)))
        }
    }

    @Test(arguments: FuzzTarget.all.map(\.name))
    func replaysTheCorpus(_ name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        for input in target.seeds + (try Self.corpus(name)) { #expect(target.check(input) == nil) }
    }

    @Test(arguments: FuzzTarget.all.map(\.name))
    func mutations(_ name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let wanted = Self.environment["WEFT_FUZZ_TARGET"]
        guard wanted == nil || wanted == name else { return }
        let corpus = target.seeds + (try Self.corpus(name))
        let seconds = Self.environment["WEFT_FUZZ_SECONDS"].flatMap { Int($0) }
        let seed = Self.environment["WEFT_FUZZ_SEED"].flatMap { UInt64($0) } ?? 1
        let trace = try CurrentInput(Workspace.root + ".build/tests/fuzz-\(name).current")
        var mutator = Mutator(seed: seed, words: target.words)
        let end = ContinuousClock.now + .seconds(seconds ?? 0)
        var count = 0
        while seconds == nil ? count < 600 : ContinuousClock.now < end {
            let input = mutator.make(from: corpus)
            // A trap leaves the input that caused it behind.
            trace.write(input)
            if let broken = target.check(input) {
                let file = Workspace.root + ".build/tests/fuzz-\(name)-\(seed)-\(count)"
                try Data(input).write(to: URL(filePath: file))
                Issue.record("\(name), seed \(seed), input \(count), kept in \(file): \(broken)")
                return
            }
            count += 1
        }
        if seconds != nil { print("\(name): \(count) inputs, nothing found") }
    }
}

/// The input under test, in a file that is overwritten in place.
private final class CurrentInput {
    private let handle: FileHandle

    init(_ path: String) throws {
        try FileManager.default.createDirectory(
            atPath: Workspace.root + ".build/tests", withIntermediateDirectories: true)
        try Data().write(to: URL(filePath: path))
        handle = try FileHandle(forWritingTo: URL(filePath: path))
    }

    func write(_ input: [UInt8]) {
        try? handle.truncate(atOffset: 0)
        try? handle.seek(toOffset: 0)
        try? handle.write(contentsOf: Data(input))
    }
}
