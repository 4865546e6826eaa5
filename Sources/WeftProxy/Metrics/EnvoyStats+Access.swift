import Synchronization
import WeftIR
import WeftRouting

/// What access rules and authorization services have decided since the configuration was last built.
extension EnvoyStats {
    /// - Parameters:
    ///   - manager: Prefix of the HTTP connection manager.
    ///   - network: Of a network filter: its own prefix, in place of a manager's.
    func access(_ engine: RBACEngine, _ manager: String, network: String? = nil) -> [EnvoyStat] {
        let counts = engine.counts
        let scope = network.map { "\($0)rbac." } ?? "http.\(manager).rbac."
        let metric = network == nil ? "http_rbac_" : "rbac_"
        let labels: [(name: String, value: String)] = network == nil ? [("http_conn_manager_prefix", manager)] : []
        let rules = network == nil ? engine.statPrefix : ""
        let enforced = [
            ("allowed", counts.allowed.load(ordering: .relaxed)), ("denied", counts.denied.load(ordering: .relaxed)),
        ].map { name, value in
            EnvoyStat(
                name: "\(scope)\(Self.joined(rules))\(name)", metric: "\(metric)\(name)", labels: labels, value: value)
        }
        let shadow = [
            ("allowed", counts.shadowAllowed.load(ordering: .relaxed)),
            ("denied", counts.shadowDenied.load(ordering: .relaxed)),
        ].map { name, value -> EnvoyStat in
            let full = "\(scope)\(Self.joined(engine.shadowStatPrefix))shadow_\(name)"
            guard let action = Self.trial(engine.shadowStatPrefix) else {
                return EnvoyStat(name: full, metric: "\(metric)shadow_\(name)", labels: labels, value: value)
            }
            // As the tags of Istio's bootstrap name it, and its documentation: without other labels.
            return EnvoyStat(
                name: full, metric: Self.metric(scope),
                labels: [("authz_dry_run_action", action), ("authz_dry_run_result", name)], value: value)
        }
        return enforced + shadow
    }

    func authorization(_ authorizer: ConnectionAuthorizer) -> [EnvoyStat] {
        let prefix = authorizer.settings.statPrefix
        return authorizer.counts.map { name, value in
            EnvoyStat(
                name: "ext_authz.\(Self.joined(prefix))\(name)", metric: "ext_authz_\(name)",
                labels: [("ext_authz_prefix", prefix)], value: value)
        }
    }

    private static func joined(_ prefix: String) -> String {
        prefix.isEmpty || prefix.hasSuffix(".") ? prefix : "\(prefix)."
    }

    /// The action of policies in trial, by the prefix that Istio gives to their counters.
    private static func trial(_ prefix: String) -> String? {
        switch prefix {
        case "istio_dry_run_allow_": "allow"
        case "istio_dry_run_deny_": "deny"
        default: nil
        }
    }

    /// `http.inbound_0.0.0.0_80;.rbac.` is `http_inbound_0_0_0_0_80_rbac`.
    private static func metric(_ scope: String) -> String {
        let plain = scope.replacing(";", with: "")
        return String(plain.dropLast().map { $0.isLetter || $0.isNumber || $0 == "_" ? $0 : "_" })
    }
}
