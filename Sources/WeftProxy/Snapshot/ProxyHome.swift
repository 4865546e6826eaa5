package import WeftIR
import WeftRouting

/// Where this proxy is, and the cluster that it is a member of (`cluster_manager.local_cluster_name`).
package struct ProxyHome: Sendable, Hashable {
    package var locality: Locality
    /// Empty: zones play no part.
    package var cluster: String
    /// The proxy's own address: where ``locality`` is not known, it is that of the member with this address.
    package var address: String

    package init(locality: Locality = Locality(), cluster: String = "", address: String = "") {
        self.locality = locality
        self.cluster = cluster
        self.address = address
    }

    /// How the members of the proxy's own cluster are spread.
    /// - Returns: `nil` when nobody can tell.
    func zone(_ clusters: [String: CompiledCluster]) -> LocalZone? {
        guard !cluster.isEmpty, let members = clusters[cluster]?.hosts, !members.isEmpty else { return nil }
        var locality = locality
        if locality == Locality(), let own = members.first(where: { isOwn($0.endpoint.address) }) {
            locality = own.locality
        }
        var proxies: [Locality: Int] = [:]
        for member in members {
            switch member.endpoint.health {
            case .unknown, .healthy, .degraded: proxies[member.locality, default: 0] += 1
            case .unhealthy, .draining, .timeout: break
            }
        }
        return LocalZone(locality: locality, proxies: proxies)
    }

    private func isOwn(_ member: Address) -> Bool {
        guard !address.isEmpty, case .ip(let ip, _) = member else { return false }
        return ip == address
    }
}
