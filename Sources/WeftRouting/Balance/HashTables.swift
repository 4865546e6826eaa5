package import WeftIR

/// A host of a hash table with its share of the whole: shares sum up to one.
package struct WeightedHost: Sendable, Hashable {
    package let index: Int32
    package let key: String
    package let share: Double
    package init(index: Int32, key: String, share: Double) {
        self.index = index
        self.key = key
        self.share = share
    }
}

/// Ketama's ring: each host has points on it by its weight; a hash belongs to the next point clockwise.
///
/// Points are hashes of `KEY_0`, `KEY_1` and so on, so that the same hosts make the same ring in every proxy, Envoy's
/// too. Losing a host moves only that host's hashes.
package struct HashRing: Sendable {
    private let points: [UInt64]
    private let hosts: [Int32]

    package init(
        _ weighted: [WeightedHost], minimumSize: UInt64, maximumSize: UInt64, function: LoadBalancing.HashFunction
    ) {
        guard let least = weighted.map(\.share).min(), least > 0 else {
            points = []
            hosts = []
            return
        }
        let scale = min((least * Double(minimumSize)).rounded(.up) / least, Double(maximumSize))
        var entries: [(UInt64, Int32)] = []
        entries.reserveCapacity(Int(scale.rounded(.up)))
        var made = 0.0
        var wanted = 0.0
        for host in weighted {
            let stem = Array(host.key.utf8) + [95]
            wanted += scale * host.share
            var number = 0
            while made < wanted {
                let key = stem + String(number).utf8
                entries.append((function == .murmurHash2 ? MurmurHash2.hash(key) : XXHash64.hash(key), host.index))
                number += 1
                made += 1
            }
        }
        entries.sort { $0.0 < $1.0 }
        points = entries.map(\.0)
        hosts = entries.map(\.1)
    }

    package var count: Int { points.count }

    /// - Parameter attempt: Above 0, as many points further on.
    package func host(_ hash: UInt64, attempt: Int = 0) -> Int32? {
        guard !points.isEmpty else { return nil }
        var low = 0
        var high = points.count
        while low < high {
            let middle = (low + high) / 2
            if points[middle] < hash { low = middle + 1 } else { high = middle }
        }
        return hosts[(low % points.count + attempt) % points.count]
    }
}

/// Maglev's lookup table: every host fills places by a permutation of its own, in turn and by weight.
package struct MaglevTable: Sendable {
    private let table: [Int32]

    /// - Parameter size: A prime number (65,537 is Envoy's default); anything else gives uneven tables.
    package init(_ weighted: [WeightedHost], size: UInt64) {
        let sorted = weighted.sorted { Array($0.key.utf8).lexicographicallyPrecedes(Array($1.key.utf8)) }
        guard let most = sorted.map(\.share).max(), most > 0, size > 1 else {
            table = []
            return
        }
        struct Builder {
            let host: WeightedHost
            let skip: UInt64
            var position: UInt64
            var target = 0.0
        }
        var builders = sorted.map { host in
            Builder(
                host: host, skip: XXHash64.hash(host.key, seed: 1) % (size - 1) + 1,
                position: XXHash64.hash(host.key) % size)
        }
        var table = [Int32](repeating: -1, count: Int(size))
        var filled: UInt64 = 0
        var iteration = 1.0
        while filled < size {
            for index in builders.indices where filled < size {
                guard iteration * builders[index].host.share >= builders[index].target else { continue }
                builders[index].target += most
                while table[Int(builders[index].position)] >= 0 {
                    builders[index].position = (builders[index].position + builders[index].skip) % size
                }
                table[Int(builders[index].position)] = builders[index].host.index
                builders[index].position = (builders[index].position + builders[index].skip) % size
                filled += 1
            }
            iteration += 1
        }
        self.table = table
    }

    /// Whether a table of this size can be filled: every stride reaches every place only when it is prime.
    package static func isUsable(size: UInt64) -> Bool {
        guard size >= 2, size <= 5_000_011 else { return false }
        var divisor: UInt64 = 2
        while divisor * divisor <= size {
            if size % divisor == 0 { return false }
            divisor += 1
        }
        return true
    }

    /// - Parameter attempt: Above 0, another place for the same hash.
    package func host(_ hash: UInt64, attempt: Int = 0) -> Int32? {
        guard !table.isEmpty else { return nil }
        let hash = attempt > 0 ? hash ^ (UInt64.max &- UInt64(attempt) &+ 1) : hash
        return table[Int(hash % UInt64(table.count))]
    }
}
