import SwiftProtobuf
import WeftIR
import WeftProto

extension RateLimitRule {
    typealias Wire = Envoy_Config_Route_V3_RateLimit

    func wire() -> Wire {
        var wire = Wire()
        if stage != 0 { wire.stage = .init(stage) }
        wire.disableKey = disableKey
        wire.actions = actions.map { $0.wire() }
        if let hits { wire.hitsAddend.number = .init(hits) }
        return wire
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        self.init(actions: try reader.map("actions", wire.actions) { try Action($0, reader) })
        stage = wire.stage.value
        disableKey = wire.disableKey
        guard stage <= 10 else { throw reader.error("stage \(stage) is above 10") }
        if wire.hasHitsAddend, wire.hitsAddend.hasNumber { hits = wire.hitsAddend.number.value }
    }
}

extension RateLimitRule.Action {
    typealias Wire = Envoy_Config_Route_V3_RateLimit.Action

    func wire() -> Wire {
        var wire = Wire()
        switch self {
        case .sourceCluster: wire.sourceCluster = .init()
        case .destinationCluster: wire.destinationCluster = .init()
        case .requestHeader(let name, let key, let skips):
            wire.requestHeaders.headerName = name
            wire.requestHeaders.descriptorKey = key
            wire.requestHeaders.skipIfAbsent = skips
        case .remoteAddress: wire.remoteAddress = .init()
        case .maskedRemoteAddress(let v4, let v6):
            wire.maskedRemoteAddress.v4PrefixMaskLen = .init(UInt32(v4))
            wire.maskedRemoteAddress.v6PrefixMaskLen = .init(UInt32(v6))
        case .genericKey(let key, let value):
            wire.genericKey.descriptorKey = key
            wire.genericKey.descriptorValue = value
        case .headerValueMatch(let key, let value, let expects, let headers):
            wire.headerValueMatch.descriptorKey = key
            wire.headerValueMatch.descriptorValue = value
            wire.headerValueMatch.expectMatch = .init(expects)
            wire.headerValueMatch.headers = headers.map { $0.wire() }
        case .queryParameter(let name, let key, let skips):
            wire.queryParameters.queryParameterName = name
            wire.queryParameters.descriptorKey = key
            wire.queryParameters.skipIfAbsent = skips
        case .queryParameterMatch(let key, let value, let expects, let parameters):
            wire.queryParameterValueMatch.descriptorKey = key
            wire.queryParameterValueMatch.descriptorValue = value
            wire.queryParameterValueMatch.expectMatch = .init(expects)
            wire.queryParameterValueMatch.queryParameters = parameters.map { $0.wire() }
        case .metadata(let key, let filter, let path, let fallback, let skips):
            wire.metadata.descriptorKey = key
            wire.metadata.metadataKey.key = filter
            wire.metadata.metadataKey.path = path.map { step in
                var segment = Envoy_Type_Metadata_V3_MetadataKey.PathSegment()
                segment.key = step
                return segment
            }
            wire.metadata.defaultValue = fallback
            wire.metadata.skipIfAbsent = skips
        }
        return wire
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        switch wire.actionSpecifier {
        case .sourceCluster: self = .sourceCluster
        case .destinationCluster: self = .destinationCluster
        case .requestHeaders(let header):
            self = .requestHeader(
                name: header.headerName.lowercased(), key: header.descriptorKey, skipIfAbsent: header.skipIfAbsent)
        case .queryParameters(let parameter):
            self = .queryParameter(
                name: parameter.queryParameterName, key: parameter.descriptorKey, skipIfAbsent: parameter.skipIfAbsent)
        case .remoteAddress: self = .remoteAddress
        case .genericKey(let key): self = .genericKey(key: key.descriptorKey, value: key.descriptorValue)
        case .headerValueMatch(let match):
            self = .headerValueMatch(
                key: match.descriptorKey, value: match.descriptorValue,
                expectsMatch: match.hasExpectMatch ? match.expectMatch.value : true,
                headers: try reader.map("headers", match.headers) { try HeaderMatcher($0, reader) })
        case .queryParameterValueMatch(let match):
            self = .queryParameterMatch(
                key: match.descriptorKey, value: match.descriptorValue,
                expectsMatch: match.hasExpectMatch ? match.expectMatch.value : true,
                parameters: try reader.map("query_parameters", match.queryParameters) {
                    try QueryParameterMatcher($0, reader)
                })
        case .maskedRemoteAddress(let mask): self = try Self.masked(mask, reader)
        case .metadata(let value):
            guard value.source == .dynamic else { throw reader.error("metadata of the route is not supported") }
            self = .metadata(
                key: value.descriptorKey, filter: value.metadataKey.key, path: value.metadataKey.path.map(\.key),
                fallback: value.defaultValue, skipIfAbsent: value.skipIfAbsent)
        case .extension(let other):
            throw reader.error("rate limit action \(other.name) (\(other.typedConfig.messageName)) is not supported")
        case nil: throw reader.error("a rate limit action of a kind that is not supported")
        }
    }

