/// Terminates HTTP on a connection (`envoy.extensions.filters.network.http_connection_manager.v3`).
package struct HTTPConnectionManager: Sendable, Hashable, Codable {
    package enum Codec: String, Sendable, Hashable, Codable { case auto, http1, http2 }
    package enum Routes: Sendable, Hashable, Codable {
        case inline(RouteConfiguration)
        /// Fetched by RDS under this name.
        case rds(String)
        /// One of several tables, by what a header says.
        case scoped(ScopedRoutes)
    }
    /// `forward_client_cert_details`: what to do with `x-forwarded-client-cert`.
    package enum ForwardClientCert: String, Sendable, Hashable, Codable {
        case sanitize, forwardOnly, appendForward, sanitizeSet, alwaysForwardOnly
    }
    /// `set_current_client_cert_details`.
    package struct ClientCertDetails: Sendable, Hashable, Codable {
        package var subject = false
        package var cert = false
        package var chain = false
        package var dns = false
        package var uri = false
        package init() {}
    }
    package enum ServerHeader: String, Sendable, Hashable, Codable { case overwrite, appendIfAbsent, passThrough }
    package enum EscapedSlashes: String, Sendable, Hashable, Codable {
        case keepUnchanged, rejectRequest, unescapeAndRedirect, unescapeAndForward
    }

    package var statPrefix: String
    package var codec = Codec.auto
    package var routes: Routes
    /// The file that holds what ``routes`` names (`rds.config_source.path_config_source`, or the `rds_config_source` of
    /// scoped routes); `nil` is the ADS stream.
    package var routesFile: String?
    package var filters: [HTTPFilter]
    package var useRemoteAddress = false
    package var xffNumTrustedHops: UInt32 = 0
    package var skipXFFAppend = false
    package var forwardClientCert = ForwardClientCert.sanitize
    package var clientCertDetails = ClientCertDetails()
    package var serverName: String?
    package var serverHeader = ServerHeader.overwrite
    package var generateRequestID = true
    package var preserveExternalRequestID = false
    package var alwaysSetRequestIDInResponse = false
    package var normalizePath = false
    package var mergeSlashes = false
    package var escapedSlashes = EscapedSlashes.keepUnchanged
    package var stripAnyHostPort = false
    package var stripMatchingHostPort = false
    /// `strip_trailing_host_dot`.
    package var stripTrailingHostDot = false
    /// `headers_with_underscores_action`.
    package var underscores = Underscores.allow
    /// Callers that may give orders by `x-envoy-*` headers (`internal_address_config`); empty is nobody.
    package var internalAddresses: [CIDR] = []
    /// `append_x_forwarded_port`.
    package var appendXForwardedPort = false
    /// Replaces the scheme and `x-forwarded-proto` (`scheme_to_overwrite`).
    package var schemeOverwrite: String?
    package var router = RouterOptions()
    /// What replies of the proxy's own look like.
    package var localReplies: LocalReplies?
    /// `upgrade_configs`, lower case: `websocket`, `connect`.
    package var upgradeTypes: [String] = []
    /// HTTP/1.0 is answered with 426 (without `accept_http_10`).
    package var refusesHTTP10 = false
    /// The host of HTTP/1.0 requests that name none (`default_host_for_http_10`).
    package var defaultHostForHTTP10: String?
    package var preserveHeaderCase = false
    /// Header names leave as `Proper-Case` (`proper_case_words`).
    package var properCaseHeaders = false
    /// HTTP/1 trailers end here (without `enable_trailers`).
    package var dropsTrailers = false
    /// The proxy answers `100-continue` by itself (without `proxy_100_continue`); otherwise it is the upstream's affair.
    package var answersContinue = false
    /// Methods that are not registered are no requests (without `allow_custom_methods`).
    package var refusesCustomMethods = false
    package var via: String?
    /// All in milliseconds; `nil` is Envoy's default, 0 is none.
    package var idleTimeoutMilliseconds: UInt64?
    package var streamIdleTimeoutMilliseconds: UInt64?
    package var requestTimeoutMilliseconds: UInt64?
    package var requestHeadersTimeoutMilliseconds: UInt64?
    /// How long a client may take to notice the end of its connection (`delayed_close_timeout`); `nil` is one second.
    package var closeDelayMilliseconds: UInt64?
    package var maxConnectionDurationMilliseconds: UInt64?
    /// The longest a request may take (`max_stream_duration`), for routes that say nothing.
    package var maxStreamDurationMilliseconds: UInt64?
    package var drainTimeoutMilliseconds: UInt64?
    package var maxRequestsPerConnection: UInt32?
    package var maxRequestHeadersKilobytes: UInt32 = 60
    package var maxHeadersCount: UInt32 = 100
    package var http2MaxConcurrentStreams: UInt32?
    package var http2: HTTP2ProtocolOptions?
    package var accessLogs: [AccessLog] = []
    /// `nil` traces nothing.
    package var tracing: Tracing?
    /// The trace decision is written into the request id (`pack_trace_reason`), and read from it.
    package var packsTraceReason = true
    package var samplesByRequestID = true

    package init(statPrefix: String, routes: Routes, filters: [HTTPFilter]) {
        self.statPrefix = statPrefix
        self.routes = routes
        self.filters = filters
    }
}

