import Synchronization
import WeftIR

/// Picks endpoints of one cluster for one worker.
///
/// Loop-confined. Health is read from what the workers share: when its generation has moved on, the host set is built
/// again; otherwise a pick only reads. The same random seed gives the same picks.
package final class ClusterBalancer {
    package let hosts: [BalancedHost]
    private let localities: [LocalitySetting]
    private let rules: BalancingRules
    private var setRules: HostSet.Rules
    private let shared: SharedCluster
    private let zone: LocalZone?
    private let subsets: SubsetIndex?
    package var random: RandomStream
    private var generation = Int.min
    private var whole: SetBalancer?
    private var parts: [SubsetKey: SetBalancer] = [:]
    private var fallback: SetBalancer?
    private var positions: [String: Int]?

    package init(
        _ rules: BalancingRules, hosts: [BalancedHost], localities: [LocalitySetting] = [],
        setRules: HostSet.Rules = HostSet.Rules(), shared: SharedCluster, zone: LocalZone? = nil,
        random: RandomStream = RandomStream()
    ) {
        self.rules = rules
        self.hosts = hosts
        self.localities = localities
        self.setRules = setRules
        self.setRules.ownLocality = zone?.locality
        self.setRules.weighsPriorityHealth = rules.balancing.weighsPriorityHealth
        self.shared = shared
        self.zone = zone
        self.random = random
        subsets = rules.balancing.subsets.map { SubsetIndex($0, hosts: hosts) }
    }

    /// - Returns: The host's position in ``hosts``, or `nil` when there is none that may be used.
    package func pick(_ request: PickRequest) -> Int? {
        var request = request
        return pick(inPlace: &request)
    }

    /// - Parameter request: Changes nothing of it; `inout`, so that what lies in an object is not copied out of it.
    package func pick(inPlace request: inout PickRequest) -> Int? {
        refresh()
        if let address = request.overrideAddress, let index = overridden(address) { return index }
        guard subsets != nil else {
            return (whole ?? makeWhole(request.now)).pick(request, random: &random).map(Int.init)
        }
        return pickFromSubset(request)
    }

    /// The host set in force, for the admin pages and for tests.
    package var hostSet: HostSet {
        refresh()
        return (whole ?? makeWhole(0)).set
    }

    private func refresh() {
        let current = shared.healthGeneration.load(ordering: .acquiring)
        guard current != generation else { return }
        generation = current
        whole = nil
        fallback = nil
        parts.removeAll(keepingCapacity: true)
    }

    /// A named host is taken unless it is down.
    private func overridden(_ address: String) -> Int? {
        let known =
            positions
            ?? Dictionary(
                hosts.enumerated().map { ($1.address, $0) }, uniquingKeysWith: { first, _ in first })
        positions = known
        return known[address].flatMap { hosts[$0].health == .unhealthy ? nil : $0 }
    }

    private func makeWhole(_ now: Int64) -> SetBalancer {
        let made = make(HostSet(hosts, localities: localities, rules: setRules), now)
        whole = made
        return made
    }

    private func make(_ set: HostSet, _ now: Int64) -> SetBalancer {
        SetBalancer(set, hosts: hosts, rules: rules, zone: zone, random: &random, now: now)
    }

    // MARK: subsets

    private func pickFromSubset(_ request: PickRequest) -> Int? {
        guard let subsets else { return nil }
        guard subsets.settings.triesFallbackList, let list = request.subset.fallbackList else {
            return pickFromSubset(request.subset, request)
        }
        for key in list {
            if let index = pickFromSubset(key, request) { return index }
        }
        return nil
    }

    private func pickFromSubset(_ wanted: SubsetKey, _ request: PickRequest) -> Int? {
        guard let subsets else { return nil }
        var key = wanted
        var policy = subsets.settings.fallback
        if !key.isEmpty {
            // Each step drops keys, so the walk ends.
            while true {
                if let part = part(key, request.now) { return part.pick(request, random: &random).map(Int.init) }
                guard let selector = subsets.selector(for: key), selector.fallback != .notDefined else { break }
                switch selector.fallback {
                case .keysSubset where selector.fallbackKeys.count < selector.keys.count:
                    key = key.keeping(selector.fallbackKeys)
                    continue
                case .anyEndpoint: policy = .anyEndpoint
                case .defaultSubset: policy = .defaultSubset
                case .noFallback, .keysSubset, .notDefined: policy = .noFallback
                }
                break
            }
        }
        return fallBack(policy, request)
    }

    private func fallBack(_ policy: Subsets.Fallback, _ request: PickRequest) -> Int? {
        guard let subsets else { return nil }
        switch policy {
        case .noFallback: return nil
        case .anyEndpoint: break
        case .defaultSubset:
            let balancer = fallback ?? make(hostSet(of: subsets.defaultMembers), request.now)
            fallback = balancer
            if let index = balancer.pick(request, random: &random) { return Int(index) }
            guard subsets.settings.panicModeAny else { return nil }
        }
        return (whole ?? makeWhole(request.now)).pick(request, random: &random).map(Int.init)
    }

    private func part(_ key: SubsetKey, _ now: Int64) -> SetBalancer? {
        if let known = parts[key] { return known }
        guard let members = subsets?.members(of: key), !members.isEmpty else { return nil }
        let made = make(hostSet(of: members), now)
        parts[key] = made
        return made
    }

    private func hostSet(of members: [Int32]) -> HostSet {
        guard let subsets, subsets.settings.localityWeightAware else {
            return HostSet(hosts, members: members, rules: setRules)
        }
        guard subsets.settings.scaleLocalityWeight else {
            return HostSet(hosts, members: members, localities: localities, rules: setRules)
        }
        let scaled = localities.map { setting in
            func belongs(_ host: BalancedHost) -> Bool {
                host.priority == setting.priority && host.locality == setting.locality
            }
            let all = hosts.count(where: belongs)
            let own = members.count { belongs(hosts[Int($0)]) }
            let weight = setting.weight.map {
                all == 0 ? 0 : UInt32((Double($0) * Double(own) / Double(all)).rounded())
            }
            return LocalitySetting(
                locality: setting.locality, priority: setting.priority, weight: weight.map { max(own == 0 ? 0 : 1, $0) }
            )
        }
        return HostSet(hosts, members: members, localities: scaled, rules: setRules)
    }
}

