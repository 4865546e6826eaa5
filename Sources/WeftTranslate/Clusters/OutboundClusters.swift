import WeftConfig
import WeftCore
import WeftIR

/// Clusters for every port of every service that a proxy sees, and for every subset; with their endpoints.
struct OutboundClusters {
    let scope: Scope

    /// - Returns: what could not be done as a DestinationRule asks, each once.
    func build(into configuration: inout ProxyConfiguration) -> [Diagnostic] {
        var diagnostics: [Diagnostic] = []
        for service in scope.services {
            let destination = scope.destinationPolicy(for: service)
            for port in service.ports where port.protocol != .udp {
                let subsets: [DestinationRule.Subset?] = [nil] + (destination?.subsets ?? [])
                for subset in subsets {
                    let problem = add(service, port, subset, destination, to: &configuration)
                    if let problem, !diagnostics.contains(problem) { diagnostics.append(problem) }
                }
            }
        }
        return diagnostics
    }

    /// - Returns: why the cluster has no endpoints, if its TLS cannot be what its rule asks for.
    @discardableResult
    func add(
        _ service: MeshService, _ port: MeshService.Port, _ subset: DestinationRule.Subset?,
        _ destination: DestinationPolicy?,
        to configuration: inout ProxyConfiguration
    ) -> Diagnostic? {
        let name = ClusterName.outbound(port: port.number, subset: subset?.name ?? "", host: service.host)
        let policy = policy(destination, subset, port)
        var (cluster, assignment) = cluster(name, service, port, subset, destination, policy)
        var problem: Diagnostic?
        do {
            try UpstreamSecurity(scope: scope).apply(
                policy.tls, service: service, port: port, subset: subset, destination: destination, to: &cluster,
                &configuration)
        } catch {
            // Never in plain text because a secret is missing.
            cluster.discovery = .eds(serviceName: "")
            cluster.loadBalancer = .leastRequest(choiceCount: 2)
            assignment.localities = []
            assignment.emptyReason = error.message
            problem = Diagnostic(
                .error, code: "IST0101", resource: destination?.resource, path: "spec.trafficPolicy.tls",
                message: error.message, hint: error.hint)
        }
        if policy.tls == nil {
            GatewayBackendTLS(scope: scope).apply(
                service: service, port: port, to: &cluster, &assignment, &configuration)
        }
        applyProxyProtocol(policy.proxyProtocol, to: &cluster)
        insert(cluster, assignment, into: &configuration)
        return problem ?? missingPeers(service, policy, destination)
    }

    /// Said of the rule that asks for zones; the mesh's own setting is for whoever can follow it.
    private func missingPeers(
        _ service: MeshService, _ policy: DestinationRule.TrafficPolicy, _ destination: DestinationPolicy?
    ) -> Diagnostic? {
        guard let destination, policy.loadBalancer?.zoneAwareLbSetting != nil,
            LocalityBalancing(scope: scope, service: service, policy: policy).lacksPeers
        else { return nil }
        return Diagnostic(
            .warning, code: "IST0133", resource: destination.resource,
            path: "spec.trafficPolicy.loadBalancer.zoneAwareLbSetting",
            message: "proxies in namespace \(scope.proxy.namespace) do not know their peers: regions count for them, "
                + "zones do not",
            hint: "set proxyMetadata ISTIO_META_ENABLE_SELF_DISCOVERY: \"true\" for the clients and restart them")
    }

    /// The cluster behind a server name: whoever asked for it has spoken TLS already, so that nothing is added here.
    func addPassthrough(
        _ name: String, _ service: MeshService, _ port: MeshService.Port, _ subset: DestinationRule.Subset?,
        _ destination: DestinationPolicy?, to configuration: inout ProxyConfiguration
    ) {
        let policy = policy(destination, subset, port)
        let (cluster, assignment) = cluster(name, service, port, subset, destination, policy)
        insert(cluster, assignment, into: &configuration)
    }

    private func insert(
        _ cluster: Cluster, _ assignment: ClusterLoadAssignment, into configuration: inout ProxyConfiguration
    ) {
        var cluster = cluster
        switch cluster.discovery {
        case .eds: configuration.endpoints[cluster.name] = assignment
        case .strictDNS, .logicalDNS, .static: cluster.endpoints = assignment
        case .originalDestination, .dynamicForwardProxy: break
        }
        configuration.clusters[cluster.name] = cluster
    }

    // MARK: - What the rule says

    private func policy(
        _ destination: DestinationPolicy?, _ subset: DestinationRule.Subset?, _ port: MeshService.Port
    ) -> DestinationRule.TrafficPolicy {
        let policy = destination?.policy(subset: subset, port: port.number) ?? DestinationRule.TrafficPolicy()
        return policy.filled(from: scope.mesh.defaultTrafficPolicy)
    }

    private func cluster(
        _ name: String, _ service: MeshService, _ port: MeshService.Port, _ subset: DestinationRule.Subset?,
        _ destination: DestinationPolicy?, _ policy: DestinationRule.TrafficPolicy
    ) -> (Cluster, ClusterLoadAssignment) {
        let localities = LocalityBalancing(scope: scope, service: service, policy: policy)
        let assignment = EndpointAssignments(scope: scope).assignment(
            name: name, service: service, port: port, subset: subset, destination: destination, localities: localities)
        var cluster = Cluster(name: name, discovery: discovery(service, policy))
        cluster.provenance = destination.map { Provenance($0.resource, ruleName: subset?.name) }
        cluster.services = [.init(host: service.host, name: service.name, namespace: service.namespace)]
        cluster.connectTimeoutMilliseconds = scope.mesh.connectTimeout?.milliseconds ?? 10_000
        cluster.healthyPanicThresholdPercent = 0
        PoolSettings(policy.connectionPool).apply(to: &cluster, port: port)
        MeshDefaults(scope.mesh).apply(to: &cluster, service: service, port: port, policy: policy)
        if let budget = policy.retryBudget {
            cluster.circuitBreakers.retryBudget = Cluster.RetryBudget()
            if let percent = budget.percent { cluster.circuitBreakers.retryBudget?.budgetPercent = percent }
            if let least = budget.minRetryConcurrency {
                cluster.circuitBreakers.retryBudget?.minimumRetryConcurrency = UInt32(clamping: least)
            }
        }
        BalancerSettings(policy.loadBalancer).apply(to: &cluster)
        if cluster.loadBalancer != .clusterProvided { cluster.balancing.locality = localities.mode }
        OutlierSettings.apply(policy.outlierDetection, to: &cluster)
        return (cluster, assignment)
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

    /// The header stands before TLS, whichever way the endpoint is spoken to.
    private func applyProxyProtocol(_ settings: DestinationRule.ProxyProtocol?, to cluster: inout Cluster) {
        guard let settings else { return }
        let header = UpstreamProxyProtocol(version: settings.version == "V2" ? .v2 : .v1)
        if cluster.transportSocketMatches.isEmpty { cluster.proxyProtocol = header }
        for index in cluster.transportSocketMatches.indices {
            cluster.transportSocketMatches[index].proxyProtocol = header
        }
    }
}
