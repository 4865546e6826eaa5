import SwiftProtobuf
import WeftIR
import WeftProto

private typealias Policies = Envoy_Config_Cluster_V3_LoadBalancingPolicy
private typealias WireRoundRobin = Envoy_Extensions_LoadBalancingPolicies_RoundRobin_V3_RoundRobin
private typealias WireRandom = Envoy_Extensions_LoadBalancingPolicies_Random_V3_Random
private typealias WireLeastRequest = Envoy_Extensions_LoadBalancingPolicies_LeastRequest_V3_LeastRequest
private typealias WireRingHash = Envoy_Extensions_LoadBalancingPolicies_RingHash_V3_RingHash
private typealias WireMaglev = Envoy_Extensions_LoadBalancingPolicies_Maglev_V3_Maglev
private typealias WireProvided = Envoy_Extensions_LoadBalancingPolicies_ClusterProvided_V3_ClusterProvided
private typealias WireReported =
    Envoy_Extensions_LoadBalancingPolicies_ClientSideWeightedRoundRobin_V3_ClientSideWeightedRoundRobin
private typealias WireSubset = Envoy_Extensions_LoadBalancingPolicies_Subset_V3_Subset

/// `load_balancing_policy`: the first policy of the list that is known is taken, as Envoy does.
extension Cluster {
    /// Policies that `lb_policy` has no number for.
    func extensionPolicy() throws -> Envoy_Config_Cluster_V3_LoadBalancingPolicy? {
        guard loadBalancer == .clientSideWeightedRoundRobin else { return nil }
        var wire = WireReported()
        wire.blackoutPeriod = .init(milliseconds: balancing.reportedWeights.blackoutMilliseconds)
        wire.weightExpirationPeriod = .init(milliseconds: balancing.reportedWeights.expirationMilliseconds)
        wire.errorUtilizationPenalty.value = Float(balancing.reportedWeights.errorUtilizationPenalty)
        var policy = Policies.Policy()
        policy.typedExtensionConfig.name = "envoy.load_balancing_policies.client_side_weighted_round_robin"
        policy.typedExtensionConfig.typedConfig = try pack(wire)
        var policies = Policies()
        policies.policies = [policy]
        return policies
    }

    mutating func readPolicy(_ wire: Envoy_Config_Cluster_V3_LoadBalancingPolicy, _ reader: WireReader) throws {
        for (index, policy) in wire.policies.enumerated() {
            let isKnown = try reader.at("policies[\(index)].typed_extension_config") {
                try readPolicy(policy.typedExtensionConfig.typedConfig, reader)
            }
            if isKnown { return }
        }
        let names = wire.policies.map(\.typedExtensionConfig.typedConfig.messageName).joined(separator: ", ")
        throw reader.error("no policy of [\(names)] is supported")
    }

    private mutating func readPolicy(_ any: Google_Protobuf_Any, _ reader: WireReader) throws -> Bool {
        if any.holds(WireRoundRobin.self) {
            let wire = try reader.unpack(any, as: WireRoundRobin.self)
            loadBalancer = .roundRobin
            if wire.hasSlowStartConfig { balancing.slowStart = .init(wire.slowStartConfig, reader) }
            readLocality(wire.localityLbConfig)
        } else if any.holds(WireLeastRequest.self) {
            try readLeastRequest(try reader.unpack(any, as: WireLeastRequest.self), reader)
        } else if any.holds(WireRandom.self) {
            loadBalancer = .random
            readLocality(try reader.unpack(any, as: WireRandom.self).localityLbConfig)
        } else if any.holds(WireRingHash.self) {
            try readRingHash(try reader.unpack(any, as: WireRingHash.self), reader)
        } else if any.holds(WireMaglev.self) {
            let wire = try reader.unpack(any, as: WireMaglev.self)
            loadBalancer = .maglev(tableSize: wire.hasTableSize ? wire.tableSize.value : 65_537)
            try readHashing(wire.consistentHashingLbConfig, reader)
            if wire.hasLocalityWeightedLbConfig { balancing.locality = .weighted }
        } else if any.holds(WireProvided.self) {
            loadBalancer = .clusterProvided
        } else if any.holds(WireReported.self) {
            readReported(try reader.unpack(any, as: WireReported.self))
        } else if any.holds(WireSubset.self) {
            try readSubset(try reader.unpack(any, as: WireSubset.self), reader)
        } else {
            return false
        }
        return true
    }

