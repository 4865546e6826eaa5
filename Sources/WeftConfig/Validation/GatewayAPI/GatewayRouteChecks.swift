/// Rules for the routes of the Gateway API.
enum GatewayRouteChecks {
    static func check(_ route: GatewayAPI.HTTPRoute, _ findings: inout Findings) {
        check(parents: route.parentRefs, hostnames: route.hostnames, &findings)
        let rules = route.rules ?? []
        count(rules.count, 16, "spec.rules", "rules", &findings)
        names(rules.map(\.name), &findings)
        for (index, rule) in rules.enumerated() {
            let path = "spec.rules[\(index)]"
            for (position, match) in (rule.matches ?? []).enumerated() {
                check(match, "\(path).matches[\(position)]", &findings)
            }
            GatewayFilterChecks.check(rule, path, &findings)
            backends(rule.backendRefs, path, &findings)
            check(rule.timeouts, rule.retry, path, &findings)
        }
    }

    static func check(_ route: GatewayAPI.GRPCRoute, _ findings: inout Findings) {
        check(parents: route.parentRefs, hostnames: route.hostnames, &findings)
        let rules = route.rules ?? []
        count(rules.count, 16, "spec.rules", "rules", &findings)
        names(rules.map(\.name), &findings)
        for (index, rule) in rules.enumerated() {
            let path = "spec.rules[\(index)]"
            for (position, match) in (rule.matches ?? []).enumerated() {
                let place = "\(path).matches[\(position)]"
                if let method = match.method {
                    if (method.service ?? "").isEmpty, (method.method ?? "").isEmpty {
                        findings.error("\(place).method", "one of service and method is required")
                    }
                    for (name, value) in [("service", method.service), ("method", method.method)] {
                        if method.type == "RegularExpression", let value {
                            findings.regex(value, "\(place).method.\(name)")
                        } else if value?.contains("/") == true {
                            findings.error("\(place).method.\(name)", "must not contain a slash")
                        }
                    }
                }
                values(match.headers, "\(place).headers", &findings)
            }
            GatewayFilterChecks.check(rule.filters, "\(path).filters", &findings)
            backends(rule.backendRefs, path, &findings)
        }
    }

    static func check(_ route: GatewayAPI.TLSRoute, _ findings: inout Findings) {
        check(parents: route.parentRefs, hostnames: route.hostnames, &findings)
        if route.hostnames?.isEmpty ?? true {
            findings.error("spec.hostnames", "at least one hostname is required: connections are told apart by it")
        }
        stream(route.rules, &findings)
    }

    static func check(_ route: GatewayAPI.TCPRoute, _ findings: inout Findings) {
        check(parents: route.parentRefs, hostnames: nil, &findings)
        stream(route.rules, &findings)
    }

    // MARK: - Parts

    private static func stream(_ rules: [GatewayAPI.StreamRule]?, _ findings: inout Findings) {
        let rules = rules ?? []
        if rules.count != 1 { findings.error("spec.rules", "exactly one rule is required, not \(rules.count)") }
        for (index, rule) in rules.enumerated() {
            if rule.backendRefs?.isEmpty ?? true {
                findings.error("spec.rules[\(index)].backendRefs", "at least one backend is required")
            }
            backends(rule.backendRefs, "spec.rules[\(index)]", &findings)
        }
    }

    private static func count(_ number: Int, _ most: Int, _ path: String, _ what: String, _ findings: inout Findings) {
        if number > most { findings.error(path, "at most \(most) \(what) are allowed, not \(number)") }
    }

    private static func names(_ names: [String?], _ findings: inout Findings) {
        var seen: Set<String> = []
        for (index, name) in names.enumerated() {
            if let name, !seen.insert(name).inserted {
                findings.error("spec.rules[\(index)].name", "rule name \(name) is given twice")
            }
        }
    }

