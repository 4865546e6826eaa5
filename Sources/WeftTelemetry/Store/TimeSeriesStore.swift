package import Logging
import Synchronization

/// Time series: the newest in memory, compressed, with a write-ahead log; the rest of a day in blocks on disk.
///
/// Thread-safe. A sample is in the log when ``append(_:at:)`` has returned, so a killed process loses no scrape that
/// was taken in; ``synchronize()`` makes that true for a machine that loses power too. When the disk fails or is full,
/// samples stay in memory (as many as the settings allow) and the log says so; damaged files are read as far as they
/// make sense, set aside and told of.
package final class TimeSeriesStore: Sendable {
    /// A series' number in this store.
    package typealias SeriesID = UInt32

    private struct State {
        var index = SeriesIndex()
        var blocks: [Block] = []
        var disk: StoreDisk?
        var statistics = StoreStatistics()
        var windowStart: Int64?
        var minTime: Int64 = .max
        var maxTime: Int64 = .min
        var isFlushing = false
        var hasWarned = false
        var unloggedSeries: [HeadSeries] = []
    }
    private let state: Mutex<State>
    private let settings: StoreSettings
    private let logger: Logger

    /// Opens the folder and reads what is in it.
    /// - Throws: ``DiskError`` when the folder cannot be made or read at all.
    package init(settings: StoreSettings = StoreSettings(), logger: Logger) throws {
        self.settings = settings
        self.logger = logger
        var initial = State()
        if let folder = settings.folder { try Self.load(folder, into: &initial, settings, logger) }
        state = Mutex(initial)
    }

    // MARK: - Start

    private static func load(
        _ folder: String, into state: inout State, _ settings: StoreSettings, _ logger: Logger
    ) throws {
        let disk = try StoreDisk(folder: folder, logger: logger)
        state.blocks = disk.loadBlocks()
        state.maxTime = state.blocks.map(\.maxTime).max() ?? .min
        state.minTime = state.blocks.map(\.minTime).min() ?? .max
        for (id, labels) in try disk.loadSeries() where state.index.series[id] == nil {
            _ = state.index.insert(labels, id: id)
        }
        for block in state.blocks {
            guard let entries = try? block.index() else { continue }
            for place in 0..<entries.count {
                guard let series = state.index.series[entries[place].id] else { continue }
                series.lastTime = max(series.lastTime, block.maxTime)
            }
        }
        var lost = 0
        try disk.replay { time, id, value in
            guard let series = state.index.series[id] else {
                lost += 1
                return
            }
            Self.append(time, value, to: series, &state)
        }
        if lost > 0 {
            logger.error("\(lost) samples of the write-ahead log belong to series that \(folder)/series.log has lost")
        }
        state.statistics.samplesLost += UInt64(lost)
        state.statistics.corruptions = UInt64(disk.damages)
        state.disk = disk
        let (series, blocks) = (state.index.count, state.blocks.count)
        logger.info("telemetry store at \(folder): \(series) series, \(blocks) blocks")
    }

    @discardableResult
    private static func append(_ time: Int64, _ value: Double, to series: HeadSeries, _ state: inout State) -> Bool {
        guard time > series.lastTime, series.open.append(time, value) else { return false }
        series.lastTime = time
        state.maxTime = max(state.maxTime, time)
        state.minTime = min(state.minTime, time)
        if state.windowStart == nil { state.windowStart = time }
        return true
    }

    // MARK: - In

    /// The number of the series with these labels, which is made if there is none.
    /// - Returns: `nil` when the store has as many series as it may.
    package func identify(_ labels: Labels) -> SeriesID? { introduce(labels)?.id }

    /// The same, and whether the store has never had it.
    func introduce(_ labels: Labels) -> (id: SeriesID, isNew: Bool)? {
        state.withLock { state in
            if let known = state.index.find(labels) { return (known.id, false) }
            guard state.index.count < settings.seriesLimit else {
                state.statistics.seriesRefused += 1
                return nil
            }
            let made = state.index.insert(labels)
            if state.disk != nil { state.unloggedSeries.append(made) }
            return (made.id, true)
        }
    }

    /// Takes the samples of one scrape. Those that are not younger than their series' last are refused.
    /// - Parameter time: Milliseconds since 1970.
    package func append(_ samples: [(series: SeriesID, value: Double)], at time: Int64) {
        append(samples.map { (series: $0.series, time: time, value: $0.value) })
    }

    /// Takes samples that each have a time of their own.
    package func append(_ samples: [(series: SeriesID, time: Int64, value: Double)]) {
        state.withLock { state in
            var taken: [(series: SeriesID, time: Int64, value: Double)] = []
            taken.reserveCapacity(samples.count)
            for sample in samples {
                guard let series = state.index.series[sample.series],
                    Self.append(sample.time, sample.value, to: series, &state)
                else {
                    state.statistics.samplesRefused += 1
                    continue
                }
                taken.append(sample)
            }
            state.statistics.samplesAppended += UInt64(taken.count)
            log(taken, &state)
        }
        cutIfDue()
    }

    private func log(_ samples: [(series: SeriesID, time: Int64, value: Double)], _ state: inout State) {
        guard let disk = state.disk else { return }
        do {
            if !state.unloggedSeries.isEmpty {
                try disk.log(series: state.unloggedSeries)
                state.unloggedSeries = []
            }
            try disk.log(samples)
            if state.hasWarned { logger.notice("the telemetry store can write to its folder again") }
            state.hasWarned = false
        } catch {
            state.statistics.writeFailures += 1
            if !state.hasWarned { logger.error("telemetry is kept in memory alone: \(error)") }
            state.hasWarned = true
        }
    }

    /// Makes what has been appended safe from a loss of power.
    package func synchronize() {
        state.withLock { state in
            do { try state.disk?.synchronize() } catch {
                state.statistics.writeFailures += 1
                logger.error("\(error)")
            }
        }
    }

    // MARK: - Blocks

    private func cutIfDue() {
        let isDue = state.withLock { state in
            guard let start = state.windowStart else { return false }
            return state.maxTime - start >= settings.window && !state.isFlushing
        }
        if isDue { flush() }
    }

    /// Writes what memory holds to a block, and lets go of what is too old.
    package func flush() {
        let batch = state.withLock { state -> (list: [(id: UInt32, chunks: [Chunk])], disk: StoreDisk?)? in
            guard !state.isFlushing else { return nil }
            state.isFlushing = true
            state.windowStart = nil
            var list: [(id: UInt32, chunks: [Chunk])] = []
            for series in state.index.series.values {
                if series.open.count > 0 {
                    series.closed.append(series.open.chunk)
                    series.open = ChunkEncoder()
                }
                if !series.closed.isEmpty { list.append((series.id, series.closed)) }
            }
            state.disk?.rotate()
            return (list.sorted { $0.id < $1.id }, state.disk)
        }
        guard let batch else { return }
        if let disk = batch.disk, !batch.list.isEmpty {
            do {
                finish(try disk.writeBlock(batch.list), batch.list)
            } catch {
                failed(error)
            }
        }
        expire()
        state.withLock { $0.isFlushing = false }
    }

    private func finish(_ block: Block, _ list: [(id: UInt32, chunks: [Chunk])]) {
        state.withLock { state in
            state.blocks.append(block)
            for (id, chunks) in list { state.index.series[id]?.closed.removeFirst(chunks.count) }
            state.disk?.removeOldLogs()
        }
    }

    private func failed(_ error: any Error) {
        logger.error("no block written, samples stay in memory: \(error)")
        let horizon = settings.window * Int64(settings.unwrittenWindows)
        state.withLock { state in
            state.statistics.writeFailures += 1
            var lost = 0
            for series in state.index.series.values {
                while let oldest = series.closed.first, oldest.maxTime < state.maxTime - horizon {
                    series.closed.removeFirst()
                    lost += oldest.count
                }
            }
            guard lost > 0 else { return }
            state.statistics.samplesLost += UInt64(lost)
            logger.error("\(lost) samples older than \(PromQLText.duration(horizon)) are given up: memory is bounded")
        }
    }

    /// Lets go of blocks, chunks and series that are older than the retention.
    private func expire() {
        state.withLock { state in
            let oldest = state.maxTime == .min ? Int64.min : state.maxTime - settings.retention
            var bytes = state.blocks.reduce(0) { $0 + $1.size }
            while let first = state.blocks.first, first.maxTime < oldest || bytes > settings.diskLimit {
                state.blocks.removeFirst()
                bytes -= first.size
                DiskFolder.remove(first.path)
            }
            var gone: Set<UInt32> = []
            for series in state.index.series.values {
                series.closed.removeAll { $0.maxTime < oldest }
                if series.lastTime < oldest, series.lastTime != .min { gone.insert(series.id) }
            }
            if !gone.isEmpty { state.index.remove(gone) }
            if state.disk == nil { state.minTime = max(state.minTime, oldest) }
            if !gone.isEmpty, let disk = state.disk {
                do { try disk.rewriteSeries(state.index.series.values.sorted { $0.id < $1.id }) } catch {
                    logger.error("\(error)")
                }
            }
        }
    }

    // MARK: - Out

    /// The labels of every series that all matchers allow and that may have samples in the time.
    package func labels(_ matchers: [LabelMatcher], from: Int64, through: Int64) -> [Labels] {
        state.withLock { state in
            let start = from
            return state.index.select(matchers).compactMap { id in
                guard let series = state.index.series[id], series.lastTime >= start else { return nil }
                return series.labels
            }
        }
    }

    package var labelNames: [String] { state.withLock { $0.index.names } }
    package func labelValues(_ name: String) -> [String] { state.withLock { $0.index.values(name) } }

    package var statistics: StoreStatistics {
        state.withLock { state in
            var copy = state.statistics
            copy.series = state.index.count
            copy.blocks = state.blocks.count
            copy.blockBytes = state.blocks.reduce(0) { $0 + $1.size }
            copy.logBytes = state.disk?.logBytes ?? 0
            copy.minTime = state.minTime == .max ? nil : state.minTime
            copy.maxTime = state.maxTime == .min ? nil : state.maxTime
            return copy
        }
    }

    /// Reads the index and the head under the store's lock.
    /// - Parameter body: Gives what does not change afterwards.
    func reading<Result: Sendable>(_ body: @Sendable (borrowing SeriesIndex, [Block]) -> Result) -> Result {
        state.withLock { body($0.index, $0.blocks) }
    }

    func note(damaged: Int, in block: Block) {
        state.withLock { $0.statistics.corruptions += UInt64(damaged) }
        logger.error("\(damaged) chunks of \(block.path) have a wrong checksum and are left out of the answer")
    }
}
