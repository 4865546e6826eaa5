/// Limits requests inside this proxy (`envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit`).
package struct LocalRateLimit: Sendable, Hashable, Codable {
    /// `envoy.type.v3.TokenBucket`: filled continuously, `tokensPerFill` in each interval, up to `maxTokens`.
    package struct Bucket: Sendable, Hashable, Codable {
        package var maxTokens: UInt32
        package var tokensPerFill: UInt32
        package var fillIntervalMilliseconds: UInt64

        package init(maxTokens: UInt32, tokensPerFill: UInt32 = 1, fillIntervalMilliseconds: UInt64) {
            self.maxTokens = maxTokens
            self.tokensPerFill = tokensPerFill
            self.fillIntervalMilliseconds = fillIntervalMilliseconds
        }
    }
    /// A bucket of its own for requests whose descriptor has exactly these entries; an empty value stands for any value,
    /// each with its own bucket (`LocalRateLimitDescriptor`).
    package struct Descriptor: Sendable, Hashable, Codable {
        package var entries: [RateLimitDescriptor.Entry]
        package var bucket: Bucket

        package init(entries: [RateLimitDescriptor.Entry], bucket: Bucket) {
            self.entries = entries
            self.bucket = bucket
        }
    }
    package var statPrefix = ""
    /// `nil` turns the filter off where it stands.
    package var bucket: Bucket?
    package var descriptors: [Descriptor] = []
    /// How descriptors are made of a request (`rate_limits`); empty: the route's own, if any.
    package var actions: [RateLimitRule] = []
    /// Below 400 counts as 429.
    package var status: UInt16 = 429
    /// Absent on the wire is nobody.
    package var enabled = FractionalPercent.zero
    package var enforced = FractionalPercent.zero
    package var responseHeaders = HeaderMutations()
    package var requestHeadersWhenNotEnforced = HeaderMutations()
    package var addsRateLimitHeaders = false
    package var alwaysConsumesDefaultBucket = true
    package var perConnection = false
    /// A gRPC caller is told RESOURCE_EXHAUSTED in place of UNAVAILABLE.
    package var resourceExhausted = false
    package var stage: UInt32 = 0
    package var virtualHostLimits = VirtualHostRateLimits.override
    package var maxDynamicDescriptors: UInt32 = 20
    package var provenance: Provenance?

    package init() {}
}

/// What a request is counted under (`envoy.extensions.common.ratelimit.v3.RateLimitDescriptor`).
package struct RateLimitDescriptor: Sendable, Hashable, Codable {
    package struct Entry: Sendable, Hashable, Codable {
        package var key: String
        package var value: String

        package init(_ key: String, _ value: String) {
            self.key = key
            self.value = value
        }
    }
    package var entries: [Entry]
    /// How many requests this one counts as; `nil` is one.
    package var hits: UInt64?

    package init(_ entries: [Entry], hits: UInt64? = nil) {
        self.entries = entries
        self.hits = hits
    }
}

/// One descriptor that a route makes of its requests (`envoy.config.route.v3.RateLimit`).
package struct RateLimitRule: Sendable, Hashable, Codable {
    package enum Action: Sendable, Hashable, Codable {
        case sourceCluster
        case destinationCluster
        case requestHeader(name: String, key: String, skipIfAbsent: Bool)
        case remoteAddress
        case maskedRemoteAddress(v4Bits: UInt8, v6Bits: UInt8)
        case genericKey(key: String, value: String)
        case headerValueMatch(key: String, value: String, expectsMatch: Bool, headers: [HeaderMatcher])
        case queryParameter(name: String, key: String, skipIfAbsent: Bool)
        case queryParameterMatch(
            key: String, value: String, expectsMatch: Bool, parameters: [QueryParameterMatcher])
        /// A value that filters have set on the request.
        case metadata(key: String, filter: String, path: [String], fallback: String, skipIfAbsent: Bool)
    }
    package var stage: UInt32 = 0
    package var disableKey = ""
    /// How many requests each one counts as; `nil` is one.
    package var hits: UInt64?
    package var actions: [Action]

    package init(actions: [Action]) { self.actions = actions }
}
