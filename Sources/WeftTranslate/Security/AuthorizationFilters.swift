import WeftConfig
import WeftCore
import WeftIR

/// The access rules of one workload. Order: CUSTOM asks first (``ExternalAuthorizers``), then AUDIT, DENY, ALLOW.
struct AuthorizationFilters {
    let scope: Scope

    /// One for each action that has a policy: AUDIT only tells, DENY refuses what matches, ALLOW refuses the rest.
    /// Policies in trial (`istio.io/dry-run`) are shadow rules beside them.
    func rules(_ kind: AuthorizationRules.Traffic) -> [RBAC] {
        let policies = applicable
        return [audit(policies, kind), deny(policies, kind), allow(policies, kind)].compactMap { $0 }
    }

    /// Policies of one action that hold for this proxy, oldest first.
    func applicable(_ action: AuthorizationPolicy.Action) -> [Config<AuthorizationPolicy>] {
        applicable.filter { $0.spec.action ?? .allow == action }
    }

    private var applicable: [Config<AuthorizationPolicy>] {
        let attachment = PolicyAttachment(scope: scope)
        return scope.snapshot.authorizationPolicies.filter {
            attachment.holds(namespace: $0.namespace, selector: $0.spec.selector, targets: $0.spec.targets)
        }
    }

    // MARK: - Actions

    private func audit(_ policies: [Config<AuthorizationPolicy>], _ kind: AuthorizationRules.Traffic) -> RBAC? {
        let rules = policies.filter { $0.spec.action == .audit }.flatMap { self.rules(of: $0, kind) }
        return rules.isEmpty ? nil : RBAC(action: .log, policies: sorted(rules))
    }

    private func deny(_ policies: [Config<AuthorizationPolicy>], _ kind: AuthorizationRules.Traffic) -> RBAC? {
        let denying = policies.filter { $0.spec.action == .deny }
        let rules = denying.filter { !isTrial($0) }.flatMap { self.rules(of: $0, kind) }
        let trial = denying.filter(isTrial).flatMap { self.rules(of: $0, kind) }
        guard !rules.isEmpty || !trial.isEmpty else { return nil }
        var result = RBAC(action: .deny, policies: sorted(rules))
        addTrial(trial, .deny, to: &result)
        return result
    }

    private func allow(_ policies: [Config<AuthorizationPolicy>], _ kind: AuthorizationRules.Traffic) -> RBAC? {
        let allowing = policies.filter { ($0.spec.action ?? .allow) == .allow }
        let enforced = allowing.filter { !isTrial($0) }
        let trial = allowing.filter(isTrial).flatMap { allowRules(of: $0, kind) }
        guard !enforced.isEmpty || !trial.isEmpty else { return nil }
        // Without a policy that is enforced nothing is refused: no DENY rule at all says so.
        var result =
            enforced.isEmpty
            ? RBAC(action: .deny, policies: [])
            : RBAC(action: .allow, policies: sorted(enforced.flatMap { allowRules(of: $0, kind) }))
        addTrial(trial, .allow, to: &result)
        return result
    }

    private func addTrial(_ rules: [RBAC.Policy], _ action: RBAC.Action, to rbac: inout RBAC) {
        guard !rules.isEmpty else { return }
        rbac.shadowAction = action
        rbac.shadowPolicies = sorted(rules)
        rbac.shadowStatPrefix = "istio_dry_run_\(action.rawValue)_"
    }

    private func isTrial(_ config: Config<AuthorizationPolicy>) -> Bool {
        config.annotations[AuthorizationPolicy.trialAnnotation].flatMap(AuthorizationPolicy.trial) ?? false
    }

    // MARK: - Rules

    /// A policy without rules that can match still has a name here, so that a refusal can say who refused.
    private func allowRules(of config: Config<AuthorizationPolicy>, _ kind: AuthorizationRules.Traffic)
        -> [RBAC.Policy]
    {
        let rules = rules(of: config, kind)
        guard rules.isEmpty else { return rules }
        return [
            RBAC.Policy(
                name: "\(prefix(config))-rule[0]", permissions: [.not(.any)], principals: [.not(.any)],
                provenance: Provenance(config.resource, rule: 0))
        ]
    }

    /// - Parameters:
    ///   - label: Stands before the names of the rules.
    ///   - httpOnTCP: What becomes on TCP ports of a rule with a condition on HTTP; Istio's way for the action if `nil`.
    func rules(
        of config: Config<AuthorizationPolicy>, _ kind: AuthorizationRules.Traffic, label: String = "",
        httpOnTCP: AuthorizationRules.Unchecked? = nil
    ) -> [RBAC.Policy] {
        let action = config.spec.action ?? .allow
        let mesh = scope.mesh
        let builder = AuthorizationRules(
            policy: action, traffic: kind,
            values: PolicyValues(
                isGuard: action.isGuard, namespace: config.namespace, trustDomains: mesh.trustDomains),
            normalises: mesh.normalization != .none,
            httpOnTCP: httpOnTCP ?? (action == .allow ? .dropsRule : .isLeftOut))
        return (config.spec.rules ?? []).enumerated().compactMap { index, rule in
            // Without a rule an ALLOW policy allows less; any other one would refuse, ask or tell less.
            if action == .allow, config.refusedParts[index] != nil { return nil }
            return builder.policy(
                name: "\(label)\(prefix(config))-rule[\(index)]", rule: rule,
                provenance: label.isEmpty ? Provenance(config.resource, rule: index) : nil)
        }
    }

    private func prefix(_ config: Config<AuthorizationPolicy>) -> String {
        "ns[\(config.namespace)]-policy[\(config.name)]"
    }

    private func sorted(_ rules: [RBAC.Policy]) -> [RBAC.Policy] { rules.sorted { $0.name < $1.name } }
}

extension MeshConfig {
    /// The mesh's own first, then its aliases, each once.
    var trustDomains: [String] {
        var seen: Set<String> = []
        return ([effectiveTrustDomain] + (trustDomainAliases ?? [])).filter {
            !$0.isEmpty && seen.insert($0).inserted
        }
    }

    /// How far paths are brought into a standard form; Istio's default is BASE.
    var normalization: PathNormalization.Mode {
        let mode = pathNormalization?.normalization ?? .default
        return mode == .default ? .base : mode
    }
}
