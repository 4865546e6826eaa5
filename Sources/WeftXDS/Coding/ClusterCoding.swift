import SwiftProtobuf
import WeftIR
import WeftProto

extension Cluster {
    private static let httpOptionsKey = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

    func wire(_ target: Target) throws -> WireCluster {
        var wire = WireCluster()
        wire.name = name
        wire.altStatName = altStatName
        wire.connectTimeout = .init(milliseconds: connectTimeoutMilliseconds)
        try setDiscovery(&wire)
        try setLoadBalancer(&wire)
        if let endpoints { wire.loadAssignment = endpoints.wire(target) }
        wire.circuitBreakers.thresholds = [circuitBreakers.wire(.default)]
        if let high = highPriorityCircuitBreakers { wire.circuitBreakers.thresholds.append(high.wire(.high)) }
        wire.healthChecks = try healthChecks.map { try $0.wire() }
        if preconnect.perUpstreamRatio != 1 {
            wire.preconnectPolicy.perUpstreamPreconnectRatio = .init(preconnect.perUpstreamRatio)
        }
        if preconnect.predictiveRatio != 1 {
            wire.preconnectPolicy.predictivePreconnectRatio = .init(preconnect.predictiveRatio)
        }
        if let outlierDetection { wire.outlierDetection = outlierDetection.wire() }
        if let socket = try UpstreamTransport(tls: tls, proxyProtocol: proxyProtocol).wire() {
            wire.transportSocket = socket
        }
        wire.transportSocketMatches = try transportSocketMatches.map { match in
            var value = WireCluster.TransportSocketMatch()
            value.name = match.name
            value.match = .init(strings: match.match)
            let transport = UpstreamTransport(tls: match.tls, proxyProtocol: match.proxyProtocol)
            value.transportSocket = try transport.wire() ?? .rawBuffer()
            return value
        }
        wire.typedExtensionProtocolOptions[Self.httpOptionsKey] = try pack(httpOptions())
        setConnection(&wire)
        wire.commonLbConfig.healthyPanicThreshold.value = healthyPanicThresholdPercent
        if dnsRefreshMilliseconds != 5_000 { wire.dnsRefreshRate = .init(milliseconds: dnsRefreshMilliseconds) }
        dns.write(to: &wire)
        wire.metadata = metadata(target)
        return wire
    }

    private func setDiscovery(_ wire: inout WireCluster) throws {
        switch discovery {
        case .static: wire.type = .static
        case .strictDNS: wire.type = .strictDns
        case .logicalDNS: wire.type = .logicalDns
        case .eds(let serviceName):
            wire.type = .eds
            wire.edsClusterConfig.serviceName = serviceName
            wire.edsClusterConfig.edsConfig = .init(file: endpointsFile)
        case .originalDestination(let useHTTPHeader):
            wire.type = .originalDst
            if useHTTPHeader { wire.originalDstLbConfig.useHTTPHeader = true }
            if let originalDestinationHeader { wire.originalDstLbConfig.httpHeaderName = originalDestinationHeader }
            if let port = originalDestinationPort {
                wire.originalDstLbConfig.upstreamPortOverride = .init(UInt32(port))
            }
        case .dynamicForwardProxy(let proxy):
            wire.clusterType.name = "envoy.clusters.dynamic_forward_proxy"
            wire.clusterType.typedConfig = try pack(proxy.wire(dns))
        }
    }

    private func setLoadBalancer(_ wire: inout WireCluster) throws {
        switch loadBalancer {
        case .roundRobin: wire.lbPolicy = .roundRobin
        case .leastRequest(let count):
            wire.lbPolicy = .leastRequest
            wire.leastRequestLbConfig.choiceCount = .init(count)
        case .random: wire.lbPolicy = .random
        case .ringHash(let size):
            wire.lbPolicy = .ringHash
            wire.ringHashLbConfig.minimumRingSize = .init(size)
        case .maglev(let size):
            wire.lbPolicy = .maglev
            wire.maglevLbConfig.tableSize = .init(size)
        case .clusterProvided: wire.lbPolicy = .clusterProvided
        case .clientSideWeightedRoundRobin, .peakEWMA: wire.lbPolicy = .loadBalancingPolicyConfig
        }
        if let policy = try extensionPolicy() { wire.loadBalancingPolicy = policy }
        balancing.write(to: &wire, for: loadBalancer)
    }