extension HTTPConnectionManager {
    /// What becomes of header names with an underscore, which some applications take for a hyphen.
    package enum Underscores: String, Sendable, Hashable, Codable { case allow, rejectRequest, dropHeader }

    /// The router filter's own fields (`envoy.extensions.filters.http.router.v3.Router`).
    package struct RouterOptions: Sendable, Hashable, Codable {
        /// No `x-envoy-*` headers are made.
        package var suppressesEnvoyHeaders = false
        /// `x-envoy-expected-rq-timeout-ms` of a proxy before this one is the time limit.
        package var respectsExpectedTimeout = false
        package init() {}
    }
}

/// One element of the HTTP filter chain. The order of a chain is the control plane's (ADR 0005).
package struct HTTPFilter: Sendable, Hashable, Codable {
    package enum Kind: Sendable, Hashable, Codable {
        case rbac(RBAC)
        case fault(Fault)
        case cors
        case stats(StatsFilter)
        case localRateLimit(LocalRateLimit)
        case headerMutation(HeaderMutationFilter)
        case buffer(BufferFilter)
        case healthCheck(HealthCheckFilter)
        case grpcWeb
        case grpcStats(GRPCStats)
        case jwt(JWTAuthentication)
        case externalAuthorization(ExternalAuthorization)
        case globalRateLimit(GlobalRateLimit)
        case externalProcessing(ExternalProcessing)
        case compressor(CompressorFilter)
        case decompressor(DecompressorFilter)
        case statefulSession(StatefulSession)
        case router
    }
    package var name: String
    package var kind: Kind
    /// Runs only where a route or virtual host has a configuration for it.
    package var disabled = false

    package init(name: String, kind: Kind) {
        self.name = name
        self.kind = kind
    }
}

/// Configuration of a filter for one route, virtual host or weighted cluster (`typed_per_filter_config`).
package enum PerRouteFilter: Sendable, Hashable, Codable {
    case rbac(RBAC?)
    case fault(Fault)
    case cors(CORSPolicy)
    case localRateLimit(LocalRateLimit)
    case headerMutation(HeaderMutationFilter)
    case buffer(BufferFilter)
    case jwt(JWTAuthentication.PerRoute)
    case externalAuthorization(ExternalAuthorization.CheckSettings)
    case globalRateLimit(GlobalRateLimit.PerRoute)
    case externalProcessing(ExternalProcessing.Overrides)
    case compressor(CompressorOverrides)
    case statefulSession(StatefulSession)
    case disabled
}

