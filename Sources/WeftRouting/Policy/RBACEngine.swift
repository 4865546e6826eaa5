import NIOCore
package import WeftHTTP
package import WeftIR

/// What a policy can see of a connection and, for HTTP, of a request.
package struct RBACView: Sendable {
    /// The peer's verified names, URI SANs first.
    package var principals: [String] = []
    package var isAuthenticated = false
    package var directRemoteIP = ""
    package var remoteIP = ""
    package var destinationIP = ""
    package var destinationPort: UInt16 = 0
    package var serverName = ""
    /// `nil` for TCP: rules on HTTP attributes do not match then.
    package var head: RequestHead?
    package init() {}
}

/// The outcome, and the policy that decided (denied, or allowed); `nil` when none matched.
package struct RBACDecision: Sendable, Hashable {
    package var allowed: Bool
    package var policy: String?
    package var provenance: Provenance?

    /// `response_code_details` of a refusal, as Envoy writes them.
    package var details: String { "rbac_access_denied_matched_policy[\(policy ?? "none")]" }
}

/// One compiled set of policies. Immutable.
package struct RBACEngine: Sendable {
    private indirect enum Rule: Sendable {
        case any
        case all([Rule])
        case some([Rule])
        case not(Rule)
        case header(CompiledHeaderMatcher)
        case path(CompiledStringMatcher)
        case destinationIP(IPPrefix)
        case destinationPort(UInt16)
        case serverName(CompiledStringMatcher)
        case authenticated(CompiledStringMatcher?)
        case directRemoteIP(IPPrefix)
        case remoteIP(IPPrefix)
    }
    private struct Policy: Sendable {
        let name: String
        let permissions: [Rule]
        let principals: [Rule]
        let provenance: Provenance?
    }
    private let action: RBAC.Action
    private let policies: [Policy]

    package init(_ rbac: RBAC) {
        action = rbac.action
        policies = rbac.policies.map { policy in
            Policy(
                name: policy.name, permissions: policy.permissions.map(RBACEngine.compile),
                principals: policy.principals.map(RBACEngine.compile), provenance: policy.provenance)
        }
    }

    package func evaluate(_ view: RBACView) -> RBACDecision {
        let matched = policies.first { policy in
            policy.permissions.contains { RBACEngine.test($0, view) }
                && policy.principals.contains { RBACEngine.test($0, view) }
        }
        let allowed =
            switch action {
            case .allow: matched != nil
            case .deny: matched == nil
            case .log: true
            }
        return RBACDecision(allowed: allowed, policy: matched?.name, provenance: matched?.provenance)
    }

    private static func compile(_ permission: Permission) -> Rule {
        switch permission {
        case .any: .any
        case .and(let inner): .all(inner.map(compile))
        case .or(let inner): .some(inner.map(compile))
        case .not(let inner): .not(compile(inner))
        case .header(let matcher): .header(CompiledHeaderMatcher(matcher))
        case .urlPath(let matcher): .path(CompiledStringMatcher(matcher))
        case .destinationIP(let range): .destinationIP(IPPrefix(range))
        case .destinationPort(let port): .destinationPort(port)
        case .requestedServerName(let matcher): .serverName(CompiledStringMatcher(matcher))
        }
    }

    private static func compile(_ principal: Principal) -> Rule {
        switch principal {
        case .any: .any
        case .and(let inner): .all(inner.map(compile))
        case .or(let inner): .some(inner.map(compile))
        case .not(let inner): .not(compile(inner))
        case .authenticated(let matcher): .authenticated(matcher.map(CompiledStringMatcher.init))
        case .directRemoteIP(let range): .directRemoteIP(IPPrefix(range))
        case .remoteIP(let range): .remoteIP(IPPrefix(range))
        case .header(let matcher): .header(CompiledHeaderMatcher(matcher))
        case .urlPath(let matcher): .path(CompiledStringMatcher(matcher))
        }
    }

    private static func test(_ rule: Rule, _ view: RBACView) -> Bool {
        switch rule {
        case .any: true
        case .all(let rules): rules.allSatisfy { test($0, view) }
        case .some(let rules): rules.contains { test($0, view) }
        case .not(let inner): !test(inner, view)
        case .header(let matcher): view.head.map(matcher.matches) ?? false
        case .path(let matcher): view.head.map { matcher.matches(PathAndQuery.path($0.path)) } ?? false
        case .destinationIP(let range): IPAddress(view.destinationIP).map(range.contains) ?? false
        case .destinationPort(let port): view.destinationPort == port
        case .serverName(let matcher): matcher.matches(view.serverName)
        case .authenticated(let matcher):
            view.isAuthenticated && (matcher.map { m in view.principals.contains { m.matches($0) } } ?? true)
        case .directRemoteIP(let range): IPAddress(view.directRemoteIP).map(range.contains) ?? false
        case .remoteIP(let range): IPAddress(view.remoteIP).map(range.contains) ?? false
        }
    }
}
