import SwiftProtobuf
import WeftIR
import WeftProto

extension Listener {
    func wire(_ target: Target) throws -> WireListener {
        var wire = WireListener()
        wire.name = name
        wire.address = address.wire()
        wire.additionalAddresses = additionalAddresses.map { address in
            var value = Envoy_Config_Listener_V3_AdditionalAddress()
            value.address = address.wire()
            return value
        }
        wire.bindToPort = .init(bindToPort)
        wire.useOriginalDst = .init(useOriginalDestination)
        switch trafficDirection {
        case .unspecified: wire.trafficDirection = .unspecified
        case .inbound: wire.trafficDirection = .inbound
        case .outbound: wire.trafficDirection = .outbound
        }
        wire.listenerFilters = try listenerFilters.map { try $0.wire() }
        wire.listenerFiltersTimeout = .init(milliseconds: UInt64(listenerFiltersTimeoutMilliseconds))
        wire.continueOnListenerFiltersTimeout = continueOnListenerFiltersTimeout
        wire.filterChains = try filterChains.map { try $0.wire(target) }
        if let defaultFilterChain { wire.defaultFilterChain = try defaultFilterChain.wire(target) }
        wire.accessLog = try accessLogs.map { try $0.wire() }
        wire.ignoreGlobalConnLimit = ignoresGlobalConnectionLimit
        if let perConnectionBufferLimit { wire.perConnectionBufferLimitBytes = .init(perConnectionBufferLimit) }
        wire.socketOptions = socketOptions.map { $0.wire() }
        if let backlog { wire.tcpBacklogSize = .init(backlog) }
        if let provenance { wire.metadata.set(provenance) }
        return wire
    }

    /// Options that have fields of their own, and the others, in the order in which Envoy sets them.
    private static func socketOptions(_ wire: WireListener, _ reader: WireReader) throws -> [SocketOption] {
        var options: [SocketOption] = []
        // IP_FREEBIND and TCP_FASTOPEN (ip(7), tcp(7)).
        if wire.freebind.value { options.append(SocketOption(level: 0, name: 15, value: 1, moment: .beforeBind)) }
        if wire.hasTcpFastOpenQueueLength {
            let length = Int32(clamping: wire.tcpFastOpenQueueLength.value)
            options.append(SocketOption(level: 6, name: 23, value: length, moment: .listening))
        }
        return options + (try reader.map("socket_options", wire.socketOptions) { try SocketOption($0, reader) })
    }

    init(_ wire: WireListener, _ reader: WireReader) throws {
        self.init(name: wire.name, address: try reader.at("address") { try Address(wire.address, reader) })
        additionalAddresses = try reader.map("additional_addresses", wire.additionalAddresses) {
            try Address($0.address, reader)
        }
        bindToPort = wire.hasBindToPort ? wire.bindToPort.value : true
        useOriginalDestination = wire.useOriginalDst.value
        switch wire.trafficDirection {
        case .inbound: trafficDirection = .inbound
        case .outbound: trafficDirection = .outbound
        default: trafficDirection = .unspecified
        }
        listenerFilters = try reader.map("listener_filters", wire.listenerFilters) { try ListenerFilter($0, reader) }
        if wire.hasListenerFiltersTimeout {
            listenerFiltersTimeoutMilliseconds = UInt32(clamping: wire.listenerFiltersTimeout.milliseconds)
        }
        continueOnListenerFiltersTimeout = wire.continueOnListenerFiltersTimeout
        filterChains = try reader.map("filter_chains", wire.filterChains) { try FilterChain($0, reader) }
        if wire.hasDefaultFilterChain {
            defaultFilterChain = try reader.at("default_filter_chain") {
                try FilterChain(wire.defaultFilterChain, reader)
            }
        }
        accessLogs = try reader.map("access_log", wire.accessLog) { try AccessLog($0, reader) }
        ignoresGlobalConnectionLimit = wire.ignoreGlobalConnLimit
        if wire.hasPerConnectionBufferLimitBytes { perConnectionBufferLimit = wire.perConnectionBufferLimitBytes.value }
        socketOptions = try Self.socketOptions(wire, reader)
        backlog = wire.hasTcpBacklogSize ? wire.tcpBacklogSize.value : nil
        provenance = wire.metadata.provenance
    }
}

private typealias WireOriginalDst = Envoy_Extensions_Filters_Listener_OriginalDst_V3_OriginalDst
private typealias WireTLSInspector = Envoy_Extensions_Filters_Listener_TlsInspector_V3_TlsInspector
private typealias WireHTTPInspector = Envoy_Extensions_Filters_Listener_HttpInspector_V3_HttpInspector