    private func httpOptions() throws -> WireUpstreamHTTP {
        var options = WireUpstreamHTTP()
        var http2 = Envoy_Config_Core_V3_Http2ProtocolOptions()
        if let http2MaxConcurrentStreams { http2.maxConcurrentStreams = .init(http2MaxConcurrentStreams) }
        self.http2?.write(to: &http2)
        switch httpProtocol {
        case .http1: options.explicitHTTPConfig.httpProtocolOptions = try http1Options()
        case .http2: options.explicitHTTPConfig.http2ProtocolOptions = http2
        case .useDownstream:
            options.useDownstreamProtocolConfig.httpProtocolOptions = try http1Options()
            options.useDownstreamProtocolConfig.http2ProtocolOptions = http2
        case .auto:
            options.autoConfig.httpProtocolOptions = try http1Options()
            options.autoConfig.http2ProtocolOptions = http2
        }
        if let idleTimeoutMilliseconds {
            options.commonHTTPProtocolOptions.idleTimeout = .init(milliseconds: idleTimeoutMilliseconds)
        }
        if let maxRequestsPerConnection {
            options.commonHTTPProtocolOptions.maxRequestsPerConnection = .init(maxRequestsPerConnection)
        }
        if let maxConnectionDurationMilliseconds {
            options.commonHTTPProtocolOptions.maxConnectionDuration = .init(
                milliseconds: maxConnectionDurationMilliseconds)
        }
        writeLimits(to: &options.commonHTTPProtocolOptions)
        if let automaticServerName { options.upstreamHTTPProtocolOptions = automaticServerName.wire }
        if let errorCondition { options.outlierDetection.errorMatcher = errorCondition.wire() }
        return options
    }

    private func setConnection(_ wire: inout WireCluster) {
        if let tcpKeepalive {
            var value = Envoy_Config_Core_V3_TcpKeepalive()
            if let probes = tcpKeepalive.probes { value.keepaliveProbes = .init(probes) }
            if let time = tcpKeepalive.timeSeconds { value.keepaliveTime = .init(time) }
            if let interval = tcpKeepalive.intervalSeconds { value.keepaliveInterval = .init(interval) }
            wire.upstreamConnectionOptions.tcpKeepalive = value
        }
        if let bindAddress {
            wire.upstreamBindConfig.sourceAddress.address = bindAddress
            wire.upstreamBindConfig.sourceAddress.portValue = 0
        }
        if let perConnectionBufferLimit { wire.perConnectionBufferLimitBytes = .init(perConnectionBufferLimit) }
    }

    private func metadata(_ target: Target) -> Core.Metadata {
        var metadata = Core.Metadata()
        metadata.set(provenance, istio: true)
        if !services.isEmpty {
            var list = Google_Protobuf_ListValue()
            list.values = services.map { service in
                var value = Google_Protobuf_Value()
                value.structValue = .init(strings: [
                    "host": service.host, "name": service.name, "namespace": service.namespace,
                ])
                return value
            }
            var value = Google_Protobuf_Value()
            value.listValue = list
            metadata.filterMetadata["istio", default: .init()].fields["services"] = value
        }
        return metadata
    }
}

