/// How a hundred parts of load are spread over priorities: to healthy hosts first, then to degraded ones.
package struct PriorityLoads: Sendable, Hashable {
    /// Percent of a priority's hosts that are up, times the overprovisioning factor, at most 100.
    package struct Availability: Sendable, Hashable {
        package var healthy: UInt32
        package var degraded: UInt32
        package init(healthy: UInt32, degraded: UInt32) {
            self.healthy = healthy
            self.degraded = degraded
        }
    }

    package private(set) var healthy: [UInt32]
    package private(set) var degraded: [UInt32]
    private let availability: [Availability]

    init(availability: [Availability], hostCounts: [Int], panics: [Bool], panicThreshold: Double) {
        self.availability = availability
        healthy = Array(repeating: 0, count: availability.count)
        degraded = healthy
        guard !availability.isEmpty else { return }
        let total = PriorityLoads.total(availability)
        if total > 0 { spread(availability, total: total) }
        if panicThreshold < 1, total == 0 {
            // Nobody is up and panic is off: the first priority is asked, and has none.
            healthy[0] = 100
        } else if panics.allSatisfy({ $0 }) {
            spreadByCount(hostCounts)
        }
    }

    static func total(_ availability: [Availability]) -> UInt32 {
        min(100, availability.reduce(0) { $0 + $1.healthy + $1.degraded })
    }

    /// Which priorities are in panic: too few hosts up while all priorities together cannot carry the load.
    static func panics(_ priorities: [HostSet.Priority], availability: [Availability], threshold: Double) -> [Bool] {
        let total = total(availability)
        let limit = min(100, threshold).rounded(.down)
        if limit == 0, total == 0 { return priorities.map { _ in false } }
        return priorities.map { priority in
            guard total < 100 else { return false }
            let eligible = priority.all.count - priority.excluded
            let up = priority.healthy.count + priority.degraded.count
            return (eligible == 0 ? 0 : 100 * Double(up) / Double(eligible)) < limit
        }
    }

    private mutating func spread(_ availability: [Availability], total: UInt32) {
        var rest: UInt32 = 100
        for index in availability.indices {
            healthy[index] = min(rest, availability[index].healthy * 100 / total)
            rest -= healthy[index]
        }
        for index in availability.indices {
            degraded[index] = min(rest, availability[index].degraded * 100 / total)
            rest -= degraded[index]
        }
        // What rounding left goes to the first priority that has anybody.
        if let first = availability.firstIndex(where: { $0.healthy > 0 }) {
            healthy[first] += rest
        } else if let first = availability.firstIndex(where: { $0.degraded > 0 }) {
            degraded[first] += rest
        }
    }

    private mutating func spreadByCount(_ counts: [Int]) {
        let all = counts.reduce(0, +)
        degraded = degraded.map { _ in 0 }
        guard all > 0, let first = counts.firstIndex(where: { $0 > 0 }) else {
            healthy = healthy.map { _ in 0 }
            healthy[0] = 100
            return
        }
        healthy = counts.map { UInt32(100 * $0 / all) }
        healthy[first] += 100 - healthy.reduce(0, +)
    }

    /// - Returns: The priority for a random number or hash, and whether its degraded hosts are meant.
    package func choose(_ random: UInt64) -> (priority: Int, degraded: Bool) {
        let point = UInt32(random % 100) + 1
        var sum: UInt32 = 0
        for index in healthy.indices {
            sum += healthy[index]
            if point <= sum { return (index, false) }
        }
        for index in degraded.indices {
            sum += degraded[index]
            if point <= sum { return (index, true) }
        }
        return (0, false)
    }

    /// The loads when some priorities are not to be used any more (`previous_priorities`); when that leaves nobody, as
    /// they were.
    /// - Parameter excluded: Bit n stands for priority n.
    package func excluding(_ excluded: UInt64) -> PriorityLoads {
        guard excluded != 0 else { return self }
        var left = availability
        for index in left.indices where index < 64 && excluded & (1 << UInt64(index)) != 0 {
            left[index] = Availability(healthy: 0, degraded: 0)
        }
        let total = PriorityLoads.total(left)
        guard total > 0 else { return self }
        var copy = self
        copy.spread(left, total: total)
        return copy
    }
}
