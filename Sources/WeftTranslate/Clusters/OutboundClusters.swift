import WeftConfig
import WeftCore
import WeftIR

/// Clusters for every port of every service that a proxy sees, and for every subset; with their endpoints.
struct OutboundClusters {
    let scope: Scope

    func build(into configuration: inout ProxyConfiguration) {
        for service in scope.services {
            let destination = scope.destinationPolicy(for: service)
            for port in service.ports where port.protocol != .udp {
                let subsets: [DestinationRule.Subset?] = [nil] + (destination?.subsets ?? [])
                for subset in subsets { add(service, port, subset, destination, to: &configuration) }
            }
        }
    }

    func add(
        _ service: MeshService, _ port: MeshService.Port, _ subset: DestinationRule.Subset?,
        _ destination: DestinationPolicy?,
        to configuration: inout ProxyConfiguration
    ) {
        let name = ClusterName.outbound(port: port.number, subset: subset?.name ?? "", host: service.host)
        let policy = destination?.policy(subset: subset, port: port.number) ?? DestinationRule.TrafficPolicy()
        let defaults = scope.mesh.defaultTrafficPolicy
        let localities = LocalityBalancing(scope: scope, service: service, policy: policy)
        let assignment = EndpointAssignments(scope: scope).assignment(
            name: name, service: service, port: port, subset: subset, destination: destination, localities: localities)
        var cluster = Cluster(name: name, discovery: discovery(service, policy))
        cluster.provenance = destination.map { Provenance($0.resource, ruleName: subset?.name) }
        cluster.services = [.init(host: service.host, name: service.name, namespace: service.namespace)]
        cluster.connectTimeoutMilliseconds = scope.mesh.connectTimeout?.milliseconds ?? 10_000
        cluster.healthyPanicThresholdPercent = 0
        PoolSettings(policy.connectionPool ?? defaults?.connectionPool).apply(to: &cluster, port: port)
        MeshDefaults(scope.mesh).apply(to: &cluster, service: service, port: port, policy: policy)
        cluster.loadBalancer = balancer(policy.loadBalancer, discovery: cluster.discovery)
        if localities.isWeighted { cluster.balancing.locality = .weighted }
        OutlierSettings.apply(policy.outlierDetection ?? defaults?.outlierDetection, to: &cluster)
        UpstreamSecurity(scope: scope).apply(policy.tls, service: service, port: port, subset: subset, to: &cluster)
        switch cluster.discovery {
        case .eds: configuration.endpoints[name] = assignment
        case .strictDNS, .logicalDNS, .static: cluster.endpoints = assignment
        case .originalDestination, .dynamicForwardProxy: break
        }
        configuration.clusters[name] = cluster
    }

    private func discovery(_ service: MeshService, _ policy: DestinationRule.TrafficPolicy) -> Cluster.Discovery {
        if policy.loadBalancer?.simple == .passthrough { return .originalDestination(useHTTPHeader: false) }
        return switch service.resolution {
        case .endpoints: .eds(serviceName: "")
        case .headless, .passthrough: .originalDestination(useHTTPHeader: false)
        case .dns: .strictDNS
        case .dnsRoundRobin: .logicalDNS
        case .dynamicDNS: .dynamicForwardProxy(DynamicForwardProxy())
        }
    }

    private func balancer(_ settings: DestinationRule.LoadBalancer?, discovery: Cluster.Discovery)
        -> Cluster.LoadBalancer
    {
        switch discovery {
        case .originalDestination, .dynamicForwardProxy: return .clusterProvided
        case .eds, .static, .strictDNS, .logicalDNS: break
        }
        if let hash = settings?.consistentHash {
            if let maglev = hash.maglev { return .maglev(tableSize: UInt64(maglev.tableSize ?? 65_537)) }
            return .ringHash(
                minimumRingSize: UInt64(max(0, hash.ringHash?.minimumRingSize ?? hash.minimumRingSize ?? 1024)))
        }
        return switch settings?.simple ?? .unspecified {
        case .random: .random
        case .roundRobin: .roundRobin
        case .unspecified, .leastRequest, .leastConnections, .passthrough: .leastRequest(choiceCount: 2)
        }
    }
}

