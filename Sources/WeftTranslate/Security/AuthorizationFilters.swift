import WeftConfig
import WeftCore
import WeftIR

/// The access rules of one workload: DENY first, then ALLOW.
struct AuthorizationFilters {
    let scope: Scope

    /// At most two; empty if no policy applies.
    func rules(_ kind: AuthorizationRules.Traffic) -> [RBAC] {
        let policies = applicable
        var result: [RBAC] = []
        let denying = policies.filter { $0.spec.action == .deny }
        if !denying.isEmpty {
            let rules = denying.flatMap { rule(of: $0, action: .deny, kind) }
            if !rules.isEmpty { result.append(RBAC(action: .deny, policies: rules.sorted { $0.name < $1.name })) }
        }
        let allowing = policies.filter { ($0.spec.action ?? .allow) == .allow }
        if !allowing.isEmpty {
            result.append(
                RBAC(
                    action: .allow,
                    policies: allowing.flatMap { rule(of: $0, action: .allow, kind) }.sorted { $0.name < $1.name }))
        }
        return result
    }

    /// Policies this proxy cannot enforce yet.
    var diagnostics: [Diagnostic] {
        applicable.filter { $0.spec.action == .custom || $0.spec.action == .audit }.map {
            Diagnostic(
                .warning, code: "IST0133", resource: $0.resource, path: "spec.action",
                message: "action \($0.spec.action?.rawValue ?? "") is accepted but not enforced by this release")
        }
    }

    private var applicable: [Config<AuthorizationPolicy>] {
        let root = scope.mesh.effectiveRootNamespace
        return scope.snapshot.authorizationPolicies.filter { config in
            guard config.namespace == scope.proxy.namespace || config.namespace == root else { return false }
            guard config.spec.targetRef == nil, (config.spec.targetRefs ?? []).isEmpty else { return false }
            if config.annotations["istio.io/dry-run"] == "true" { return false }
            return config.spec.selector?.matches(scope.proxy.labels) ?? true
        }
    }

    /// A policy without rules still has a name here, so that a refusal can say who refused.
    private func rule(of config: Config<AuthorizationPolicy>, action: RBAC.Action, _ kind: AuthorizationRules.Traffic)
        -> [RBAC.Policy]
    {
        let builder = AuthorizationRules(action: action, traffic: kind, trustDomain: scope.mesh.effectiveTrustDomain)
        let prefix = "ns[\(config.namespace)]-policy[\(config.name)]"
        let rules = config.spec.rules ?? []
        var policies: [RBAC.Policy] = []
        for (index, rule) in rules.enumerated() {
            let provenance = Provenance(config.resource, rule: index)
            if let policy = builder.policy(name: "\(prefix)-rule[\(index)]", rule: rule, provenance: provenance) {
                policies.append(policy)
            }
        }
        if policies.isEmpty, action == .allow {
            policies.append(
                RBAC.Policy(
                    name: "\(prefix)-rule[0]", permissions: [.not(.any)], principals: [.not(.any)],
                    provenance: Provenance(config.resource, rule: 0)))
        }
        return policies
    }
}
