/// Limits requests by the counts of an external service (`envoy.extensions.filters.http.ratelimit.v3.RateLimit`).
package struct GlobalRateLimit: Sendable, Hashable, Codable {
    package enum RequestType: String, Sendable, Hashable, Codable { case both, `internal`, external }

    package var domain: String
    package var service: GRPCServiceTarget
    package var timeoutMilliseconds: UInt64 = 20
    package var stage: UInt32 = 0
    package var requestType = RequestType.both
    /// A service that cannot be asked limits everybody, for this share of requests.
    package var failureModeDenies = false
    package var failureModeDenyShare = FractionalPercent.all
    /// A gRPC caller is told RESOURCE_EXHAUSTED in place of UNAVAILABLE.
    package var resourceExhausted = false
    package var addsRateLimitHeaders = false
    /// Without `x-envoy-ratelimited`.
    package var omitsRateLimitedHeader = false
    /// Below 400 counts as 429.
    package var status: UInt16 = 429
    package var statusOnError: UInt16 = 500
    package var responseHeaders = HeaderMutations()
    package var statPrefix = ""
    package var enabled = FractionalPercent.all
    package var enforced = FractionalPercent.all
    /// Descriptors of the filter itself, in place of the routes'.
    package var rules: [RateLimitRule] = []
    package var provenance: Provenance?

    package init(domain: String, service: GRPCServiceTarget) {
        self.domain = domain
        self.service = service
    }

    /// What a route or virtual host changes (`RateLimitPerRoute`).
    package struct PerRoute: Sendable, Hashable, Codable {
        package var virtualHostLimits = VirtualHostRateLimits.override
        /// In place of those of route, virtual host and filter.
        package var rules: [RateLimitRule] = []
        /// Empty: the filter's.
        package var domain = ""

        package init() {}
    }
}

/// Whether the rate limits of a virtual host count besides its routes' (`VhRateLimitsOptions`).
package enum VirtualHostRateLimits: String, Sendable, Hashable, Codable {
    /// Only for routes that have none of their own.
    case override
    case include
    case ignore
}
