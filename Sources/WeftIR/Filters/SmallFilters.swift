/// Changes headers of requests and responses (`envoy.extensions.filters.http.header_mutation.v3.HeaderMutation`).
package struct HeaderMutationFilter: Sendable, Hashable, Codable {
    /// One step (`envoy.config.common.mutation_rules.v3.HeaderMutation`); steps are taken in order.
    package enum Step: Sendable, Hashable, Codable {
        case remove(String)
        /// Headers whose name matches.
        case removeMatching(StringMatcher)
        /// An empty value removes nothing and adds nothing, unless `keepsEmpty`.
        case set(HeaderMutations.Append, keepsEmpty: Bool)
    }
    /// One change of the query (`query_parameter_mutations`).
    package enum QueryStep: Sendable, Hashable, Codable {
        case remove(String)
        case append(name: String, value: String, action: HeaderMutations.AppendAction)
    }
    package var request: [Step] = []
    package var response: [Step] = []
    /// Of trailers, where there are some; none are made.
    package var requestTrailers: [Step] = []
    package var responseTrailers: [Step] = []
    package var query: [QueryStep] = []
    /// After the connection manager's steps come the route's, then the virtual host's; true: the other way round.
    /// Later steps may undo earlier ones.
    package var mostSpecificWins = false

    package init() {}
}

/// Waits for whole requests (`envoy.extensions.filters.http.buffer.v3.Buffer`).
package struct BufferFilter: Sendable, Hashable, Codable {
    /// A larger body is answered with 413.
    package var maxRequestBytes: UInt32

    package init(maxRequestBytes: UInt32) { self.maxRequestBytes = maxRequestBytes }
}

/// Answers health checks of load balancers (`envoy.extensions.filters.http.health_check.v3.HealthCheck`).
package struct HealthCheckFilter: Sendable, Hashable, Codable {
    /// Whether checks go to the application; else the proxy answers by itself.
    package var passesThrough = false
    /// How long an answer of the application is repeated; with `passesThrough` only.
    package var cacheMilliseconds: UInt64?
    /// Clusters that need this share of healthy endpoints, or the check fails.
    package var minimumHealthyPercent: [String: Double] = [:]
    /// Which requests are health checks: all must match.
    package var headers: [HeaderMatcher] = []

    package init() {}
}
