import SwiftProtobuf
import WeftIR
import WeftProto

/// A filter whose protobuf form is not among our definitions yet: it cannot be sent.
struct NoWireFormError: Error, CustomStringConvertible {
    var filter: String
    var description: String { "HTTP filter \(filter) has no protobuf form here, so it cannot be sent to a proxy" }
}

extension HTTPFilter {
    /// - Returns: `nil` for a filter that the target does not have.
    func wire(_ target: Target) throws -> WireHTTPFilter? {
        var wire = WireHTTPFilter()
        wire.name = name
        wire.disabled = disabled
        switch kind {
        case .rbac(let rbac): wire.typedConfig = try pack(rbac.httpWire())
        case .fault(let fault): wire.typedConfig = try pack(fault.wire(target))
        case .cors: wire.typedConfig = try pack(Envoy_Extensions_Filters_Http_Cors_V3_Cors())
        case .router: wire.typedConfig = try pack(Envoy_Extensions_Filters_Http_Router_V3_Router())
        case .stats(let stats):
            guard target == .weft else { return nil }
            wire.typedConfig = try pack(stats.wire())
        case .compressor(let compressor): wire.typedConfig = try pack(try compressor.wire())
        case .decompressor(let decompressor): wire.typedConfig = try pack(try decompressor.wire())
        case .statefulSession(let session): wire.typedConfig = try pack(try session.wire())
        case .localRateLimit, .headerMutation, .buffer, .healthCheck, .grpcWeb, .jwt:
            throw NoWireFormError(filter: name)
        }
        return wire
    }

    /// - Returns: `nil` for an optional filter that we do not have.
    static func read(_ wire: WireHTTPFilter, _ reader: WireReader) throws -> HTTPFilter? {
        let any = wire.typedConfig
        let kind: Kind
        switch any.messageName {
        case WireHTTPRBAC.protoMessageName: kind = .rbac(try RBAC(reader.unpack(any, as: WireHTTPRBAC.self), reader))
        case WireFault.protoMessageName: kind = .fault(try Fault(reader.unpack(any, as: WireFault.self), reader))
        case Envoy_Extensions_Filters_Http_Cors_V3_Cors.protoMessageName: kind = .cors
        case Envoy_Extensions_Filters_Http_Router_V3_Router.protoMessageName:
            kind = .router
        case WireCompressor.protoMessageName:
            kind = .compressor(try CompressorFilter(reader.unpack(any, as: WireCompressor.self), reader))
        case WireDecompressor.protoMessageName:
            kind = .decompressor(try DecompressorFilter(reader.unpack(any, as: WireDecompressor.self), reader))
        case WireSession.protoMessageName:
            kind = .statefulSession(try StatefulSession(reader.unpack(any, as: WireSession.self), reader))
        case Weft_V1_Stats.protoMessageName:
            kind = .stats(try StatsFilter(reader.unpack(any, as: Weft_V1_Stats.self), reader))
        case _ where wire.isOptional:
            reader.warn("optional filter \(wire.name) (\(any.messageName)) is not supported and left out")
            return nil
        default: throw reader.error("HTTP filter \(wire.name) (\(any.messageName)) is not supported")
        }
        var filter = HTTPFilter(name: wire.name, kind: kind)
        filter.disabled = wire.disabled
        return filter
    }
}

extension PerRouteFilter {
    func wire(_ target: Target) throws -> Google_Protobuf_Any {
        switch self {
        case .rbac(let rbac):
            var wire = Envoy_Extensions_Filters_Http_Rbac_V3_RBACPerRoute()
            if let rbac { wire.rbac = rbac.httpWire() }
            return try pack(wire)
        case .fault(let fault): return try pack(fault.wire(target))
        case .cors(let policy): return try pack(policy.wire())
        case .compressor(let overrides): return try pack(overrides.wire())
        case .statefulSession(let session): return try pack(try session.perRouteWire())
        case .localRateLimit, .headerMutation, .buffer, .jwt: throw NoWireFormError(filter: "per route")
        case .disabled:
            var wire = Envoy_Config_Route_V3_FilterConfig()
            wire.disabled = true
            return try pack(wire)
        }
    }

    static func read(_ configurations: [String: Google_Protobuf_Any], _ reader: WireReader) throws -> [String:
        PerRouteFilter]
    {
        var result: [String: PerRouteFilter] = [:]
        for (name, any) in configurations {
            result[name] = try reader.at("typed_per_filter_config[\(name)]") { try PerRouteFilter(any, reader) }
        }
        return result
    }

