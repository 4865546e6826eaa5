import SwiftProtobuf
import WeftIR
import WeftProto

private typealias WireProvider = Envoy_Extensions_Filters_Http_JwtAuthn_V3_JwtProvider
private typealias WireRequirement = Envoy_Extensions_Filters_Http_JwtAuthn_V3_JwtRequirement

extension JWTAuthentication {
    typealias Wire = Envoy_Extensions_Filters_Http_JwtAuthn_V3_JwtAuthentication

    func wire() throws -> Wire {
        var wire = Wire()
        for provider in providers { wire.providers[provider.name] = provider.wire() }
        wire.rules = try rules.map { rule in
            var value = Envoy_Extensions_Filters_Http_JwtAuthn_V3_RequirementRule()
            value.match = try rule.match.wire()
            switch rule.need {
            case .requirement(.none): break
            case .requirement(let requirement): value.requires = requirement.wire()
            case .named(let name): value.requirementName = name
            }
            return value
        }
        wire.requirementMap = requirements.mapValues { $0.wire() }
        wire.bypassCorsPreflight = bypassesCORSPreflight
        wire.stripFailureResponse = stripsFailureResponse
        wire.statPrefix = statPrefix
        return wire
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        let providers = try wire.providers.sorted { $0.key < $1.key }.map { name, provider in
            try reader.at("providers[\(name)]") { try Provider(name, provider, reader) }
        }
        let rules = try reader.map("rules", wire.rules) { rule in
            let match = try reader.at("match") { try RouteMatch(rule.match, reader) }
            let need: Rule.Need =
                switch rule.requirementType {
                case .requires(let requirement): .requirement(try Requirement(requirement, reader))
                case .requirementName(let name): .named(name)
                case nil: .requirement(.none)
                }
            return Rule(match: match, need: need)
        }
        self.init(providers: providers, rules: rules)
        for (name, requirement) in wire.requirementMap {
            requirements[name] = try reader.at("requirement_map[\(name)]") { try Requirement(requirement, reader) }
        }
        bypassesCORSPreflight = wire.bypassCorsPreflight
        stripsFailureResponse = wire.stripFailureResponse
        statPrefix = wire.statPrefix
        try checkNames(reader)
    }

    /// A name that is not defined would refuse every request that its rule matches.
    private func checkNames(_ reader: WireReader) throws {
        let known = Set(providers.map(\.name))
        for rule in rules {
            switch rule.need {
            case .requirement(let requirement): try requirement.check(known, reader)
            case .named(let name) where requirements[name] == nil:
                throw reader.error("requirement_name \"\(name)\" is not in requirement_map")
            case .named: break
            }
        }
        for requirement in requirements.values { try requirement.check(known, reader) }
    }
}

extension JWTAuthentication.Provider {
    fileprivate func wire() -> WireProvider {
        var wire = WireProvider()
        wire.issuer = issuer
        wire.audiences = audiences
        if let subject { wire.subjects = subject.wire() }
        wire.requireExpiration = requiresExpiration
        if let maxLifetimeSeconds { wire.maxLifetime.seconds = Int64(clamping: maxLifetimeSeconds) }
        wire.clockSkewSeconds = UInt32(clamping: clockSkewSeconds)
        wire.forward = forwards
        wire.fromHeaders = fromHeaders.map { location in
            var value = Envoy_Extensions_Filters_Http_JwtAuthn_V3_JwtHeader()
            value.name = location.name
            value.valuePrefix = location.prefix
            return value
        }
        wire.fromParams = fromParameters
        wire.fromCookies = fromCookies
        wire.forwardPayloadHeader = forwardPayloadHeader
        wire.padForwardPayloadHeader = padsForwardedPayload
        wire.payloadInMetadata = payloadInMetadata
        wire.headerInMetadata = headerInMetadata
        if !spaceDelimitedClaims.isEmpty {
            wire.normalizePayloadInMetadata.spaceDelimitedClaims = spaceDelimitedClaims
        }
        wire.clearRouteCache_p = clearsRouteCache
        wire.claimToHeaders = claimToHeaders.map { claim in
            var value = Envoy_Extensions_Filters_Http_JwtAuthn_V3_JwtClaimToHeader()
            value.headerName = claim.header
            value.claimName = claim.claim
            return value
        }
        switch keys {
        case .local(let document): wire.localJwks.inlineString = document
        case .remote(let remote): wire.remoteJwks = remote.wire()
        }
        return wire
    }

