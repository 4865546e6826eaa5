/// Weighted round robin by earliest deadline: each entry comes up again after `1 / weight`; equal deadlines in the order
/// of insertion. A pick costs O(log n) and allocates nothing.
package struct EDFScheduler: Sendable {
    private struct Entry: Sendable {
        var deadline: Double
        var order: UInt64
        let item: Int32

        static func < (left: Entry, right: Entry) -> Bool {
            left.deadline < right.deadline || left.deadline == right.deadline && left.order < right.order
        }
    }
    /// A binary heap.
    private var entries: [Entry] = []
    private var time = 0.0
    private var order: UInt64 = 0

    package init() {}

    package var isEmpty: Bool { entries.isEmpty }

    /// - Parameter weight: Greater than zero.
    package mutating func add(_ item: Int32, weight: Double) {
        entries.append(Entry(deadline: time + 1 / weight, order: order, item: item))
        order += 1
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entries[child] < entries[parent] else { return }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes the next item and puts it back with its weight of now.
    package mutating func next(weight: (Int32) -> Double) -> Int32? {
        guard let first = entries.first else { return nil }
        time = first.deadline
        entries[0].deadline = time + 1 / max(weight(first.item), .leastNormalMagnitude)
        entries[0].order = order
        order += 1
        siftDown()
        return first.item
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var least = parent
            let left = 2 * parent + 1
            if left < entries.count, entries[left] < entries[least] { least = left }
            if left + 1 < entries.count, entries[left + 1] < entries[least] { least = left + 1 }
            guard least != parent else { return }
            entries.swapAt(parent, least)
            parent = least
        }
    }
}
