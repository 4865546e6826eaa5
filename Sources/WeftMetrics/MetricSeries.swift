import Synchronization

/// The numbers of one series in one shard: one cell for a counter or gauge, buckets and a sum for a histogram.
///
/// Written by one thread alone (the worker that owns the ``MetricRecorder``), so an update is a relaxed load and store
/// without a locked instruction; readable from any thread at any time.
/// - Note: `@unchecked Sendable` because the memory behind the pointer holds atomics only and lives as long as `self`.
package final class MetricSeries: @unchecked Sendable {
    private let cells: UnsafeMutablePointer<Atomic<UInt64>>
    package let count: Int
    private let bounds: [Double]

    package init(_ kind: MetricKind) {
        bounds = kind.bounds
        // Buckets, one for what is above all bounds, and the sum.
        count = bounds.isEmpty ? 1 : bounds.count + 2
        cells = .allocate(capacity: count)
        for index in 0..<count { (cells + index).initialize(to: Atomic(0)) }
    }

    deinit {
        cells.deinitialize(count: count)
        cells.deallocate()
    }

    /// Counter or gauge; the value wraps, as counters do.
    package func add(_ amount: UInt64 = 1) { bump(0, amount) }
    package func subtract(_ amount: UInt64 = 1) { bump(0, 0 &- amount) }

    /// Histogram.
    package func observe(_ value: UInt64) {
        guard count > 1 else { return }
        let number = Double(value)
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if number <= bounds[middle] { high = middle } else { low = middle + 1 }
        }
        bump(low, 1)
        bump(count - 1, value)
    }

    private func bump(_ index: Int, _ amount: UInt64) {
        let value = cells[index].load(ordering: .relaxed)
        cells[index].store(value &+ amount, ordering: .relaxed)
    }

    package func read(_ index: Int) -> UInt64 { cells[index].load(ordering: .relaxed) }
}
