import Foundation
import Logging
import TestSupport
import Testing
import WeftTelemetry

@Suite struct TimeSeriesStoreTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private static let start: Int64 = 1_700_000_000_000

    private func open(_ folder: String?, window: Int64 = 1_800_000, limit: Int = 1000) throws -> TimeSeriesStore {
        var settings = StoreSettings(folder: folder)
        settings.window = window
        settings.seriesLimit = limit
        return try TimeSeriesStore(settings: settings, logger: Self.logger)
    }

    /// Fills three series with `steps` samples, one each 15 seconds.
    private func fill(_ store: TimeSeriesStore, _ steps: Range<Int>) throws {
        let ids = try ["a", "b", "c"].map { name in
            try #require(store.identify(Labels(["__name__": "m", "x": name])))
        }
        for step in steps {
            store.append(
                ids.enumerated().map { (series: $1, value: Double(step * ($0 + 1)) + 0.5) },
                at: Self.start + Int64(step) * 15_000)
        }
    }

    /// The sums of all samples by series; `nil` when a query fails.
    private func sums(_ store: TimeSeriesStore, steps: Int) throws -> [String: Double] {
        let engine = QueryEngine(source: store)
        let seconds = steps * 15
        let query = try PromQLParser.parse("sum_over_time(m[\(seconds)s])")
        guard case .vector(let list) = try engine.instant(query, at: Self.start + Int64(seconds - 15) * 1000) else {
            return [:]
        }
        return Dictionary(uniqueKeysWithValues: list.map { ($0.labels["x"], $0.point.value) })
    }

    private func expected(_ steps: Range<Int>) -> [String: Double] {
        Dictionary(
            uniqueKeysWithValues: ["a", "b", "c"].enumerated().map { index, name in
                (name, steps.reduce(0.0) { $0 + Double($1 * (index + 1)) + 0.5 })
            })
    }

    @Test func memoryAlone() throws {
        let store = try open(nil, window: 60_000)
        try fill(store, 0..<40)
        #expect(try sums(store, steps: 40) == expected(0..<40))
        #expect(store.statistics.blocks == 0)
    }

    @Test func blocksAndHeadAnswerTogetherAndSurviveAKill() throws {
        let folder = try Workspace.folder("store-kill")
        // The store is dropped without a goodbye: what a killed process leaves behind.
        try fill(try open(folder, window: 150_000), 0..<35)
        let store = try open(folder, window: 150_000)
        #expect(store.statistics.blocks >= 2)
        #expect(try sums(store, steps: 35) == expected(0..<35))
        try fill(store, 35..<50)
        #expect(try sums(try open(folder, window: 150_000), steps: 50) == expected(0..<50))
        #expect(store.labelValues("x") == ["a", "b", "c"])
    }

    @Test func aTornLogLosesItsLastRecordAlone() throws {
        let folder = try Workspace.folder("store-torn")
        try fill(try open(folder), 0..<20)
        let name = try #require(
            try FileManager.default.contentsOfDirectory(atPath: folder).first { $0.hasPrefix("wal-") })
        let path = folder + "/" + name
        let data = try Data(contentsOf: URL(filePath: path))
        try data.dropLast(3).write(to: URL(filePath: path))
        let store = try open(folder)
        #expect(try sums(store, steps: 20) == expected(0..<19))
        #expect(store.statistics.corruptions == 1)
        try fill(store, 20..<30)
        #expect(try sums(try open(folder), steps: 30)["a"] == expected(0..<30)["a"].map { $0 - 19.5 })
    }

    @Test func aFlippedBitInTheLogCostsOneRecord() throws {
        let folder = try Workspace.folder("store-flipped")
        try fill(try open(folder), 0..<20)
        let name = try #require(
            try FileManager.default.contentsOfDirectory(atPath: folder).first { $0.hasPrefix("wal-") })
        var data = try Data(contentsOf: URL(filePath: folder + "/" + name))
        data[data.count / 2] ^= 0x10
        try data.write(to: URL(filePath: folder + "/" + name))
        let store = try open(folder)
        #expect(store.statistics.corruptions >= 1)
        #expect(try sums(store, steps: 20).count == 3)
    }

    @Test(arguments: [0, 1, 2]) func aDamagedBlockIsSetAsideOrItsChunkLeftOut(_ place: Int) throws {
        let folder = try Workspace.folder("store-block-\(place)")
        try fill(try open(folder, window: 150_000), 0..<35)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".block") }
            .sorted()
        let path = folder + "/" + (try #require(names.first))
        var data = try Data(contentsOf: URL(filePath: path))
        // In a chunk, in the index, in the footer.
        data[[30, data.count - 60, data.count - 2][place]] ^= 0xff
        try data.write(to: URL(filePath: path))
        let store = try open(folder, window: 150_000)
        let answer = try sums(store, steps: 35)
        // All series still answer, and the rest of the time is there.
        #expect(answer.count == 3)
        #expect(answer != expected(0..<35))
        #expect(store.statistics.corruptions >= 1)
        if place > 0 { #expect(FileManager.default.fileExists(atPath: path + ".damaged")) }
    }

    @Test func aFolderThatCannotBeWrittenLeavesSamplesInMemory() throws {
        let folder = try Workspace.folder("store-full")
        let store = try open(folder, window: 150_000)
        try fill(store, 0..<3)
        // As a full disk does: every further write fails.
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasPrefix("wal-") {
            try FileManager.default.removeItem(atPath: folder + "/" + name)
        }
        try FileManager.default.removeItem(atPath: folder)
        try Data().write(to: URL(filePath: folder))
        try fill(store, 3..<35)
        #expect(try sums(store, steps: 35) == expected(0..<35))
        #expect(store.statistics.writeFailures > 0)
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func tooManySeriesAreRefused() throws {
        let store = try open(nil, limit: 3)
        try fill(store, 0..<1)
        #expect(store.identify(Labels(["__name__": "m", "x": "d"])) == nil)
        #expect(store.identify(Labels(["__name__": "m", "x": "a"])) != nil)
        #expect(store.statistics.seriesRefused == 1)
    }

    @Test func oldSamplesAndSeriesGo() throws {
        let folder = try Workspace.folder("store-retention")
        var settings = StoreSettings(folder: folder)
        settings.window = 150_000
        settings.retention = 600_000
        let store = try TimeSeriesStore(settings: settings, logger: Self.logger)
        let gone = try #require(store.identify(Labels(["__name__": "gone"])))
        store.append([(series: gone, value: 1)], at: Self.start)
        try fill(store, 1..<100)
        store.flush()
        #expect(store.labels([try LabelMatcher(.equal, "__name__", "gone")], from: 0, through: .max).isEmpty)
        #expect(store.statistics.series == 3)
        #expect(store.statistics.blocks <= 6)
        let again = try TimeSeriesStore(settings: settings, logger: Self.logger)
        #expect(again.statistics.series == 3)
    }

    @Test func outOfOrderAndRepeatedSamplesAreRefused() throws {
        let store = try open(nil)
        let id = try #require(store.identify(Labels(["__name__": "m"])))
        store.append([(series: id, value: 1)], at: Self.start)
        store.append([(series: id, value: 2), (series: 999, value: 3)], at: Self.start)
        store.append([(series: id, value: 2)], at: Self.start - 1)
        #expect(store.statistics.samplesAppended == 1)
        #expect(store.statistics.samplesRefused == 3)
    }
}

@Suite struct ChunkTests {
    @Test(
        arguments: [
            [1, 1, 1, 1], [1, 2, 3, 4, 1000, 3],
            [.nan, .infinity, -.infinity, 0, -0.0, 1e300, Double.leastNonzeroMagnitude],
            [0.1, 0.2, 0.30000000000000004],
        ] as [[Double]])
    func whatGoesInComesOut(_ values: [Double]) throws {
        var encoder = ChunkEncoder()
        let times = values.indices.map { Int64($0 * $0 * 15_000 + $0 % 3) }
        let taken = zip(times, values).map { encoder.append($0, $1) }
        #expect(taken.allSatisfy { $0 })
        let again = encoder.append(times.last ?? 0, 1)
        #expect(!again)
        let source = SeriesList([SelectedSeries(labels: Labels(["__name__": "m"]), chunks: [encoder.chunk])])
        let query = try PromQLParser.parse("m[365d]")
        guard case .matrix(let list) = try QueryEngine(source: source).instant(query, at: times.last ?? 0) else {
            Issue.record("no matrix")
            return
        }
        #expect(list.first?.points.map(\.time) == times)
        #expect(list.first?.points.map(\.value.bitPattern) == values.map(\.bitPattern))
    }

    @Test func regularCountersTakeFewBytes() {
        var encoder = ChunkEncoder()
        for step in 0..<120 { encoder.append(Int64(step) * 15_000, 1000) }
        #expect(encoder.chunk.bytes.count < 60)
    }

    @Test func cutChunksEndEarly() {
        var encoder = ChunkEncoder()
        for step in 0..<50 { encoder.append(Int64(step) * 15_000, Double(step) * 1.1) }
        let whole = encoder.chunk
        for length in 0..<whole.bytes.count {
            let cut = Chunk(bytes: Array(whole.bytes.prefix(length)), count: 50, minTime: 0, maxTime: whole.maxTime)
            #expect(cut.readableSamples < 50)
        }
        #expect(whole.readableSamples == 50)
    }

    @Test func theChecksumIsCastagnolis() {
        // The check value of the standard's catalogue.
        #expect(Checksum.crc32c(Array("123456789".utf8)) == 0xe306_9283)
    }
}
