import SwiftProtobuf
import WeftIR
import WeftProto

extension LoadBalancing {
    /// `common_lb_config` and the configurations that belong to `lb_policy`.
    func write(to wire: inout WireCluster, for balancer: Cluster.LoadBalancer) {
        switch balancer {
        case .roundRobin: if let slowStart { wire.roundRobinLbConfig.slowStartConfig = slowStart.wire() }
        case .leastRequest:
            if activeRequestBias != 1 { wire.leastRequestLbConfig.activeRequestBias.defaultValue = activeRequestBias }
            if let slowStart { wire.leastRequestLbConfig.slowStartConfig = slowStart.wire() }
        case .ringHash:
            wire.ringHashLbConfig.hashFunction = hashFunction == .xxHash ? .xxHash : .murmurHash2
            wire.ringHashLbConfig.maximumRingSize = .init(maximumRingSize)
        case .random, .maglev, .clientSideWeightedRoundRobin, .peakEWMA, .clusterProvided: break
        }
        switch locality {
        case .none: break
        case .weighted: wire.commonLbConfig.localityWeightedLbConfig = .init()
        case .zoneAware(let zone):
            wire.commonLbConfig.zoneAwareLbConfig.routingEnabled.value = Double(zone.routingEnabledPercent)
            wire.commonLbConfig.zoneAwareLbConfig.minClusterSize = .init(zone.minimumClusterSize)
            wire.commonLbConfig.zoneAwareLbConfig.failTrafficOnPanic = zone.failsTrafficOnPanic
        }
        if hashesHostname { wire.commonLbConfig.consistentHashingLbConfig.useHostnameForHashing = true }
        if hashBalanceFactorPercent > 0 {
            wire.commonLbConfig.consistentHashingLbConfig.hashBalanceFactor = .init(hashBalanceFactorPercent)
        }
        if let subsets { wire.lbSubsetConfig = subsets.wire() }
    }

    init(_ wire: WireCluster, _ reader: WireReader) throws {
        self.init()
        switch wire.lbConfig {
        case .roundRobinLbConfig(let config):
            if config.hasSlowStartConfig { slowStart = SlowStart(config.slowStartConfig, reader) }
        case .leastRequestLbConfig(let config):
            if config.hasActiveRequestBias { activeRequestBias = reader.runtime.number(config.activeRequestBias) }
            if config.hasSlowStartConfig { slowStart = SlowStart(config.slowStartConfig, reader) }
        case .ringHashLbConfig(let config):
            hashFunction = config.hashFunction == .murmurHash2 ? .murmurHash2 : .xxHash
            if config.hasMaximumRingSize { maximumRingSize = config.maximumRingSize.value }
        case .maglevLbConfig, .originalDstLbConfig, nil: break
        }
        switch wire.commonLbConfig.localityConfigSpecifier {
        case .localityWeightedLbConfig: locality = .weighted
        case .zoneAwareLbConfig(let config): locality = .zoneAware(ZoneAware(config))
        case nil: locality = .none
        }
        let hashing = wire.commonLbConfig.consistentHashingLbConfig
        hashesHostname = hashing.useHostnameForHashing
        try setBalanceFactor(hashing.hasHashBalanceFactor ? hashing.hashBalanceFactor.value : nil, reader)
        if wire.hasLbSubsetConfig { subsets = Subsets(wire.lbSubsetConfig) }
    }

    mutating func setBalanceFactor(_ percent: UInt32?, _ reader: WireReader) throws {
        guard let percent else { return }
        guard percent >= 100 else { throw reader.error("hash_balance_factor must be at least 100") }
        hashBalanceFactorPercent = percent
    }
}

extension LoadBalancing.ZoneAware {
    init(_ wire: WireCluster.CommonLbConfig.ZoneAwareLbConfig) {
        self.init()
        if wire.hasRoutingEnabled { routingEnabledPercent = UInt32(max(0, min(100, wire.routingEnabled.value))) }
        if wire.hasMinClusterSize { minimumClusterSize = wire.minClusterSize.value }
        failsTrafficOnPanic = wire.failTrafficOnPanic
    }
}

extension LoadBalancing.SlowStart {
    func wire() -> WireCluster.SlowStartConfig {
        var wire = WireCluster.SlowStartConfig()
        wire.slowStartWindow = .init(milliseconds: windowMilliseconds)
        wire.aggression.defaultValue = aggression
        wire.minWeightPercent.value = minimumWeightPercent
        return wire
    }

    init(_ wire: WireCluster.SlowStartConfig, _ reader: WireReader) {
        self.init(windowMilliseconds: wire.slowStartWindow.milliseconds)
        if wire.hasAggression { aggression = reader.runtime.number(wire.aggression) }
        if wire.hasMinWeightPercent { minimumWeightPercent = wire.minWeightPercent.value }
    }
}

extension Subsets {
    private typealias Wire = Envoy_Config_Cluster_V3_Cluster.LbSubsetConfig

    func wire() -> Envoy_Config_Cluster_V3_Cluster.LbSubsetConfig {
        var wire = Wire()
        wire.fallbackPolicy = Wire.LbSubsetFallbackPolicy(rawValue: fallback.number) ?? .noFallback
        wire.defaultSubset = defaultSubset.wire
        wire.subsetSelectors = selectors.map { selector in
            var value = Wire.LbSubsetSelector()
            value.keys = selector.keys
            value.fallbackPolicy = .init(rawValue: selector.fallback.number) ?? .notDefined
            value.fallbackKeysSubset = selector.fallbackKeys
            value.singleHostPerSubset = selector.singleHostPerSubset
            return value
        }
        wire.localityWeightAware = localityWeightAware
        wire.scaleLocalityWeight = scaleLocalityWeight
        wire.panicModeAny = panicModeAny
        wire.listAsAny = listAsAny
        wire.metadataFallbackPolicy = triesFallbackList ? .fallbackList : .metadataNoFallback
        return wire
    }

    init(_ wire: Envoy_Config_Cluster_V3_Cluster.LbSubsetConfig) {
        self.init()
        fallback = Fallback(number: wire.fallbackPolicy.rawValue)
        defaultSubset = .init(wire.defaultSubset)
        selectors = wire.subsetSelectors.map { selector in
            var value = Selector(keys: selector.keys)
            value.fallback = .init(number: selector.fallbackPolicy.rawValue)
            value.fallbackKeys = selector.fallbackKeysSubset
            value.singleHostPerSubset = selector.singleHostPerSubset
            return value
        }
        localityWeightAware = wire.localityWeightAware
        scaleLocalityWeight = wire.scaleLocalityWeight
        panicModeAny = wire.panicModeAny
        listAsAny = wire.listAsAny
        triesFallbackList = wire.metadataFallbackPolicy == .fallbackList
    }
}

extension Subsets.Fallback {
    private static let order: [Self] = [.noFallback, .anyEndpoint, .defaultSubset]
    var number: Int { Self.order.firstIndex(of: self) ?? 0 }
    init(number: Int) { self = Self.order.indices.contains(number) ? Self.order[number] : .noFallback }
}

extension Subsets.Selector.Fallback {
    private static let order: [Self] = [.notDefined, .noFallback, .anyEndpoint, .defaultSubset, .keysSubset]
    var number: Int { Self.order.firstIndex(of: self) ?? 0 }
    init(number: Int) { self = Self.order.indices.contains(number) ? Self.order[number] : .notDefined }
}
