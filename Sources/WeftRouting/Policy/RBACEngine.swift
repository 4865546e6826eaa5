import NIOCore
package import Synchronization
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
    /// Dynamic metadata by the name of the filter that set it.
    package var metadata: [String: DynamicValue] = [:]
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

/// How often rules allowed and refused; of shadow rules, how often they would have. Thread-safe.
package final class RBACCounts: Sendable {
    package let allowed = Atomic<Int>(0)
    package let denied = Atomic<Int>(0)
    package let shadowAllowed = Atomic<Int>(0)
    package let shadowDenied = Atomic<Int>(0)

    package func add(_ decision: RBACDecision) {
        if decision.allowed {
            allowed.wrappingAdd(1, ordering: .relaxed)
        } else {
            denied.wrappingAdd(1, ordering: .relaxed)
        }
    }

    package func add(_ shadow: RBACShadow) {
        if shadow.allowed {
            shadowAllowed.wrappingAdd(1, ordering: .relaxed)
        } else {
            shadowDenied.wrappingAdd(1, ordering: .relaxed)
        }
    }
}

/// What shadow rules would have decided; nobody is refused by them.
package struct RBACShadow: Sendable, Hashable {
    package var allowed: Bool
    package var policy: String?
    /// `shadow_rules_stat_prefix`, else the rules' own.
    package var statPrefix: String

    /// What later filters are told (`envoy.filters.http.rbac`), with the prefix before each name as in Envoy.
    package func metadata(prefix: String) -> [String: DynamicValue] {
        var told: [String: DynamicValue] = ["\(prefix)shadow_engine_result": .string(allowed ? "allowed" : "denied")]
        if let policy { told["\(prefix)shadow_effective_policy_id"] = .string(policy) }
        return told
    }
}

/// One compiled set of policies, with its shadow rules. Immutable.
package final class RBACEngine: Sendable {
    private indirect enum Rule: Sendable {
        case any
        case all([Rule])
        case some([Rule])
        case not(Rule)
        case header(CompiledHeaderMatcher)
        case path(CompiledStringMatcher)
        case destinationIP(IPPrefix)
        case destinationPorts(Range<UInt32>)
        /// `nil` is a template that cannot be compiled.
        case template(PathTemplate?)
        case serverName(CompiledStringMatcher)
        case authenticated(CompiledStringMatcher?)
        case directRemoteIP(IPPrefix)
        case remoteIP(IPPrefix)
        case metadata(CompiledMetadataMatcher)

        /// What of this rule cannot be compiled.
        var problem: String? {
            switch self {
            case .all(let rules), .some(let rules): rules.lazy.compactMap(\.problem).first
            case .not(let rule): rule.problem
            case .header(let matcher): matcher.isBroken ? "a header's pattern is invalid" : nil
            case .path(let matcher): matcher.isBroken ? "a path's pattern is invalid" : nil
            case .serverName(let matcher): matcher.isBroken ? "a server name's pattern is invalid" : nil
            case .authenticated(let matcher): matcher?.isBroken == true ? "a principal's pattern is invalid" : nil
            case .destinationIP(let range), .directRemoteIP(let range), .remoteIP(let range):
                range.isBroken ? "an address range is invalid" : nil
            case .metadata(let matcher): matcher.isBroken ? "a metadata pattern is invalid" : nil
            case .template(let template): template == nil ? "a path template is invalid" : nil
            case .any, .destinationPorts: nil
            }
        }
    }
    private final class Policy: Sendable {
        let name: String
        let permissions: [Rule]
        let principals: [Rule]
        let provenance: Provenance?

        init(_ policy: RBAC.Policy) {
            name = policy.name
            permissions = policy.permissions.map(RBACEngine.compile)
            principals = policy.principals.map(RBACEngine.compile)
            provenance = policy.provenance
        }

        var problem: String? { (permissions + principals).lazy.compactMap(\.problem).first }
    }
    private let action: RBAC.Action
    private let policies: [Policy]
    /// Policies that cannot be compiled, one sentence each. They fail closed: under `deny` such a policy matches
    /// everything, under `allow` nothing.
    package let problems: [String]
    private let broken: Set<String>
    /// The shadow rules as an engine of their own; at most one.
    private let shadow: [RBACEngine]
    package let statPrefix: String
    package let shadowStatPrefix: String
    /// Whether there are shadow rules.
    package var hasShadow: Bool { !shadow.isEmpty }
    /// Since this engine was made.
    package let counts = RBACCounts()

    package init(_ rbac: RBAC) {
        statPrefix = rbac.statPrefix
        shadowStatPrefix = rbac.shadowStatPrefix
        shadow = rbac.shadowAction.map { [RBACEngine(RBAC(action: $0, policies: rbac.shadowPolicies))] } ?? []
        action = rbac.action
        policies = rbac.policies.map(Policy.init)
        let failures = policies.compactMap { policy in policy.problem.map { (policy.name, $0) } }
        broken = Set(failures.map(\.0))
        problems = failures.map { "policy \($0): \($1)" } + shadow.flatMap { $0.problems.map { "shadow " + $0 } }
    }

    /// What the shadow rules say of `view`; `nil` when there are none.
    package func evaluateShadow(_ view: RBACView) -> RBACShadow? {
        guard let engine = shadow.first else { return nil }
        let decision = engine.evaluate(view)
        return RBACShadow(
            allowed: decision.allowed, policy: decision.policy,
            statPrefix: shadowStatPrefix.isEmpty ? statPrefix : shadowStatPrefix)
    }

    package func evaluate(_ view: RBACView) -> RBACDecision {
        var view = view
        return evaluate(inPlace: &view)
    }

    /// - Parameter view: Stays as it is; `inout`, so that what lies in an object is not copied out of it.
    package func evaluate(inPlace view: inout RBACView) -> RBACDecision {
        let matched = policies.first { policy in
            if !broken.isEmpty, broken.contains(policy.name) { return action == .deny }
            return policy.permissions.contains { RBACEngine.test($0, view) }
                && policy.principals.contains { RBACEngine.test($0, view) }
        }
        let allowed =
            switch action {
            case .allow: matched != nil
            case .deny: matched == nil
            case .log: true
            }
        // What no ALLOW policy allows is refused by all of them; the first one is where to look.
        let refusing = action == .allow && !allowed ? policies.first?.provenance : nil
        return RBACDecision(allowed: allowed, policy: matched?.name, provenance: matched?.provenance ?? refusing)
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
        case .destinationPort(let port): .destinationPorts(UInt32(port)..<UInt32(port) + 1)
        case .destinationPorts(let first, let end): .destinationPorts(first..<max(first, end))
        case .pathTemplate(let text): .template(try? PathTemplate(text))
        case .requestedServerName(let matcher): .serverName(CompiledStringMatcher(matcher))
        case .metadata(let matcher): .metadata(CompiledMetadataMatcher(matcher))
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
        case .metadata(let matcher): .metadata(CompiledMetadataMatcher(matcher))
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
        case .destinationPorts(let ports): ports.contains(UInt32(view.destinationPort))
        case .template(let template):
            view.head.map { template?.matches(PathAndQuery.path($0.path)) ?? false } ?? false
        case .serverName(let matcher): matcher.matches(view.serverName)
        case .authenticated(let matcher):
            view.isAuthenticated && (matcher.map { m in view.principals.contains { m.matches($0) } } ?? true)
        case .directRemoteIP(let range): IPAddress(view.directRemoteIP).map(range.contains) ?? false
        case .remoteIP(let range): IPAddress(view.remoteIP).map(range.contains) ?? false
        case .metadata(let matcher): matcher.matches(view.metadata)
        }
    }
}
