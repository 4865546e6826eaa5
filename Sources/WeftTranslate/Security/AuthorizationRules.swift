import WeftConfig
import WeftIR

/// Turns one rule of an AuthorizationPolicy into permissions and principals.
///
/// On TCP ports conditions on HTTP cannot be checked: an ALLOW or CUSTOM rule that has one never matches, a DENY or AUDIT
/// rule goes without it, which makes it broader.
struct AuthorizationRules {
    enum Traffic { case http, tcp }
    let policy: AuthorizationPolicy.Action
    let traffic: Traffic
    let values: PolicyValues
    /// Whether paths are brought into a standard form before they are compared.
    let normalises: Bool

    /// A condition that cannot be checked here.
    private enum Unknown { case dropsRule, isLeftOut }
    private var unknown: Unknown { policy == .deny || policy == .audit ? .isLeftOut : .dropsRule }

    /// `nil` if the rule cannot match.
    func policy(name: String, rule: AuthorizationPolicy.Rule, provenance: Provenance?) -> RBAC.Policy? {
        var callers: [Principal] = []
        var calls: [Permission] = []
        for condition in rule.when ?? [] {
            guard add(condition, callers: &callers, calls: &calls) else { return nil }
        }
        let sources = alternatives((rule.from ?? []).map { $0.source ?? AuthorizationPolicy.Source() }, principals(of:))
        let operations = alternatives(
            (rule.to ?? []).map { $0.operation ?? AuthorizationPolicy.Operation() }, permissions(of:))
        guard let sources, let operations else { return nil }
        let permissions = operations.isEmpty ? [[]] : operations
        let principals = sources.isEmpty ? [[]] : sources
        return RBAC.Policy(
            name: name, permissions: permissions.map { all($0 + calls) },
            principals: principals.map { all($0 + callers) },
            provenance: provenance)
    }

    /// What each item asks for; `nil` if there are items and none can match.
    private func alternatives<Item, Part>(_ items: [Item], _ parts: (Item) -> [Part]?) -> [[Part]]? {
        let possible = items.compactMap(parts)
        return !items.isEmpty && possible.isEmpty ? nil : possible
    }

    private func all(_ parts: [Permission]) -> Permission {
        parts.isEmpty ? .any : (parts.count == 1 ? parts[0] : .and(parts))
    }
    private func all(_ parts: [Principal]) -> Principal {
        parts.isEmpty ? .any : (parts.count == 1 ? parts[0] : .and(parts))
    }

    // MARK: - Operations

    private func permissions(of operation: AuthorizationPolicy.Operation) -> [Permission]? {
        var parts: [Permission] = []
        let http = [
            operation.hosts, operation.notHosts, operation.methods, operation.notMethods, operation.paths,
            operation.notPaths,
        ]
        if traffic == .tcp, http.contains(where: { !($0 ?? []).isEmpty }) {
            if unknown == .dropsRule { return nil }
        } else {
            add(operation.hosts, operation.notHosts, PolicyValues.host, to: &parts)
            add(
                operation.methods, operation.notMethods, { .header(PolicyValues.header(":method", $0)) }, to: &parts)
            addPaths(operation, to: &parts)
        }
        add(operation.ports, operation.notPorts, { UInt16($0).map { .destinationPort($0) } ?? .not(.any) }, to: &parts)
        return parts
    }

    /// A refusal or a question by path also holds for paths that proxies leave as they are and applications resolve.
    private func addPaths(_ operation: AuthorizationPolicy.Operation, to parts: inout [Permission]) {
        var own: [Permission] = []
        add(operation.paths, nil, { .urlPath(values.path($0)) }, to: &own)
        add(nil, operation.notPaths, { .urlPath(values.path($0, negated: true)) }, to: &own)
        guard policy.isGuard, normalises, !own.isEmpty else { return parts += own }
        parts.append(.or([all(own)] + PolicyValues.ambiguousPaths))
    }

    private func add(
        _ values: [String]?, _ notValues: [String]?, _ make: (String) -> Permission, to parts: inout [Permission]
    ) {
        if let values, !values.isEmpty { parts.append(values.count == 1 ? make(values[0]) : .or(values.map(make))) }
        if let notValues, !notValues.isEmpty {
            parts.append(.not(notValues.count == 1 ? make(notValues[0]) : .or(notValues.map(make))))
        }
    }

    // MARK: - Sources

