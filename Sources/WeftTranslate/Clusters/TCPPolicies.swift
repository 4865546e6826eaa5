import WeftConfig
import WeftIR

/// What a DestinationRule says about plain forwarding: who shares an endpoint, how long a silent connection lives, and
/// through which HTTP proxy it goes.
struct TCPPolicies {
    let scope: Scope

    /// The policy of the first destination counts for the whole route, as the proxy has one setting for all of them.
    func apply(to proxy: inout TCPProxy) {
        let name =
            switch proxy.cluster {
            case .cluster(let name): name
            case .weighted(let clusters): clusters.first?.name ?? ""
            case .header: ""
            }
        guard let target = ClusterName.parse(name), let service = scope.service(host: target.host),
            let destination = scope.destinationPolicy(for: service)
        else { return }
        let subset = destination.subsets.first { !target.subset.isEmpty && $0.name == target.subset }
        let policy = destination.policy(subset: subset, port: target.port).filled(from: scope.mesh.defaultTrafficPolicy)
        proxy.hashesSource = policy.loadBalancer?.consistentHash?.useSourceIp == true
        if let tunnel = policy.tunnel, let host = tunnel.targetHost, let port = tunnel.targetPort {
            var settings = TCPProxy.Tunnel(hostname: "\(host.contains(":") ? "[\(host)]" : host):\(port)")
            settings.usesPost = tunnel.protocol == "POST"
            proxy.tunnel = settings
        }
        if let idle = policy.connectionPool?.tcp?.idleTimeout { proxy.idleTimeoutMilliseconds = idle.milliseconds }
    }
}