    fileprivate init(_ name: String, _ wire: WireProvider, _ reader: WireReader) throws {
        let keys: JWTAuthentication.Keys =
            switch wire.jwksSourceSpecifier {
            case .localJwks(let source):
                .local(String(decoding: try reader.at("local_jwks") { try source.inline(reader) }, as: UTF8.self))
            case .remoteJwks(let remote):
                .remote(try reader.at("remote_jwks") { try JWTAuthentication.Remote(remote, reader) })
            case nil: throw reader.error("one of local_jwks and remote_jwks is needed")
            }
        self.init(name: name, keys: keys)
        issuer = wire.issuer
        audiences = wire.audiences
        if wire.hasSubjects { subject = try StringMatcher(wire.subjects, reader) }
        requiresExpiration = wire.requireExpiration
        if wire.hasMaxLifetime { maxLifetimeSeconds = UInt64(clamping: wire.maxLifetime.seconds) }
        if wire.clockSkewSeconds > 0 { clockSkewSeconds = UInt64(wire.clockSkewSeconds) }
        forwards = wire.forward
        fromHeaders = wire.fromHeaders.map { .init(name: $0.name.lowercased(), prefix: $0.valuePrefix) }
        fromParameters = wire.fromParams
        fromCookies = wire.fromCookies
        forwardPayloadHeader = wire.forwardPayloadHeader.lowercased()
        padsForwardedPayload = wire.padForwardPayloadHeader
        payloadInMetadata = wire.payloadInMetadata
        headerInMetadata = wire.headerInMetadata
        spaceDelimitedClaims = wire.normalizePayloadInMetadata.spaceDelimitedClaims
        clearsRouteCache = wire.clearRouteCache_p
        claimToHeaders = wire.claimToHeaders.map { .init(header: $0.headerName.lowercased(), claim: $0.claimName) }
    }
}

extension JWTAuthentication.Remote {
    typealias Wire = Envoy_Extensions_Filters_Http_JwtAuthn_V3_RemoteJwks

    func wire() -> Wire {
        var wire = Wire()
        wire.httpUri.uri = uri
        wire.httpUri.cluster = cluster
        wire.httpUri.timeout = .init(milliseconds: timeoutMilliseconds)
        wire.cacheDuration = .init(milliseconds: cacheMilliseconds)
        if numRetries > 0 { wire.retryPolicy.numRetries = .init(numRetries) }
        if fetchesAhead {
            wire.asyncFetch.fastListener = fastListener
            wire.asyncFetch.failedRefetchDuration = .init(milliseconds: failedRefetchMilliseconds)
        }
        return wire
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        guard !wire.httpUri.uri.isEmpty, !wire.httpUri.cluster.isEmpty else {
            throw reader.error("http_uri needs a uri and a cluster")
        }
        self.init(uri: wire.httpUri.uri, cluster: wire.httpUri.cluster)
        if wire.httpUri.hasTimeout { timeoutMilliseconds = wire.httpUri.timeout.milliseconds }
        if wire.hasCacheDuration { cacheMilliseconds = wire.cacheDuration.milliseconds }
        if wire.hasRetryPolicy {
            numRetries = wire.retryPolicy.hasNumRetries ? wire.retryPolicy.numRetries.value : 1
        }
        guard wire.hasAsyncFetch else { return }
        fetchesAhead = true
        fastListener = wire.asyncFetch.fastListener
        if wire.asyncFetch.hasFailedRefetchDuration {
            failedRefetchMilliseconds = wire.asyncFetch.failedRefetchDuration.milliseconds
        }
    }
}

extension JWTAuthentication.Requirement {
    fileprivate func wire() -> WireRequirement {
        var wire = WireRequirement()
        switch self {
        case .none: break
        case .provider(let name): wire.providerName = name
        case .providerWithAudiences(let name, let audiences):
            wire.providerAndAudiences.providerName = name
            wire.providerAndAudiences.audiences = audiences
        case .any(let list): wire.requiresAny.requirements = list.map { $0.wire() }
        case .all(let list): wire.requiresAll.requirements = list.map { $0.wire() }
        case .allowMissing: wire.allowMissing = .init()
        case .allowMissingOrFailed: wire.allowMissingOrFailed = .init()
        }
        return wire
    }

    fileprivate init(_ wire: WireRequirement, _ reader: WireReader) throws {
        switch wire.requiresType {
        case .providerName(let name): self = .provider(name)
        case .providerAndAudiences(let both): self = .providerWithAudiences(both.providerName, both.audiences)
        case .requiresAny(let list):
            self = .any(try reader.map("requires_any", list.requirements) { try Self($0, reader) })
        case .requiresAll(let list):
            self = .all(try reader.map("requires_all", list.requirements) { try Self($0, reader) })
        case .allowMissing: self = .allowMissing
        case .allowMissingOrFailed: self = .allowMissingOrFailed
        case nil: self = .none
        }
    }

    fileprivate func check(_ known: Set<String>, _ reader: WireReader) throws {
        switch self {
        case .none, .allowMissing, .allowMissingOrFailed: break
        case .provider(let name), .providerWithAudiences(let name, _):
            guard known.contains(name) else { throw reader.error("provider \"\(name)\" is not in providers") }
        case .any(let list), .all(let list): for one in list { try one.check(known, reader) }
        }
    }
}

extension JWTAuthentication.PerRoute {
    func wire() -> Envoy_Extensions_Filters_Http_JwtAuthn_V3_PerRouteConfig {
        var wire = Envoy_Extensions_Filters_Http_JwtAuthn_V3_PerRouteConfig()
        switch self {
        case .disabled: wire.disabled = true
        case .requirement(let name): wire.requirementName = name
        }
        return wire
    }

    init(_ wire: Envoy_Extensions_Filters_Http_JwtAuthn_V3_PerRouteConfig, _ reader: WireReader) throws {
        switch wire.requirementSpecifier {
        case .requirementName(let name): self = .requirement(name)
        case .disabled(true): self = .disabled
        case .disabled(false), nil: throw reader.error("one of disabled (true) and requirement_name is needed")
        }
    }
}