extension Cluster {
    init(_ wire: WireCluster, _ reader: WireReader) throws {
        self.init(name: wire.name, discovery: try Cluster.discovery(wire, reader))
        altStatName = wire.altStatName
        if case .eds = discovery {
            endpointsFile = try reader.at("eds_cluster_config.eds_config") {
                try wire.edsClusterConfig.edsConfig.file(reader)
            }
        }
        if wire.hasConnectTimeout { connectTimeoutMilliseconds = wire.connectTimeout.milliseconds }
        try readBalancing(wire, reader)
        if wire.hasLoadAssignment {
            endpoints = try reader.at("load_assignment") { try ClusterLoadAssignment(wire.loadAssignment, reader) }
        }
        for threshold in wire.circuitBreakers.thresholds {
            if threshold.priority == .high {
                highPriorityCircuitBreakers = CircuitBreakers(threshold)
            } else {
                circuitBreakers = CircuitBreakers(threshold)
            }
        }
        guard wire.healthChecks.count <= 1 else { throw reader.error("health_checks: only one check is supported") }
        healthChecks = try reader.map("health_checks", wire.healthChecks) { try HealthCheck($0, reader) }
        if wire.preconnectPolicy.hasPerUpstreamPreconnectRatio {
            preconnect.perUpstreamRatio = wire.preconnectPolicy.perUpstreamPreconnectRatio.value
        }
        if wire.preconnectPolicy.hasPredictivePreconnectRatio {
            preconnect.predictiveRatio = wire.preconnectPolicy.predictivePreconnectRatio.value
        }
        if !wire.originalDstLbConfig.httpHeaderName.isEmpty {
            originalDestinationHeader = wire.originalDstLbConfig.httpHeaderName.lowercased()
        }
        if wire.originalDstLbConfig.hasUpstreamPortOverride {
            originalDestinationPort = try reader.port(wire.originalDstLbConfig.upstreamPortOverride.value)
        }
        dns.read(wire)
        if wire.hasOutlierDetection { outlierDetection = OutlierDetection(wire.outlierDetection, reader) }
        if wire.hasTransportSocket {
            let transport = try reader.at("transport_socket") { try UpstreamTransport(wire.transportSocket, reader) }
            (tls, proxyProtocol) = (transport.tls, transport.proxyProtocol)
        }
        transportSocketMatches = try reader.map("transport_socket_matches", wire.transportSocketMatches) {
            let transport = try UpstreamTransport($0.transportSocket, reader)
            var match = TransportSocketMatch(name: $0.name, match: $0.match.strings, tls: transport.tls)
            match.proxyProtocol = transport.proxyProtocol
            return match
        }
        try readHTTPOptions(wire, reader)
        readConnection(wire)
        if wire.commonLbConfig.hasHealthyPanicThreshold {
            healthyPanicThresholdPercent = wire.commonLbConfig.healthyPanicThreshold.value
        }
        if wire.hasDnsRefreshRate { dnsRefreshMilliseconds = wire.dnsRefreshRate.milliseconds }
        provenance = wire.metadata.provenance
        services = (wire.metadata.filterMetadata["istio"]?.fields["services"]?.listValue.values ?? []).map { value in
            let fields = value.structValue.strings
            return ServiceMetadata(
                host: fields["host"] ?? "", name: fields["name"] ?? "", namespace: fields["namespace"] ?? "")
        }
    }

    private static func discovery(_ wire: WireCluster, _ reader: WireReader) throws -> Discovery {
        if case .clusterType(let custom) = wire.clusterDiscoveryType {
            return try reader.at("cluster_type") { try customDiscovery(custom, reader) }
        }
        return switch wire.type {
        case .static: .static
        case .strictDns: .strictDNS
        case .logicalDns: .logicalDNS
        case .eds: .eds(serviceName: wire.edsClusterConfig.serviceName)
        case .originalDst: .originalDestination(useHTTPHeader: wire.originalDstLbConfig.useHTTPHeader)
        case .UNRECOGNIZED(let value): throw reader.error("unknown discovery type \(value)")
        }
    }

    private static func customDiscovery(_ wire: WireCluster.CustomClusterType, _ reader: WireReader) throws -> Discovery
    {
        guard wire.typedConfig.holds(WireForwardCluster.self) else {
            throw reader.error("cluster type \(wire.name) (\(wire.typedConfig.messageName)) is not supported")
        }
        let config = try reader.unpack(wire.typedConfig, as: WireForwardCluster.self)
        return .dynamicForwardProxy(DynamicForwardProxy(config.dnsCacheConfig))
    }

    private mutating func readBalancing(_ wire: WireCluster, _ reader: WireReader) throws {
        balancing = try LoadBalancing(wire, reader)
        if wire.hasLoadBalancingPolicy {
            try reader.at("load_balancing_policy") { try readPolicy(wire.loadBalancingPolicy, reader) }
        } else {
            loadBalancer = try Cluster.loadBalancer(wire, reader)
        }
        // These have no host list to choose from.
        switch discovery {
        case .originalDestination, .dynamicForwardProxy: loadBalancer = .clusterProvided
        default: break
        }
    }