    private static func masked(_ wire: Wire.MaskedRemoteAddress, _ reader: WireReader) throws -> Self {
        let v4 = wire.hasV4PrefixMaskLen ? wire.v4PrefixMaskLen.value : 32
        let v6 = wire.hasV6PrefixMaskLen ? wire.v6PrefixMaskLen.value : 128
        guard v4 <= 32, v6 <= 128 else { throw reader.error("a mask length is out of range") }
        return .maskedRemoteAddress(v4Bits: UInt8(v4), v6Bits: UInt8(v6))
    }
}

extension LocalRateLimit.Bucket {
    func wire() -> Envoy_Type_V3_TokenBucket {
        var wire = Envoy_Type_V3_TokenBucket()
        wire.maxTokens = maxTokens
        wire.tokensPerFill = .init(tokensPerFill)
        wire.fillInterval = .init(milliseconds: fillIntervalMilliseconds)
        return wire
    }

    init(_ wire: Envoy_Type_V3_TokenBucket, _ reader: WireReader) throws {
        guard wire.maxTokens > 0 else { throw reader.error("max_tokens must be above 0") }
        guard wire.fillInterval.milliseconds >= 50 else {
            throw reader.error("fill_interval must be at least 50 ms")
        }
        self.init(
            maxTokens: wire.maxTokens, tokensPerFill: wire.hasTokensPerFill ? wire.tokensPerFill.value : 1,
            fillIntervalMilliseconds: wire.fillInterval.milliseconds)
    }
}

extension LocalRateLimit {
    typealias Wire = Envoy_Extensions_Filters_Http_LocalRatelimit_V3_LocalRateLimit

    func wire() -> Wire {
        var wire = Wire()
        wire.statPrefix = statPrefix
        if let bucket { wire.tokenBucket = bucket.wire() }
        wire.descriptors = descriptors.map { descriptor in
            var value = Envoy_Extensions_Common_Ratelimit_V3_LocalRateLimitDescriptor()
            value.entries = descriptor.entries.map { $0.wire() }
            value.tokenBucket = descriptor.bucket.wire()
            return value
        }
        wire.rateLimits = actions.map { $0.wire() }
        wire.status = .init(status)
        wire.filterEnabled = enabled.runtimeWire()
        wire.filterEnforced = enforced.runtimeWire()
        wire.responseHeadersToAdd = responseHeaders.wireAppend
        wire.requestHeadersToAddWhenNotEnforced = requestHeadersWhenNotEnforced.wireAppend
        wire.enableXRatelimitHeaders = addsRateLimitHeaders ? .draftVersion03 : .off
        wire.alwaysConsumeDefaultTokenBucket = .init(alwaysConsumesDefaultBucket)
        wire.localRateLimitPerDownstreamConnection = perConnection
        wire.rateLimitedAsResourceExhausted = resourceExhausted
        wire.stage = stage
        switch virtualHostLimits {
        case .override: wire.vhRateLimits = .override
        case .include: wire.vhRateLimits = .include
        case .ignore: wire.vhRateLimits = .ignore
        }
        wire.maxDynamicDescriptors = .init(maxDynamicDescriptors)
        return wire
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        self.init()
        statPrefix = wire.statPrefix
        if wire.hasTokenBucket { bucket = try reader.at("token_bucket") { try Bucket(wire.tokenBucket, reader) } }
        descriptors = try reader.map("descriptors", wire.descriptors) { descriptor in
            Descriptor(
                entries: descriptor.entries.map { RateLimitDescriptor.Entry($0.key, $0.value) },
                bucket: try reader.at("token_bucket") { try Bucket(descriptor.tokenBucket, reader) })
        }
        actions = try reader.map("rate_limits", wire.rateLimits) { try RateLimitRule($0, reader) }
        status = try wire.status.status(reader) ?? 429
        enabled = reader.runtime.fraction(wire.filterEnabled)
        enforced = reader.runtime.fraction(wire.filterEnforced)
        responseHeaders = .init(wire.responseHeadersToAdd, remove: [])
        requestHeadersWhenNotEnforced = .init(wire.requestHeadersToAddWhenNotEnforced, remove: [])
        addsRateLimitHeaders = wire.enableXRatelimitHeaders == .draftVersion03
        if wire.hasAlwaysConsumeDefaultTokenBucket {
            alwaysConsumesDefaultBucket = wire.alwaysConsumeDefaultTokenBucket.value
        }
        perConnection = wire.localRateLimitPerDownstreamConnection
        resourceExhausted = wire.rateLimitedAsResourceExhausted
        stage = wire.stage
        switch wire.vhRateLimits {
        case .include: virtualHostLimits = .include
        case .ignore: virtualHostLimits = .ignore
        case .override, .UNRECOGNIZED: virtualHostLimits = .override
        }
        if wire.hasMaxDynamicDescriptors { maxDynamicDescriptors = wire.maxDynamicDescriptors.value }
    }
}

