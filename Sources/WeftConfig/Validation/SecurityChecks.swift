/// Checks of PeerAuthentications.
enum PeerAuthenticationChecks {
    static func check(_ spec: PeerAuthentication, _ findings: inout Findings) {
        findings.labels(spec.selector?.matchLabels, "spec.selector.matchLabels")
        guard let ports = spec.portLevelMtls else { return }
        if spec.selector?.isEmpty ?? true {
            findings.error(
                "spec.portLevelMtls", "mesh/namespace peer authentication cannot have port level mTLS",
                hint: "add a selector: port modes belong to workloads")
        }
        if ports.isEmpty {
            findings.error("spec.portLevelMtls", "port level mTLS, if defined, must have at least one element")
        }
        for port in ports.keys.sorted() {
            guard let number = Int(port), (1...65_535).contains(number) else {
                findings.error("spec.portLevelMtls[\(port)]", "port \(port) must be in the range 1..65535")
                continue
            }
        }
    }
}

/// Checks of AuthorizationPolicies.
enum AuthorizationPolicyChecks {
    private static let keys: Set = [
        "source.ip", "remote.ip", "source.namespace", "source.principal", "source.serviceAccount", "source.trustDomain",
        "request.auth.principal",
        "request.auth.audiences", "request.auth.presenter", "destination.ip", "destination.port", "connection.sni",
    ]

    static func check(_ spec: AuthorizationPolicy, _ findings: inout Findings) {
        findings.labels(spec.selector?.matchLabels, "spec.selector.matchLabels")
        if spec.selector != nil, spec.targetRef != nil || !(spec.targetRefs ?? []).isEmpty {
            findings.error("spec", "only one of targetRefs or selector can be set")
        }
        if spec.action == .custom, (spec.provider?.name ?? "").isEmpty {
            findings.error("spec.provider", "`provider.name` must not be empty with CUSTOM action")
        }
        if spec.action != .custom, spec.provider != nil {
            findings.error(
                "spec.provider",
                "`provider` must not be with non CUSTOM action, found \((spec.action ?? .allow).rawValue)")
        }
        if spec.action == .deny, spec.rules == nil {
            findings.warning("spec.rules", "a DENY policy without `rules` matches nothing and has no effect")
        }
        for (index, rule) in (spec.rules ?? []).enumerated() { check(rule, "spec.rules[\(index)]", &findings) }
    }

    private static func check(_ rule: AuthorizationPolicy.Rule, _ path: String, _ findings: inout Findings) {
        if rule.from?.isEmpty == true { findings.error("\(path).from", "`from` cannot be empty") }
        if rule.to?.isEmpty == true { findings.error("\(path).to", "`to` cannot be empty") }
        for (index, from) in (rule.from ?? []).enumerated() {
            guard let source = from.source else {
                findings.error("\(path).from[\(index)].source", "`from.source` cannot be nil")
                continue
            }
            check(source, "\(path).from[\(index)].source", &findings)
        }
        for (index, to) in (rule.to ?? []).enumerated() {
            guard let operation = to.operation else {
                findings.error("\(path).to[\(index)].operation", "`to.operation` cannot be nil")
                continue
            }
            check(operation, "\(path).to[\(index)].operation", &findings)
        }
        for (index, condition) in (rule.when ?? []).enumerated() {
            check(condition, "\(path).when[\(index)]", &findings)
        }
    }

    private static func check(_ source: AuthorizationPolicy.Source, _ path: String, _ findings: inout Findings) {
        let fields: [(String, [String]?)] = [
            ("principals", source.principals), ("notPrincipals", source.notPrincipals),
            ("requestPrincipals", source.requestPrincipals),
            ("notRequestPrincipals", source.notRequestPrincipals), ("namespaces", source.namespaces),
            ("notNamespaces", source.notNamespaces),
            ("serviceAccounts", source.serviceAccounts), ("notServiceAccounts", source.notServiceAccounts),
            ("trustDomains", source.trustDomains),
            ("notTrustDomains", source.notTrustDomains), ("ipBlocks", source.ipBlocks),
            ("notIpBlocks", source.notIpBlocks),
            ("remoteIpBlocks", source.remoteIpBlocks), ("notRemoteIpBlocks", source.notRemoteIpBlocks),
        ]
        values(fields, path, &findings)
        if !(source.serviceAccounts ?? []).isEmpty,
            !(source.principals ?? []).isEmpty || !(source.namespaces ?? []).isEmpty
        {
            findings.error("\(path).serviceAccounts", "cannot set serviceAccounts with namespaces or principals")
        }
        for (name, list) in fields where name.hasSuffix("pBlocks") {
            for (index, block) in (list ?? []).enumerated() where !Self.isAddressBlock(block) {
                findings.error("\(path).\(name)[\(index)]", "bad CIDR range: invalid CIDR address: \(block)")
            }
        }
    }

