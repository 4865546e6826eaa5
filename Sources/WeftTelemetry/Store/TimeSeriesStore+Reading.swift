extension TimeSeriesStore: SeriesSource {
    /// The series that matchers allow, with what memory holds of them, and the blocks that hold the rest.
    private struct Selection: Sendable {
        var ids: [UInt32] = []
        var labels: [Labels] = []
        var chunks: [[Chunk]] = []
        var blocks: [Block] = []
    }

    package func select(_ matchers: [LabelMatcher], from: Int64, through: Int64) throws -> [SelectedSeries] {
        let selection = reading { index, blocks in
            var result = Selection()
            for id in index.select(matchers) {
                guard let series = index.series[id], series.lastTime >= from else { continue }
                result.ids.append(id)
                result.labels.append(series.labels)
                result.chunks.append(series.chunks(from: from, through: through))
            }
            result.blocks = blocks.filter { $0.maxTime >= from && $0.minTime <= through }
            return result
        }
        guard !selection.ids.isEmpty else { return [] }
        var chunks: [[Chunk]] = selection.blocks.isEmpty ? [] : Array(repeating: [], count: selection.ids.count)
        for block in selection.blocks {
            let damaged = try block.read(selection.ids, from: from, through: through) { chunks[$0].append($1) }
            if damaged > 0 { note(damaged: damaged, in: block) }
        }
        return selection.ids.indices.compactMap { index in
            let all = chunks.isEmpty ? selection.chunks[index] : chunks[index] + selection.chunks[index]
            return all.isEmpty ? nil : SelectedSeries(labels: selection.labels[index], chunks: all)
        }
    }

    // MARK: - Changes

    /// Series that a thread reads at a time.
    private static let share = 4_096
    /// Series that are given at a time.
    private static let batch = 8 * share

    /// The same without the samples: what is whole in the window is known from its summary. Read on all cores.
    package func changes(
        _ matchers: [LabelMatcher], from: Int64, through: Int64,
        _ body: (ArraySlice<Labels>, [WindowChange]) throws -> Void
    ) throws {
        let heads = reading { Heads($0, $1, matchers, from: from, through: through) }
        let blocks = try heads.blocks.map { (block: $0, index: try $0.index()) }
        var damaged = Array(repeating: 0, count: blocks.count)
        for start in stride(from: 0, to: heads.ids.count, by: Self.batch) {
            let end = min(start + Self.batch, heads.ids.count)
            let shares = AllCores.map((end - start + Self.share - 1) / Self.share) { number in
                let low = start + number * Self.share
                return Share(heads, blocks, low..<min(low + Self.share, end), from: from, through: through)
            }
            var changes: [WindowChange] = []
            changes.reserveCapacity(end - start)
            for share in shares {
                if let failure = share.failure { throw failure }
                changes += share.changes
                for place in damaged.indices { damaged[place] += share.damaged[place] }
            }
            try body(heads.labels[start..<end], changes)
        }
        for (place, count) in damaged.enumerated() where count > 0 { note(damaged: count, in: blocks[place].block) }
    }

    /// What memory holds of the series that matchers allow: their change, or the chunks that must be read for it.
    private struct Heads: Sendable {
        var ids: [UInt32] = []
        var labels: [Labels] = []
        /// Of series without chunks here.
        var changes: [WindowChange] = []
        private var chunks: [Chunk] = []
        /// Where each series' chunks end.
        private var ends: [Int] = []
        var blocks: [Block]

        init(
            _ index: borrowing SeriesIndex, _ all: [Block], _ matchers: [LabelMatcher], from: Int64, through: Int64
        ) {
            blocks = all.filter { $0.maxTime >= from && $0.minTime <= through }
            let selected = index.select(matchers)
            ids.reserveCapacity(selected.count)
            labels.reserveCapacity(selected.count)
            changes.reserveCapacity(selected.count)
            ends.reserveCapacity(selected.count)
            // A head that began before its blocks ended may have samples twice: these are told apart by reading.
            let written = blocks.map(\.maxTime).max() ?? .min
            for id in selected {
                guard let series = index.series[id], series.lastTime >= from else { continue }
                ids.append(id)
                labels.append(series.labels)
                changes.append(add(series, from: max(from, written &+ 1), through: through) ?? WindowChange())
                if changes[changes.count - 1].count == 0 { chunks += series.chunks(from: from, through: through) }
                ends.append(chunks.count)
            }
        }

        /// The change of a head that is one chunk, whole in the time.
        private func add(_ series: HeadSeries, from: Int64, through: Int64) -> WindowChange? {
            guard series.closed.isEmpty, series.open.count > 0, series.open.minTime >= from,
                series.open.maxTime <= through
            else { return nil }
            return series.open.change()
        }

        func chunks(_ place: Int) -> ArraySlice<Chunk> { chunks[(place > 0 ? ends[place - 1] : 0)..<ends[place]] }
    }

    /// What one thread reads.
    private struct Share: Sendable {
        private(set) var changes: [WindowChange]
        /// Chunks that could not be read, by block.
        private(set) var damaged: [Int] = []
        private(set) var failure: DiskError?

        init(
            _ heads: Heads, _ blocks: [(block: Block, index: Block.Index)], _ range: Range<Int>, from: Int64,
            through: Int64
        ) {
            changes = Array(repeating: WindowChange(), count: range.count)
            do throws(DiskError) {
                for (block, index) in blocks {
                    damaged.append(
                        try block.add(heads.ids[range], index, from: from, through: through, to: &changes))
                }
            } catch { failure = error }
            for (position, place) in range.enumerated() {
                changes[position].add(heads.changes[place])
                for chunk in heads.chunks(place) { chunk.add(to: &changes[position], from: from, through: through) }
            }
        }
    }
}
