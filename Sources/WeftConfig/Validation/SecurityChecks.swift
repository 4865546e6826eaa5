/// Checks of PeerAuthentications.
enum PeerAuthenticationChecks {
    static func check(_ spec: PeerAuthentication, _ findings: inout Findings) {
        findings.selector(spec.selector?.matchLabels, isGiven: spec.selector != nil, "spec.selector.matchLabels")
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
        findings.attachment(spec.selector, spec.targetRef, spec.targetRefs)
        let action = spec.action ?? .allow
        if action == .custom, (spec.provider?.name ?? "").isEmpty {
            findings.error("spec.provider", "`provider.name` must not be empty with CUSTOM action")
        }
        if action != .custom, spec.provider != nil {
            findings.error(
                "spec.provider", "`provider` must not be with non CUSTOM action, found \(action.rawValue)")
        }
        if action == .custom, (spec.rules ?? []).isEmpty {
            findings.error(
                "spec.rules", "CUSTOM action without `rules` is meaningless as it will never be triggered",
                hint: "write `rules: [{}]` to ask about every request")
        }
        if action == .deny, spec.rules == nil {
            findings.error(
                "spec.rules", "DENY action without `rules` is meaningless as it will never be triggered",
                hint: "write `rules: [{}]` to refuse every request")
        }
        for (index, rule) in (spec.rules ?? []).enumerated() {
            check(rule, "spec.rules[\(index)]", &findings)
            checkTraffic(rule, action, "spec.rules[\(index)]", &findings)
            if action == .custom { AuthorizationValueChecks.checkTokens(rule, "spec.rules[\(index)]", &findings) }
        }
    }

    /// The trial of a policy: `istio.io/dry-run`.
    static func check(annotations: [String: String], _ spec: AuthorizationPolicy, _ findings: inout Findings) {
        let name = AuthorizationPolicy.trialAnnotation
        guard let text = annotations[name] else { return }
        let path = "metadata.annotations[\(name)]"
        guard let isTrial = AuthorizationPolicy.trial(text) else {
            return findings.error(path, "annotation \(name) must be true or false, but is \"\(text)\"")
        }
        if isTrial, spec.action == .custom || spec.action == .audit {
            findings.error(
                path, "the dry-run annotation is not supported for action \(spec.action?.rawValue ?? "")",
                hint: "only ALLOW and DENY can be tried out")
        }
    }

    /// What a rule means where it cannot be checked in full.
    private static func checkTraffic(
        _ rule: AuthorizationPolicy.Rule, _ action: AuthorizationPolicy.Action, _ path: String,
        _ findings: inout Findings
    ) {
        let sources = (rule.from ?? []).compactMap(\.source)
        let operations = (rule.to ?? []).compactMap(\.operation)
        let usesTokens =
            sources.contains { !($0.requestPrincipals ?? []).isEmpty || !($0.notRequestPrincipals ?? []).isEmpty }
            || (rule.when ?? []).contains { ($0.key ?? "").hasPrefix("request.auth.") }
        let usesHTTP =
            usesTokens || (rule.when ?? []).contains { ($0.key ?? "").hasPrefix("request.") }
            || operations.contains { operation in
                [
                    operation.hosts, operation.notHosts, operation.methods, operation.notMethods, operation.paths,
                    operation.notPaths,
                ].contains { !($0 ?? []).isEmpty }
            }
        let namesPorts =
            operations.contains { !($0.ports ?? []).isEmpty || !($0.notPorts ?? []).isEmpty }
            || (rule.when ?? []).contains { $0.key == "destination.port" }
        if action == .deny, usesHTTP, !namesPorts {
            findings.warning(
                path, "on TCP ports this DENY rule goes without its conditions on HTTP and refuses more than it says",
                hint: "name the HTTP ports in to.operation.ports if the policy holds for TCP ports too")
        }
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
        if !(source.notServiceAccounts ?? []).isEmpty,
            !(source.notPrincipals ?? []).isEmpty || !(source.notNamespaces ?? []).isEmpty
        {
            findings.error(
                "\(path).notServiceAccounts", "cannot set notServiceAccounts with notNamespaces or notPrincipals")
        }
        for (name, list) in [
            ("serviceAccounts", source.serviceAccounts), ("notServiceAccounts", source.notServiceAccounts),
        ] {
            for (index, account) in (list ?? []).enumerated() {
                check(account: account, "\(path).\(name)[\(index)]", &findings)
            }
        }
        for (name, list) in fields where name.hasSuffix("pBlocks") {
            for (index, block) in (list ?? []).enumerated() where !Self.isAddressBlock(block) {
                findings.error("\(path).\(name)[\(index)]", "bad CIDR range: invalid CIDR address: \(block)")
            }
        }
    }

