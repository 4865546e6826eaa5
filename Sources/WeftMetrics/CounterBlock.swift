import Synchronization

/// A fixed set of numbers, and a histogram of times.
///
/// Written by one thread alone (its worker), so an update is a relaxed load and store without a locked instruction;
/// readable from any thread at any time. Gauges go up and down and wrap; readers take the sum of all workers.
/// - Note: `@unchecked Sendable` because the memory behind the pointer holds atomics only and lives as long as `self`.
package final class CounterBlock: @unchecked Sendable {
    private let cells: UnsafeMutablePointer<Atomic<UInt64>>
    package let count: Int
    /// Milliseconds; `nil` for blocks without a histogram.
    package let times: MetricSeries?

    package init(count: Int, hasTimes: Bool = true) {
        self.count = count
        cells = .allocate(capacity: count)
        for index in 0..<count { (cells + index).initialize(to: Atomic(0)) }
        times = hasTimes ? MetricSeries(.envoyHistogram) : nil
    }

    deinit {
        cells.deinitialize(count: count)
        cells.deallocate()
    }

    /// - Parameter index: Below ``count``.
    package func add(_ index: Int, _ amount: Int = 1) {
        let value = cells[index].load(ordering: .relaxed)
        cells[index].store(value &+ UInt64(bitPattern: Int64(amount)), ordering: .relaxed)
    }

    package func read(_ index: Int) -> Int { Int(truncatingIfNeeded: cells[index].load(ordering: .relaxed)) }
}

/// Blocks of one shape by the name of what they count, one for each worker that counts.
///
/// Thread-safe. Names stay for the life of the process, as counters that go back to zero would mislead who reads them;
/// configurations are bounded, and so are the names.
package final class CounterTable: Sendable {
    /// The numbers of one name, of all workers together.
    package struct Sum: Sendable {
        package var numbers: [Int]
        /// Buckets, then the sum, as ``MetricSeries`` keeps them; empty without a histogram.
        package var times: [UInt64]
    }
    private let shape: Int
    private let hasTimes: Bool
    private let blocks = Mutex<[String: [CounterBlock]]>([:])

    /// - Parameter shape: Numbers in each block.
    package init(shape: Int, hasTimes: Bool = true) {
        self.shape = shape
        self.hasTimes = hasTimes
    }

    /// A new block for one worker; the caller keeps it, and asks once.
    package func block(_ name: String) -> CounterBlock {
        let made = CounterBlock(count: shape, hasTimes: hasTimes)
        blocks.withLock { $0[name, default: []].append(made) }
        return made
    }

    package func sums() -> [String: Sum] { blocks.withLock { $0 }.mapValues(sum) }

    package func sum(_ name: String) -> Sum { sum(blocks.withLock { $0[name] } ?? []) }

    private func sum(_ blocks: [CounterBlock]) -> Sum {
        var sum = Sum(numbers: Array(repeating: 0, count: shape), times: [])
        for block in blocks {
            for index in 0..<shape { sum.numbers[index] += block.read(index) }
            guard let times = block.times else { continue }
            if sum.times.isEmpty { sum.times = Array(repeating: 0, count: times.count) }
            for index in sum.times.indices { sum.times[index] &+= times.read(index) }
        }
        return sum
    }
}
