import WeftConfig
import WeftCore
import WeftIR

/// Sorts the endpoints of a load assignment into localities with priorities and weights, as seen from one proxy.
///
/// In order: the DestinationRule's `zoneAwareLbSetting` and `localityLbSetting`, the service's traffic distribution, the
/// mesh's settings. Failover holds only with outlier detection, because without it nothing says that a near endpoint is
/// down; `distribute`, traffic distribution and zones always hold.
struct LocalityBalancing {
    typealias Settings = DestinationRule.LoadBalancer.Locality
    typealias ZoneSettings = DestinationRule.LoadBalancer.ZoneAware
    typealias Member = (source: MeshEndpoint, endpoint: Endpoint)

    enum Plan {
        /// All endpoints alike, kept apart by locality.
        case none
        /// By nearness: same sub-zone, zone, region, then the rest, of which the region in `failover` comes first.
        case nearest([Settings.Failover])
        /// By how many of these labels, from the first one on, an endpoint shares with the proxy.
        case labels([String])
        case distribute([Settings.Distribute])
        /// The own region before all others; within it the proxy prefers its own zone as far as that has capacity.
        case zones(ZoneSettings)
    }

    let plan: Plan
    private let proxy: ProxyClass

    init(scope: Scope, service: MeshService, policy: DestinationRule.TrafficPolicy) {
        proxy = scope.proxy
        let hasOutliers = (policy.outlierDetection ?? scope.mesh.defaultTrafficPolicy?.outlierDetection) != nil
        plan = Self.plan(
            own: policy.loadBalancer, distribution: service.distribution, mesh: scope.mesh, hasOutliers: hasOutliers)
    }

    private static func plan(
        own policy: DestinationRule.LoadBalancer?, distribution: MeshService.Distribution?, mesh: MeshConfig,
        hasOutliers: Bool
    ) -> Plan {
        if let zones = policy?.zoneAwareLbSetting, zones.enabled != false { return .zones(zones) }
        if let own = policy?.localityLbSetting {
            return own.enabled == false ? .none : plan(own, hasOutliers: hasOutliers)
        }
        let near = ["topology.istio.io/network", "topology.kubernetes.io/region", "topology.kubernetes.io/zone"]
        switch distribution {
        case .close, .sameZone: return .labels(near)
        case .sameNode: return .labels(near + ["topology.istio.io/subzone", "kubernetes.io/hostname"])
        case .any: return .none
        case nil: break
        }
        if policy?.zoneAwareLbSetting == nil, let zones = mesh.zoneAwareLbSetting, zones.enabled != false {
            return .zones(zones)
        }
        let locality = mesh.localityLbSetting
        return locality?.enabled == false ? .none : plan(locality ?? Settings(), hasOutliers: hasOutliers)
    }

    private static func plan(_ settings: Settings, hasOutliers: Bool) -> Plan {
        if let distribute = settings.distribute, !distribute.isEmpty { return .distribute(distribute) }
        guard hasOutliers else { return .none }
        if let labels = settings.failoverPriority, !labels.isEmpty { return .labels(labels) }
        return .nearest(settings.failover ?? [])
    }

    /// How the proxy chooses among the localities of a priority. Envoy would look at zones by itself where a proxy knows
    /// its peers; where nobody asks for that, it is told not to.
    var mode: LoadBalancing.LocalityMode {
        switch plan {
        case .distribute(let rules) where rule(of: rules) != nil: return .weighted
        case .zones(let settings) where proxy.discoversItself:
            var zones = LoadBalancing.ZoneAware()
            if let least = settings.minClusterSize { zones.minimumClusterSize = UInt64(clamping: least) }
            return .zoneAware(zones)
        default:
            guard proxy.discoversItself else { return .none }
            var zones = LoadBalancing.ZoneAware()
            zones.routingEnabledPercent = 0
            return .zoneAware(zones)
        }
    }

    /// True if zones are to be preferred, and the proxy cannot tell how its peers are spread.
    var lacksPeers: Bool {
        if case .zones = plan { return !proxy.discoversItself }
        return false
    }

    /// Localities in order of priority and name, with consecutive priorities from 0.
    func localities(of members: [Member]) -> [LocalityEndpoints] {
        switch plan {
        case .none: return grouped(members) { _ in 0 }
        case .nearest(let failover):
            return proxy.locality == Locality()
                ? grouped(members) { _ in 0 } : grouped(members) { nearness($0.source.locality, failover) }
        case .labels(let keys): return grouped(members) { mismatches($0.source, keys) }
        case .zones(let settings):
            guard proxy.locality != Locality() else { return grouped(members) { _ in 0 } }
            return grouped(members) { remoteness($0.source, settings) }
        case .distribute(let rules):
            guard let rule = rule(of: rules) else { return grouped(members) { _ in 0 } }
            return weighted(grouped(members) { _ in 0 }, rule.to ?? [:])
        }
    }

