import WeftConfig
import WeftIR

/// The clusters that every sidecar has, whatever the mesh holds.
enum FixedClusters {
    /// - Parameter dynamicDNS: whether requests for unknown hosts are resolved by the proxy.
    static func add(
        to configuration: inout ProxyConfiguration, mesh: MeshConfig, inbound: Bool, dynamicDNS: Bool = false
    ) {
        var passthrough = Cluster(name: ClusterName.passthrough, discovery: .originalDestination(useHTTPHeader: false))
        passthrough.loadBalancer = .clusterProvided
        passthrough.connectTimeoutMilliseconds = 10_000
        passthrough.httpProtocol = .useDownstream
        passthrough.circuitBreakers = .unlimited
        InboundPool(mesh.defaultTrafficPolicy?.connectionPool).apply(to: &passthrough)
        configuration.clusters[passthrough.name] = passthrough

        var blackHole = Cluster(name: ClusterName.blackHole, discovery: .static)
        blackHole.endpoints = ClusterLoadAssignment(clusterName: ClusterName.blackHole)
        configuration.clusters[blackHole.name] = blackHole

        if dynamicDNS {
            var cluster = passthrough
            cluster.name = ClusterName.dynamicDNS
            cluster.discovery = .dynamicForwardProxy(DynamicForwardProxy())
            configuration.clusters[cluster.name] = cluster
        }
        guard inbound else { return }
        var inboundPassthrough = passthrough
        inboundPassthrough.name = ClusterName.inboundPassthrough
        inboundPassthrough.bindAddress = "127.0.0.6"
        configuration.clusters[inboundPassthrough.name] = inboundPassthrough
    }
}

extension Cluster.CircuitBreakers {
    /// As good as none.
    static var unlimited: Self {
        var limits = Self()
        limits.maxConnections = .max
        limits.maxPendingRequests = .max
        limits.maxRequests = .max
        limits.maxRetries = .max
        return limits
    }
}
