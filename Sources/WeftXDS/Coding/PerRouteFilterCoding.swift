import SwiftProtobuf
import WeftIR
import WeftProto

private typealias WireMutationPerRoute = Envoy_Extensions_Filters_Http_HeaderMutation_V3_HeaderMutationPerRoute
private typealias WireBufferPerRoute = Envoy_Extensions_Filters_Http_Buffer_V3_BufferPerRoute
private typealias WireJWTPerRoute = Envoy_Extensions_Filters_Http_JwtAuthn_V3_PerRouteConfig
private typealias WireAuthorizationPerRoute = Envoy_Extensions_Filters_Http_ExtAuthz_V3_ExtAuthzPerRoute
private typealias WireProcessingPerRoute = Envoy_Extensions_Filters_Http_ExtProc_V3_ExtProcPerRoute
private typealias WireRBACPerRoute = Envoy_Extensions_Filters_Http_Rbac_V3_RBACPerRoute
private typealias WireFilterConfig = Envoy_Config_Route_V3_FilterConfig

extension PerRouteFilter {
    func wire(_ target: Target) throws -> Google_Protobuf_Any {
        switch self {
        case .rbac(let rbac):
            var wire = WireRBACPerRoute()
            if let rbac { wire.rbac = rbac.httpWire() }
            return try pack(wire)
        case .fault(let fault): return try pack(fault.wire(target))
        case .cors(let policy): return try pack(policy.wire())
        case .localRateLimit(let limit): return try pack(limit.wire())
        case .headerMutation(let steps):
            var wire = WireMutationPerRoute()
            wire.mutations = steps.wireMutations()
            return try pack(wire)
        case .buffer(let buffer):
            var wire = WireBufferPerRoute()
            wire.buffer = buffer.wire()
            return try pack(wire)
        case .jwt(let need): return try pack(need.wire())
        case .externalAuthorization(let settings):
            var wire = WireAuthorizationPerRoute()
            wire.checkSettings = settings.wire()
            return try pack(wire)
        case .globalRateLimit(let limit): return try pack(limit.wire())
        case .externalProcessing(let overrides):
            var wire = WireProcessingPerRoute()
            wire.overrides = overrides.wire()
            return try pack(wire)
        case .compressor(let overrides): return try pack(overrides.wire())
        case .statefulSession(let session): return try pack(try session.perRouteWire())
        case .disabled:
            var wire = WireFilterConfig()
            wire.disabled = true
            return try pack(wire)
        }
    }

    static func read(_ configurations: [String: Google_Protobuf_Any], _ reader: WireReader) throws -> [String:
        PerRouteFilter]
    {
        var result: [String: PerRouteFilter] = [:]
        for (name, any) in configurations.sorted(by: { $0.key < $1.key }) {
            result[name] = try reader.at("typed_per_filter_config[\(name)]") { try read(any, reader) }
        }
        return result
    }

    /// - Returns: `nil` for an optional configuration of a kind that we do not have.
    private static func read(_ any: Google_Protobuf_Any, _ reader: WireReader) throws -> PerRouteFilter? {
        if any.messageName == WireFilterConfig.protoMessageName {
            let wire = try reader.unpack(any, as: WireFilterConfig.self)
            if wire.disabled { return .disabled }
            guard wire.hasConfig else { throw reader.error("config is missing") }
            if let known = try basic(wire.config, reader) ?? calling(wire.config, reader) { return known }
            let text = "per-route configuration \(wire.config.messageName) is not supported"
            guard wire.isOptional else { throw reader.error(text) }
            reader.warn("optional \(text) and left out")
            return nil
        }
        if let known = try basic(any, reader) ?? calling(any, reader) { return known }
        throw reader.error("per-route configuration \(any.messageName) is not supported")
    }

    /// Of filters that decide by themselves.
    private static func basic(_ any: Google_Protobuf_Any, _ reader: WireReader) throws -> PerRouteFilter? {
        switch any.messageName {
        case WireRBACPerRoute.protoMessageName:
            let wire = try reader.unpack(any, as: WireRBACPerRoute.self)
            return .rbac(wire.hasRbac ? try RBAC(wire.rbac, reader) : nil)
        case WireFault.protoMessageName: return .fault(try Fault(reader.unpack(any, as: WireFault.self), reader))
        case WireCORS.protoMessageName: return .cors(try CORSPolicy(reader.unpack(any, as: WireCORS.self), reader))
        case LocalRateLimit.Wire.protoMessageName:
            return .localRateLimit(try LocalRateLimit(reader.unpack(any, as: LocalRateLimit.Wire.self), reader))
        case WireMutationPerRoute.protoMessageName:
            let wire = try reader.unpack(any, as: WireMutationPerRoute.self)
            return .headerMutation(try HeaderMutationFilter(wire.mutations, reader))
        case WireBufferPerRoute.protoMessageName:
            let wire = try reader.unpack(any, as: WireBufferPerRoute.self)
            if case .disabled(true)? = wire.override { return .disabled }
            return .buffer(try BufferFilter(wire.buffer, reader))
        case WireCompressorPerRoute.protoMessageName:
            return try PerRouteFilter(reader.unpack(any, as: WireCompressorPerRoute.self), reader)
        case WireSessionPerRoute.protoMessageName:
            return try PerRouteFilter(reader.unpack(any, as: WireSessionPerRoute.self), reader)
        default: return nil
        }
    }

    /// Of filters that ask others.
    private static func calling(_ any: Google_Protobuf_Any, _ reader: WireReader) throws -> PerRouteFilter? {
        switch any.messageName {
        case WireJWTPerRoute.protoMessageName:
            return .jwt(try JWTAuthentication.PerRoute(reader.unpack(any, as: WireJWTPerRoute.self), reader))
        case WireAuthorizationPerRoute.protoMessageName:
            let wire = try reader.unpack(any, as: WireAuthorizationPerRoute.self)
            if case .disabled(true)? = wire.override { return .disabled }
            return .externalAuthorization(
                try reader.at("check_settings") {
                    try ExternalAuthorization.CheckSettings(wire.checkSettings, reader)
                })
        case GlobalRateLimit.PerRoute.Wire.protoMessageName:
            let wire = try reader.unpack(any, as: GlobalRateLimit.PerRoute.Wire.self)
            return .globalRateLimit(try GlobalRateLimit.PerRoute(wire, reader))
        case WireProcessingPerRoute.protoMessageName:
            let wire = try reader.unpack(any, as: WireProcessingPerRoute.self)
            if case .disabled(true)? = wire.override { return .disabled }
            return .externalProcessing(
                try reader.at("overrides") { try ExternalProcessing.Overrides(wire.overrides, reader) })
        default: return nil
        }
    }
}