    private static func check(
        parents: [GatewayAPI.ParentReference]?, hostnames: [String]?, _ findings: inout Findings
    ) {
        let parents = parents ?? []
        count(parents.count, 32, "spec.parentRefs", "parents", &findings)
        for (index, parent) in parents.enumerated() {
            let path = "spec.parentRefs[\(index)]"
            if parent.name.isEmpty { findings.error("\(path).name", "must not be empty") }
            if let port = parent.port { findings.port(port, "\(path).port") }
            for other in parents.prefix(index)
            where other.effectiveGroup == parent.effectiveGroup && other.effectiveKind == parent.effectiveKind
                && other.namespace == parent.namespace && other.name == parent.name
            {
                let isSame = other.sectionName == parent.sectionName && other.port == parent.port
                let isWhole = [other, parent].contains { $0.sectionName == nil && $0.port == nil }
                if isSame {
                    findings.error(path, "this parent is given twice")
                } else if isWhole {
                    findings.error(path, "a parent that is given twice needs a sectionName or port each time")
                }
            }
        }
        count(hostnames?.count ?? 0, 16, "spec.hostnames", "hostnames", &findings)
        for (index, name) in (hostnames ?? []).enumerated() { findings.gatewayHost(name, "spec.hostnames[\(index)]") }
    }

    private static func check(_ match: GatewayAPI.HTTPMatch, _ path: String, _ findings: inout Findings) {
        if let value = match.path?.value {
            let place = "\(path).path.value"
            if match.path?.type == "RegularExpression" {
                findings.regex(value, place)
            } else {
                if !value.hasPrefix("/") { findings.error(place, "a path must start with a slash") }
                let bad = ["//", "/./", "/../", "%2f", "%2F", "#"].first { value.contains($0) }
                if let bad { findings.error(place, "a path must not contain \(bad)") }
                if value.hasSuffix("/..") || value.hasSuffix("/.") {
                    findings.error(place, "a path must not end with /. or /..")
                }
            }
        }
        values(match.headers, "\(path).headers", &findings)
        values(match.queryParams, "\(path).queryParams", &findings)
    }

    private static func values(_ matches: [GatewayAPI.ValueMatch]?, _ path: String, _ findings: inout Findings) {
        count(matches?.count ?? 0, 16, path, "entries", &findings)
        for (index, match) in (matches ?? []).enumerated() {
            if match.name.isEmpty { findings.error("\(path)[\(index)].name", "must not be empty") }
            if match.type == "RegularExpression" { findings.regex(match.value, "\(path)[\(index)].value") }
            if (matches ?? []).prefix(index).contains(where: { $0.name.lowercased() == match.name.lowercased() }) {
                findings.warning(
                    "\(path)[\(index)]", "\(match.name) is given twice: only the first entry counts")
            }
        }
    }

    private static func backends(_ backends: [GatewayAPI.HTTPBackend]?, _ path: String, _ findings: inout Findings) {
        count(backends?.count ?? 0, 16, "\(path).backendRefs", "backends", &findings)
        for (index, backend) in (backends ?? []).enumerated() {
            let place = "\(path).backendRefs[\(index)]"
            check(backend.reference, place, &findings)
            if let weight = backend.weight, !(0...1_000_000).contains(weight) {
                findings.error("\(place).weight", "weight \(weight) is not in range 0..1000000")
            }
            GatewayFilterChecks.check(backend.filters, "\(place).filters", &findings)
        }
    }

    static func check(_ backend: GatewayAPI.BackendReference, _ path: String, _ findings: inout Findings) {
        if backend.name.isEmpty { findings.error("\(path).name", "must not be empty") }
        if backend.effectiveGroup.isEmpty, backend.effectiveKind == "Service", backend.port == nil {
            findings.error("\(path).port", "a port is required for a Service")
        }
        if let port = backend.port { findings.port(port, "\(path).port") }
    }

    private static func check(
        _ timeouts: GatewayAPI.Timeouts?, _ retry: GatewayAPI.Retry?, _ path: String, _ findings: inout Findings
    ) {
        findings.duration(timeouts?.request, "\(path).timeouts.request", zeroAllowed: true)
        findings.duration(timeouts?.backendRequest, "\(path).timeouts.backendRequest", zeroAllowed: true)
        if let whole = timeouts?.request, let single = timeouts?.backendRequest, whole.nanoseconds > 0,
            single.nanoseconds > whole.nanoseconds
        {
            findings.error("\(path).timeouts.backendRequest", "must not be longer than timeouts.request")
        }
        for (index, code) in (retry?.codes ?? []).enumerated() where !(400...599).contains(code) {
            findings.error("\(path).retry.codes[\(index)]", "status \(code) is not in range 400..599")
        }
        findings.count(retry?.attempts, "\(path).retry.attempts")
        findings.duration(retry?.backoff, "\(path).retry.backoff", zeroAllowed: true)
    }
}
