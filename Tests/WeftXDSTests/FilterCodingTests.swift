import SwiftProtobuf
import Testing
import WeftCore
import WeftIR
import WeftProto

@testable import WeftXDS

/// HTTP filters and what routes say about them: through the wire and back.
@Suite struct FilterCodingTests {
    static let xNames = StringMatcher(.prefix("x-"))

    static var limit: LocalRateLimit {
        var limit = LocalRateLimit()
        limit.statPrefix = "limit"
        limit.bucket = .init(maxTokens: 10, tokensPerFill: 2, fillIntervalMilliseconds: 1_000)
        limit.descriptors = [
            .init(entries: [.init("a", "b")], bucket: .init(maxTokens: 1, fillIntervalMilliseconds: 60_000))
        ]
        limit.actions = rules
        limit.status = 503
        limit.enabled = .all
        limit.enforced = FractionalPercent(percent: 50)
        limit.responseHeaders = HeaderMutations(append: [.init(name: "x-l", value: "1", action: .addIfAbsent)])
        limit.addsRateLimitHeaders = true
        limit.alwaysConsumesDefaultBucket = false
        limit.perConnection = true
        limit.resourceExhausted = true
        limit.stage = 3
        limit.virtualHostLimits = .include
        limit.maxDynamicDescriptors = 7
        return limit
    }

    /// Every action that there is.
    static var rules: [RateLimitRule] {
        let header = HeaderMatcher(name: "x-a", test: .present(true))
        var all = RateLimitRule(actions: [
            .sourceCluster, .destinationCluster, .requestHeader(name: "x-a", key: "a", skipIfAbsent: true),
            .remoteAddress, .maskedRemoteAddress(v4Bits: 24, v6Bits: 64), .genericKey(key: "k", value: "v"),
            .headerValueMatch(key: "h", value: "v", expectsMatch: false, headers: [header]),
            .queryParameter(name: "q", key: "q", skipIfAbsent: false),
            .queryParameterMatch(
                key: "", value: "v", expectsMatch: true,
                parameters: [QueryParameterMatcher(name: "q", test: .present(true))]),
            .metadata(key: "m", filter: "f", path: ["a", "b"], fallback: "d", skipIfAbsent: true),
        ])
        all.stage = 2
        all.hits = 5
        all.disableKey = "off"
        return [all, RateLimitRule(actions: [.genericKey(key: "", value: "w")])]
    }

    static var mutation: HeaderMutationFilter {
        var filter = HeaderMutationFilter()
        filter.request = [
            .remove("x-a"), .removeMatching(xNames),
            .set(.init(name: "x-b", value: "%REQ(x-c)%", action: .overwriteIfExists), keepsEmpty: true),
        ]
        filter.response = [.set(.init(name: "x-d", value: "1", action: .appendIfExistsOrAdd), keepsEmpty: false)]
        filter.query = [.remove("a"), .append(name: "b", value: "c", action: .addIfAbsent)]
        filter.requestTrailers = [.remove("x-t")]
        filter.responseTrailers = [.set(.init(name: "x-u", value: "1", action: .addIfAbsent), keepsEmpty: false)]
        return filter
    }

    static var tokens: JWTAuthentication {
        var local = JWTAuthentication.Provider(name: "local", keys: .local("{\"keys\":[]}"))
        local.issuer = "https://issuer"
        local.audiences = ["a", "b"]
        local.subject = StringMatcher(.prefix("s"))
        local.requiresExpiration = true
        local.maxLifetimeSeconds = 60
        local.clockSkewSeconds = 5
        local.forwards = true
        local.fromHeaders = [.init(name: "x-token", prefix: "Token ")]
        local.fromParameters = ["token"]
        local.fromCookies = ["session"]
        local.forwardPayloadHeader = "x-payload"
        local.padsForwardedPayload = true
        local.claimToHeaders = [.init(header: "x-sub", claim: "a.b")]
        local.payloadInMetadata = "payload"
        local.headerInMetadata = "header"
        local.clearsRouteCache = true
        var source = JWTAuthentication.Remote(uri: "https://keys/jwks", cluster: "keys")
        source.timeoutMilliseconds = 500
        source.cacheMilliseconds = 1_000
        source.numRetries = 3
        source.fetchesAhead = true
        source.fastListener = true
        source.failedRefetchMilliseconds = 200
        let remote = JWTAuthentication.Provider(name: "remote", keys: .remote(source))
        var tokens = JWTAuthentication(
            providers: [local, remote],
            rules: [
                .init(match: RouteMatch(path: .prefix("/none")), need: .requirement(.none)),
                .init(match: RouteMatch(path: .exact("/named")), need: .named("both")),
                .init(
                    match: RouteMatch(path: .prefix("/")),
                    need: .requirement(.any([.providerWithAudiences("local", ["c"]), .allowMissing]))),
            ])
        tokens.requirements = ["both": .all([.provider("local"), .provider("remote")]), "any": .allowMissingOrFailed]
        tokens.bypassesCORSPreflight = true
        tokens.stripsFailureResponse = true
        return tokens
    }

