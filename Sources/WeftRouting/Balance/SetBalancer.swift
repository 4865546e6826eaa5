import Synchronization
import WeftIR

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Hosts that one pick chooses among, with the place in their round.
struct HostPool {
    let hosts: [Int32]
    /// Present when weights differ.
    var schedule: EDFScheduler?
    var turn: UInt64
}

/// Balances over one immutable ``HostSet``: chooses priority, locality and host.
///
/// Loop-confined. Everything that a pick needs is made ahead: a pick allocates nothing.
final class SetBalancer {
    /// The pools of one priority: all, healthy, degraded, then healthy and degraded of each locality.
    private struct PriorityState {
        var pools: [HostPool]
        var healthyLocalities: EDFScheduler?
        var degradedLocalities: EDFScheduler?
        var table: HashTable?
        var effectiveHealthy: [Double] = []
        var effectiveDegraded: [Double] = []
    }

    let set: HostSet
    private let hosts: [BalancedHost]
    private let rules: BalancingRules
    private var priorities: [PriorityState] = []
    private let zones: ZoneRouting?
    /// Weight of hosts that have reported none, for weights by report.
    private var unreportedWeight = 1.0
    private var weightsRead: Int64 = 0

    init(
        _ set: HostSet, hosts: [BalancedHost], rules: BalancingRules, zone: LocalZone?, random: inout RandomStream,
        now: Int64
    ) {
        self.set = set
        self.hosts = hosts
        self.rules = rules
        if case .zoneAware(let settings) = rules.balancing.locality, let zone, let first = set.priorities.first {
            zones = ZoneRouting(first, zone: zone, settings: settings)
        } else {
            zones = nil
        }
        readReports(now)
        for priority in set.priorities { priorities.append(state(priority, &random, now)) }
    }

    // MARK: pick

    func pick(_ request: PickRequest, random: inout RandomStream) -> Int32? {
        let reselections = request.hasPredicates ? max(0, request.maxReselections) : 0
        let hash = request.hash ?? (rules.isHashing ? random.next() : 0)
        var last: Int32?
        for attempt in 0...reselections {
            let picked = rules.isHashing ? hashed(hash, attempt) : once(request, &random)
            guard let index = picked else { return last }
            last = index
            if reselections == 0 || !request.refuses(hosts[Int(index)]) { return index }
        }
        return last
    }

    private func hashed(_ hash: UInt64, _ attempt: Int) -> Int32? {
        guard !priorities.isEmpty else { return nil }
        let priority = set.loads.choose(hash).priority
        return priorities[priority].table?.host(hash, attempt: attempt, hosts: hosts)
    }

    private func once(_ request: PickRequest, _ random: inout RandomStream) -> Int32? {
        guard !priorities.isEmpty else { return nil }
        let loads = request.excludedPriorities == 0 ? set.loads : set.loads.excluding(request.excludedPriorities)
        let (priority, isDegraded) = loads.choose(random.next())
        guard let pool = pool(priority, isDegraded, &random) else { return nil }
        return choose(priority, pool, &random, request.now)
    }

    /// - Returns: The pool's position among those of its priority.
    private func pool(_ priority: Int, _ isDegraded: Bool, _ random: inout RandomStream) -> Int? {
        if set.priorities[priority].isInPanic { return rules.failsOnPanic ? nil : 0 }
        if case .weighted = rules.balancing.locality {
            if let place = nextLocality(priority, isDegraded) { return 3 + 2 * place + (isDegraded ? 1 : 0) }
        }
        if priority == 0, let zones, let place = zones.locality(&random) { return 3 + 2 * place + (isDegraded ? 1 : 0) }
        return isDegraded ? 2 : 1
    }

    private func nextLocality(_ priority: Int, _ isDegraded: Bool) -> Int? {
        if isDegraded {
            let weights = priorities[priority].effectiveDegraded
            return priorities[priority].degradedLocalities?.next { weights[Int($0)] }.map(Int.init)
        }
        let weights = priorities[priority].effectiveHealthy
        return priorities[priority].healthyLocalities?.next { weights[Int($0)] }.map(Int.init)
    }

    private func choose(_ priority: Int, _ pool: Int, _ random: inout RandomStream, _ now: Int64) -> Int32? {
        let count = priorities[priority].pools[pool].hosts.count
        guard count > 1 else { return priorities[priority].pools[pool].hosts.first }
        if priorities[priority].pools[pool].schedule != nil {
            if rules.kind == .clientSideWeightedRoundRobin, now - weightsRead > 1_000_000_000 { readReports(now) }
            return priorities[priority].pools[pool].schedule?.next { weight($0, now) }
        }
        switch rules.kind {
        case .random:
            return priorities[priority].pools[pool].hosts[Int(random.next() % UInt64(count))]
        case .leastRequest(let choices):
            return leastLoaded(priorities[priority].pools[pool].hosts, choices, &random)
        case .peakEWMA: return cheaper(priorities[priority].pools[pool].hosts, &random)
        case .roundRobin, .clientSideWeightedRoundRobin, .clusterProvided, .ringHash, .maglev:
            let turn = priorities[priority].pools[pool].turn
            priorities[priority].pools[pool].turn = turn &+ 1
            return priorities[priority].pools[pool].hosts[Int(turn % UInt64(count))]
        }
    }

    private func leastLoaded(_ pool: [Int32], _ choices: UInt32, _ random: inout RandomStream) -> Int32? {
        var best: Int32?
        var bestLoad = Int.max
        var ties: UInt64 = 1
        let all = rules.balancing.scansAllHosts
        for number in 0..<(all ? pool.count : Int(max(1, choices))) {
            let index = all ? pool[number] : pool[Int(random.next() % UInt64(pool.count))]
            let load = hosts[Int(index)].shared.activeRequests.load(ordering: .relaxed)
            if load < bestLoad {
                (best, bestLoad, ties) = (index, load, 1)
            } else if all, load == bestLoad {
                ties += 1
                if random.next() % ties == 0 { best = index }
            }
        }
        return best
    }

