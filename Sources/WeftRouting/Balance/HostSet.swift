package import WeftIR

/// One endpoint as a balancer sees it. Immutable, but for what ``shared`` counts.
package struct BalancedHost: Sendable {
    package enum Health: Sendable, Hashable { case healthy, degraded, unhealthy }

    /// Address and port as text; also the key that rings and tables hash.
    package let address: String
    package let hostname: String
    package let weight: UInt32
    package let priority: UInt32
    package let locality: Locality
    package let metadata: [String: MetadataValue]
    /// What the control plane says.
    package let discovered: Endpoint.Health
    package let shared: SharedHost

    package init(
        address: String, endpoint: Endpoint, priority: UInt32 = 0, locality: Locality = Locality(), shared: SharedHost
    ) {
        self.address = address
        self.hostname = endpoint.hostname
        self.weight = max(1, endpoint.weight)
        self.priority = priority
        self.locality = locality
        self.metadata = endpoint.balancingMetadata
        self.discovered = endpoint.health
        self.shared = shared
    }

    package var isCanary: Bool { metadata["canary"] == .bool(true) }

    package var health: Health {
        let flags = shared.flags
        if !flags.isDisjoint(with: [.failedActiveCheck, .ejected]) { return .unhealthy }
        switch discovered {
        case .unhealthy, .draining, .timeout: return .unhealthy
        case .degraded: return .degraded
        case .unknown, .healthy: return flags.contains(.degraded) ? .degraded : .healthy
        }
    }

    /// Counts neither as up nor as down: not yet checked, or on its way out.
    package var isExcluded: Bool {
        discovered == .draining || !shared.flags.isDisjoint(with: [.pendingCheck, .excluded])
    }

    /// What ring hash and maglev hash (`hash_key` of the metadata, the host name, or the address).
    func hashKey(usingHostname: Bool) -> String {
        if case .string(let key)? = metadata["hash_key"], !key.isEmpty { return key }
        return usingHostname && !hostname.isEmpty ? hostname : address
    }
}

/// The localities of one priority: who is in, and how much the control plane wants there.
package struct LocalitySetting: Sendable, Hashable {
    package let locality: Locality
    package let priority: UInt32
    package let weight: UInt32?
    package init(locality: Locality, priority: UInt32, weight: UInt32?) {
        self.locality = locality
        self.priority = priority
        self.weight = weight
    }
}

/// The hosts of a cluster (or of a subset) sorted by priority, locality and health at one moment.
///
/// Immutable: rebuilt when endpoints or their health change, so that a pick filters nothing. Hosts are named by their
/// position in the list that the set was made of.
package struct HostSet: Sendable {
    package struct LocalityHosts: Sendable {
        package let locality: Locality
        package let weight: UInt32
        package fileprivate(set) var all: [Int32] = []
        package fileprivate(set) var healthy: [Int32] = []
        package fileprivate(set) var degraded: [Int32] = []
        package fileprivate(set) var excluded = 0
    }
    package struct Priority: Sendable {
        package fileprivate(set) var all: [Int32] = []
        package fileprivate(set) var healthy: [Int32] = []
        package fileprivate(set) var degraded: [Int32] = []
        package fileprivate(set) var excluded = 0
        package fileprivate(set) var localities: [LocalityHosts] = []
        fileprivate var healthyWeight: UInt64 = 0
        fileprivate var degradedWeight: UInt64 = 0
        fileprivate var eligibleWeight: UInt64 = 0
        /// Too few hosts are up: all of them are used.
        package fileprivate(set) var isInPanic = false
        package var hasLocalityWeights: Bool { localities.contains { $0.weight > 0 } }
    }
    package struct Rules: Sendable, Hashable {
        package var overprovisioningFactor: UInt32 = 140
        /// 0 to 100.
        package var panicThresholdPercent: Double = 50
        package var weighsPriorityHealth = false
        /// The proxy's own locality comes first among localities.
        package var ownLocality: Locality?
        package init() {}
    }

    package let priorities: [Priority]
    package let loads: PriorityLoads
    let rules: Rules

    /// - Parameter members: Positions in `hosts` that belong to the set; `nil` is all.
    package init(
        _ hosts: [BalancedHost], members: [Int32]? = nil, localities: [LocalitySetting] = [], rules: Rules = Rules()
    ) {
        self.rules = rules
        var builder = HostSetBuilder(localities: localities, rules: rules)
        if let members {
            for index in members { builder.add(hosts[Int(index)], index) }
        } else {
            for index in hosts.indices { builder.add(hosts[index], Int32(index)) }
        }
        var priorities = builder.finished()
        let availability = priorities.map { HostSet.availability($0, rules) }
        let panic = PriorityLoads.panics(priorities, availability: availability, threshold: rules.panicThresholdPercent)
        for index in priorities.indices { priorities[index].isInPanic = panic[index] }
        self.priorities = priorities
        loads = PriorityLoads(
            availability: availability, hostCounts: priorities.map(\.all.count), panics: panic,
            panicThreshold: rules.panicThresholdPercent)
    }

    package var isEmpty: Bool { priorities.allSatisfy(\.all.isEmpty) }
    package var count: Int { priorities.reduce(0) { $0 + $1.all.count } }

    private static func availability(_ priority: Priority, _ rules: Rules) -> PriorityLoads.Availability {
        let up: UInt64
        let half: UInt64
        let total: UInt64
        if rules.weighsPriorityHealth {
            (up, half, total) = (priority.healthyWeight, priority.degradedWeight, priority.eligibleWeight)
        } else {
            (up, half) = (UInt64(priority.healthy.count), UInt64(priority.degraded.count))
            total = UInt64(priority.all.count - priority.excluded)
        }
        guard total > 0 else { return PriorityLoads.Availability(healthy: 0, degraded: 0) }
        let factor = UInt64(rules.overprovisioningFactor)
        return PriorityLoads.Availability(
            healthy: UInt32(min(100, factor * up / total)), degraded: UInt32(min(100, factor * half / total)))
    }
}

