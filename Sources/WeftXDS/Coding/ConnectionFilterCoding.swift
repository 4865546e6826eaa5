import Foundation
import SwiftProtobuf
import WeftIR
import WeftProto

typealias WireProxyProtocol = Envoy_Extensions_Filters_Listener_ProxyProtocol_V3_ProxyProtocol
typealias WireConnectionLimit = Envoy_Extensions_Filters_Network_ConnectionLimit_V3_ConnectionLimit
typealias WireConnectionRateLimit = Envoy_Extensions_Filters_Network_LocalRatelimit_V3_LocalRateLimit
typealias WireConnectionQuota = Envoy_Extensions_Filters_Network_Ratelimit_V3_RateLimit
typealias WireSNICluster = Envoy_Extensions_Filters_Network_SniCluster_V3_SniCluster
typealias WireUpstreamProxyProtocol = Envoy_Extensions_TransportSockets_ProxyProtocol_V3_ProxyProtocolUpstreamTransport

extension ConnectionLimit {
    func wire() -> WireConnectionLimit {
        var wire = WireConnectionLimit()
        wire.statPrefix = statPrefix
        wire.maxConnections = .init(maximum)
        if delayMilliseconds > 0 { wire.delay = .init(milliseconds: delayMilliseconds) }
        if !isEnabled { wire.runtimeEnabled.defaultValue = .init(false) }
        return wire
    }

    init(_ wire: WireConnectionLimit, _ reader: WireReader) throws {
        guard wire.maxConnections.value > 0 else { throw reader.error("max_connections must be at least 1") }
        self.init(statPrefix: wire.statPrefix, maximum: wire.maxConnections.value)
        delayMilliseconds = wire.delay.milliseconds
        if wire.hasRuntimeEnabled { isEnabled = reader.runtime.flag(wire.runtimeEnabled) }
    }
}

extension ConnectionRateLimit {
    func wire() -> WireConnectionRateLimit {
        var wire = WireConnectionRateLimit()
        wire.statPrefix = statPrefix
        wire.tokenBucket = bucket.wire()
        if !isEnabled { wire.runtimeEnabled.defaultValue = .init(false) }
        return wire
    }

    init(_ wire: WireConnectionRateLimit, _ reader: WireReader) throws {
        self.init(
            statPrefix: wire.statPrefix,
            bucket: try reader.at("token_bucket") { try LocalRateLimit.Bucket(wire.tokenBucket, reader) })
        if wire.hasRuntimeEnabled { isEnabled = reader.runtime.flag(wire.runtimeEnabled) }
    }
}

extension ConnectionQuota {
    func wire() -> WireConnectionQuota {
        var wire = WireConnectionQuota()
        wire.statPrefix = statPrefix
        wire.domain = domain
        wire.descriptors = descriptors.map { entries in
            var value = Envoy_Extensions_Common_Ratelimit_V3_RateLimitDescriptor()
            value.entries = entries.map { $0.wire() }
            return value
        }
        wire.timeout = .init(milliseconds: timeoutMilliseconds)
        wire.failureModeDeny = failureModeDenies
        wire.rateLimitService.grpcService = service.wire()
        wire.rateLimitService.transportApiVersion = .v3
        return wire
    }

    init(_ wire: WireConnectionQuota, _ reader: WireReader) throws {
        guard !wire.domain.isEmpty else { throw reader.error("domain is missing") }
        guard !wire.descriptors.isEmpty else { throw reader.error("descriptors are missing") }
        let descriptors = try reader.map("descriptors", wire.descriptors) { descriptor in
            guard !descriptor.hasLimit, !descriptor.hasHitsAddend else {
                throw reader.error("limit and hits_addend are not supported here")
            }
            return descriptor.entries.map { RateLimitDescriptor.Entry($0.key, $0.value) }
        }
        self.init(
            statPrefix: wire.statPrefix, domain: wire.domain, descriptors: descriptors,
            service: try reader.at("rate_limit_service.grpc_service") {
                try GRPCServiceTarget(wire.rateLimitService.grpcService, reader)
            })
        if wire.hasTimeout { timeoutMilliseconds = wire.timeout.milliseconds }
        failureModeDenies = wire.failureModeDeny
    }
}

extension ProxyProtocolFilter {
    func wire() -> WireProxyProtocol {
        var wire = WireProxyProtocol()
        wire.allowRequestsWithoutProxyProtocol = allowsPlainConnections
        wire.disallowedVersions = disallowedVersions.map(\.wire)
        if let passThrough { wire.passThroughTlvs = passThrough.wire }
        return wire
    }

