import Foundation
import Glibc
import Logging
import TestSupport
import Testing
import WeftTelemetry

/// What the store does when the process is killed, the disk is full, or a file is damaged, and what it says.
@Suite(.serialized) struct DisasterTests {
    private static let start: Int64 = 1_700_000_000_000
    private static let series = 50

    private static func store(_ folder: String, _ log: RecordedLog, window: Int64 = 600_000) throws -> TimeSeriesStore {
        var settings = StoreSettings(folder: folder)
        settings.window = window
        return try TimeSeriesStore(settings: settings, logger: Logger(label: "test") { _ in log })
    }

    /// One scrape: every series has the number of the scrape as its value.
    private static func scrape(_ store: TimeSeriesStore, _ number: Int) {
        let samples = (0..<series).compactMap { index in
            store.identify(Labels(["__name__": "m", "x": "\(index)"])).map { (series: $0, value: Double(number)) }
        }
        store.append(samples, at: start + Int64(number) * 1000)
    }

    /// For each series how many samples it has, and its last value.
    private static func contents(_ store: TimeSeriesStore) throws -> (counts: Set<Double>, last: Set<Double>) {
        let engine = QueryEngine(source: store)
        func values(_ query: String) throws -> [Double] {
            let answer = try engine.instant(PromQLParser.parse(query), at: start + 100_000_000)
            guard case .vector(let list) = answer else { return [] }
            return list.map(\.point.value)
        }
        return (Set(try values("count_over_time(m[2d])")), Set(try values("last_over_time(m[2d])")))
    }

    /// A process that takes scrapes in as fast as it can, and notes each one behind it, is killed somewhere.
    @Test(arguments: [40, 150, 400]) func aKilledProcessLosesNoScrapeThatWasTakenIn(_ milliseconds: Int) async throws {
        let folder = try Workspace.folder("store-killed-\(milliseconds)")
        let note = folder + ".note"
        try? FileManager.default.removeItem(atPath: note)
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [folder = folder as String, note = note as String, milliseconds] in
            let store = try DisasterTests.store(folder, RecordedLog(), window: 60_000)
            let file = open(note, O_WRONLY | O_CREAT, 0o644)
            DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(milliseconds)) {
                kill(getpid(), SIGKILL)
            }
            var number = 0
            while true {
                DisasterTests.scrape(store, number)
                number += 1
                withUnsafeBytes(of: number) { _ = pwrite(file, $0.baseAddress, $0.count, 0) }
            }
        }
        let bytes = (try? Data(contentsOf: URL(filePath: note))) ?? Data()
        let taken = bytes.withUnsafeBytes { $0.count >= 8 ? $0.loadUnaligned(as: Int.self) : 0 }
        let log = RecordedLog()
        let (counts, last) = try Self.contents(try Self.store(folder, log, window: 60_000))
        // The scrape that was under way may be there or not, as a whole.
        let whole = [taken, taken + 1].map { (counts: Set([Double($0)]), last: Set([Double($0 - 1)])) }
        let isWhole = whole.contains { $0.counts == counts && $0.last == last }
        #expect(taken == 0 || isWhole, "\(taken) scrapes were taken in, the store has \(counts) up to \(last)")
        try FileManager.default.removeItem(atPath: folder)
        try? FileManager.default.removeItem(atPath: note)
    }

    @Test(.enabled(if: getuid() == 0)) func aFullDiskIsSurvivedAndSaid() async throws {
        let folder = try Workspace.folder("store-tmpfs")
        try await command(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder]).checked()
        do {
            try fillDisk(folder)
        } catch {
            try await command(["umount", "-l", folder]).checked()
            throw error
        }
        try await command(["umount", "-l", folder]).checked()
    }

    private func fillDisk(_ folder: String) throws {
        let log = RecordedLog()
        let store = try Self.store(folder + "/store", log, window: 100_000)
        let ballast = folder + "/ballast"
        try Data(repeating: 1, count: 190 << 10).write(to: URL(filePath: ballast))
        var number = 0
        while store.statistics.writeFailures < 3, number < 5_000 {
            Self.scrape(store, number)
            number += 1
        }
        #expect(store.statistics.writeFailures >= 3)
        #expect(log.has("error", folder, "No space left on device", "free space", "kept in memory alone"))
        let full = try Self.contents(store)
        #expect(full.counts == [Double(number)], "nothing is lost while the disk is full")
        // Somebody makes room.
        try FileManager.default.removeItem(atPath: ballast)
        for _ in 0..<120 {
            Self.scrape(store, number)
            number += 1
        }
        #expect(log.has("notice", "can write to its folder again"))
        let after = RecordedLog()
        let (counts, last) = try Self.contents(try Self.store(folder + "/store", after, window: 100_000))
        #expect(counts == [Double(number)], "what came while it was full is on disk now")
        #expect(last == [Double(number - 1)])
        #expect(!after.has("error"))
    }

    @Test(arguments: ["series.log", "wal-", ".block"]) func aDamagedFileIsNamed(_ name: String) throws {
        let folder = try Workspace.folder("store-damage\(name.filter(\.isLetter))")
        let store = try Self.store(folder, RecordedLog(), window: 100_000)
        for number in 0..<150 { Self.scrape(store, number) }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        let file = try #require(names.first { $0.contains(name) }, "\(names)")
        var data = try Data(contentsOf: URL(filePath: folder + "/" + file))
        for index in stride(from: data.count / 2, to: data.count, by: 7) { data[index] ^= 0x5a }
        try data.write(to: URL(filePath: folder + "/" + file))
        let log = RecordedLog()
        let again = try Self.store(folder, log, window: 100_000)
        #expect(log.has("error", file))
        #expect(again.statistics.corruptions > 0)
        // It goes on: what comes now is kept and found.
        for number in 200..<220 { Self.scrape(again, number) }
        let third = try Self.contents(try Self.store(folder, RecordedLog(), window: 100_000))
        #expect(third.last == [219])
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func garbageInEveryFileLeavesAStoreThatWorks() throws {
        let folder = try Workspace.folder("store-garbage")
        for name in ["series.log", "wal-00000001.log", "1-2.block", "x.tmp"] {
            try Data((0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 37 ^ $0 >> 3) })
                .write(to: URL(filePath: folder + "/" + name))
        }
        let log = RecordedLog()
        let store = try Self.store(folder, log)
        #expect(log.has("error", "series.log") && log.has("error", "wal-00000001.log") && log.has("error", "1-2.block"))
        for number in 0..<10 { Self.scrape(store, number) }
        #expect(try Self.contents(store).counts == [10])
        try FileManager.default.removeItem(atPath: folder)
    }
}
