import Synchronization
import WeftIR

/// The ring or table of one priority, with the cap on a host's share of the load when there is one.
struct HashTable {
    private enum Kind {
        case ring(HashRing)
        case maglev(MaglevTable)
    }
    private let kind: Kind
    private let weighted: [WeightedHost]
    /// Shares by host position, for bounded load.
    private let shares: [Int32: Double]
    private let balanceFactor: UInt32

    init(_ priority: HostSet.Priority, hosts: [BalancedHost], rules: BalancingRules) {
        weighted = HashTable.weigh(priority, hosts: hosts, rules: rules)
        switch rules.kind {
        case .maglev(let size): kind = .maglev(MaglevTable(weighted, size: size))
        case .ringHash(let size):
            kind = .ring(
                HashRing(
                    weighted, minimumSize: size, maximumSize: rules.balancing.maximumRingSize,
                    function: rules.balancing.hashFunction))
        default: kind = .ring(HashRing([], minimumSize: 1, maximumSize: 1, function: .xxHash))
        }
        balanceFactor = rules.balancing.hashBalanceFactorPercent
        shares =
            balanceFactor == 0
            ? [:] : Dictionary(weighted.map { ($0.index, $0.share) }, uniquingKeysWith: { first, _ in first })
    }

    /// Each host's share of one: by weight, inside its locality when localities are weighted.
    private static func weigh(_ priority: HostSet.Priority, hosts: [BalancedHost], rules: BalancingRules)
        -> [WeightedHost]
    {
        func share(_ members: [Int32], of part: Double) -> [WeightedHost] {
            let sum = members.reduce(UInt64(0)) { $0 + UInt64(hosts[Int($1)].weight) }
            return members.map { index in
                let host = hosts[Int(index)]
                return WeightedHost(
                    index: index, key: host.hashKey(usingHostname: rules.balancing.hashesHostname),
                    share: Double(host.weight) * part / Double(sum))
            }
        }
        guard case .weighted = rules.balancing.locality, priority.hasLocalityWeights else {
            return share(priority.isInPanic ? priority.all : priority.healthy, of: 1)
        }
        let sum = priority.localities.reduce(UInt64(0)) { $0 + UInt64($1.weight) }
        return priority.localities.flatMap { locality in
            locality.weight == 0
                ? []
                : share(
                    priority.isInPanic ? locality.all : locality.healthy, of: Double(locality.weight) / Double(sum))
        }
    }

    func host(_ hash: UInt64, attempt: Int, hosts: [BalancedHost]) -> Int32? {
        let found =
            switch kind {
            case .ring(let ring): ring.host(hash, attempt: attempt)
            case .maglev(let table): table.host(hash, attempt: attempt)
            }
        guard balanceFactor > 0, let found else { return found }
        return bounded(found, hash, hosts)
    }

    /// Consistent hashing with bounded loads: an overloaded host's requests go to others, in an order that depends on
    /// the hash alone.
    private func bounded(_ first: Int32, _ hash: UInt64, _ hosts: [BalancedHost]) -> Int32 {
        let total = weighted.reduce(0) {
            $0 + hosts[Int($1.index)].shared.activeRequests.load(ordering: .relaxed)
        }
        func overload(_ index: Int32, _ share: Double) -> Double {
            let slots = max(1, (Double((UInt64(total) + 1) * UInt64(balanceFactor) + 99) / 100).rounded(.down) * share)
            return Double(hosts[Int(index)].shared.activeRequests.load(ordering: .relaxed)) / slots.rounded(.up)
        }
        var best = first
        var least = overload(first, shares[first] ?? 1)
        guard least > 1 else { return first }
        var order = Array(weighted.indices)
        var random = MersenneTwister(seed: UInt32(truncatingIfNeeded: hash))
        for position in order.indices {
            let other = position + Int(random.below(UInt32(order.count - position)))
            order.swapAt(position, other)
            let candidate = weighted[order[position]]
            guard candidate.index != first else { continue }
            let load = overload(candidate.index, candidate.share)
            if load <= 1 { return candidate.index }
            if load < least { (best, least) = (candidate.index, load) }
        }
        return best
    }
}

/// MT19937 with 32 bits: the generator whose sequence bounded-load hashing is defined by.
struct MersenneTwister {
    private var state: [UInt32]
    private var position = 624

    init(seed: UInt32) {
        state = [seed]
        state.reserveCapacity(624)
        for index in 1..<624 {
            let last = state[index - 1]
            state.append(1_812_433_253 &* (last ^ (last >> 30)) &+ UInt32(index))
        }
    }

    mutating func next() -> UInt32 {
        if position == 624 { twist() }
        var value = state[position]
        position += 1
        value ^= value >> 11
        value ^= (value << 7) & 0x9D2C_5680
        value ^= (value << 15) & 0xEFC6_0000
        return value ^ (value >> 18)
    }

    /// Uniform below `limit`, by division and rejection.
    mutating func below(_ limit: UInt32) -> UInt32 {
        let width = (UInt64(UInt32.max) + 1) / UInt64(limit)
        while true {
            let value = UInt64(next()) / width
            if value < UInt64(limit) { return UInt32(value) }
        }
    }

    private mutating func twist() {
        for index in 0..<624 {
            let bits = (state[index] & 0x8000_0000) | (state[(index + 1) % 624] & 0x7FFF_FFFF)
            state[index] = state[(index + 397) % 624] ^ (bits >> 1) ^ (bits & 1 == 0 ? 0 : 0x9908_B0DF)
        }
        position = 0
    }
}