    init(_ wire: WireProxyProtocol, _ reader: WireReader) throws {
        self.init()
        allowsPlainConnections = wire.allowRequestsWithoutProxyProtocol
        disallowedVersions = try wire.disallowedVersions.map { try ProxyProtocolVersion($0, reader) }
        if wire.hasPassThroughTlvs { passThrough = try ProxyProtocolSelection(wire.passThroughTlvs, reader) }
    }
}

extension ProxyProtocolVersion {
    var wire: Envoy_Config_Core_V3_ProxyProtocolConfig.Version { self == .v1 ? .v1 : .v2 }

    init(_ wire: Envoy_Config_Core_V3_ProxyProtocolConfig.Version, _ reader: WireReader) throws {
        switch wire {
        case .v1: self = .v1
        case .v2: self = .v2
        case .UNRECOGNIZED(let value): throw reader.error("PROXY protocol version \(value) is not known")
        }
    }
}

extension ProxyProtocolSelection {
    var wire: Envoy_Config_Core_V3_ProxyProtocolPassThroughTLVs {
        var wire = Envoy_Config_Core_V3_ProxyProtocolPassThroughTLVs()
        if case .types(let types) = self {
            wire.matchType = .include
            wire.tlvType = types.map(UInt32.init)
        }
        return wire
    }

    init(_ wire: Envoy_Config_Core_V3_ProxyProtocolPassThroughTLVs, _ reader: WireReader) throws {
        switch wire.matchType {
        case .includeAll: self = .all
        case .include: self = .types(try wire.tlvType.map { try Self.type($0, reader) })
        case .UNRECOGNIZED(let value): throw reader.error("match_type \(value) is not known")
        }
    }

    static func type(_ value: UInt32, _ reader: WireReader) throws -> UInt8 {
        guard let type = UInt8(exactly: value) else { throw reader.error("TLV type \(value) is no byte") }
        return type
    }
}

extension UpstreamProxyProtocol {
    var wire: Envoy_Config_Core_V3_ProxyProtocolConfig {
        var wire = Envoy_Config_Core_V3_ProxyProtocolConfig()
        wire.version = version.wire
        if let passThrough { wire.passThroughTlvs = passThrough.wire }
        wire.addedTlvs = added.map { value in
            var entry = Envoy_Config_Core_V3_TlvEntry()
            entry.type = UInt32(value.type)
            entry.value = Data(value.value)
            return entry
        }
        return wire
    }

    init(_ wire: Envoy_Config_Core_V3_ProxyProtocolConfig, _ reader: WireReader) throws {
        self.init(version: try ProxyProtocolVersion(wire.version, reader))
        if wire.hasPassThroughTlvs { passThrough = try ProxyProtocolSelection(wire.passThroughTlvs, reader) }
        added = try reader.map("added_tlvs", wire.addedTlvs) {
            ProxyProtocolTLV(type: try ProxyProtocolSelection.type($0.type, reader), value: [UInt8]($0.value))
        }
    }
}

/// The transport socket of a cluster: what comes first on a connection, and what is inside.
struct UpstreamTransport {
    var tls: UpstreamTLS?
    var proxyProtocol: UpstreamProxyProtocol?

    init(tls: UpstreamTLS?, proxyProtocol: UpstreamProxyProtocol?) {
        self.tls = tls
        self.proxyProtocol = proxyProtocol
    }

    init(_ socket: Core.TransportSocket, _ reader: WireReader) throws {
        guard socket.typedConfig.holds(WireUpstreamProxyProtocol.self) else {
            tls = try UpstreamTLS.from(socket, reader)
            return
        }
        let wire = try reader.unpack(socket.typedConfig, as: WireUpstreamProxyProtocol.self)
        guard wire.hasTransportSocket else { throw reader.error("transport_socket is missing") }
        tls = try reader.at("transport_socket") { try UpstreamTLS.from(wire.transportSocket, reader) }
        proxyProtocol = try reader.at("config") { try UpstreamProxyProtocol(wire.config, reader) }
    }

    /// - Returns: `nil` for plain text alone.
    func wire() throws -> Core.TransportSocket? {
        guard let proxyProtocol else { return try tls?.transportSocket() }
        var inner = WireUpstreamProxyProtocol()
        inner.config = proxyProtocol.wire
        inner.transportSocket = try tls?.transportSocket() ?? .rawBuffer()
        var socket = Core.TransportSocket()
        socket.name = "envoy.transport_sockets.upstream_proxy_protocol"
        socket.typedConfig = try pack(inner)
        return socket
    }
}