    // MARK: - Grouping

    private struct Key: Hashable {
        var priority: Int
        var locality: Locality
    }

    private func grouped(_ members: [Member], priority: (Member) -> Int) -> [LocalityEndpoints] {
        let groups = Dictionary(grouping: members) { Key(priority: priority($0), locality: $0.source.locality) }
        let ranks = Set(groups.keys.map(\.priority)).sorted()
        let ordered = groups.sorted { Self.order($0.key) < Self.order($1.key) }
        return ordered.map { key, members in
            var locality = LocalityEndpoints(locality: key.locality, endpoints: members.map(\.endpoint))
            locality.priority = UInt32(clamping: ranks.firstIndex(of: key.priority) ?? 0)
            return locality
        }
    }

    private static func order(_ key: Key) -> (Int, String, String, String) {
        (key.priority, key.locality.region, key.locality.zone, key.locality.subZone)
    }

    // MARK: - Failover

    private func nearness(_ other: Locality, _ failover: [Settings.Failover]) -> Int {
        let own = proxy.locality
        guard own.region == other.region else {
            guard let next = failover.first(where: { $0.from == own.region }) else { return 3 }
            return next.to == other.region ? 3 : 4
        }
        guard own.zone == other.zone else { return 2 }
        return own.subZone == other.subZone ? 0 : 1
    }

    /// 0 in the own region; other regions in the order of `failoverPriority`, or the one in `failover` first.
    private func remoteness(_ endpoint: MeshEndpoint, _ settings: ZoneSettings) -> Int {
        if endpoint.locality.region == proxy.locality.region { return 0 }
        if let keys = settings.failoverPriority, !keys.isEmpty { return 1 + mismatches(endpoint, keys) }
        let next = settings.failover?.first { $0.from == proxy.locality.region }?.to
        return next == nil || next == endpoint.locality.region ? 1 : 2
    }

    private func mismatches(_ endpoint: MeshEndpoint, _ keys: [String]) -> Int {
        var shared = 0
        for key in keys {
            let parts = key.split(separator: "=", maxSplits: 1).map(String.init)
            guard let name = parts.first else { break }
            let theirs = Self.label(
                name, endpoint.labels, endpoint.locality, network: endpoint.network, node: endpoint.nodeName)
            let ours =
                parts.count == 2
                ? parts[1]
                : Self.label(name, proxy.labels, proxy.locality, network: proxy.network, node: proxy.nodeName)
            guard ours == theirs else { break }
            shared += 1
        }
        return keys.count - shared
    }

    private static func label(
        _ name: String, _ labels: [String: String], _ locality: Locality, network: String, node: String
    ) -> String {
        switch name {
        case "topology.kubernetes.io/region": locality.region
        case "topology.kubernetes.io/zone": locality.zone
        case "topology.istio.io/subzone": locality.subZone
        case "topology.istio.io/network": network
        case "kubernetes.io/hostname": node
        default: labels[name] ?? ""
        }
    }

    // MARK: - Distribution

    private func rule(of rules: [Settings.Distribute]) -> Settings.Distribute? {
        rules.first { Self.matches($0.from ?? "", proxy.locality) }
    }

    /// What no target names gets nothing. A locality counts for the longest pattern that it meets.
    private func weighted(_ localities: [LocalityEndpoints], _ shares: [String: Int]) -> [LocalityEndpoints] {
        var remaining = Set(localities.indices)
        var result = localities
        for (pattern, share) in shares.sorted(by: { ($0.key.count, $1.key) > ($1.key.count, $0.key) }) {
            let met = remaining.filter { Self.matches(pattern, localities[$0].locality) }
            remaining.subtract(met)
            func size(_ index: Int) -> Double {
                Double(localities[index].endpoints.reduce(0) { $0 + UInt64($1.weight) })
            }
            let total = met.reduce(0) { $0 + size($1) }
            for index in met {
                result[index].weight = UInt32(max(1, (Double(share) * size(index) / total * 100).rounded()))
            }
        }
        return result.enumerated().filter { !remaining.contains($0.offset) }.map(\.element)
    }

    /// `region/zone/*`: the parts that are given must be equal, `*` stands for the rest.
    private static func matches(_ pattern: String, _ locality: Locality) -> Bool {
        let own = [locality.region, locality.zone, locality.subZone]
        for (part, value) in zip(pattern.split(separator: "/"), own) {
            if part == "*" { return true }
            if part != value { return false }
        }
        return !pattern.isEmpty
    }
}
