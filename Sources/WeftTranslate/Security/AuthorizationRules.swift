import WeftConfig
import WeftIR

/// Turns one rule of an AuthorizationPolicy into permissions and principals.
///
/// A condition that cannot be checked makes an ALLOW rule match nothing and is left out of any other rule, which then matches
/// more: nobody gets in by what a policy fails to say. Conditions on HTTP cannot be checked on TCP ports, values that cannot
/// be read cannot be checked anywhere (admission refuses them; ADR 0109).
struct AuthorizationRules {
    enum Traffic { case http, tcp }
    /// What becomes of a rule with a condition that cannot be checked.
    enum Unchecked { case dropsRule, isLeftOut }
    private struct CannotMatch: Error {}

    let policy: AuthorizationPolicy.Action
    let traffic: Traffic
    let values: PolicyValues
    /// Whether paths are brought into a standard form before they are compared.
    let normalises: Bool
    /// For conditions on HTTP, on TCP ports.
    let httpOnTCP: Unchecked

    private var unreadable: Unchecked { policy == .allow ? .dropsRule : .isLeftOut }

    /// `nil` if the rule cannot match.
    func policy(name: String, rule: AuthorizationPolicy.Rule, provenance: Provenance?) -> RBAC.Policy? {
        do throws(CannotMatch) {
            var callers: [Principal] = []
            var calls: [Permission] = []
            for condition in rule.when ?? [] { try add(condition, callers: &callers, calls: &calls) }
            var principals: [Principal] = []
            for from in rule.from ?? [] {
                principals.append(.every(try self.principals(of: from.source ?? .init()) + callers))
            }
            var permissions: [Permission] = []
            for to in rule.to ?? [] {
                permissions.append(.every(try self.permissions(of: to.operation ?? .init()) + calls))
            }
            return RBAC.Policy(
                name: name, permissions: permissions.isEmpty ? [.every(calls)] : permissions,
                principals: principals.isEmpty ? [.every(callers)] : principals, provenance: provenance)
        } catch {
            return nil
        }
    }

    // MARK: - Lists of values

    /// One of `values`, and none of `notValues`.
    private func add<Part: RulePart>(
        _ values: [String]?, _ notValues: [String]?, _ make: (String) -> Part?, to parts: inout [Part]
    ) throws(CannotMatch) {
        let wanted = try read(values, make)
        if !wanted.isEmpty { parts.append(.some(wanted)) }
        let unwanted = try read(notValues, make)
        if !unwanted.isEmpty { parts.append(.not(.some(unwanted))) }
    }

    private func read<Part>(_ values: [String]?, _ make: (String) -> Part?) throws(CannotMatch) -> [Part] {
        var parts: [Part] = []
        for value in values ?? [] {
            if !value.isEmpty, let part = make(value) {
                parts.append(part)
            } else if unreadable == .dropsRule {
                throw CannotMatch()
            }
        }
        return parts
    }

    /// Whether a condition on HTTP is to be looked at.
    private func checksHTTP() throws(CannotMatch) -> Bool {
        if traffic == .tcp, httpOnTCP == .dropsRule { throw CannotMatch() }
        return traffic == .http
    }

    /// Whether a condition on the caller's token is to be looked at. Authorization services are asked before tokens are read,
    /// so that CUSTOM rules go without such conditions and ask about more.
    private func checksTokens() throws(CannotMatch) -> Bool { try checksHTTP() && policy != .custom }

    // MARK: - Operations

    private func permissions(of operation: AuthorizationPolicy.Operation) throws(CannotMatch) -> [Permission] {
        var parts: [Permission] = []
        let http = [
            operation.hosts, operation.notHosts, operation.methods, operation.notMethods, operation.paths,
            operation.notPaths,
        ]
        if http.contains(where: { !($0 ?? []).isEmpty }), try checksHTTP() {
            try add(operation.hosts, operation.notHosts, PolicyValues.host, to: &parts)
            try add(
                operation.methods, operation.notMethods, { .header(PolicyValues.header(":method", $0)) }, to: &parts)
            try addPaths(operation, to: &parts)
        }
        try add(operation.ports, operation.notPorts, Self.port, to: &parts)
        return parts
    }

    /// A refusal or a question by path also holds for paths that proxies leave as they are and applications resolve.
    private func addPaths(
        _ operation: AuthorizationPolicy.Operation, to parts: inout [Permission]
    ) throws(CannotMatch) {
        var own: [Permission] = []
        try add(operation.paths, nil, { .urlPath(values.path($0)) }, to: &own)
        try add(nil, operation.notPaths, { .urlPath(values.path($0, negated: true)) }, to: &own)
        guard policy.isGuard, normalises, !own.isEmpty else { return parts += own }
        parts.append(.or([.every(own)] + PolicyValues.ambiguousPaths))
    }