extension RateLimitDescriptor.Entry {
    func wire() -> Envoy_Extensions_Common_Ratelimit_V3_RateLimitDescriptor.Entry {
        var wire = Envoy_Extensions_Common_Ratelimit_V3_RateLimitDescriptor.Entry()
        wire.key = key
        wire.value = value
        return wire
    }
}

extension GlobalRateLimit {
    typealias Wire = Envoy_Extensions_Filters_Http_Ratelimit_V3_RateLimit

    func wire() -> Wire {
        var wire = Wire()
        wire.domain = domain
        wire.rateLimitService.grpcService = service.wire()
        wire.rateLimitService.transportApiVersion = .v3
        wire.timeout = .init(milliseconds: timeoutMilliseconds)
        wire.stage = stage
        wire.requestType = requestType == .both ? "" : requestType.rawValue
        wire.failureModeDeny = failureModeDenies
        wire.failureModeDenyPercent = failureModeDenyShare.runtimeWire()
        wire.rateLimitedAsResourceExhausted = resourceExhausted
        wire.enableXRatelimitHeaders = addsRateLimitHeaders ? .draftVersion03 : .off
        wire.disableXEnvoyRatelimitedHeader = omitsRateLimitedHeader
        wire.rateLimitedStatus = .init(status)
        wire.statusOnError = .init(statusOnError)
        wire.responseHeadersToAdd = responseHeaders.wireAppend
        wire.statPrefix = statPrefix
        wire.filterEnabled = enabled.runtimeWire()
        wire.filterEnforced = enforced.runtimeWire()
        wire.rateLimits = rules.map { $0.wire() }
        return wire
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        let service = try reader.at("rate_limit_service.grpc_service") {
            try GRPCServiceTarget(wire.rateLimitService.grpcService, reader)
        }
        self.init(domain: wire.domain, service: service)
        guard !domain.isEmpty else { throw reader.error("domain is missing") }
        if wire.hasTimeout { timeoutMilliseconds = wire.timeout.milliseconds }
        stage = wire.stage
        guard stage <= 10 else { throw reader.error("stage \(stage) is above 10") }
        guard let type = RequestType(rawValue: wire.requestType.isEmpty ? "both" : wire.requestType) else {
            throw reader.error("request_type \(wire.requestType) is none of internal, external and both")
        }
        requestType = type
        failureModeDenies = wire.failureModeDeny
        if wire.hasFailureModeDenyPercent {
            failureModeDenyShare = reader.runtime.fraction(wire.failureModeDenyPercent)
        }
        resourceExhausted = wire.rateLimitedAsResourceExhausted
        addsRateLimitHeaders = wire.enableXRatelimitHeaders == .draftVersion03
        omitsRateLimitedHeader = wire.disableXEnvoyRatelimitedHeader
        status = try wire.rateLimitedStatus.status(reader) ?? 429
        statusOnError = try wire.statusOnError.status(reader) ?? 500
        responseHeaders = .init(wire.responseHeadersToAdd, remove: [])
        statPrefix = wire.statPrefix
        if wire.hasFilterEnabled { enabled = reader.runtime.fraction(wire.filterEnabled) }
        if wire.hasFilterEnforced { enforced = reader.runtime.fraction(wire.filterEnforced) }
        rules = try reader.map("rate_limits", wire.rateLimits) { try RateLimitRule($0, reader) }
    }
}

extension GlobalRateLimit.PerRoute {
    typealias Wire = Envoy_Extensions_Filters_Http_Ratelimit_V3_RateLimitPerRoute

    func wire() -> Wire {
        var wire = Wire()
        switch virtualHostLimits {
        case .override: wire.vhRateLimits = .override
        case .include: wire.vhRateLimits = .include
        case .ignore: wire.vhRateLimits = .ignore
        }
        wire.rateLimits = rules.map { $0.wire() }
        wire.domain = domain
        return wire
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        self.init()
        switch wire.vhRateLimits {
        case .include: virtualHostLimits = .include
        case .ignore: virtualHostLimits = .ignore
        case .override, .UNRECOGNIZED: virtualHostLimits = .override
        }
        rules = try reader.map("rate_limits", wire.rateLimits) { try RateLimitRule($0, reader) }
        domain = wire.domain
    }
}