/// Which hosts belong to which subset. Immutable.
struct SubsetIndex {
    let settings: Subsets
    let defaultMembers: [Int32]
    private var table: [SubsetKey: [Int32]] = [:]
    /// Selectors by their keys in order.
    private var selectors: [[String]: Subsets.Selector] = [:]

    init(_ settings: Subsets, hosts: [BalancedHost]) {
        self.settings = settings
        defaultMembers = hosts.indices.filter { index in
            settings.defaultSubset.allSatisfy {
                SubsetIndex.values(hosts[index].metadata[$0.key], settings).contains($0.value)
            }
        }.map(Int32.init)
        for selector in settings.selectors {
            let keys = selector.keys.sorted()
            selectors[keys] = selectors[keys] ?? selector
            for index in hosts.indices {
                for key in SubsetIndex.keys(of: hosts[index], keys, settings) {
                    if table[key]?.last != Int32(index) { table[key, default: []].append(Int32(index)) }
                }
            }
        }
    }

    func members(of key: SubsetKey) -> [Int32]? { table[key] }
    func selector(for key: SubsetKey) -> Subsets.Selector? { selectors[key.parts.map(\.key)] }

    private static func values(_ value: MetadataValue?, _ settings: Subsets) -> [MetadataValue] {
        guard let value else { return [] }
        if settings.listAsAny, case .list(let members) = value { return members }
        return [value]
    }

    /// Every combination of the host's values; one unless a value is a list.
    private static func keys(of host: BalancedHost, _ keys: [String], _ settings: Subsets) -> [SubsetKey] {
        var combinations: [[String: MetadataValue]] = [[:]]
        for key in keys {
            let values = values(host.metadata[key], settings)
            // The product is bounded: a host that claims to be in thousands of subsets is in the first ones.
            combinations = combinations.prefix(256).flatMap { known in
                values.map { known.merging([key: $0]) { $1 } }
            }
        }
        return combinations.map(SubsetKey.init)
    }
}