    private static func check(account: String, _ path: String, _ findings: inout Findings) {
        let parts = account.split(separator: "/", omittingEmptySubsequences: false)
        if account.contains("*") {
            findings.error(path, "wildcards are not supported for service accounts, found \(account)")
        } else if parts.count > 2 || parts.contains("") {
            findings.error(
                path, "expected format \"namespace/serviceAccount\" or \"serviceAccount\", found \(account)")
        } else if account.utf8.count > 320 {
            findings.error(path, "service account must be at most 320 characters long")
        }
    }

    /// `{*}` is one whole segment, `{**}` is the last thing of a path or the only one of its kind.
    private static func check(template: String, _ path: String, _ findings: inout Findings) {
        guard template.contains("{*}") || template.contains("{**}") else { return }
        let segments = template.split(separator: "/", omittingEmptySubsequences: false)
        for segment in segments where segment.contains("{") && segment != "{*}" && segment != "{**}" {
            return findings.error(
                path, "invalid path template \(template): {*} and {**} must be whole segments, found \(segment)")
        }
        let rest = template.replacing("{**}", with: "").replacing("{*}", with: "")
        if rest.contains("*") {
            findings.error(path, "invalid path template \(template): * cannot be used with {*} or {**}")
        }
        let counts = segments.filter { $0 == "{**}" }.count
        if counts > 1 { findings.error(path, "invalid path template \(template): only one {**} is allowed") }
        if let place = segments.firstIndex(of: "{**}"), segments[place...].dropFirst().contains("{*}") {
            findings.error(path, "invalid path template \(template): {*} must not come after {**}")
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
        for (name, list) in [("paths", operation.paths), ("notPaths", operation.notPaths)] {
            for (index, value) in (list ?? []).enumerated() {
                check(template: value, "\(path).\(name)[\(index)]", &findings)
            }
        }
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
            || ["request.headers", "request.auth.claims"].contains { isBracketed(key, after: $0) }
            || (key.hasPrefix("experimental.envoy.filters.") && key.hasSuffix("]") && key.contains("["))
        if !isKnown {
            findings.error(
                "\(path).key", "invalid condition key: unknown attribute: \(key)",
                hint: AuthorizationValueChecks.replacement(of: key)
                    ?? "known are \(keys.sorted().joined(separator: ", ")), request.headers[NAME], request.auth.claims[NAME]"
            )
        }
        if (condition.values ?? []).isEmpty, (condition.notValues ?? []).isEmpty {
            findings.error(path, "at least one of `values` or `notValues` must be set, found none for condition \(key)")
        }
        for (name, list) in [("values", condition.values), ("notValues", condition.notValues)] {
            for (index, value) in (list ?? []).enumerated() {
                check(value: value, of: key, "\(path).\(name)[\(index)]", &findings)
                if AuthorizationValueChecks.takesStars(key) {
                    AuthorizationValueChecks.checkStars(value, "\(path).\(name)[\(index)]", &findings)
                }
            }
        }
    }

    private static func check(value: String, of key: String, _ path: String, _ findings: inout Findings) {
        if value.isEmpty { return findings.error(path, "empty value not allowed, found in condition \(key)") }
        switch key {
        case "source.ip", "remote.ip", "destination.ip":
            if !isAddressBlock(value) { findings.error(path, "bad CIDR range: invalid CIDR address: \(value)") }
        case "destination.port":
            if Int(value).map({ !(1...65_535).contains($0) }) ?? true {
                findings.error(path, "port \(value) must be in the range 1..65535")
            }
        case "source.serviceAccount": check(account: value, path, &findings)
        default: break
        }
    }

    /// `name[a]`, `name[a][b]`: something in each pair of brackets.
    private static func isBracketed(_ key: String, after name: String) -> Bool {
        guard key.hasPrefix(name + "["), key.hasSuffix("]") else { return false }
        let inner = key.dropFirst(name.count + 1).dropLast()
        return inner.split(separator: "][", omittingEmptySubsequences: false).allSatisfy {
            !$0.isEmpty && !$0.contains("[") && !$0.contains("]")
        }
    }

    private static func values(_ fields: [(String, [String]?)], _ path: String, _ findings: inout Findings) {
        if fields.allSatisfy({ $0.1 == nil }) {
            findings.error(path, "`\(path.split(separator: ".").last ?? "")` must have at least one field set")
        }
        for (name, list) in fields {
            guard let list else { continue }
            if list.isEmpty { findings.error("\(path).\(name)", "`\(name)` cannot be empty") }
            for (index, value) in list.enumerated() {
                let place = "\(path).\(name)[\(index)]"
                if value.isEmpty { findings.error(place, "empty value not allowed, found in `\(name)`") }
                if AuthorizationValueChecks.takesStars(name) {
                    AuthorizationValueChecks.checkStars(value, place, &findings)
                }
            }
        }
    }

    private static func isAddressBlock(_ text: String) -> Bool { AddressRange.isValid(text) }
}