    private func principals(of source: AuthorizationPolicy.Source) -> [Principal]? {
        var parts: [Principal] = []
        let namesTokens = [source.requestPrincipals, source.notRequestPrincipals].contains { !($0 ?? []).isEmpty }
        if traffic == .http {
            add(source.requestPrincipals, source.notRequestPrincipals, TokenClaims.principal, to: &parts)
        } else if namesTokens, unknown == .dropsRule {
            return nil
        }
        add(source.principals, source.notPrincipals, values.principal, to: &parts)
        add(source.namespaces, source.notNamespaces, values.namespace, to: &parts)
        add(source.serviceAccounts, source.notServiceAccounts, values.account, to: &parts)
        add(source.trustDomains, source.notTrustDomains, values.trustDomain, to: &parts)
        add(source.ipBlocks, source.notIpBlocks, direct, to: &parts)
        add(source.remoteIpBlocks, source.notRemoteIpBlocks, remote, to: &parts)
        return parts
    }

    private func direct(_ block: String) -> Principal {
        AddressBlock.parse(block).map { .directRemoteIP($0) } ?? .not(.any)
    }
    private func remote(_ block: String) -> Principal { AddressBlock.parse(block).map { .remoteIP($0) } ?? .not(.any) }

    private func add(
        _ values: [String]?, _ notValues: [String]?, _ make: (String) -> Principal, to parts: inout [Principal]
    ) {
        if let values, !values.isEmpty { parts.append(values.count == 1 ? make(values[0]) : .or(values.map(make))) }
        if let notValues, !notValues.isEmpty {
            parts.append(.not(notValues.count == 1 ? make(notValues[0]) : .or(notValues.map(make))))
        }
    }

    // MARK: - Conditions

    /// False if the rule can no longer match.
    private func add(_ condition: AuthorizationPolicy.Condition, callers: inout [Principal], calls: inout [Permission])
        -> Bool
    {
        let key = condition.key ?? ""
        let (given, not) = (condition.values, condition.notValues)
        switch key {
        case "source.ip": add(given, not, direct, to: &callers)
        case "remote.ip": add(given, not, remote, to: &callers)
        case "source.namespace": add(given, not, values.namespace, to: &callers)
        case "source.principal": add(given, not, values.principal, to: &callers)
        case "source.serviceAccount": add(given, not, values.account, to: &callers)
        case "source.trustDomain": add(given, not, values.trustDomain, to: &callers)
        case "destination.ip":
            add(given, not, { AddressBlock.parse($0).map { .destinationIP($0) } ?? .not(.any) }, to: &calls)
        case "destination.port":
            add(given, not, { UInt16($0).map { .destinationPort($0) } ?? .not(.any) }, to: &calls)
        case "connection.sni": add(given, not, { .requestedServerName(PolicyValues.string($0)) }, to: &calls)
        default:
            if key.hasPrefix(Self.experimental) { return add(experimental: condition, to: &calls) }
            guard traffic == .http, let make = requestCondition(key) else { return unknown == .isLeftOut }
            add(given, not, make, to: &callers)
        }
        return true
    }

    /// Conditions on the request itself; `nil` for a key that does not exist.
    private func requestCondition(_ key: String) -> ((String) -> Principal)? {
        func claim(_ path: [String]) -> (String) -> Principal {
            { .metadata(TokenClaims.matcher(path, $0 == "*" ? nil : PolicyValues.string($0))) }
        }
        switch key {
        case "request.auth.principal": return TokenClaims.principal
        case "request.auth.audiences": return claim(["aud"])
        case "request.auth.presenter": return claim(["azp"])
        default: break
        }
        if key.hasPrefix("request.auth.claims") {
            return TokenClaims.bracketed(key.dropFirst("request.auth.claims".count)).map(claim)
        }
        guard key.hasPrefix("request.headers["), key.hasSuffix("]") else { return nil }
        let name = key.dropFirst("request.headers[".count).dropLast().lowercased()
        return name.isEmpty ? nil : { .header(PolicyValues.header(name, $0)) }
    }

    private static let experimental = "experimental.envoy.filters."

    /// `experimental.envoy.filters.NAME[KEY]`: what an Envoy filter said; a value in brackets is an element of a list.
    private func add(experimental condition: AuthorizationPolicy.Condition, to calls: inout [Permission]) -> Bool {
        let key = (condition.key ?? "").dropFirst("experimental.".count)
        guard let bracket = key.firstIndex(of: "["), let path = TokenClaims.bracketed(key[bracket...]) else {
            return unknown == .isLeftOut
        }
        let filter = String(key[..<bracket])
        add(
            condition.values, condition.notValues,
            { value in
                let isList = value.hasPrefix("[") && value.hasSuffix("]")
                let test = DynamicMetadataMatcher.Test.string(
                    PolicyValues.string(isList ? String(value.dropFirst().dropLast()) : value))
                return .metadata(
                    DynamicMetadataMatcher(filter: filter, path: path, test: isList ? .list(test) : test))
            }, to: &calls)
        return true
    }
}
