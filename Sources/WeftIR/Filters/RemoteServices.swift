/// A gRPC service that a filter asks, through one of the proxy's clusters (`envoy.config.core.v3.GrpcService` with
/// `envoy_grpc`).
package struct GRPCServiceTarget: Sendable, Hashable, Codable {
    package var cluster: String
    /// Empty: the cluster's name.
    package var authority = ""
    /// `nil` is what the filter has for its default; 0 is no limit.
    package var timeoutMilliseconds: UInt64?
    /// Headers of each call, values with substitution operators.
    package var initialMetadata: [HeaderField] = []

    package init(cluster: String) { self.cluster = cluster }
}

/// A header by name and value (`envoy.config.core.v3.HeaderValue`).
package struct HeaderField: Sendable, Hashable, Codable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// Which headers are shown to a service: those that match `allowed` (all, when it is empty) and not `disallowed`.
package struct HeaderSelection: Sendable, Hashable, Codable {
    package var allowed: [StringMatcher] = []
    package var disallowed: [StringMatcher] = []

    package init() {}
}

/// What a remote service may do to headers (`envoy.config.common.mutation_rules.v3.HeaderMutationRules`).
package struct HeaderMutationRules: Sendable, Hashable, Codable {
    /// `:authority`, `:scheme`, `:method` and `host` may be changed.
    package var allowsAllRouting = false
    /// Names that begin with `x-envoy-` may be changed.
    package var allowsEnvoy = false
    /// Pseudo headers and `host` may not be changed.
    package var disallowsSystem = false
    package var disallowsAll = false
    /// A name that matches is allowed, whatever is said above.
    package var allowExpression: String?
    /// A name that matches is refused, whatever else is said.
    package var disallowExpression: String?
    /// A refused change is an error of the service; else it is left out.
    package var disallowIsError = false

    package init() {}
}
