package import WeftIR

/// Where this proxy is, and how many proxies of its kind each zone has (`local_cluster_name`).
package struct LocalZone: Sendable, Hashable {
    package var locality: Locality
    /// Healthy hosts of the proxy's own cluster by locality.
    package var proxies: [Locality: Int]
    package init(locality: Locality, proxies: [Locality: Int]) {
        self.locality = locality
        self.proxies = proxies
    }
}

/// Keeps requests in the proxy's own zone as far as the zone has capacity; the rest goes where capacity is left over.
///
/// Shares are in ten-thousandths, as Envoy reckons them. Applies to the first priority only.
struct ZoneRouting: Sendable {
    private let settings: LoadBalancing.ZoneAware
    /// Part of the requests that stay; 10,000 is all.
    private let localShare: UInt64
    /// Sums of what each locality has left.
    private let residual: [UInt64]

    /// - Returns: `nil` when zones cannot be told apart or the cluster is too small: then all localities are one pool.
    init?(_ priority: HostSet.Priority, zone: LocalZone, settings: LoadBalancing.ZoneAware) {
        let localities = priority.localities
        guard localities.count >= 2, priority.healthy.count >= Int(clamping: settings.minimumClusterSize) else {
            return nil
        }
        guard zone.proxies[zone.locality, default: 0] > 0 else { return nil }
        guard zone.proxies.count >= 2 || settings.forcesLocalZone else { return nil }
        self.settings = settings
        let proxies = UInt64(zone.proxies.values.reduce(0, +))
        let upstreams = UInt64(priority.healthy.count)
        let shares = localities.map { locality -> (local: UInt64, upstream: UInt64) in
            guard !locality.healthy.isEmpty else { return (0, 0) }
            let own = UInt64(zone.proxies[locality.locality, default: 0])
            return (10_000 * own / proxies, 10_000 * UInt64(locality.healthy.count) / upstreams)
        }
        let hasOwn = localities[0].locality == zone.locality && !localities[0].healthy.isEmpty
        if hasOwn, shares[0].upstream >= shares[0].local || settings.forcesLocalZone {
            localShare = 10_000
        } else {
            localShare = hasOwn && shares[0].local > 0 ? shares[0].upstream * 10_000 / shares[0].local : 0
        }
        var sum: UInt64 = 0
        residual = shares.enumerated().map { index, share in
            let isOwn = index == 0 && localities[0].locality == zone.locality
            if !isOwn, share.upstream > share.local { sum += share.upstream - share.local }
            return sum
        }
    }

    /// - Returns: The locality's position, or `nil` when this request is routed without regard to zones.
    func locality(_ random: inout RandomStream) -> Int? {
        if settings.routingEnabledPercent < 100, random.next() % 100 >= UInt64(settings.routingEnabledPercent) {
            return nil
        }
        if localShare >= 10_000 || random.next() % 10_000 < localShare { return 0 }
        guard let total = residual.last, total > 0 else { return Int(random.next() % UInt64(residual.count)) }
        let point = random.next() % total
        return residual.firstIndex { point < $0 }
    }
}