    private mutating func readLeastRequest(_ wire: WireLeastRequest, _ reader: WireReader) throws {
        loadBalancer = .leastRequest(choiceCount: wire.hasChoiceCount ? wire.choiceCount.value : 2)
        if wire.hasActiveRequestBias { balancing.activeRequestBias = reader.runtime.number(wire.activeRequestBias) }
        if wire.hasSlowStartConfig { balancing.slowStart = .init(wire.slowStartConfig, reader) }
        balancing.scansAllHosts = wire.selectionMethod == .fullScan
        readLocality(wire.localityLbConfig)
    }

    private mutating func readRingHash(_ wire: WireRingHash, _ reader: WireReader) throws {
        loadBalancer = .ringHash(minimumRingSize: wire.hasMinimumRingSize ? wire.minimumRingSize.value : 1024)
        if wire.hasMaximumRingSize { balancing.maximumRingSize = wire.maximumRingSize.value }
        balancing.hashFunction = wire.hashFunction == .murmurHash2 ? .murmurHash2 : .xxHash
        try readHashing(wire.consistentHashingLbConfig, reader)
        if wire.hasLocalityWeightedLbConfig { balancing.locality = .weighted }
    }

    private mutating func readReported(_ wire: WireReported) {
        loadBalancer = .clientSideWeightedRoundRobin
        if wire.hasBlackoutPeriod { balancing.reportedWeights.blackoutMilliseconds = wire.blackoutPeriod.milliseconds }
        if wire.hasWeightExpirationPeriod {
            balancing.reportedWeights.expirationMilliseconds = wire.weightExpirationPeriod.milliseconds
        }
        if wire.hasErrorUtilizationPenalty {
            balancing.reportedWeights.errorUtilizationPenalty = Double(wire.errorUtilizationPenalty.value)
        }
    }

    private mutating func readSubset(_ wire: WireSubset, _ reader: WireReader) throws {
        var subsets = Subsets()
        subsets.fallback = .init(number: wire.fallbackPolicy.rawValue)
        subsets.defaultSubset = .init(wire.defaultSubset)
        subsets.selectors = wire.subsetSelectors.map { selector in
            var value = Subsets.Selector(keys: selector.keys)
            value.fallback = .init(number: selector.fallbackPolicy.rawValue)
            value.fallbackKeys = selector.fallbackKeysSubset
            value.singleHostPerSubset = selector.singleHostPerSubset
            return value
        }
        subsets.localityWeightAware = wire.localityWeightAware
        subsets.scaleLocalityWeight = wire.scaleLocalityWeight
        subsets.panicModeAny = wire.panicModeAny
        subsets.listAsAny = wire.listAsAny
        subsets.triesFallbackList = wire.metadataFallbackPolicy == .fallbackList
        try reader.at("subset_lb_policy") { try readPolicy(wire.subsetLbPolicy, reader) }
        balancing.subsets = subsets
    }

    private mutating func readHashing(
        _ wire: Envoy_Extensions_LoadBalancingPolicies_Common_V3_ConsistentHashingLbConfig, _ reader: WireReader
    ) throws {
        balancing.hashesHostname = wire.useHostnameForHashing
        try balancing.setBalanceFactor(wire.hasHashBalanceFactor ? wire.hashBalanceFactor.value : nil, reader)
    }

    private mutating func readLocality(_ wire: Envoy_Extensions_LoadBalancingPolicies_Common_V3_LocalityLbConfig) {
        switch wire.localityConfigSpecifier {
        case .localityWeightedLbConfig: balancing.locality = .weighted
        case .zoneAwareLbConfig(let config):
            var zone = LoadBalancing.ZoneAware()
            if config.hasRoutingEnabled {
                zone.routingEnabledPercent = UInt32(max(0, min(100, config.routingEnabled.value)))
            }
            if config.hasMinClusterSize { zone.minimumClusterSize = config.minClusterSize.value }
            zone.failsTrafficOnPanic = config.failTrafficOnPanic
            balancing.locality = .zoneAware(zone)
        case nil: break
        }
    }
}

extension LoadBalancing.SlowStart {
    fileprivate init(_ wire: Envoy_Extensions_LoadBalancingPolicies_Common_V3_SlowStartConfig, _ reader: WireReader) {
        self.init(windowMilliseconds: wire.slowStartWindow.milliseconds)
        if wire.hasAggression { aggression = reader.runtime.number(wire.aggression) }
        if wire.hasMinWeightPercent { minimumWeightPercent = wire.minWeightPercent.value }
    }
}