/// Sorts hosts into a ``HostSet``.
private struct HostSetBuilder {
    private var priorities: [HostSet.Priority] = []
    private var positions: [LocalityKey: Int] = [:]
    private let weights: [LocalityKey: UInt32]
    private let rules: HostSet.Rules

    private struct LocalityKey: Hashable {
        let priority: UInt32
        let locality: Locality
    }

    init(localities: [LocalitySetting], rules: HostSet.Rules) {
        self.rules = rules
        var weights: [LocalityKey: UInt32] = [:]
        for setting in localities {
            weights[LocalityKey(priority: setting.priority, locality: setting.locality)] = setting.weight ?? 0
        }
        self.weights = weights
    }

    mutating func add(_ host: BalancedHost, _ index: Int32) {
        // A priority far out would make as many empty levels before it; Envoy allows 128.
        let level = Int(min(host.priority, 127))
        while priorities.count <= level { priorities.append(HostSet.Priority()) }
        let place = position(of: host, level)
        priorities[level].all.append(index)
        priorities[level].localities[place].all.append(index)
        if host.isExcluded {
            priorities[level].excluded += 1
            priorities[level].localities[place].excluded += 1
        } else {
            priorities[level].eligibleWeight += UInt64(host.weight)
        }
        switch host.health {
        case .healthy:
            priorities[level].healthy.append(index)
            priorities[level].healthyWeight += UInt64(host.weight)
            priorities[level].localities[place].healthy.append(index)
        case .degraded:
            priorities[level].degraded.append(index)
            priorities[level].degradedWeight += UInt64(host.weight)
            priorities[level].localities[place].degraded.append(index)
        case .unhealthy: break
        }
    }

    private mutating func position(of host: BalancedHost, _ level: Int) -> Int {
        let key = LocalityKey(priority: host.priority, locality: host.locality)
        if let known = positions[key] { return known }
        let place = priorities[level].localities.count
        priorities[level].localities.append(
            HostSet.LocalityHosts(locality: host.locality, weight: weights[key] ?? 0))
        positions[key] = place
        return place
    }

    func finished() -> [HostSet.Priority] {
        guard let own = rules.ownLocality else { return priorities }
        return priorities.map { priority in
            var priority = priority
            if let place = priority.localities.firstIndex(where: { $0.locality == own }) {
                priority.localities.insert(priority.localities.remove(at: place), at: 0)
            }
            return priority
        }
    }
}