extension ListenerFilter {
    func wire() throws -> Envoy_Config_Listener_V3_ListenerFilter {
        var wire = Envoy_Config_Listener_V3_ListenerFilter()
        switch self {
        case .originalDestination:
            wire.name = "envoy.filters.listener.original_dst"
            wire.typedConfig = try pack(Envoy_Extensions_Filters_Listener_OriginalDst_V3_OriginalDst())
        case .tlsInspector:
            wire.name = "envoy.filters.listener.tls_inspector"
            wire.typedConfig = try pack(Envoy_Extensions_Filters_Listener_TlsInspector_V3_TlsInspector())
        case .httpInspector:
            wire.name = "envoy.filters.listener.http_inspector"
            wire.typedConfig = try pack(Envoy_Extensions_Filters_Listener_HttpInspector_V3_HttpInspector())
        case .proxyProtocol(let filter):
            wire.name = "envoy.filters.listener.proxy_protocol"
            wire.typedConfig = try pack(filter.wire())
        }
        return wire
    }

    init(_ wire: Envoy_Config_Listener_V3_ListenerFilter, _ reader: WireReader) throws {
        let any = wire.typedConfig
        switch any.messageName {
        case WireOriginalDst.protoMessageName:
            _ = try reader.unpack(any, as: WireOriginalDst.self)
            self = .originalDestination
        case WireTLSInspector.protoMessageName:
            _ = try reader.unpack(any, as: WireTLSInspector.self)
            self = .tlsInspector
        case WireHTTPInspector.protoMessageName:
            _ = try reader.unpack(any, as: WireHTTPInspector.self)
            self = .httpInspector
        case WireProxyProtocol.protoMessageName:
            self = .proxyProtocol(try ProxyProtocolFilter(reader.unpack(any, as: WireProxyProtocol.self), reader))
        default: throw reader.error("listener filter \(wire.name) (\(wire.typedConfig.messageName)) is not supported")
        }
    }
}

extension FilterChain {
    /// Where the chain's metadata says whose its TCP proxy is: that filter has no metadata of its own.
    private static let tcpKey = "weft.tcp_proxy"

    func wire(_ target: Target) throws -> WireChain {
        var wire = WireChain()
        wire.name = name
        if match != FilterChainMatch() { wire.filterChainMatch = match.wire() }
        if let tls { wire.transportSocket = try tls.transportSocket() }
        wire.filters = try filters.compactMap { try $0.wire(target) }
        if let provenance { wire.metadata.set(provenance) }
        for case .tcpProxy(let proxy) in filters {
            if let provenance = proxy.provenance { wire.metadata.filterMetadata[Self.tcpKey] = provenance.fields() }
        }
        return wire
    }

    init(_ wire: WireChain, _ reader: WireReader) throws {
        self.init(name: wire.name)
        match = try reader.at("filter_chain_match") { try FilterChainMatch(wire.filterChainMatch, reader) }
        if wire.hasTransportSocket {
            tls = try reader.at("transport_socket") { try DownstreamTLS.from(wire.transportSocket, reader) }
        }
        provenance = wire.metadata.provenance
        let tcpProvenance = Provenance(wire.metadata.filterMetadata[Self.tcpKey])
        filters = try reader.map("filters", wire.filters) { filter in
            let filter = try NetworkFilter(filter, reader)
            guard case .tcpProxy(var proxy) = filter else { return filter }
            proxy.provenance = tcpProvenance
            return .tcpProxy(proxy)
        }
    }
}

extension FilterChainMatch {
    func wire() -> Envoy_Config_Listener_V3_FilterChainMatch {
        var wire = Envoy_Config_Listener_V3_FilterChainMatch()
        if let destinationPort { wire.destinationPort = .init(UInt32(destinationPort)) }
        wire.prefixRanges = prefixRanges.map { $0.wire() }
        wire.serverNames = serverNames
        wire.transportProtocol = transportProtocol
        wire.applicationProtocols = applicationProtocols
        wire.directSourcePrefixRanges = directSourcePrefixRanges.map { $0.wire() }
        wire.sourcePrefixRanges = sourcePrefixRanges.map { $0.wire() }
        wire.sourcePorts = sourcePorts.map(UInt32.init)
        switch sourceType {
        case .any: break
        case .sameIPOrLoopback: wire.sourceType = .sameIpOrLoopback
        case .external: wire.sourceType = .external
        }
        return wire
    }