    private static func loadBalancer(_ wire: WireCluster, _ reader: WireReader) throws -> LoadBalancer {
        switch wire.lbPolicy {
        case .roundRobin: .roundRobin
        case .leastRequest:
            .leastRequest(
                choiceCount: wire.leastRequestLbConfig.hasChoiceCount ? wire.leastRequestLbConfig.choiceCount.value : 2)
        case .random: .random
        case .ringHash:
            .ringHash(
                minimumRingSize: wire.ringHashLbConfig.hasMinimumRingSize
                    ? wire.ringHashLbConfig.minimumRingSize.value : 1024)
        case .maglev:
            .maglev(tableSize: wire.maglevLbConfig.hasTableSize ? wire.maglevLbConfig.tableSize.value : 65_537)
        case .clusterProvided: .clusterProvided
        case .loadBalancingPolicyConfig, .UNRECOGNIZED:
            throw reader.error("lb_policy \(wire.lbPolicy.rawValue) is not supported")
        }
    }

    private mutating func readHTTPOptions(_ wire: WireCluster, _ reader: WireReader) throws {
        if wire.hasHTTP2ProtocolOptions { httpProtocol = .http2 }
        dropsTrailers = true
        if wire.hasMaxRequestsPerConnection { maxRequestsPerConnection = wire.maxRequestsPerConnection.value }
        for (key, any) in wire.typedExtensionProtocolOptions.sorted(by: { $0.key < $1.key }) {
            guard any.holds(WireUpstreamHTTP.self) else {
                throw reader.error("typed_extension_protocol_options \(key) (\(any.messageName)) is not supported")
            }
            let options = try reader.unpack(any, as: WireUpstreamHTTP.self)
            var http1 = Envoy_Config_Core_V3_Http1ProtocolOptions()
            var http2 = Envoy_Config_Core_V3_Http2ProtocolOptions()
            switch options.upstreamProtocolOptions {
            case .explicitHTTPConfig(let value):
                if case .http2ProtocolOptions(let two) = value.protocolConfig {
                    httpProtocol = .http2
                    http2 = two
                    // HTTP/2 always has them.
                    http1.enableTrailers = true
                } else {
                    httpProtocol = .http1
                    http1 = value.httpProtocolOptions
                }
            case .useDownstreamProtocolConfig(let value):
                httpProtocol = .useDownstream
                http1 = value.httpProtocolOptions
                http2 = value.http2ProtocolOptions
            case .autoConfig(let value):
                httpProtocol = .auto
                http1 = value.httpProtocolOptions
                http2 = value.http2ProtocolOptions
            case nil: break
            }
            if http2.hasMaxConcurrentStreams { http2MaxConcurrentStreams = http2.maxConcurrentStreams.value }
            self.http2 = HTTP2ProtocolOptions(http2)
            if options.hasUpstreamHTTPProtocolOptions {
                automaticServerName = AutomaticServerName(options.upstreamHTTPProtocolOptions)
            }
            if options.outlierDetection.hasErrorMatcher {
                errorCondition = try ResponseCondition(options.outlierDetection.errorMatcher, reader)
            }
            let common = options.commonHTTPProtocolOptions
            try readHTTP1(http1, reader)
            readLimits(common)
            if common.hasIdleTimeout { idleTimeoutMilliseconds = common.idleTimeout.milliseconds }
            if common.hasMaxConnectionDuration {
                maxConnectionDurationMilliseconds = common.maxConnectionDuration.milliseconds
            }
            if common.hasMaxRequestsPerConnection { maxRequestsPerConnection = common.maxRequestsPerConnection.value }
        }
    }

    private mutating func readConnection(_ wire: WireCluster) {
        if wire.upstreamConnectionOptions.hasTcpKeepalive {
            let keepalive = wire.upstreamConnectionOptions.tcpKeepalive
            var value = TCPKeepalive()
            if keepalive.hasKeepaliveProbes { value.probes = keepalive.keepaliveProbes.value }
            if keepalive.hasKeepaliveTime { value.timeSeconds = keepalive.keepaliveTime.value }
            if keepalive.hasKeepaliveInterval { value.intervalSeconds = keepalive.keepaliveInterval.value }
            tcpKeepalive = value
        }
        if wire.upstreamBindConfig.hasSourceAddress { bindAddress = wire.upstreamBindConfig.sourceAddress.address }
        if wire.hasPerConnectionBufferLimitBytes { perConnectionBufferLimit = wire.perConnectionBufferLimitBytes.value }
    }
}