    static var target: GRPCServiceTarget {
        var target = GRPCServiceTarget(cluster: "services")
        target.authority = "auth"
        target.timeoutMilliseconds = 250
        target.initialMetadata = [HeaderField("x-key", "%REQ(x-id)%")]
        return target
    }

    static var service: ExternalAuthorization.HTTPService {
        var service = ExternalAuthorization.HTTPService(uri: "http://auth", cluster: "auth")
        service.timeoutMilliseconds = 700
        service.pathPrefix = "/check"
        service.allowedHeaders = [xNames]
        service.headersToAdd = [HeaderField("x-add", "1")]
        service.upstreamHeaders = [xNames]
        service.appendedUpstreamHeaders = [StringMatcher(.exact("x-app"))]
        service.clientHeaders = [StringMatcher(.suffix("-c"), ignoreCase: true)]
        service.clientHeadersOnSuccess = [xNames]
        service.metadataHeaders = [xNames]
        return service
    }

    static var permission: ExternalAuthorization {
        var check = ExternalAuthorization(service: .grpc(target))
        check.failureModeAllows = true
        check.failureModeAllowAddsHeader = true
        check.body = .init(maxRequestBytes: 100)
        check.body?.allowsPartial = true
        check.body?.packsAsBytes = true
        check.clearsRouteCache = true
        check.statusOnError = 511
        check.validatesMutations = true
        check.metadataNamespaces = ["envoy.filters.http.jwt_authn"]
        check.enabled = FractionalPercent(percent: 10)
        check.deniesWhenDisabled = true
        check.includesPeerCertificate = true
        check.includesTLSSession = true
        check.headers.allowed = [xNames]
        check.headers.disallowed = [StringMatcher(.exact("x-no"))]
        check.encodesRawHeaders = true
        var rules = HeaderMutationRules()
        rules.allowsEnvoy = true
        rules.allowExpression = "x-.*"
        rules.disallowIsError = true
        check.mutationRules = rules
        check.takesDynamicMetadata = false
        check.maxDeniedBodyBytes = 10
        return check
    }

    static var quota: GlobalRateLimit {
        var limit = GlobalRateLimit(domain: "d", service: target)
        limit.timeoutMilliseconds = 90
        limit.stage = 2
        limit.requestType = .external
        limit.failureModeDenies = true
        limit.resourceExhausted = true
        limit.addsRateLimitHeaders = true
        limit.omitsRateLimitedHeader = true
        limit.status = 503
        limit.statusOnError = 502
        limit.responseHeaders = HeaderMutations(append: [.init(name: "x-l", value: "1", action: .addIfAbsent)])
        limit.enabled = FractionalPercent(percent: 1)
        limit.rules = rules
        return limit
    }

    static var processing: ExternalProcessing {
        var processing = ExternalProcessing(service: target)
        processing.failureModeAllows = true
        processing.mode.requestBody = .streamed
        processing.mode.responseBody = .bufferedPartial
        processing.mode.responseTrailers = true
        processing.mode.responseHeaders = false
        processing.messageTimeoutMilliseconds = 900
        processing.maxMessageTimeoutMilliseconds = 2_000
        processing.allowsModeOverride = true
        processing.allowedOverrides = [ExternalProcessing.Mode()]
        processing.ignoresImmediateResponse = true
        processing.routeCache = .clear
        processing.headers.allowed = [xNames]
        processing.mutationRules.allowsAllRouting = true
        processing.statusOnError = 503
        processing.requestAttributes = ["request.path", "request.headers['x-a']"]
        processing.responseAttributes = ["response.code"]
        processing.metadata.forwarded = ["a"]
        processing.metadata.received = ["b", "c"]
        processing.deferredCloseMilliseconds = 100
        return processing
    }

    static var kinds: [HTTPFilter.Kind] {
        var check = HealthCheckFilter()
        check.minimumHealthyPercent = ["c": 12.5]
        check.headers = [HeaderMatcher(name: ":path", test: .string(StringMatcher(.exact("/h"))))]
        var cached = HealthCheckFilter()
        cached.passesThrough = true
        cached.cacheMilliseconds = 2_500
        var fault = Fault()
        fault.abort = .http(status: 500)
        fault.abortPercentage = .all
        fault.maxActiveFaults = 3
        var listed = GRPCStats()
        listed.methods = .listed(["a.B": ["C", "D"], "e.F": ["G"]])
        listed.tellsCounts = true
        var all = GRPCStats()
        all.methods = .all
        all.timesUpstream = true
        all.replacesDots = true
        return [
            .grpcStats(GRPCStats()), .grpcStats(listed), .grpcStats(all),
            .localRateLimit(limit), .headerMutation(mutation), .buffer(BufferFilter(maxRequestBytes: 9)),
            .healthCheck(check), .healthCheck(cached), .grpcWeb, .jwt(tokens), .fault(fault),
            .externalAuthorization(permission), .externalAuthorization(ExternalAuthorization(service: .http(service))),
            .globalRateLimit(quota), .externalProcessing(processing),
        ]
    }