    init(_ wire: Envoy_Config_Listener_V3_FilterChainMatch, _ reader: WireReader) throws {
        self.init()
        if wire.hasDestinationPort { destinationPort = try reader.port(wire.destinationPort.value) }
        prefixRanges = try wire.prefixRanges.map { try CIDR($0, reader) }
        serverNames = wire.serverNames
        transportProtocol = wire.transportProtocol
        applicationProtocols = wire.applicationProtocols
        directSourcePrefixRanges = try wire.directSourcePrefixRanges.map { try CIDR($0, reader) }
        sourcePrefixRanges = try wire.sourcePrefixRanges.map { try CIDR($0, reader) }
        sourcePorts = try wire.sourcePorts.map { try reader.port($0) }
        switch wire.sourceType {
        case .any: break
        case .sameIpOrLoopback: sourceType = .sameIPOrLoopback
        case .external: sourceType = .external
        case .UNRECOGNIZED(let value): throw reader.error("source_type \(value) is not known")
        }
    }
}

extension NetworkFilter {
    /// - Returns: `nil` for a filter that the target does not have.
    func wire(_ target: Target) throws -> Envoy_Config_Listener_V3_Filter? {
        var wire = Envoy_Config_Listener_V3_Filter()
        switch self {
        case .rbac(let rbac):
            wire.name = "envoy.filters.network.rbac"
            wire.typedConfig = try pack(rbac.networkWire())
        case .tcpProxy(let proxy):
            wire.name = "envoy.filters.network.tcp_proxy"
            wire.typedConfig = try pack(proxy.wire())
        case .httpConnectionManager(let manager):
            wire.name = "envoy.filters.network.http_connection_manager"
            wire.typedConfig = try pack(manager.wire(target))
        case .stats(let stats):
            guard target == .weft else { return nil }
            wire.name = "istio.stats"
            wire.typedConfig = try pack(stats.wire())
        case .connectionLimit(let limit):
            wire.name = "envoy.filters.network.connection_limit"
            wire.typedConfig = try pack(limit.wire())
        case .externalAuthorization(let check):
            wire.name = "envoy.filters.network.ext_authz"
            wire.typedConfig = try pack(check.wire())
        case .connectionRateLimit(let limit):
            wire.name = "envoy.filters.network.local_ratelimit"
            wire.typedConfig = try pack(limit.wire())
        case .connectionQuota(let quota):
            wire.name = "envoy.filters.network.ratelimit"
            wire.typedConfig = try pack(quota.wire())
        case .sniCluster:
            wire.name = "envoy.filters.network.sni_cluster"
            wire.typedConfig = try pack(WireSNICluster())
        }
        return wire
    }

    init(_ wire: Envoy_Config_Listener_V3_Filter, _ reader: WireReader) throws {
        let any = wire.typedConfig
        switch any.messageName {
        case WireNetworkRBAC.protoMessageName:
            self = .rbac(try RBAC(reader.unpack(any, as: WireNetworkRBAC.self), reader))
        case WireTCPProxy.protoMessageName:
            self = .tcpProxy(try TCPProxy(reader.unpack(any, as: WireTCPProxy.self), reader))
        case WireManager.protoMessageName:
            self = .httpConnectionManager(try HTTPConnectionManager(reader.unpack(any, as: WireManager.self), reader))
        case Weft_V1_Stats.protoMessageName:
            self = .stats(try StatsFilter(reader.unpack(any, as: Weft_V1_Stats.self), reader))
        case WireConnectionLimit.protoMessageName:
            self = .connectionLimit(try ConnectionLimit(reader.unpack(any, as: WireConnectionLimit.self), reader))
        case WireConnectionAuthorization.protoMessageName:
            self = .externalAuthorization(
                try ConnectionAuthorization(reader.unpack(any, as: WireConnectionAuthorization.self), reader))
        case WireConnectionRateLimit.protoMessageName:
            self = .connectionRateLimit(
                try ConnectionRateLimit(reader.unpack(any, as: WireConnectionRateLimit.self), reader))
        case WireConnectionQuota.protoMessageName:
            self = .connectionQuota(try ConnectionQuota(reader.unpack(any, as: WireConnectionQuota.self), reader))
        case WireSNICluster.protoMessageName:
            _ = try reader.unpack(any, as: WireSNICluster.self)
            self = .sniCluster
        default: throw reader.error("network filter \(wire.name) (\(any.messageName)) is not supported")
        }
    }
}

