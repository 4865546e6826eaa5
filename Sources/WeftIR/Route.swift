/// One route table (RDS, `envoy.config.route.v3.RouteConfiguration`).
package struct RouteConfiguration: Sendable, Hashable, Codable {
    package var name: String
    package var virtualHosts: [VirtualHost]
    package var requestHeaders = HeaderMutations()
    package var responseHeaders = HeaderMutations()
    /// A route to a cluster that does not exist: refuse the table (true) or answer 503 (false).
    package var validateClusters = false
    package var ignorePortInHostMatching = false
    /// Holds for what no virtual host or route says otherwise.
    package var perFilter: [String: PerRouteFilter] = [:]
    /// Headers that only callers inside may send (`internal_only_headers`).
    package var internalOnlyHeaders: [String] = []
    /// Header mutations of the route count for more than those of the table (`most_specific_header_mutations_wins`).
    package var mostSpecificMutationsWin = false
    /// For routes and virtual hosts that have none of their own.
    package var mirrors: [Mirror] = []

    package init(name: String, virtualHosts: [VirtualHost] = []) {
        self.name = name
        self.virtualHosts = virtualHosts
    }
}

package struct VirtualHost: Sendable, Hashable, Codable {
    package enum RequireTLS: String, Sendable, Hashable, Codable { case none, externalOnly, all }
    package var name: String
    /// Exact, `*.suffix`, `prefix.*` or `*`; unique in a table, compared without case.
    package var domains: [String]
    /// First match wins.
    package var routes: [Route]
    package var requireTLS = RequireTLS.none
    package var retryPolicy: RetryPolicy?
    package var requestHeaders = HeaderMutations()
    package var responseHeaders = HeaderMutations()
    package var includeRequestAttemptCount = false
    package var includeAttemptCountInResponse = false
    /// Tries after a per-try time-out carry `x-envoy-is-timeout-retry: true`.
    package var includeTimeoutRetryHeader = false
    package var mirrors: [Mirror] = []
    package var hedge: RouteAction.Hedge?
    package var perFilter: [String: PerRouteFilter] = [:]
    /// What requests are counted under, when their route says nothing (or ``RouteAction/includesHostRateLimits``).
    package var rateLimits: [RateLimitRule] = []

    package init(name: String, domains: [String], routes: [Route] = []) {
        self.name = name
        self.domains = domains
        self.routes = routes
    }
}

package struct Route: Sendable, Hashable, Codable {
    package enum Action: Sendable, Hashable, Codable {
        case forward(RouteAction)
        case redirect(Redirect)
        case directResponse(DirectResponse)
    }
    package var name: String
    package var match: RouteMatch
    package var action: Action
    package var requestHeaders = HeaderMutations()
    package var responseHeaders = HeaderMutations()
    package var perFilter: [String: PerRouteFilter] = [:]
    /// Names the span (`Decorator.operation`).
    package var operation: String?
    /// Whether the next proxy is told the name (`Decorator.propagate`).
    package var propagatesOperation = true
    package var tracing: RouteTracing?
    package var statPrefix = ""
    package var provenance: Provenance?

    package init(name: String = "", match: RouteMatch, action: Action) {
        self.name = name
        self.match = match
        self.action = action
    }
}

package struct RouteMatch: Sendable, Hashable, Codable {
    package enum Path: Sendable, Hashable, Codable {
        /// Raw byte prefix.
        case prefix(String)
        /// Prefix that ends at a segment border.
        case pathSeparatedPrefix(String)
        case exact(String)
        /// RE2, full match.
        case regex(String)
        /// CONNECT requests.
        case connect
        /// Segments with `*`, `**` and `{name=…}` (`path_match_policy`, URI template).
        case template(String)
    }
    package var path: Path
    package var caseSensitive = true
    /// All must match.
    package var headers: [HeaderMatcher] = []
    package var queryParameters: [QueryParameterMatcher] = []
    package var grpcOnly = false
    package var runtimeFraction: FractionalPercent?
    package var tls: TLSContextMatch?
    /// All must match what filters have said about the request.
    package var dynamicMetadata: [DynamicMetadataMatcher] = []

    package init(path: Path) { self.path = path }
}

