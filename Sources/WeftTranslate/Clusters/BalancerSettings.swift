import WeftConfig
import WeftIR

/// How a cluster picks an endpoint, and how fast a new endpoint gets its share.
struct BalancerSettings {
    private let settings: DestinationRule.LoadBalancer?
    init(_ settings: DestinationRule.LoadBalancer?) { self.settings = settings }

    func apply(to cluster: inout Cluster) {
        cluster.loadBalancer = balancer(cluster.discovery)
        switch cluster.loadBalancer {
        case .roundRobin, .leastRequest: cluster.balancing.slowStart = slowStart
        default: break
        }
    }

    private func balancer(_ discovery: Cluster.Discovery) -> Cluster.LoadBalancer {
        switch discovery {
        case .originalDestination, .dynamicForwardProxy: return .clusterProvided
        case .eds, .static, .strictDNS, .logicalDNS: break
        }
        if let hash = settings?.consistentHash {
            if let maglev = hash.maglev { return .maglev(tableSize: UInt64(max(1, maglev.tableSize ?? 65_537))) }
            let size = hash.ringHash?.minimumRingSize ?? hash.minimumRingSize
            return .ringHash(minimumRingSize: UInt64(max(0, size ?? 1024)))
        }
        return switch settings?.simple ?? .unspecified {
        case .random: .random
        case .roundRobin: .roundRobin
        case .unspecified, .leastRequest, .leastConnections, .passthrough: .leastRequest(choiceCount: 2)
        }
    }

    private var slowStart: LoadBalancing.SlowStart? {
        guard let window = settings?.warmup?.duration ?? settings?.warmupDurationSecs, window.nanoseconds > 0 else {
            return nil
        }
        var start = LoadBalancing.SlowStart(windowMilliseconds: window.milliseconds)
        start.aggression = settings?.warmup?.aggression ?? 1
        start.minimumWeightPercent = settings?.warmup?.minimumPercent ?? 10
        return start
    }
}
