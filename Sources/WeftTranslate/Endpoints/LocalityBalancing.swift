import WeftConfig
import WeftCore
import WeftIR

/// Sorts the endpoints of a load assignment into localities with priorities and weights, as seen from one proxy.
///
/// In order: the DestinationRule's `localityLbSetting`, the service's traffic distribution, the mesh's setting. Failover
/// holds only with outlier detection, because without it nothing says that a near endpoint is down; `distribute` and
/// traffic distribution always hold.
struct LocalityBalancing {
    typealias Settings = DestinationRule.LoadBalancer.Locality
    typealias Member = (source: MeshEndpoint, endpoint: Endpoint)

    enum Plan {
        /// All endpoints alike, kept apart by locality.
        case none
        /// By nearness: same sub-zone, zone, region, then the rest, of which the region in `failover` comes first.
        case nearest([Settings.Failover])
        /// By how many of these labels, from the first one on, an endpoint shares with the proxy.
        case labels([String])
        case distribute([Settings.Distribute])
    }

    let plan: Plan
    private let proxy: ProxyClass

    init(scope: Scope, service: MeshService, policy: DestinationRule.TrafficPolicy) {
        proxy = scope.proxy
        let hasOutliers = (policy.outlierDetection ?? scope.mesh.defaultTrafficPolicy?.outlierDetection) != nil
        plan = Self.plan(
            own: policy.loadBalancer?.localityLbSetting, distribution: service.distribution,
            mesh: scope.mesh.localityLbSetting, hasOutliers: hasOutliers)
    }

    private static func plan(
        own: Settings?, distribution: MeshService.Distribution?, mesh: Settings?, hasOutliers: Bool
    ) -> Plan {
        if let own { return own.enabled == false ? .none : plan(own, hasOutliers: hasOutliers) }
        let near = ["topology.istio.io/network", "topology.kubernetes.io/region", "topology.kubernetes.io/zone"]
        switch distribution {
        case .close, .sameZone: return .labels(near)
        case .sameNode: return .labels(near + ["topology.istio.io/subzone", "kubernetes.io/hostname"])
        case .any: return .none
        case nil: break
        }
        return mesh?.enabled == false ? .none : plan(mesh ?? Settings(), hasOutliers: hasOutliers)
    }

    private static func plan(_ settings: Settings, hasOutliers: Bool) -> Plan {
        if let distribute = settings.distribute, !distribute.isEmpty { return .distribute(distribute) }
        guard hasOutliers else { return .none }
        if let labels = settings.failoverPriority, !labels.isEmpty { return .labels(labels) }
        return .nearest(settings.failover ?? [])
    }

    /// True if localities are chosen by weight.
    var isWeighted: Bool {
        if case .distribute(let rules) = plan { return rule(of: rules) != nil }
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
