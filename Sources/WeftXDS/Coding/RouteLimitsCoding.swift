import SwiftProtobuf
import WeftIR
import WeftProto

/// How long a request may take, what becomes of an upstream's redirect, and who gets a copy.
extension RouteAction {
    func writeLimits(to wire: inout WireRoute.Action) {
        if let grpcTimeoutHeaderMaxMilliseconds {
            wire.maxGrpcTimeout = .init(milliseconds: grpcTimeoutHeaderMaxMilliseconds)
        }
        if let grpcTimeoutOffsetMilliseconds {
            wire.grpcTimeoutOffset = .init(milliseconds: grpcTimeoutOffsetMilliseconds)
        }
        if let streamDuration {
            wire.maxStreamDuration = .init()
            if let limit = streamDuration.limit {
                wire.maxStreamDuration.maxStreamDuration = .init(milliseconds: limit)
            }
            if let most = streamDuration.grpcHeaderMax {
                wire.maxStreamDuration.grpcTimeoutHeaderMax = .init(milliseconds: most)
            }
            if let offset = streamDuration.grpcHeaderOffset {
                wire.maxStreamDuration.grpcTimeoutHeaderOffset = .init(milliseconds: offset)
            }
        }
        if let internalRedirect { wire.internalRedirectPolicy = internalRedirect.wire() }
    }

    mutating func readLimits(_ wire: WireRoute.Action, _ reader: WireReader) throws {
        if wire.hasMaxGrpcTimeout { grpcTimeoutHeaderMaxMilliseconds = wire.maxGrpcTimeout.milliseconds }
        if wire.hasGrpcTimeoutOffset { grpcTimeoutOffsetMilliseconds = wire.grpcTimeoutOffset.milliseconds }
        if wire.hasMaxStreamDuration {
            var duration = StreamDuration()
            let value = wire.maxStreamDuration
            if value.hasMaxStreamDuration { duration.limit = value.maxStreamDuration.milliseconds }
            if value.hasGrpcTimeoutHeaderMax { duration.grpcHeaderMax = value.grpcTimeoutHeaderMax.milliseconds }
            if value.hasGrpcTimeoutHeaderOffset {
                duration.grpcHeaderOffset = value.grpcTimeoutHeaderOffset.milliseconds
            }
            streamDuration = duration
        }
        if wire.hasInternalRedirectPolicy {
            internalRedirect = try reader.at("internal_redirect_policy") {
                try InternalRedirect(wire.internalRedirectPolicy, reader)
            }
        }
    }
}

extension RouteAction.InternalRedirect {
    func wire() -> Envoy_Config_Route_V3_InternalRedirectPolicy {
        var wire = Envoy_Config_Route_V3_InternalRedirectPolicy()
        wire.maxInternalRedirects = .init(maxRedirects)
        wire.redirectResponseCodes = statuses.map(UInt32.init)
        wire.allowCrossSchemeRedirect = allowsCrossScheme
        wire.responseHeadersToCopy = headersToCopy
        wire.predicates = predicates.compactMap { try? $0.wire() }
        return wire
    }

    init(_ wire: Envoy_Config_Route_V3_InternalRedirectPolicy, _ reader: WireReader) throws {
        self.init()
        if wire.hasMaxInternalRedirects { maxRedirects = wire.maxInternalRedirects.value }
        if !wire.redirectResponseCodes.isEmpty {
            // Envoy knows no others.
            statuses = try wire.redirectResponseCodes.map { try reader.status($0) }.filter {
                [301, 302, 303, 307, 308].contains($0)
            }
        }
        allowsCrossScheme = wire.allowCrossSchemeRedirect
        headersToCopy = wire.responseHeadersToCopy
        predicates = try reader.map("predicates", wire.predicates) { try RouteAction.RedirectPredicate($0, reader) }
    }
}

extension Mirror {
    func wire() -> WireRoute.Action.RequestMirrorPolicy {
        var wire = WireRoute.Action.RequestMirrorPolicy()
        wire.cluster = cluster
        wire.clusterHeader = clusterHeader ?? ""
        wire.runtimeFraction = fraction.runtimeWire()
        wire.disableShadowHostSuffixAppend = keepsHost
        return wire
    }

    init(_ wire: WireRoute.Action.RequestMirrorPolicy, _ reader: WireReader) {
        self.init(
            cluster: wire.cluster,
            fraction: wire.hasRuntimeFraction ? reader.runtime.fraction(wire.runtimeFraction) : .all)
        clusterHeader = wire.clusterHeader.isEmpty ? nil : wire.clusterHeader
        keepsHost = wire.disableShadowHostSuffixAppend
    }
}

extension RouteAction.RedirectPredicate {
    private typealias AllowListed = Envoy_Extensions_InternalRedirect_AllowListedRoutes_V3_AllowListedRoutesConfig
    private typealias Previous = Envoy_Extensions_InternalRedirect_PreviousRoutes_V3_PreviousRoutesConfig
    private typealias SafeScheme = Envoy_Extensions_InternalRedirect_SafeCrossScheme_V3_SafeCrossSchemeConfig

    func wire() throws -> Envoy_Config_Core_V3_TypedExtensionConfig {
        var wire = Envoy_Config_Core_V3_TypedExtensionConfig()
        switch self {
        case .allowListedRoutes(let names):
            var list = AllowListed()
            list.allowedRouteNames = names
            wire.name = "envoy.internal_redirect_predicates.allow_listed_routes"
            wire.typedConfig = try pack(list)
        case .previousRoutes:
            wire.name = "envoy.internal_redirect_predicates.previous_routes"
            wire.typedConfig = try pack(Previous())
        case .safeCrossScheme:
            wire.name = "envoy.internal_redirect_predicates.safe_cross_scheme"
            wire.typedConfig = try pack(SafeScheme())
        }
        return wire
    }

    init(_ wire: Envoy_Config_Core_V3_TypedExtensionConfig, _ reader: WireReader) throws {
        switch wire.typedConfig.messageName {
        case AllowListed.protoMessageName:
            self = .allowListedRoutes(try reader.unpack(wire.typedConfig, as: AllowListed.self).allowedRouteNames)
        case Previous.protoMessageName: self = .previousRoutes
        case SafeScheme.protoMessageName: self = .safeCrossScheme
        case let other: throw reader.error("predicate \(wire.name) (\(other)) is not supported")
        }
    }
}