    @Test(arguments: kinds.indices) func filtersKeepTheirSettings(_ index: Int) throws {
        var filter = HTTPFilter(name: "f", kind: Self.kinds[index])
        filter.disabled = index.isMultiple(of: 2)
        let manager = HTTPConnectionManager(
            statPrefix: "in", routes: .rds("r"), filters: [filter, HTTPFilter(name: "router", kind: .router)])
        var listener = Listener(name: "l", address: .ip("127.0.0.1", port: 80))
        listener.filterChains = [FilterChain(name: "c", filters: [.httpConnectionManager(manager)])]
        let result = try XDSDecoder().decode(XDSEncoder(target: .weft).encode(listener))
        guard case .listener(let decoded) = result.value,
            case .httpConnectionManager(let back)? = decoded.filterChains.first?.filters.first
        else { throw Missing() }
        #expect(back.filters.first == filter)
    }

    static var perRoute: [PerRouteFilter] {
        var settings = ExternalAuthorization.CheckSettings()
        settings.contextExtensions = ["a": "b"]
        settings.body = .init(maxRequestBytes: 5)
        settings.service = .http(service)
        var limit = GlobalRateLimit.PerRoute()
        limit.virtualHostLimits = .ignore
        limit.rules = rules
        limit.domain = "other"
        var overrides = ExternalProcessing.Overrides()
        overrides.mode = ExternalProcessing.Mode()
        overrides.service = target
        overrides.initialMetadata = [HeaderField("a", "b")]
        overrides.failureModeAllows = false
        overrides.requestAttributes = ["request.method"]
        overrides.responseAttributes = ["response.code"]
        overrides.metadata = ExternalProcessing.MetadataNamespaces()
        overrides.metadata?.received = ["x"]
        var cors = CORSPolicy()
        cors.enabled = FractionalPercent(percent: 30)
        cors.shadow = .all
        cors.allowPrivateNetworkAccess = true
        cors.forwardNotMatchingPreflights = false
        return [
            .localRateLimit(Self.limit), .headerMutation(mutation), .buffer(BufferFilter(maxRequestBytes: 3)),
            .jwt(.disabled), .jwt(.requirement("both")), .externalAuthorization(settings), .globalRateLimit(limit),
            .externalProcessing(overrides), .cors(cors), .disabled,
        ]
    }

    @Test(arguments: perRoute.indices) func routesKeepTheirSettings(_ index: Int) throws {
        var action = RouteAction(cluster: .cluster("c"))
        action.rateLimits = Self.rules
        action.includesHostRateLimits = true
        var host = VirtualHost(
            name: "h", domains: ["*"], routes: [Route(match: RouteMatch(path: .prefix("/")), action: .forward(action))])
        host.perFilter = ["f": Self.perRoute[index]]
        host.rateLimits = Self.rules
        host.routes[0].perFilter = ["f": Self.perRoute[index]]
        var table = RouteConfiguration(name: "r", virtualHosts: [host])
        table.perFilter = ["f": Self.perRoute[index]]
        #expect(try XDSDecoder().decode(XDSEncoder(target: .weft).encode(table)).value == .route(table))
    }

    private func decode(_ message: some Message, named name: String = "f", optional: Bool = false) throws -> [String] {
        var filter = WireHTTPFilter()
        filter.name = name
        filter.isOptional = optional
        filter.typedConfig = try pack(message)
        let reader = WireReader()
        _ = try HTTPFilter.read(filter, reader)
        return reader.warnings
    }

    /// What the proxy cannot do is refused, with its place.
    @Test func refusesWhatItCannotDo() throws {
        var limit = Self.limit.wire()
        limit.tokenBucket.fillInterval = .init(milliseconds: 10)
        var tokens = try Self.tokens.wire()
        tokens.rules[1].requirementName = "unknown"
        var check = ExternalAuthorization.Wire()
        check.failureModeAllow = true
        var processing = Self.processing.wire()
        processing.processingMode.requestBodyMode = .fullDuplexStreamed
        var quota = Self.quota.wire()
        quota.domain = ""
        var rules = Self.quota.wire()
        rules.rateLimits[0].limit.dynamicMetadata.metadataKey.key = "k"
        let bad: [(any Message, String)] = [
            (limit, "fill_interval"), (tokens, "requirement_map"), (check, "grpc_service"),
            (processing, "not supported"), (quota, "domain"), (rules, "limit"),
        ]
        for (message, word) in bad {
            let error = #expect(throws: XDSDecodingError.self) { try decode(message) }
            #expect(error?.description.contains(word) == true, "\(String(describing: error))")
        }
    }

    @Test func unknownFiltersAreRefusedUnlessOptional() throws {
        #expect(throws: XDSDecodingError.self) { try decode(Google_Protobuf_Empty()) }
        #expect(try decode(Google_Protobuf_Empty(), optional: true).count == 1)
    }

    private struct Missing: Error {}
}