/// What the downstream connection must have shown (`TlsContextMatchOptions`).
package struct TLSContextMatch: Sendable, Hashable, Codable {
    package var presented: Bool?
    package var validated: Bool?
    package init(presented: Bool? = nil, validated: Bool? = nil) {
        self.presented = presented
        self.validated = validated
    }
}

/// A value that filters have set on the request (`envoy.type.matcher.v3.MetadataMatcher`).
package struct DynamicMetadataMatcher: Sendable, Hashable, Codable {
    package indirect enum Test: Sendable, Hashable, Codable {
        case present(Bool)
        case string(StringMatcher)
        /// A list that has an element like this.
        case list(Test)
        /// One of these.
        case any([Test])
        /// Inclusive at the start, exclusive at the end; an exact number has both equal.
        case number(start: Double, end: Double)
        case bool(Bool)
        case null
    }
    /// The filter's name space.
    package var filter: String
    package var path: [String]
    package var test: Test
    package var invert = false
    package init(filter: String, path: [String], test: Test, invert: Bool = false) {
        self.filter = filter
        self.path = path
        self.test = test
        self.invert = invert
    }
}

package struct StringMatcher: Sendable, Hashable, Codable {
    package enum Pattern: Sendable, Hashable, Codable {
        case exact(String)
        case prefix(String)
        case suffix(String)
        case contains(String)
        /// RE2, full match.
        case regex(String)
    }
    package var pattern: Pattern
    package var ignoreCase = false

    package init(_ pattern: Pattern, ignoreCase: Bool = false) {
        self.pattern = pattern
        self.ignoreCase = ignoreCase
    }
}

package struct HeaderMatcher: Sendable, Hashable, Codable {
    package enum Test: Sendable, Hashable, Codable {
        case string(StringMatcher)
        case present(Bool)
        /// Half-open, as `Int64Range`.
        case range(start: Int64, end: Int64)
    }
    /// Lower case; pseudo headers with their colon (`:method`, `:authority`, `:path`, `:scheme`).
    package var name: String
    package var test: Test
    package var invert = false
    package var treatMissingAsEmpty = false

    package init(name: String, test: Test, invert: Bool = false, treatMissingAsEmpty: Bool = false) {
        self.name = name
        self.test = test
        self.invert = invert
        self.treatMissingAsEmpty = treatMissingAsEmpty
    }
}

package struct QueryParameterMatcher: Sendable, Hashable, Codable {
    package enum Test: Sendable, Hashable, Codable {
        case string(StringMatcher)
        case present(Bool)
    }
    package var name: String
    package var test: Test

    package init(name: String, test: Test) {
        self.name = name
        self.test = test
    }
}