    private init(_ any: Google_Protobuf_Any, _ reader: WireReader) throws {
        switch any.messageName {
        case Envoy_Extensions_Filters_Http_Rbac_V3_RBACPerRoute.protoMessageName:
            let wire = try reader.unpack(any, as: Envoy_Extensions_Filters_Http_Rbac_V3_RBACPerRoute.self)
            self = .rbac(wire.hasRbac ? try RBAC(wire.rbac, reader) : nil)
        case WireFault.protoMessageName: self = .fault(try Fault(reader.unpack(any, as: WireFault.self), reader))
        case WireCORS.protoMessageName: self = .cors(try CORSPolicy(reader.unpack(any, as: WireCORS.self), reader))
        case WireCompressorPerRoute.protoMessageName:
            try self.init(reader.unpack(any, as: WireCompressorPerRoute.self), reader)
        case WireSessionPerRoute.protoMessageName:
            try self.init(reader.unpack(any, as: WireSessionPerRoute.self), reader)
        case Envoy_Config_Route_V3_FilterConfig.protoMessageName:
            let wire = try reader.unpack(any, as: Envoy_Config_Route_V3_FilterConfig.self)
            if wire.disabled { self = .disabled } else { try self.init(wire.config, reader) }
        default: throw reader.error("per-route configuration \(any.messageName) is not supported")
        }
    }
}

extension Fault {
    func wire(_ target: Target) -> WireFault {
        var wire = WireFault()
        if delayFromHeader {
            wire.delay.headerDelay = .init()
            wire.delay.percentage = delayPercentage.wire()
        } else if let delayMilliseconds {
            wire.delay.fixedDelay = .init(milliseconds: delayMilliseconds)
            wire.delay.percentage = delayPercentage.wire()
        }
        switch abort {
        case .http(let status): wire.abort.httpStatus = UInt32(status)
        case .grpc(let status): wire.abort.grpcStatus = status
        case .header: wire.abort.headerAbort = .init()
        case nil: break
        }
        if abort != nil { wire.abort.percentage = abortPercentage.wire() }
        wire.headers = headers.map { $0.wire() }
        wire.upstreamCluster = upstreamCluster
        if let provenance { wire.filterMetadata = provenance.fields() }
        return wire
    }

    init(_ wire: WireFault, _ reader: WireReader) throws {
        self.init()
        switch wire.delay.faultDelaySecifier {
        case .fixedDelay(let delay):
            delayMilliseconds = delay.milliseconds
            delayPercentage = FractionalPercent(wire.delay.percentage)
        case .headerDelay:
            delayFromHeader = true
            delayPercentage = FractionalPercent(wire.delay.percentage)
        case nil: break
        }
        switch wire.abort.errorType {
        case .httpStatus(let status): abort = .http(status: try reader.status(status))
        case .grpcStatus(let status): abort = .grpc(status: status)
        case .headerAbort: abort = .header
        case nil: break
        }
        if abort != nil { abortPercentage = FractionalPercent(wire.abort.percentage) }
        upstreamCluster = wire.upstreamCluster
        headers = try reader.map("headers", wire.headers) { try HeaderMatcher($0, reader) }
        provenance = wire.hasFilterMetadata ? Provenance(wire.filterMetadata) : nil
    }
}

extension CORSPolicy {
    func wire() -> WireCORS {
        var wire = WireCORS()
        wire.allowOriginStringMatch = allowOrigins.map { $0.wire() }
        wire.allowMethods = allowMethods
        wire.allowHeaders = allowHeaders
        wire.exposeHeaders = exposeHeaders
        wire.maxAge = maxAge
        if let allowCredentials { wire.allowCredentials = .init(allowCredentials) }
        if let forwardNotMatchingPreflights { wire.forwardNotMatchingPreflights = .init(forwardNotMatchingPreflights) }
        return wire
    }

    init(_ wire: WireCORS, _ reader: WireReader) throws {
        self.init()
        allowOrigins = try reader.map("allow_origin_string_match", wire.allowOriginStringMatch) {
            try StringMatcher($0, reader)
        }
        allowMethods = wire.allowMethods
        allowHeaders = wire.allowHeaders
        exposeHeaders = wire.exposeHeaders
        maxAge = wire.maxAge
        if wire.hasAllowCredentials { allowCredentials = wire.allowCredentials.value }
        if wire.hasForwardNotMatchingPreflights {
            forwardNotMatchingPreflights = wire.forwardNotMatchingPreflights.value
        }
    }
}
