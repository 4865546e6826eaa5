import WeftIR
import WeftRouting

/// A host for balancer tests: `10.0.0.N:80`.
func host(
    _ number: Int, weight: UInt32 = 1, priority: UInt32 = 0, zone: String = "", health: Endpoint.Health = .unknown,
    metadata: [String: MetadataValue] = [:]
) -> BalancedHost {
    var endpoint = Endpoint(address: .ip("10.0.0.\(number)", port: 80))
    endpoint.weight = weight
    endpoint.health = health
    endpoint.balancingMetadata = metadata
    return BalancedHost(
        address: "10.0.0.\(number):80", endpoint: endpoint, priority: priority, locality: Locality(zone: zone),
        shared: SharedHost())
}

func balancer(
    _ kind: Cluster.LoadBalancer, _ hosts: [BalancedHost], localities: [LocalitySetting] = [], panic: Double = 50,
    shared: SharedCluster = SharedCluster(), zone: LocalZone? = nil, seed: UInt64 = 1,
    edit: (inout LoadBalancing) -> Void = { _ in }
) -> ClusterBalancer {
    var options = LoadBalancing()
    edit(&options)
    var rules = HostSet.Rules()
    rules.panicThresholdPercent = panic
    return ClusterBalancer(
        BalancingRules(kind: kind, balancing: options), hosts: hosts, localities: localities, setRules: rules,
        shared: shared, zone: zone, random: RandomStream(seed: seed))
}

/// How often each host is picked, by position; the last place counts picks of nobody.
func tally(_ balancer: ClusterBalancer, _ count: Int, _ request: PickRequest = PickRequest()) -> [Int] {
    var result = [Int](repeating: 0, count: balancer.hosts.count + 1)
    for _ in 0..<count { result[balancer.pick(request) ?? balancer.hosts.count] += 1 }
    return result
}

/// Whether counts are as expected, give or take what the order of a round leaves over.
func isNear(_ counts: [Int], _ expected: [Int]) -> Bool {
    counts.count == expected.count && zip(counts, expected).allSatisfy { abs($0 - $1) <= 2 }
}
