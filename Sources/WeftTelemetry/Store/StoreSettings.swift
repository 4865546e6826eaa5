/// How much a store keeps, and where.
package struct StoreSettings: Sendable, Hashable {
    /// The folder; `nil` keeps everything in memory, for the time of ``retention``.
    package var folder: String?
    /// Milliseconds of samples that are kept.
    package var retention: Int64 = 86_400_000
    /// Milliseconds of samples that one block holds, and so about the most that memory does.
    package var window: Int64 = 1_800_000
    /// Series in memory and on disk together. More are refused, so that no client fills the memory by varying a label.
    package var seriesLimit = 400_000
    /// Bytes of blocks on disk; the oldest go first.
    package var diskLimit = 8 << 30
    /// Windows that memory holds while blocks cannot be written.
    package var unwrittenWindows = 4

    package init(folder: String? = nil) { self.folder = folder }
}

/// What the store has done, for its own metrics.
package struct StoreStatistics: Sendable, Hashable {
    package var series = 0
    package var samplesAppended: UInt64 = 0
    package var samplesRefused: UInt64 = 0
    package var seriesRefused: UInt64 = 0
    package var writeFailures: UInt64 = 0
    package var corruptions: UInt64 = 0
    package var samplesLost: UInt64 = 0
    package var blocks = 0
    package var blockBytes = 0
    package var logBytes = 0
    /// Milliseconds since 1970; `nil` when empty.
    package var minTime: Int64?
    package var maxTime: Int64?
}
