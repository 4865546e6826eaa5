import SwiftProtobuf
import WeftIR
import WeftProto

typealias WireForwardCluster = Envoy_Extensions_Clusters_DynamicForwardProxy_V3_ClusterConfig
typealias WireDNSCache = Envoy_Extensions_Common_DynamicForwardProxy_V3_DnsCacheConfig

extension Cluster.CircuitBreakers {
    func wire(_ priority: Envoy_Config_Core_V3_RoutingPriority) -> Envoy_Config_Cluster_V3_CircuitBreakers.Thresholds {
        var wire = Envoy_Config_Cluster_V3_CircuitBreakers.Thresholds()
        wire.priority = priority
        wire.maxConnections = .init(maxConnections)
        wire.maxPendingRequests = .init(maxPendingRequests)
        wire.maxRequests = .init(maxRequests)
        wire.maxRetries = .init(maxRetries)
        if let maxConnectionPools { wire.maxConnectionPools = .init(maxConnectionPools) }
        if let retryBudget {
            wire.retryBudget.budgetPercent.value = retryBudget.budgetPercent
            wire.retryBudget.minRetryConcurrency = .init(retryBudget.minimumRetryConcurrency)
        }
        return wire
    }

    init(_ wire: Envoy_Config_Cluster_V3_CircuitBreakers.Thresholds) {
        self.init()
        if wire.hasMaxConnections { maxConnections = wire.maxConnections.value }
        if wire.hasMaxPendingRequests { maxPendingRequests = wire.maxPendingRequests.value }
        if wire.hasMaxRequests { maxRequests = wire.maxRequests.value }
        if wire.hasMaxRetries { maxRetries = wire.maxRetries.value }
        if wire.hasMaxConnectionPools { maxConnectionPools = wire.maxConnectionPools.value }
        guard wire.hasRetryBudget else { return }
        var budget = Cluster.RetryBudget()
        if wire.retryBudget.hasBudgetPercent { budget.budgetPercent = wire.retryBudget.budgetPercent.value }
        if wire.retryBudget.hasMinRetryConcurrency {
            budget.minimumRetryConcurrency = wire.retryBudget.minRetryConcurrency.value
        }
        retryBudget = budget
    }
}

extension DNSOptions.Family {
    var wire: WireCluster.DnsLookupFamily {
        switch self {
        case .auto: .auto
        case .v4Only: .v4Only
        case .v6Only: .v6Only
        case .v4Preferred: .v4Preferred
        case .all: .all
        }
    }

    init(_ wire: WireCluster.DnsLookupFamily) {
        switch wire {
        case .v4Only: self = .v4Only
        case .v6Only: self = .v6Only
        case .v4Preferred: self = .v4Preferred
        case .all: self = .all
        case .auto, .UNRECOGNIZED: self = .auto
        }
    }
}

extension DNSOptions {
    func write(to wire: inout WireCluster) {
        wire.dnsLookupFamily = family.wire
        wire.respectDnsTtl = respectsTTL
        if let failureRefreshMilliseconds {
            wire.dnsFailureRefreshRate.baseInterval = .init(milliseconds: failureRefreshMilliseconds)
        }
        if jitterMilliseconds > 0 { wire.dnsJitter = .init(milliseconds: jitterMilliseconds) }
    }

    mutating func read(_ wire: WireCluster) {
        family = Family(wire.dnsLookupFamily)
        respectsTTL = wire.respectDnsTtl
        if wire.hasDnsFailureRefreshRate {
            failureRefreshMilliseconds = wire.dnsFailureRefreshRate.baseInterval.milliseconds
        }
        jitterMilliseconds = wire.dnsJitter.milliseconds
    }
}

extension DynamicForwardProxy {
    func wire(_ dns: DNSOptions) -> WireForwardCluster {
        var wire = WireForwardCluster()
        wire.dnsCacheConfig.name = "dynamic_forward_proxy"
        wire.dnsCacheConfig.dnsLookupFamily = dns.family.wire
        wire.dnsCacheConfig.hostTtl = .init(milliseconds: hostTimeToLiveMilliseconds)
        wire.dnsCacheConfig.maxHosts = .init(maximumHosts)
        wire.dnsCacheConfig.dnsCacheCircuitBreaker.maxPendingRequests = .init(maximumPendingLookups)
        return wire
    }

    init(_ wire: WireDNSCache) {
        self.init()
        if wire.hasHostTtl { hostTimeToLiveMilliseconds = wire.hostTtl.milliseconds }
        if wire.hasMaxHosts { maximumHosts = wire.maxHosts.value }
        if wire.dnsCacheCircuitBreaker.hasMaxPendingRequests {
            maximumPendingLookups = wire.dnsCacheCircuitBreaker.maxPendingRequests.value
        }
    }
}
