import Foundation
import Logging
import TestSupport
import Testing

@testable import WeftTelemetry

/// The change over a window, as the store tells it from summaries, is that of the samples it holds.
@Suite struct StoredChangeTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private static let start: Int64 = 1_700_000_000_000
    private static let steps = 160

    private struct Dice: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    /// Counters that rise, stand still, begin again, have fractions, end, miss scrapes and are no numbers, in blocks of
    /// forty scrapes each and a head.
    private func fill(_ store: TimeSeriesStore, flushesAtTheEnd: Bool = false) throws {
        var dice = Dice(state: 11)
        let names = ["a_total", "b_total"]
        let ids = try (0..<120).map { index in
            try #require(
                store.identify(
                    Labels(["__name__": names[index % 2], "x": "\(index)", "group": "g\(index % 7)"])))
        }
        var values = Array(repeating: 0.0, count: ids.count)
        for step in 0..<Self.steps {
            var samples: [(series: TimeSeriesStore.SeriesID, value: Double)] = []
            for (place, id) in ids.enumerated() {
                switch Int.random(in: 0..<60, using: &dice) {
                case 0: values[place] = 0
                case 1: continue
                case 2 where place % 3 == 0:
                    samples.append((id, place % 2 == 0 ? StaleMarker.value : .nan))
                    continue
                case 3..<30: values[place] += place % 5 == 0 ? 0.25 : Double(place % 11)
                default: break
                }
                samples.append((id, values[place]))
            }
            store.append(samples, at: Self.start + Int64(step) * 15_000)
            if step % 40 == 39, step < Self.steps - 1 || flushesAtTheEnd { store.flush() }
        }
    }

    /// Whether both are the same, but for what adding in another order rounds off.
    private func isSame(_ left: Double, _ right: Double) -> Bool {
        left.bitPattern == right.bitPattern || left.isNaN && right.isNaN
            || abs(left - right) <= 1e-12 * max(abs(left), abs(right))
    }

    private func compare(_ store: TimeSeriesStore) throws -> Int {
        var dice = Dice(state: 5)
        var compared = 0
        for pattern in ["a_total", ".*_total"] {
            let matchers = [try LabelMatcher(.matches, Labels.metricName, pattern)]
            for _ in 0..<40 {
                let end = Self.start + Int64.random(in: 0...Int64(Self.steps + 20), using: &dice) * 15_000
                let from = end - Int64.random(in: 1...200, using: &dice) * 15_000
                var told: [Labels: WindowChange] = [:]
                try store.changes(matchers, from: from, through: end) { labels, changes in
                    #expect(labels.count == changes.count)
                    for (labels, change) in zip(labels, changes) where change.count > 0 { told[labels] = change }
                }
                var read = 0
                for series in try store.select(matchers, from: from, through: end) {
                    var buffer = SampleBuffer()
                    series.read(from: from, through: end, keepingStale: false, into: &buffer)
                    guard buffer.count > 0 else { continue }
                    read += 1
                    let change = try #require(told[series.labels])
                    #expect(change.count == buffer.count)
                    for function in [PromQLFunction.increase, .rate, .delta] where buffer.count > 1 {
                        let wanted = RangeMath.apply(
                            function, buffer, 0..<buffer.count, start: from, end: end, now: end, parameters: (0, 0))
                        let value = RangeMath.extrapolated(function, change, from, end)
                        #expect(isSame(value, wanted), "\(function) of \(series.labels.text): \(value), not \(wanted)")
                        compared += 1
                    }
                }
                #expect(told.count == read)
            }
        }
        return compared
    }

    @Test(arguments: [false, true]) func isThatOfTheSamples(_ isOnDisk: Bool) throws {
        let folder = isOnDisk ? try Workspace.folder("stored-changes") : nil
        let store = try TimeSeriesStore(settings: StoreSettings(folder: folder), logger: Self.logger)
        try fill(store)
        #expect(store.statistics.blocks == (isOnDisk ? 3 : 0))
        #expect(try compare(store) > 5_000)
        guard let folder else { return }
        // So it is for the next process.
        let again = try TimeSeriesStore(settings: StoreSettings(folder: folder), logger: Self.logger)
        #expect(try compare(again) > 5_000)
    }

    /// Blocks from before there were summaries are read as they are.
    @Test func blocksWithoutSummariesAreRead() throws {
        let folder = try Workspace.folder("stored-changes-old")
        let store = try TimeSeriesStore(settings: StoreSettings(folder: folder), logger: Self.logger)
        try fill(store, flushesAtTheEnd: true)
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasSuffix(".block") {
            try Self.writeWithoutSummaries(Block(path: "\(folder)/\(name)"))
        }
        let again = try TimeSeriesStore(settings: StoreSettings(folder: folder), logger: Self.logger)
        #expect(again.statistics.corruptions == 0)
        #expect(try compare(again) > 5_000)
    }

    /// The block's chunks in the layout that had no summary (ADR 0041), in place of its file.
    private static func writeWithoutSummaries(_ block: Block) throws {
        let index = try block.index()
        let ids = (0..<index.count).map { index[$0].id }
        var chunks = Array(repeating: [Chunk](), count: ids.count)
        #expect(try block.read(ids, from: .min, through: .max) { chunks[$0].append($1) } == 0)
        var (content, entries) = (ByteWriter(), ByteWriter())
        for (id, list) in zip(ids, chunks) {
            let begin = content.bytes.count
            for chunk in list {
                content.varint(UInt64(chunk.count))
                content.signed(chunk.minTime)
                content.varint(UInt64(chunk.maxTime - chunk.minTime))
                content.fixed(Checksum.crc32c(chunk.bytes))
                content.varint(UInt64(chunk.bytes.count))
                content.append(chunk.bytes)
            }
            entries.fixed(id)
            entries.fixed(UInt64(begin))
            entries.fixed(UInt32(content.bytes.count - begin))
        }
        var footer = ByteWriter()
        footer.fixed(Block.magicWithoutSummaries)
        footer.fixed(UInt64(content.bytes.count))
        footer.fixed(UInt64(bitPattern: block.minTime))
        footer.fixed(UInt64(bitPattern: block.maxTime))
        footer.fixed(UInt32(ids.count))
        footer.fixed(Checksum.crc32c(entries.bytes))
        footer.fixed(Checksum.crc32c(footer.bytes))
        try Data(content.bytes + entries.bytes + footer.bytes).write(to: URL(filePath: block.path))
    }
}