    private static func port(_ text: String) -> Permission? { UInt16(text).map { .destinationPort($0) } }

    // MARK: - Sources

    private func principals(of source: AuthorizationPolicy.Source) throws(CannotMatch) -> [Principal] {
        var parts: [Principal] = []
        let namesTokens = [source.requestPrincipals, source.notRequestPrincipals].contains { !($0 ?? []).isEmpty }
        if namesTokens, try checksTokens() {
            try add(source.requestPrincipals, source.notRequestPrincipals, TokenClaims.principal, to: &parts)
        }
        try add(source.principals, source.notPrincipals, values.principal, to: &parts)
        try add(source.namespaces, source.notNamespaces, values.namespace, to: &parts)
        try add(source.serviceAccounts, source.notServiceAccounts, values.account, to: &parts)
        try add(source.trustDomains, source.notTrustDomains, values.trustDomain, to: &parts)
        try add(source.ipBlocks, source.notIpBlocks, Self.direct, to: &parts)
        try add(source.remoteIpBlocks, source.notRemoteIpBlocks, Self.remote, to: &parts)
        return parts
    }

    private static func direct(_ block: String) -> Principal? { AddressBlock.parse(block).map { .directRemoteIP($0) } }
    private static func remote(_ block: String) -> Principal? { AddressBlock.parse(block).map { .remoteIP($0) } }

    // MARK: - Conditions

    private func add(
        _ condition: AuthorizationPolicy.Condition, callers: inout [Principal], calls: inout [Permission]
    ) throws(CannotMatch) {
        let key = condition.key ?? ""
        let (given, not) = (condition.values, condition.notValues)
        switch key {
        case "source.ip": try add(given, not, Self.direct, to: &callers)
        case "remote.ip": try add(given, not, Self.remote, to: &callers)
        case "source.namespace": try add(given, not, values.namespace, to: &callers)
        case "source.principal": try add(given, not, values.principal, to: &callers)
        case "source.serviceAccount": try add(given, not, values.account, to: &callers)
        case "source.trustDomain": try add(given, not, values.trustDomain, to: &callers)
        case "destination.ip":
            try add(given, not, { AddressBlock.parse($0).map { .destinationIP($0) } }, to: &calls)
        case "destination.port": try add(given, not, Self.port, to: &calls)
        case "connection.sni": try add(given, not, { .requestedServerName(PolicyValues.string($0)) }, to: &calls)
        default:
            if let make = requestCondition(key) {
                let isChecked = try key.hasPrefix("request.auth.") ? checksTokens() : checksHTTP()
                if isChecked { try add(given, not, make, to: &callers) }
            } else if let make = experimental(key) {
                try add(given, not, make, to: &calls)
            } else if unreadable == .dropsRule {
                throw CannotMatch()
            }
        }
    }

    /// Conditions on the request itself; `nil` for a key that is none.
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
    private func experimental(_ key: String) -> ((String) -> Permission)? {
        guard key.hasPrefix(Self.experimental) else { return nil }
        let name = key.dropFirst("experimental.".count)
        guard let bracket = name.firstIndex(of: "["), let path = TokenClaims.bracketed(name[bracket...]) else {
            return nil
        }
        let filter = String(name[..<bracket])
        return { value in
            let isList = value.hasPrefix("[") && value.hasSuffix("]")
            let test = DynamicMetadataMatcher.Test.string(
                PolicyValues.string(isList ? String(value.dropFirst().dropLast()) : value))
            return .metadata(DynamicMetadataMatcher(filter: filter, path: path, test: isList ? .list(test) : test))
        }
    }
}

/// What rules are put together from: permissions and principals alike.
protocol RulePart {
    static var any: Self { get }
    static func and(_ parts: [Self]) -> Self
    static func or(_ parts: [Self]) -> Self
    static func not(_ part: Self) -> Self
}

extension RulePart {
    /// All of them hold; nothing asked for is met by everybody.
    static func every(_ parts: [Self]) -> Self { parts.isEmpty ? .any : (parts.count == 1 ? parts[0] : .and(parts)) }
    /// One of them holds. There is at least one.
    static func some(_ parts: [Self]) -> Self { parts.count == 1 ? parts[0] : .or(parts) }
}

extension Permission: RulePart {}
extension Principal: RulePart {}