/// Forwarding to upstream clusters (`envoy.config.route.v3.RouteAction`).
package struct RouteAction: Sendable, Hashable, Codable {
    package enum HostRewrite: Sendable, Hashable, Codable {
        case literal(String)
        case header(String)
        /// The upstream endpoint's host name.
        case auto
        /// The path without query, full match, with captures in the substitution (`host_rewrite_path_regex`).
        case pathRegex(pattern: String, substitution: String)
    }
    /// `RoutingPriority`: which circuit breakers count.
    package enum Priority: String, Sendable, Hashable, Codable { case `default`, high }
    /// `HedgePolicy`.
    package struct Hedge: Sendable, Hashable, Codable {
        package var initialRequests: UInt32 = 1
        package var additionalRequestChance = FractionalPercent.zero
        /// A try that takes too long goes on while the next one starts; the first answer wins.
        package var onPerTryTimeout = false
        package init() {}
    }
    package enum PathRewrite: Sendable, Hashable, Codable {
        /// Replaces what the path match matched (prefix or whole path).
        case prefix(String)
        case regex(pattern: String, substitution: String)
        /// With the variables that the path template has bound.
        case template(String)
    }
    /// `MaxStreamDuration`, in milliseconds.
    package struct StreamDuration: Sendable, Hashable, Codable {
        /// `nil` is the connection manager's limit, 0 is none.
        package var limit: UInt64?
        /// The header `grpc-timeout` counts, up to this; 0 is no upper bound; `nil` ignores the header.
        package var grpcHeaderMax: UInt64?
        /// Taken from the header's limit.
        package var grpcHeaderOffset: UInt64?
        package init() {}
    }
    /// Redirects of upstreams that the proxy follows by itself (`InternalRedirectPolicy`).
    package struct InternalRedirect: Sendable, Hashable, Codable {
        package var maxRedirects: UInt32 = 1
        package var statuses: [UInt16] = [302]
        package var allowsCrossScheme = false
        package var headersToCopy: [String] = []
        /// All must accept the route that the redirect leads to (`predicates`).
        package var predicates: [RedirectPredicate] = []
        package init() {}
    }
    /// What says whether an internal redirect is followed (`envoy.internal_redirect_predicates.*`).
    package enum RedirectPredicate: Sendable, Hashable, Codable {
        /// Only to routes of these names (`allow_listed_routes`).
        case allowListedRoutes([String])
        /// From one route to another one once alone, in one chain of redirects (`previous_routes`).
        case previousRoutes
        /// A request that came in plain text is not made an `https` one (`safe_cross_scheme`).
        case safeCrossScheme
    }
    package struct UpgradeConfig: Sendable, Hashable, Codable {
        package var type: String
        package var enabled: Bool
        /// CONNECT ends here: its bytes go to the upstream as plain TCP (`connect_config`).
        package var terminatesConnect = false
        /// POST ends here too: its body goes on as bytes, and bytes are the answer's body (`allow_post`).
        package var terminatesPost = false
        package init(type: String, enabled: Bool = true) {
            self.type = type
            self.enabled = enabled
        }
    }
    package var cluster: ClusterSelector
    package var pathRewrite: PathRewrite?
    package var hostRewrite: HostRewrite?
    /// The whole exchange, in milliseconds; 0 is no limit. (An absent field on the wire is 15,000.)
    package var timeoutMilliseconds: UInt64 = 15_000
    package var idleTimeoutMilliseconds: UInt64?
    /// `max_grpc_timeout` in milliseconds; `nil`: the header is ignored, 0: obeyed as it is.
    package var grpcTimeoutHeaderMaxMilliseconds: UInt64?
    /// Taken from the header's limit (`grpc_timeout_offset`).
    package var grpcTimeoutOffsetMilliseconds: UInt64?
    /// The newer way to limit a stream, which replaces ``timeoutMilliseconds``.
    package var streamDuration: StreamDuration?
    package var internalRedirect: InternalRedirect?
    package var retryPolicy: RetryPolicy?
    package var mirrors: [Mirror] = []
    package var hashPolicies: [HashPolicy] = []
    package var upgrades: [UpgradeConfig] = []
    package var appendXForwardedHost = false
    package var clusterNotFoundStatus: UInt16 = 503
    package var priority = Priority.default
    /// Only endpoints of the subset with this metadata `envoy.lb`.
    package var metadataMatch: [String: MetadataValue] = [:]
    package var hedge: Hedge?
    /// What requests are counted under, for rate limits.
    package var rateLimits: [RateLimitRule] = []
    /// The virtual host's limits count too.
    package var includesHostRateLimits = false

    package init(cluster: ClusterSelector) { self.cluster = cluster }
}

package struct Mirror: Sendable, Hashable, Codable {
    package var cluster: String
    package var fraction: FractionalPercent
    /// The cluster's name is read from this request header; ``cluster`` is empty then.
    package var clusterHeader: String?
    /// The host goes as it is, without `-shadow` (`disable_shadow_host_suffix_append`).
    package var keepsHost = false
    package init(cluster: String, fraction: FractionalPercent = .all) {
        self.cluster = cluster
        self.fraction = fraction
    }
}

package enum HashPolicy: Sendable, Hashable, Codable {
    case header(String, terminal: Bool)
    case cookie(
        name: String, ttlMilliseconds: UInt64?, path: String, terminal: Bool,
        attributes: [StatefulSession.Cookie.Attribute] = [])
    case sourceIP(terminal: Bool)
    case queryParameter(String, terminal: Bool)
    case filterState(String, terminal: Bool)
    /// The header's value after a regex rewrite.
    case rewrittenHeader(String, pattern: String, substitution: String, terminal: Bool)
}