/// Role-based access control (`envoy.config.rbac.v3.RBAC`, HTTP and network).
package struct RBAC: Sendable, Hashable, Codable {
    package enum Action: String, Sendable, Hashable, Codable { case allow, deny, log }
    package struct Policy: Sendable, Hashable, Codable {
        package var name: String
        package var permissions: [Permission]
        package var principals: [Principal]
        package var provenance: Provenance?

        package init(name: String, permissions: [Permission], principals: [Principal], provenance: Provenance? = nil) {
            self.name = name
            self.permissions = permissions
            self.principals = principals
            self.provenance = provenance
        }
    }
    package var action: Action
    /// Sorted by name, as the map on the wire has no order.
    package var policies: [Policy]
    package var shadowAction: Action?
    package var shadowPolicies: [Policy] = []
    package var statPrefix = ""
    /// Stands before the names under which shadow results are counted and told as dynamic metadata
    /// (`shadow_rules_stat_prefix`).
    package var shadowStatPrefix = ""

    package init(action: Action, policies: [Policy]) {
        self.action = action
        self.policies = policies
    }
}

package indirect enum Permission: Sendable, Hashable, Codable {
    case any
    case and([Permission])
    case or([Permission])
    case not(Permission)
    case header(HeaderMatcher)
    case urlPath(StringMatcher)
    case destinationIP(CIDR)
    case destinationPort(UInt16)
    /// From the first port up to, and without, the second (`destination_port_range`).
    case destinationPorts(from: UInt32, to: UInt32)
    /// The path without its query, as a path template (`uri_template`).
    case pathTemplate(String)
    case requestedServerName(StringMatcher)
    /// What filters before this one have said (`metadata`).
    case metadata(DynamicMetadataMatcher)
}

package indirect enum Principal: Sendable, Hashable, Codable {
    case any
    case and([Principal])
    case or([Principal])
    case not(Principal)
    /// The peer's verified URI SAN (or DNS SAN, or subject); `nil` matches any authenticated peer.
    case authenticated(StringMatcher?)
    case directRemoteIP(CIDR)
    case remoteIP(CIDR)
    case header(HeaderMatcher)
    case urlPath(StringMatcher)
    /// What filters before this one have said, such as the claims of a token (`metadata`).
    case metadata(DynamicMetadataMatcher)
}

/// Injected faults (`envoy.extensions.filters.http.fault.v3.HTTPFault`).
package struct Fault: Sendable, Hashable, Codable {
    package enum Abort: Sendable, Hashable, Codable {
        case http(status: UInt16)
        case grpc(status: UInt32)
        /// The request says so: `x-envoy-fault-abort-request`, `x-envoy-fault-abort-grpc-request`.
        case header
    }
    package var delayMilliseconds: UInt64?
    /// The request says so: `x-envoy-fault-delay-request`, in milliseconds.
    package var delayFromHeader = false
    package var delayPercentage = FractionalPercent.zero
    package var abort: Abort?
    package var abortPercentage = FractionalPercent.zero
    package var headers: [HeaderMatcher] = []
    /// Only requests whose route leads to this cluster; empty is all.
    package var upstreamCluster = ""
    /// Requests under the filter's influence at one time, in the whole proxy; `nil` is no limit.
    package var maxActiveFaults: UInt32?
    package var provenance: Provenance?

    package init() {}
}

/// A share in parts of a million (`envoy.type.v3.FractionalPercent`).
package struct FractionalPercent: Sendable, Hashable, Codable {
    package var partsPerMillion: UInt32
    package static let zero = FractionalPercent(partsPerMillion: 0)
    package static let all = FractionalPercent(partsPerMillion: 1_000_000)

    package init(partsPerMillion: UInt32) { self.partsPerMillion = min(partsPerMillion, 1_000_000) }
    /// - Parameter percent: 0 to 100.
    package init(percent: Double) { self.init(partsPerMillion: UInt32((max(0, min(100, percent)) * 10_000).rounded())) }
}

package struct CORSPolicy: Sendable, Hashable, Codable {
    package var allowOrigins: [StringMatcher] = []
    package var allowMethods = ""
    package var allowHeaders = ""
    package var exposeHeaders = ""
    package var maxAge = ""
    package var allowCredentials: Bool?
    package var forwardNotMatchingPreflights: Bool?
    package var allowPrivateNetworkAccess: Bool?
    /// The share of requests the policy applies to (`filter_enabled`).
    package var enabled = FractionalPercent.all
    /// The share for which it is only looked at and counted (`shadow_enabled`).
    package var shadow = FractionalPercent.zero

    package init() {}
}
