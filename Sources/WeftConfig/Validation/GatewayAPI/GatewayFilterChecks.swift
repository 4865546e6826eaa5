/// Rules for filters of HTTPRoutes and GRPCRoutes.
enum GatewayFilterChecks {
    static func check(_ rule: GatewayAPI.HTTPRule, _ path: String, _ findings: inout Findings) {
        let filters = rule.filters ?? []
        check(filters, "\(path).filters", &findings)
        let types = filters.map(\.type)
        if types.contains("RequestRedirect"), types.contains("URLRewrite") {
            findings.error("\(path).filters", "RequestRedirect and URLRewrite exclude each other in one rule")
        }
        if types.contains("RequestRedirect"), !(rule.backendRefs ?? []).isEmpty {
            findings.error("\(path).backendRefs", "a rule that redirects sends nothing to backends: remove them")
        }
        let replaces = filters.contains {
            ($0.urlRewrite?.path ?? $0.requestRedirect?.path)?.type == "ReplacePrefixMatch"
        }
        let prefixes = (rule.matches ?? []).filter { ($0.path?.type ?? "PathPrefix") == "PathPrefix" }
        if replaces, rule.matches?.count ?? 1 != 1 || (rule.matches != nil && prefixes.count != 1) {
            findings.error(
                "\(path).filters",
                "ReplacePrefixMatch needs exactly one match in the rule, with a path of type PathPrefix")
        }
    }

    static func check(_ filters: [GatewayAPI.HTTPFilter]?, _ path: String, _ findings: inout Findings) {
        let filters = filters ?? []
        if filters.count > 16 { findings.error(path, "at most 16 filters are allowed, not \(filters.count)") }
        let repeatable: Set<String> = ["RequestMirror", "ExtensionRef"]
        for (index, filter) in filters.enumerated() {
            let place = "\(path)[\(index)]"
            check(filter, place, &findings)
            if !repeatable.contains(filter.type), filters.prefix(index).contains(where: { $0.type == filter.type }) {
                findings.error(place, "filter \(filter.type) is given twice in one list")
            }
        }
    }

    /// The member of a filter that its type names must be there, and no other.
    private static func check(_ filter: GatewayAPI.HTTPFilter, _ path: String, _ findings: inout Findings) {
        let members: [(type: String, name: String, isGiven: Bool)] = [
            ("RequestHeaderModifier", "requestHeaderModifier", filter.requestHeaderModifier != nil),
            ("ResponseHeaderModifier", "responseHeaderModifier", filter.responseHeaderModifier != nil),
            ("RequestMirror", "requestMirror", filter.requestMirror != nil),
            ("RequestRedirect", "requestRedirect", filter.requestRedirect != nil),
            ("URLRewrite", "urlRewrite", filter.urlRewrite != nil), ("CORS", "cors", filter.cors != nil),
            ("ExtensionRef", "extensionRef", filter.extensionRef != nil),
        ]
        guard let own = members.first(where: { $0.type == filter.type }) else {
            let known = members.map(\.type).joined(separator: ", ")
            return findings.error("\(path).type", "unknown filter type \(filter.type): use one of \(known)")
        }
        if !own.isGiven { findings.error("\(path).\(own.name)", "is required for type \(own.type)") }
        for other in members where other.type != own.type && other.isGiven {
            findings.error("\(path).\(other.name)", "must not be given for type \(own.type)")
        }
        headers(filter.requestHeaderModifier, "\(path).requestHeaderModifier", &findings)
        headers(filter.responseHeaderModifier, "\(path).responseHeaderModifier", &findings)
        if let redirect = filter.requestRedirect { check(redirect, "\(path).requestRedirect", &findings) }
        if let rewrite = filter.urlRewrite {
            check(rewrite.path, "\(path).urlRewrite.path", &findings)
            if let name = rewrite.hostname { preciseHost(name, "\(path).urlRewrite.hostname", &findings) }
        }
        if let mirror = filter.requestMirror { check(mirror, "\(path).requestMirror", &findings) }
        if let cors = filter.cors, let age = cors.maxAge, age < 1 {
            findings.error("\(path).cors.maxAge", "must be at least 1 second")
        }
    }

    private static func headers(_ filter: GatewayAPI.HeaderFilter?, _ path: String, _ findings: inout Findings) {
        var seen: Set<String> = []
        for (list, names) in [
            ("set", filter?.set?.map(\.name)), ("add", filter?.add?.map(\.name)), ("remove", filter?.remove),
        ] {
            for (index, name) in (names ?? []).enumerated() {
                if name.isEmpty { findings.error("\(path).\(list)[\(index)]", "a header needs a name") }
                if !seen.insert("\(list)/\(name.lowercased())").inserted {
                    findings.error("\(path).\(list)[\(index)]", "header \(name) is given twice")
                }
            }
        }
    }

    private static func check(_ redirect: GatewayAPI.RedirectFilter, _ path: String, _ findings: inout Findings) {
        if let status = redirect.statusCode, ![301, 302, 303, 307, 308].contains(status) {
            findings.error("\(path).statusCode", "status \(status) is not one of 301, 302, 303, 307, 308")
        }
        if let port = redirect.port { findings.port(port, "\(path).port") }
        if let name = redirect.hostname { preciseHost(name, "\(path).hostname", &findings) }
        check(redirect.path, "\(path).path", &findings)
    }

    private static func check(_ modifier: GatewayAPI.PathModifier?, _ path: String, _ findings: inout Findings) {
        guard let modifier else { return }
        for (type, name, isGiven) in [
            ("ReplaceFullPath", "replaceFullPath", modifier.replaceFullPath != nil),
            ("ReplacePrefixMatch", "replacePrefixMatch", modifier.replacePrefixMatch != nil),
        ] where isGiven != (modifier.type == type) {
            findings.error(
                "\(path).\(name)",
                isGiven ? "must not be given for type \(modifier.type)" : "is required for type \(type)")
        }
    }

    private static func check(_ mirror: GatewayAPI.MirrorFilter, _ path: String, _ findings: inout Findings) {
        GatewayRouteChecks.check(mirror.backendRef, "\(path).backendRef", &findings)
        if mirror.percent != nil, mirror.fraction != nil {
            findings.error(path, "only one of percent and fraction may be given")
        }
        findings.percent(mirror.percent.map(Double.init), "\(path).percent")
        if let fraction = mirror.fraction {
            let whole = fraction.denominator ?? 100
            if whole < 1 { findings.error("\(path).fraction.denominator", "must be at least 1") }
            if !(0...max(0, whole)).contains(fraction.numerator) {
                findings.error("\(path).fraction.numerator", "must be in range 0..\(whole)")
            }
        }
    }

    private static func preciseHost(_ name: String, _ path: String, _ findings: inout Findings) {
        if name.contains("*") { return findings.error(path, "a wildcard is not allowed here") }
        findings.gatewayHost(name, path)
    }
}
