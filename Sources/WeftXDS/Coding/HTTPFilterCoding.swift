import SwiftProtobuf
import WeftIR
import WeftProto

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
        case .localRateLimit(let limit): wire.typedConfig = try pack(limit.wire())
        case .headerMutation(let steps): wire.typedConfig = try pack(steps.wire())
        case .buffer(let buffer): wire.typedConfig = try pack(buffer.wire())
        case .healthCheck(let check): wire.typedConfig = try pack(check.wire())
        case .grpcWeb: wire.typedConfig = try pack(Envoy_Extensions_Filters_Http_GrpcWeb_V3_GrpcWeb())
        case .grpcStats(let stats): wire.typedConfig = try pack(stats.wire())
        case .jwt(let tokens): wire.typedConfig = try pack(tokens.wire())
        case .externalAuthorization(let check): wire.typedConfig = try pack(check.wire())
        case .globalRateLimit(let limit): wire.typedConfig = try pack(limit.wire())
        case .externalProcessing(let processing): wire.typedConfig = try pack(processing.wire())
        case .compressor(let compressor): wire.typedConfig = try pack(try compressor.wire())
        case .decompressor(let decompressor): wire.typedConfig = try pack(try decompressor.wire())
        case .statefulSession(let session): wire.typedConfig = try pack(try session.wire())
        }
        return wire
    }

    /// - Returns: `nil` for an optional filter that we do not have.
    static func read(_ wire: WireHTTPFilter, _ reader: WireReader) throws -> HTTPFilter? {
        guard let kind = try Kind.basic(wire, reader) ?? Kind.calling(wire, reader) else {
            let text = "HTTP filter \(wire.name) (\(wire.typedConfig.messageName)) is not supported"
            guard wire.isOptional else { throw reader.error(text) }
            reader.warn("optional \(text) and left out")
            return nil
        }
        var filter = HTTPFilter(name: wire.name, kind: kind)
        filter.disabled = wire.disabled
        return filter
    }
}

extension HTTPFilter.Kind {
    /// Filters that decide by themselves.
    fileprivate static func basic(_ wire: WireHTTPFilter, _ reader: WireReader) throws -> Self? {
        let any = wire.typedConfig
        switch any.messageName {
        case WireHTTPRBAC.protoMessageName: return .rbac(try RBAC(reader.unpack(any, as: WireHTTPRBAC.self), reader))
        case WireFault.protoMessageName: return .fault(try Fault(reader.unpack(any, as: WireFault.self), reader))
        case Envoy_Extensions_Filters_Http_Cors_V3_Cors.protoMessageName: return .cors
        case Envoy_Extensions_Filters_Http_Router_V3_Router.protoMessageName:
            _ = try reader.unpack(any, as: Envoy_Extensions_Filters_Http_Router_V3_Router.self)
            return .router
        case Weft_V1_Stats.protoMessageName:
            return .stats(try StatsFilter(reader.unpack(any, as: Weft_V1_Stats.self), reader))
        case LocalRateLimit.Wire.protoMessageName:
            return .localRateLimit(try LocalRateLimit(reader.unpack(any, as: LocalRateLimit.Wire.self), reader))
        case HeaderMutationFilter.Wire.protoMessageName:
            let steps = try reader.unpack(any, as: HeaderMutationFilter.Wire.self)
            return .headerMutation(
                try HeaderMutationFilter(
                    steps.mutations, mostSpecificWins: steps.mostSpecificHeaderMutationsWins, reader))
        case BufferFilter.Wire.protoMessageName:
            return .buffer(try BufferFilter(reader.unpack(any, as: BufferFilter.Wire.self), reader))
        case HealthCheckFilter.Wire.protoMessageName:
            return .healthCheck(try HealthCheckFilter(reader.unpack(any, as: HealthCheckFilter.Wire.self), reader))
        case Envoy_Extensions_Filters_Http_GrpcWeb_V3_GrpcWeb.protoMessageName: return .grpcWeb
        case GRPCStats.Wire.protoMessageName:
            return .grpcStats(try GRPCStats(reader.unpack(any, as: GRPCStats.Wire.self), reader))
        case WireCompressor.protoMessageName:
            return .compressor(try CompressorFilter(reader.unpack(any, as: WireCompressor.self), reader))
        case WireDecompressor.protoMessageName:
            return .decompressor(try DecompressorFilter(reader.unpack(any, as: WireDecompressor.self), reader))
        case WireSession.protoMessageName:
            return .statefulSession(try StatefulSession(reader.unpack(any, as: WireSession.self), reader))
        default: return nil
        }
    }

    /// Filters that ask others.
    fileprivate static func calling(_ wire: WireHTTPFilter, _ reader: WireReader) throws -> Self? {
        let any = wire.typedConfig
        switch any.messageName {
        case JWTAuthentication.Wire.protoMessageName:
            return .jwt(try JWTAuthentication(reader.unpack(any, as: JWTAuthentication.Wire.self), reader))
        case ExternalAuthorization.Wire.protoMessageName:
            return .externalAuthorization(
                try ExternalAuthorization(reader.unpack(any, as: ExternalAuthorization.Wire.self), reader))
        case GlobalRateLimit.Wire.protoMessageName:
            return .globalRateLimit(try GlobalRateLimit(reader.unpack(any, as: GlobalRateLimit.Wire.self), reader))
        case ExternalProcessing.Wire.protoMessageName:
            return .externalProcessing(
                try ExternalProcessing(reader.unpack(any, as: ExternalProcessing.Wire.self), reader))
        default: return nil
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
        if let maxActiveFaults { wire.maxActiveFaults = .init(maxActiveFaults) }
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
        if wire.hasMaxActiveFaults { maxActiveFaults = wire.maxActiveFaults.value }
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
        if let allowPrivateNetworkAccess { wire.allowPrivateNetworkAccess = .init(allowPrivateNetworkAccess) }
        if enabled != .all { wire.filterEnabled = enabled.runtimeWire() }
        if shadow != .zero { wire.shadowEnabled = shadow.runtimeWire() }
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
        if wire.hasAllowPrivateNetworkAccess { allowPrivateNetworkAccess = wire.allowPrivateNetworkAccess.value }
        if wire.hasFilterEnabled { enabled = reader.runtime.fraction(wire.filterEnabled) }
        if wire.hasShadowEnabled { shadow = reader.runtime.fraction(wire.shadowEnabled) }
        if wire.hasForwardNotMatchingPreflights {
            forwardNotMatchingPreflights = wire.forwardNotMatchingPreflights.value
        }
    }
}