/// Connection-pool settings; limits that are not given are as good as none.
private struct PoolSettings {
    private let pool: DestinationRule.ConnectionPool?
    init(_ pool: DestinationRule.ConnectionPool?) { self.pool = pool }

    func apply(to cluster: inout Cluster, port: MeshService.Port) {
        cluster.circuitBreakers.maxConnections = limit(pool?.tcp?.maxConnections)
        cluster.circuitBreakers.maxPendingRequests = limit(pool?.http?.http1MaxPendingRequests)
        cluster.circuitBreakers.maxRequests = limit(pool?.http?.http2MaxRequests)
        cluster.circuitBreakers.maxRetries = limit(pool?.http?.maxRetries)
        if let timeout = pool?.tcp?.connectTimeout { cluster.connectTimeoutMilliseconds = timeout.milliseconds }
        cluster.maxConnectionDurationMilliseconds = pool?.tcp?.maxConnectionDuration?.milliseconds
        cluster.idleTimeoutMilliseconds = pool?.http?.idleTimeout?.milliseconds ?? pool?.tcp?.idleTimeout?.milliseconds
        if let keepalive = pool?.tcp?.tcpKeepalive {
            var value = Cluster.TCPKeepalive()
            value.probes = keepalive.probes.map(UInt32.init(clamping:))
            value.timeSeconds = keepalive.time.map { UInt32(clamping: $0.milliseconds / 1000) }
            value.intervalSeconds = keepalive.interval.map { UInt32(clamping: $0.milliseconds / 1000) }
            cluster.tcpKeepalive = value
        }
        if let most = pool?.http?.maxRequestsPerConnection, most > 0 {
            cluster.maxRequestsPerConnection = UInt32(clamping: most)
        }
        cluster.http2MaxConcurrentStreams = pool?.http?.maxConcurrentStreams.map(UInt32.init(clamping:))
        cluster.httpProtocol = protocolOptions(port)
    }

    private func protocolOptions(_ port: MeshService.Port) -> Cluster.HTTPProtocol {
        if port.protocol.isHTTP2 { return .http2 }
        if pool?.http?.useClientProtocol == true { return .useDownstream }
        if port.protocol == .http, pool?.http?.h2UpgradePolicy == .upgrade { return .http2 }
        return port.protocol == .sniffed ? .useDownstream : .http1
    }

    private func limit(_ value: Int?) -> UInt32 { value.map { $0 <= 0 ? .max : UInt32(clamping: $0) } ?? .max }
}

/// Outlier detection. Success rate never ejects; health is never ignored unless `minHealthPercent` says so.
private enum OutlierSettings {
    static func apply(_ settings: DestinationRule.OutlierDetection?, to cluster: inout Cluster) {
        guard let settings else { return }
        var outlier = WeftIR.OutlierDetection()
        outlier.enforcingSuccessRatePercent = 0
        let consecutive = settings.consecutive5xxErrors ?? 5
        outlier.consecutive5xx = UInt32(clamping: consecutive)
        outlier.enforcingConsecutive5xxPercent = consecutive > 0 ? 100 : 0
        let gateway = settings.consecutiveGatewayErrors ?? settings.consecutiveErrors ?? 0
        if gateway > 0 {
            outlier.consecutiveGatewayFailure = UInt32(clamping: gateway)
            outlier.enforcingConsecutiveGatewayFailurePercent = 100
        }
        outlier.splitExternalLocalOriginErrors = settings.splitExternalLocalOriginErrors ?? false
        if let local = settings.consecutiveLocalOriginFailures {
            outlier.consecutiveLocalOriginFailure = UInt32(clamping: local)
            outlier.enforcingConsecutiveLocalOriginFailurePercent = local > 0 ? 100 : 0
        }
        if let interval = settings.interval { outlier.intervalMilliseconds = interval.milliseconds }
        if let base = settings.baseEjectionTime { outlier.baseEjectionMilliseconds = base.milliseconds }
        outlier.maxEjectionMilliseconds = max(outlier.maxEjectionMilliseconds, outlier.baseEjectionMilliseconds)
        outlier.maxEjectionPercent = UInt32(clamping: settings.maxEjectionPercent ?? 10)
        cluster.outlierDetection = outlier
        cluster.healthyPanicThresholdPercent = Double(settings.minHealthPercent ?? 0)
    }
}