    /// Of two different random hosts, the one with the lower cost.
    private func cheaper(_ pool: [Int32], _ random: inout RandomStream) -> Int32 {
        let value = random.next()
        let first = Int(value % UInt64(pool.count))
        var second = Int((value >> 16) % UInt64(pool.count))
        if second == first { second = (second + 1) % pool.count }
        let settings = rules.balancing.peakEWMA
        let one = PeakEWMA.cost(hosts[Int(pool[first])].shared, settings)
        let other = PeakEWMA.cost(hosts[Int(pool[second])].shared, settings)
        let prefersFirst = one == other ? value & 1 != 0 : one < other
        return prefersFirst ? pool[first] : pool[second]
    }

    // MARK: weights

    private func weight(_ index: Int32, _ now: Int64) -> Double {
        let host = hosts[Int(index)]
        var weight = Double(host.weight)
        switch rules.kind {
        case .leastRequest:
            let active = Double(host.shared.activeRequests.load(ordering: .relaxed) + 1)
            let bias = rules.balancing.activeRequestBias
            if bias == 1 { weight /= active } else if bias != 0 { weight /= pow(active, bias) }
        case .clientSideWeightedRoundRobin:
            weight = ReportedWeight.value(host.shared, rules.balancing.reportedWeights, now: now) ?? unreportedWeight
        default: break
        }
        return weight * slowStartFactor(host, now)
    }

    /// A new host gets a part of its weight that grows with the time it is in service.
    private func slowStartFactor(_ host: BalancedHost, _ now: Int64) -> Double {
        guard let slowStart = rules.balancing.slowStart, slowStart.windowMilliseconds > 0 else { return 1 }
        let since = host.shared.inServiceSince.load(ordering: .relaxed)
        guard since > 0, host.health == .healthy else { return 1 }
        let age = max(1, (now - since) / 1_000_000)
        guard age < Int64(clamping: slowStart.windowMilliseconds) else { return 1 }
        let time = Double(age) / Double(slowStart.windowMilliseconds)
        let aggression = slowStart.aggression > 0 ? slowStart.aggression : 1
        let factor = aggression == 1 ? time : pow(time, 1 / aggression)
        return max(factor, slowStart.minimumWeightPercent / 100)
    }

    private func isInSlowStart(_ pool: [Int32], _ now: Int64) -> Bool {
        rules.balancing.slowStart != nil && pool.contains { slowStartFactor(hosts[Int($0)], now) < 1 }
    }

    private func readReports(_ now: Int64) {
        guard rules.kind == .clientSideWeightedRoundRobin else { return }
        weightsRead = now
        var known = hosts.compactMap { ReportedWeight.value($0.shared, rules.balancing.reportedWeights, now: now) }
        known.sort()
        unreportedWeight = known.isEmpty ? 1 : known[known.count / 2]
    }

    // MARK: set-up

    private func state(_ priority: HostSet.Priority, _ random: inout RandomStream, _ now: Int64) -> PriorityState {
        if rules.isHashing {
            return PriorityState(pools: [], table: HashTable(priority, hosts: hosts, rules: rules))
        }
        var pools = [priority.all, priority.healthy, priority.degraded].map { pool($0, &random, now) }
        for locality in priority.localities {
            pools.append(pool(locality.healthy, &random, now))
            pools.append(pool(locality.degraded, &random, now))
        }
        var state = PriorityState(pools: pools)
        guard case .weighted = rules.balancing.locality, priority.hasLocalityWeights else { return state }
        state.effectiveHealthy = priority.localities.map { effectiveWeight($0, up: $0.healthy.count) }
        state.effectiveDegraded = priority.localities.map { effectiveWeight($0, up: $0.degraded.count) }
        state.healthyLocalities = schedule(state.effectiveHealthy)
        state.degradedLocalities = schedule(state.effectiveDegraded)
        return state
    }

    private func pool(_ members: [Int32], _ random: inout RandomStream, _ now: Int64) -> HostPool {
        var pool = HostPool(hosts: members, schedule: nil, turn: random.next())
        guard members.count > 1, rules.usesWeights else { return pool }
        let first = hosts[Int(members[0])].weight
        let isEven = members.allSatisfy { hosts[Int($0)].weight == first }
        if isEven, rules.kind != .clientSideWeightedRoundRobin, !isInSlowStart(members, now) { return pool }
        var schedule = EDFScheduler()
        for index in members { schedule.add(index, weight: weight(index, now)) }
        // Workers that start at the same place would send their first requests to the same host.
        for _ in 0..<Int(pool.turn % UInt64(members.count)) { _ = schedule.next { weight($0, now) } }
        pool.schedule = schedule
        return pool
    }

    private func effectiveWeight(_ locality: HostSet.LocalityHosts, up: Int) -> Double {
        let eligible = locality.all.count - locality.excluded
        guard eligible > 0 else { return 0 }
        let factor = Double(set.rules.overprovisioningFactor) / 100
        return Double(locality.weight) * min(1, factor * Double(up) / Double(eligible))
    }

    private func schedule(_ weights: [Double]) -> EDFScheduler? {
        guard weights.contains(where: { $0 > 0 }) else { return nil }
        var schedule = EDFScheduler()
        for (index, weight) in weights.enumerated() where weight > 0 { schedule.add(Int32(index), weight: weight) }
        return schedule
    }
}