/// When and how a request is tried again (`envoy.config.route.v3.RetryPolicy`).
package struct RetryPolicy: Sendable, Hashable, Codable {
    /// Conditions by their Envoy names: `5xx`, `gateway-error`, `reset`, `connect-failure`, `refused-stream`,
    /// `retriable-4xx`, `retriable-status-codes`, `retriable-headers`, `reset-before-request`, `envoy-ratelimited`,
    /// `unavailable`, `cancelled`, `deadline-exceeded`, `internal`, `resource-exhausted`.
    package var retryOn: [String]
    package var retriableStatusCodes: [UInt16] = []
    package var retriableHeaders: [HeaderMatcher] = []
    package var numRetries: UInt32 = 1
    package var perTryTimeoutMilliseconds: UInt64?
    package var perTryIdleTimeoutMilliseconds: UInt64?
    package var backOffBaseMilliseconds: UInt64 = 25
    /// `nil` is ten times the base.
    package var backOffMaxMilliseconds: UInt64?
    package var hostSelectionRetryMaxAttempts: Int64 = 1
    /// The `previous_hosts` predicate: do not pick a host that was already tried.
    package var avoidPreviousHosts = false
    /// Any must match the request, or nothing is retried; empty asks nothing.
    package var retriableRequestHeaders: [HeaderMatcher] = []
    /// `omit_canary_hosts`: retries do not go to endpoints with metadata `canary: true`.
    package var omitsCanaryHosts = false
    /// `omit_host_metadata`: retries do not go to endpoints with this metadata `envoy.lb`.
    package var omittedMetadata: [String: MetadataValue] = [:]
    /// `previous_priorities`: after so many tries, priorities that were tried get no more load; `nil` is off.
    package var previousPrioritiesFrequency: UInt32?
    package var rateLimitedBackOff: RateLimitedBackOff?

    /// Waits as long as the upstream says (`RateLimitedRetryBackOff`).
    package struct RateLimitedBackOff: Sendable, Hashable, Codable {
        package enum Format: String, Sendable, Hashable, Codable { case seconds, unixTimestamp }
        package struct ResetHeader: Sendable, Hashable, Codable {
            package var name: String
            package var format: Format
            package init(name: String, format: Format) {
                self.name = name
                self.format = format
            }
        }
        package var resetHeaders: [ResetHeader]
        /// A longer wait falls back to the ordinary back-off.
        package var maxMilliseconds: UInt64 = 300_000
        package init(resetHeaders: [ResetHeader]) { self.resetHeaders = resetHeaders }
    }

    package init(retryOn: [String]) { self.retryOn = retryOn }
}

package struct Redirect: Sendable, Hashable, Codable {
    package enum Path: Sendable, Hashable, Codable {
        case full(String)
        case prefix(String)
        case regex(pattern: String, substitution: String)
    }
    package var scheme: String?
    package var httpsRedirect = false
    package var host: String?
    package var port: UInt16?
    package var path: Path?
    package var status: UInt16 = 301
    package var stripQuery = false

    package init() {}
}

package struct DirectResponse: Sendable, Hashable, Codable {
    package var status: UInt16
    package var body: String

    package init(status: UInt16, body: String = "") {
        self.status = status
        self.body = body
    }
}

/// Headers to add, replace and remove, in the order remove, then append as listed.
package struct HeaderMutations: Sendable, Hashable, Codable {
    package enum AppendAction: String, Sendable, Hashable, Codable {
        case appendIfExistsOrAdd, addIfAbsent, overwriteIfExistsOrAdd, overwriteIfExists
    }
    package struct Append: Sendable, Hashable, Codable {
        package var name: String
        /// May hold Envoy's substitution operators (`%DOWNSTREAM_REMOTE_ADDRESS%`).
        package var value: String
        package var action: AppendAction
        /// An empty value makes an empty header instead of none (`keep_empty_value`).
        package var keepsEmpty = false
        package init(name: String, value: String, action: AppendAction) {
            self.name = name
            self.value = value
            self.action = action
        }
    }
    package var append: [Append] = []
    package var remove: [String] = []
    package var isEmpty: Bool { append.isEmpty && remove.isEmpty }

    package init(append: [Append] = [], remove: [String] = []) {
        self.append = append
        self.remove = remove
    }
}
