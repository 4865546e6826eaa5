import WeftConfig
import WeftIR

/// Where connections of TLSRoutes and TCPRoutes go.
struct GatewayStreamRoutes {
    let scope: Scope

    /// A share for a backend that cannot be followed is closed.
    func cluster(of route: AnyRoute) -> ClusterSelector {
        let objects = scope.snapshot.gatewayAPI.objects
        let clusters = (route.backends.first ?? []).filter { ($0.weight ?? 1) > 0 }.map { backend in
            var name = ClusterName.blackHole
            if case .service(let host, let port) = objects.resolve(backend.reference, from: route) {
                name = ClusterName.outbound(port: port, host: host)
            }
            return WeightedCluster(name: name, weight: UInt32(clamping: backend.weight ?? 1))
        }
        if clusters.count == 1 { return .cluster(clusters[0].name) }
        return clusters.isEmpty ? .cluster(ClusterName.blackHole) : .weighted(clusters)
    }
}