/// Groups of label sets, found without making a set for each series.
@Suite struct LabelGroupsTests {
    private static let sets: [[String: String]] = (0..<400).map { index in
        var set = ["__name__": "m\(index % 3)", "a": "\(index % 5)", "b": "\(index % 11)", "le": "\(index)"]
        if index % 4 == 0 { set["c"] = "\(index % 2)" }
        if index % 9 == 0 { set["b"] = "" }
        return set
    }

    @Test(
        arguments: [[], ["a"], ["b", "a"], ["c"], ["none"], ["__name__", "a"], ["le"]] as [[String]], [false, true])
    func areThoseOfEqualParts(_ names: [String], _ isWithout: Bool) throws {
        let store = try TimeSeriesStore(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        for set in Self.sets {
            let id = try #require(store.identify(Labels(set)))
            store.append([(series: id, value: 1)], at: 1)
        }
        // With the store's shapes, and without.
        for all in [store.labels([], from: 0, through: 1), Self.sets.map { Labels($0) }] {
            var groups = LabelGroups(names, isWithout: isWithout)
            var found: [Labels: Int] = [:]
            for labels in all {
                let known = Set(names)
                let part = Labels(
                    labels.pairs.filter {
                        isWithout ? !known.contains($0.name) && $0.name != Labels.metricName : known.contains($0.name)
                    }.map { ($0.name, $0.value) })
                let place = groups.place(of: labels)
                #expect(found[part, default: found.count] == place)
                found[part] = place
                #expect(groups[place] == part)
            }
        }
    }
}
