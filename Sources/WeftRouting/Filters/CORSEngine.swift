package import WeftHTTP
package import WeftIR

/// Cross-origin policy of one route, compiled (`envoy.extensions.filters.http.cors.v3.CorsPolicy`). Immutable.
package struct CORSEngine: Sendable {
    package let policy: CORSPolicy
    private let origins: [CompiledStringMatcher]

    /// What is to be done with a request.
    package enum Decision: Sendable {
        /// Nothing: no cross-origin request, or the policy does not look.
        case pass
        /// The policy does not know the origin: the response gets no headers. Counted as invalid.
        case unknownOrigin
        /// The response gets these headers. Counted as valid.
        case allow(HeaderBlock)
        /// The proxy answers: 200 with these headers.
        case preflight(HeaderBlock)
        /// Only counted.
        case shadow(isValid: Bool)
    }

    package init(_ policy: CORSPolicy) {
        self.policy = policy
        origins = policy.allowOrigins.map(CompiledStringMatcher.init)
    }

    private static var requestMethod: HeaderName { "access-control-request-method" }
    private static var privateNetwork: HeaderName { "access-control-request-private-network" }

    /// Whether this is a preflight request, which tokens and other policies need not accompany.
    package static func isPreflight(_ head: RequestHead) -> Bool {
        guard head.method == .options, let origin = head.headers[.origin], !origin.isEmpty else { return false }
        return head.headers[requestMethod].map { !$0.isEmpty } ?? false
    }

    /// - Parameter draw: A random number below a million.
    package func decide(_ head: RequestHead, draw: () -> UInt32) -> Decision {
        let isEnabled = draw() < policy.enabled.partsPerMillion
        guard isEnabled || draw() < policy.shadow.partsPerMillion else { return .pass }
        guard let origin = head.headers.string(.origin), !origin.isEmpty else { return .pass }
        let isAllowed = origins.contains { $0.matches(origin) }
        guard isEnabled else { return .shadow(isValid: isAllowed) }
        let isPreflight = Self.isPreflight(head)
        guard isAllowed else {
            // A preflight that is not ours to answer may be the application's.
            return isPreflight && policy.forwardNotMatchingPreflights == false
                ? .preflight(HeaderBlock()) : .unknownOrigin
        }
        var headers = HeaderBlock()
        headers.set("access-control-allow-origin", origin)
        if policy.allowCredentials == true { headers.set("access-control-allow-credentials", "true") }
        if !policy.exposeHeaders.isEmpty { headers.set("access-control-expose-headers", policy.exposeHeaders) }
        guard isPreflight else { return .allow(headers) }
        if !policy.allowMethods.isEmpty { headers.set("access-control-allow-methods", policy.allowMethods) }
        if !policy.allowHeaders.isEmpty { headers.set("access-control-allow-headers", policy.allowHeaders) }
        if !policy.maxAge.isEmpty { headers.set("access-control-max-age", policy.maxAge) }
        if policy.allowPrivateNetworkAccess == true, head.headers.string(Self.privateNetwork) == "true" {
            headers.set("access-control-allow-private-network", "true")
        }
        return .preflight(headers)
    }
}
