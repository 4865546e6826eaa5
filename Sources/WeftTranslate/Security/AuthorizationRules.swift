import WeftConfig
import WeftIR

/// Turns one rule of an AuthorizationPolicy into permissions and principals.
///
/// On TCP ports conditions on HTTP cannot be checked: an ALLOW rule that has one never matches, a DENY rule goes without it.
struct AuthorizationRules {
    enum Traffic { case http, tcp }
    let action: RBAC.Action
    let traffic: Traffic
    let trustDomain: String

    /// `nil` if the rule cannot match.
    func policy(name: String, rule: AuthorizationPolicy.Rule, provenance: Provenance) -> RBAC.Policy? {
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
        let http: [([String]?, [String]?, (String) -> Permission)] = [
            (operation.hosts, operation.notHosts, { .header(header(":authority", $0, ignoreCase: true)) }),
            (operation.methods, operation.notMethods, { .header(header(":method", $0)) }),
            (operation.paths, operation.notPaths, { .urlPath(path($0)) }),
        ]
        for (values, notValues, make) in http where !(values ?? []).isEmpty || !(notValues ?? []).isEmpty {
            if traffic == .tcp {
                if action == .allow { return nil }
                continue
            }
            add(values, notValues, make, to: &parts)
        }
        add(operation.ports, operation.notPorts, { UInt16($0).map { .destinationPort($0) } ?? .not(.any) }, to: &parts)
        return parts
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
        let tokens = [source.requestPrincipals, source.notRequestPrincipals]
        if tokens.contains(where: { !($0 ?? []).isEmpty }) {
            // End-user tokens are not verified by this proxy yet: an ALLOW rule on them never matches, a DENY rule goes without.
            if action == .allow { return nil }
        }
        add(source.principals, source.notPrincipals, { .authenticated(principal($0)) }, to: &parts)
        add(source.namespaces, source.notNamespaces, { .authenticated(namespace($0)) }, to: &parts)
        add(source.serviceAccounts, source.notServiceAccounts, { .authenticated(account($0)) }, to: &parts)
        add(source.trustDomains, source.notTrustDomains, { .authenticated(domain($0)) }, to: &parts)
        add(
            source.ipBlocks, source.notIpBlocks, { AddressBlock.parse($0).map { .directRemoteIP($0) } ?? .not(.any) },
            to: &parts)
        add(
            source.remoteIpBlocks, source.notRemoteIpBlocks,
            { AddressBlock.parse($0).map { .remoteIP($0) } ?? .not(.any) }, to: &parts)
        return parts
    }

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
        let (values, notValues) = (condition.values, condition.notValues)
        switch key {
        case "source.ip":
            add(values, notValues, { AddressBlock.parse($0).map { .directRemoteIP($0) } ?? .not(.any) }, to: &callers)
        case "remote.ip":
            add(values, notValues, { AddressBlock.parse($0).map { .remoteIP($0) } ?? .not(.any) }, to: &callers)
        case "source.namespace": add(values, notValues, { .authenticated(namespace($0)) }, to: &callers)
        case "source.principal": add(values, notValues, { .authenticated(principal($0)) }, to: &callers)
        case "source.serviceAccount": add(values, notValues, { .authenticated(account($0)) }, to: &callers)
        case "source.trustDomain": add(values, notValues, { .authenticated(domain($0)) }, to: &callers)
        case "destination.ip":
            add(values, notValues, { AddressBlock.parse($0).map { .destinationIP($0) } ?? .not(.any) }, to: &calls)
        case "destination.port":
            add(values, notValues, { UInt16($0).map { .destinationPort($0) } ?? .not(.any) }, to: &calls)
        case "connection.sni": add(values, notValues, { .requestedServerName(string($0)) }, to: &calls)
        default:
            guard key.hasPrefix("request.headers["), key.hasSuffix("]"), traffic == .http else {
                return action != .allow
            }
            let name = key.dropFirst("request.headers[".count).dropLast().lowercased()
            add(values, notValues, { .header(header(name, $0)) }, to: &callers)
        }
        return true
    }

    // MARK: - Values

    /// Istio's forms: exact, `abc*`, `*abc`, and `*` for anything that is there.
    private func string(_ value: String, ignoreCase: Bool = false) -> StringMatcher {
        if value == "*" { return StringMatcher(.regex(".+")) }
        if value.hasSuffix("*") { return StringMatcher(.prefix(String(value.dropLast())), ignoreCase: ignoreCase) }
        if value.hasPrefix("*") { return StringMatcher(.suffix(String(value.dropFirst())), ignoreCase: ignoreCase) }
        return StringMatcher(.exact(value), ignoreCase: ignoreCase)
    }

    private func header(_ name: String, _ value: String, ignoreCase: Bool = false) -> HeaderMatcher {
        HeaderMatcher(name: name, test: value == "*" ? .present(true) : .string(string(value, ignoreCase: ignoreCase)))
    }

    /// `{*}` stands for one segment and `{**}` for the rest of the path.
    private func path(_ value: String) -> StringMatcher {
        guard value.contains("{*}") || value.contains("{**}") else { return string(value) }
        var pattern = ""
        var rest = Substring(value)
        while !rest.isEmpty {
            if rest.hasPrefix("{**}") {
                pattern += ".*"
                rest = rest.dropFirst(4)
            } else if rest.hasPrefix("{*}") {
                pattern += "[^/]+"
                rest = rest.dropFirst(3)
            } else {
                pattern += Self.escape(String(rest.removeFirst()))
            }
        }
        return StringMatcher(.regex(pattern))
    }

    private func principal(_ value: String) -> StringMatcher? {
        if value == "*" { return nil }
        if value.hasPrefix("*") { return StringMatcher(.suffix(String(value.dropFirst()))) }
        let local = "cluster.local/"
        let own = value.hasPrefix(local) ? "\(trustDomain)/\(value.dropFirst(local.count))" : value
        return string("spiffe://\(own)")
    }

    private func namespace(_ value: String) -> StringMatcher {
        let pattern = value.split(separator: "*", omittingEmptySubsequences: false).map { Self.escape(String($0)) }
            .joined(separator: "[^/]*")
        return StringMatcher(.regex("spiffe://[^/]+/ns/\(pattern)/.*"))
    }

    /// `[namespace/]account`.
    private func account(_ value: String) -> StringMatcher {
        let parts = value.split(separator: "/", maxSplits: 1).map { Self.escape(String($0)) }
        let (namespace, account) = parts.count == 2 ? (parts[0], parts[1]) : ("[^/]+", parts.first ?? "")
        return StringMatcher(.regex("spiffe://[^/]+/ns/\(namespace)/sa/\(account)"))
    }

    private func domain(_ value: String) -> StringMatcher { StringMatcher(.prefix("spiffe://\(value)/")) }

    private static func escape(_ text: String) -> String {
        text.reduce(into: "") { $0 += "\\.+*?()|[]{}^$".contains($1) ? "\\\($1)" : String($1) }
    }
}

/// Address blocks: `10.0.0.0/8`, or one address.
enum AddressBlock {
    static func parse(_ text: String) -> CIDR? {
        let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
        guard let address = parts.first, !address.isEmpty else { return nil }
        let longest: UInt8 = address.contains(":") ? 128 : 32
        guard parts.count == 2 else { return CIDR(address, prefixLength: longest) }
        guard let length = UInt8(parts[1]), length <= longest else { return nil }
        return CIDR(address, prefixLength: length)
    }
}