extension TCPProxy {
    func wire() throws -> WireTCPProxy {
        var wire = WireTCPProxy()
        wire.statPrefix = statPrefix
        switch cluster {
        // TCP has no headers: a name from one is no cluster at all.
        case .cluster(let name), .header(let name): wire.cluster = name
        case .weighted(let clusters):
            wire.weightedClusters.clusters = clusters.map { cluster in
                var value = WireTCPProxy.WeightedCluster.ClusterWeight()
                value.name = cluster.name
                value.weight = cluster.weight
                if !cluster.metadataMatch.isEmpty { value.metadataMatch.balancing = cluster.metadataMatch }
                return value
            }
        }
        if let idleTimeoutMilliseconds { wire.idleTimeout = .init(milliseconds: idleTimeoutMilliseconds) }
        wire.maxConnectAttempts = .init(maxConnectAttempts)
        if let limit = maxConnectionDurationMilliseconds {
            wire.maxDownstreamConnectionDuration = .init(milliseconds: limit)
        }
        if !metadataMatch.isEmpty { wire.metadataMatch.balancing = metadataMatch }
        if hashesSource {
            wire.hashPolicy = [Envoy_Type_V3_HashPolicy.with { $0.sourceIp = .init() }]
        }
        wire.accessLog = try accessLogs.map { try $0.wire() }
        if let tunnel { wire.tunnelingConfig = tunnel.wire }
        return wire
    }

    init(_ wire: WireTCPProxy, _ reader: WireReader) throws {
        let cluster: ClusterSelector =
            switch wire.clusterSpecifier {
            case .cluster(let name): .cluster(name)
            case .weightedClusters(let weighted):
                .weighted(
                    weighted.clusters.map { wire in
                        var cluster = WeightedCluster(name: wire.name, weight: wire.weight)
                        cluster.metadataMatch = wire.metadataMatch.balancing
                        return cluster
                    })
            case nil: throw reader.error("tcp_proxy without a cluster")
            }
        self.init(statPrefix: wire.statPrefix, cluster: cluster)
        if wire.hasIdleTimeout { idleTimeoutMilliseconds = wire.idleTimeout.milliseconds }
        if wire.hasMaxConnectAttempts { maxConnectAttempts = wire.maxConnectAttempts.value }
        if wire.hasMaxDownstreamConnectionDuration {
            maxConnectionDurationMilliseconds = wire.maxDownstreamConnectionDuration.milliseconds
        }
        metadataMatch = wire.metadataMatch.balancing
        hashesSource = wire.hashPolicy.contains { if case .sourceIp? = $0.policySpecifier { true } else { false } }
        accessLogs = try reader.map("access_log", wire.accessLog) { try AccessLog($0, reader) }
        if wire.hasTunnelingConfig {
            tunnel = try reader.at("tunneling_config") { try Tunnel(wire.tunnelingConfig, reader) }
        }
    }
}

extension TCPProxy.Tunnel {
    var wire: WireTCPProxy.TunnelingConfig {
        var wire = WireTCPProxy.TunnelingConfig()
        wire.hostname = hostname
        wire.usePost = usesPost
        wire.postPath = postPath
        wire.headersToAdd = headers.wireAppend
        return wire
    }

    init(_ wire: WireTCPProxy.TunnelingConfig, _ reader: WireReader) throws {
        guard !wire.hostname.isEmpty else { throw reader.error("hostname is missing") }
        guard wire.usePost || wire.postPath.isEmpty else { throw reader.error("post_path needs use_post") }
        self.init(hostname: wire.hostname)
        usesPost = wire.usePost
        postPath = wire.postPath
        headers = HeaderMutations(wire.headersToAdd, remove: [])
    }
}

extension StatsFilter {
    func wire() -> Weft_V1_Stats {
        var wire = Weft_V1_Stats()
        wire.reporter = reporter == .source ? .source : .destination
        wire.overrides = overrides.map { override in
            var wire = Weft_V1_MetricOverride()
            wire.metric = override.metric
            wire.dropped = override.isDropped
            wire.removedTags = override.removedTags
            wire.tags = override.tags
            return wire
        }
        return wire
    }

    init(_ wire: Weft_V1_Stats, _ reader: WireReader) throws {
        switch wire.reporter {
        case .source: self.init(reporter: .source)
        case .destination: self.init(reporter: .destination)
        default: throw reader.error("stats filter without a reporter")
        }
        overrides = try reader.map("overrides", wire.overrides) { wire in
            var override = MetricOverride(metric: wire.metric)
            override.isDropped = wire.dropped
            override.removedTags = wire.removedTags
            for (name, text) in wire.tags { override.tags[name] = try reader.expression(text, of: nil) }
            return override
        }
    }
}
