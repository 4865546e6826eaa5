import WeftConfig
import WeftCore
import WeftIR

/// The cluster that a proxy is itself a member of, under Istio's name: how many pods of its kind each zone has, for
/// balancing by zones (`zoneAwareLbSetting`). Only for proxies that ask for it (`ISTIO_META_ENABLE_SELF_DISCOVERY`).
struct LocalCluster: Sendable, Hashable {
    static let name = "local_cluster"
    /// What the endpoints' port is; nobody connects to them.
    private static let port: UInt16 = 1

    /// One pod of the proxy's kind.
    private struct Peer: Sendable, Hashable {
        var address: String
        var locality: Locality
    }
    private let peers: [Peer]

    /// - Parameter services: Of those that the proxy stands behind the endpoints count: the ones with the proxy's own values
    ///   of the grouping labels count, each once.
    /// - Returns: `nil` for a proxy that does not ask.
    init?(of proxy: ProxyClass, behind services: [MeshService]) {
        guard proxy.discoversItself else { return nil }
        let labels = proxy.groupingLabels
        var found: [String: Peer] = [:]
        for endpoint in services.filter({ $0.namespace == proxy.namespace && $0.standsFor(proxy) }).flatMap(\.endpoints)
        {
            guard endpoint.isReady, !endpoint.isUnixSocket,
                labels.allSatisfy({ endpoint.labels[$0] == proxy.labels[$0] })
            else { continue }
            found[endpoint.address] = Peer(address: endpoint.address, locality: endpoint.locality)
        }
        peers = found.values.sorted { $0.address < $1.address }
    }

    func add(to configuration: inout ProxyConfiguration) {
        var cluster = Cluster(name: Self.name, discovery: .eds(serviceName: ""))
        cluster.connectTimeoutMilliseconds = 10_000
        configuration.clusters[cluster.name] = cluster
        var assignment = ClusterLoadAssignment(clusterName: Self.name)
        let groups = Dictionary(grouping: peers, by: \.locality)
        assignment.localities = groups.keys.sorted {
            ($0.region, $0.zone, $0.subZone) < ($1.region, $1.zone, $1.subZone)
        }.map { locality in
            LocalityEndpoints(
                locality: locality,
                endpoints: (groups[locality] ?? []).map { Endpoint(address: .ip($0.address, port: Self.port)) })
        }
        configuration.endpoints[cluster.name] = assignment
    }
}

extension ProxyClass {
    /// The proxy has a cluster of its own kind.
    var discoversItself: Bool {
        let value = metadata["ENABLE_SELF_DISCOVERY"]
        return value?.stringValue?.lowercased() == "true" || value?.boolValue == true
    }

    /// Labels that pods of one kind share: by default those of one version of a Deployment.
    fileprivate var groupingLabels: [String] {
        let names = metadata["SELF_DISCOVERY_GROUPING_LABEL_NAMES"]?.stringValue ?? ""
        let own = names.split(separator: ",").map { String($0.filter { $0 != " " }) }.filter { !$0.isEmpty }
        return own.isEmpty ? ["pod-template-hash"] : own
    }
}