    private static func check(_ operation: AuthorizationPolicy.Operation, _ path: String, _ findings: inout Findings) {
        values(
            [
                ("hosts", operation.hosts), ("notHosts", operation.notHosts), ("ports", operation.ports),
                ("notPorts", operation.notPorts),
                ("methods", operation.methods), ("notMethods", operation.notMethods), ("paths", operation.paths),
                ("notPaths", operation.notPaths),
            ], path, &findings)
        for (name, list) in [("ports", operation.ports), ("notPorts", operation.notPorts)] {
            for (index, port) in (list ?? []).enumerated() where Int(port).map({ !(1...65_535).contains($0) }) ?? true {
                findings.error("\(path).\(name)[\(index)]", "port \(port) must be in the range 1..65535")
            }
        }
    }

    private static func check(_ condition: AuthorizationPolicy.Condition, _ path: String, _ findings: inout Findings) {
        let key = condition.key ?? ""
        if key.isEmpty { return findings.error("\(path).key", "`key` cannot be empty") }
        let isKnown =
            keys.contains(key)
            || (key.hasSuffix("]") && (key.hasPrefix("request.headers[") || key.hasPrefix("request.auth.claims[")))
            || key.hasPrefix("experimental.envoy.filters.")
        if !isKnown {
            findings.error(
                "\(path).key", "invalid condition key: unknown attribute: \(key)",
                hint: "known are \(keys.sorted().joined(separator: ", ")), request.headers[NAME]")
        }
        if (condition.values ?? []).isEmpty, (condition.notValues ?? []).isEmpty {
            findings.error(path, "at least one of `values` or `notValues` must be set, found none for condition \(key)")
        }
    }

    private static func values(_ fields: [(String, [String]?)], _ path: String, _ findings: inout Findings) {
        if fields.allSatisfy({ $0.1 == nil }) {
            findings.error(path, "`\(path.split(separator: ".").last ?? "")` must have at least one field set")
        }
        for (name, list) in fields {
            guard let list else { continue }
            if list.isEmpty { findings.error("\(path).\(name)", "`\(name)` cannot be empty") }
            for (index, value) in list.enumerated() where value.isEmpty {
                findings.error("\(path).\(name)[\(index)]", "empty value not allowed, found in `\(name)`")
            }
        }
    }

    private static func isAddressBlock(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let address = parts.first, parts.count <= 2 else { return false }
        let isSix = address.contains(":")
        if parts.count == 2, Int(parts[1]).map({ !(0...(isSix ? 128 : 32)).contains($0) }) ?? true { return false }
        if isSix {
            return address.utf8.allSatisfy {
                $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") || Character(Unicode.Scalar($0)).isHexDigit
            }
        }
        let numbers = address.split(separator: ".", omittingEmptySubsequences: false)
        return numbers.count == 4 && numbers.allSatisfy { UInt8($0) != nil }
    }
}

/// Checks of RequestAuthentications.
enum RequestAuthenticationChecks {
    static func check(_ spec: RequestAuthentication, _ findings: inout Findings) {
        findings.labels(spec.selector?.matchLabels, "spec.selector.matchLabels")
        for (index, rule) in (spec.jwtRules ?? []).enumerated() {
            let path = "spec.jwtRules[\(index)]"
            if (rule.issuer ?? "").isEmpty { findings.error("\(path).issuer", "issuer must be set") }
            if rule.jwks != nil, rule.jwksUri != nil { findings.error(path, "only one of jwks or jwksUri can be set") }
            if let uri = rule.jwksUri, !uri.hasPrefix("http://"), !uri.hasPrefix("https://") {
                findings.error("\(path).jwksUri", "URI scheme must be http or https, but is \(uri)")
            }
            findings.duration(rule.timeout, "\(path).timeout")
        }
    }
}
