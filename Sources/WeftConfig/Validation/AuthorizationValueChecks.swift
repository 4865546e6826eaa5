/// Checks of what AuthorizationPolicies compare, beyond the form of a value.
enum AuthorizationValueChecks {
    /// Conditions that a CUSTOM rule cannot have, as in Istio.
    static func checkTokens(_ rule: AuthorizationPolicy.Rule, _ path: String, _ findings: inout Findings) {
        var places: [String] = []
        for (index, from) in (rule.from ?? []).enumerated() {
            let place = "\(path).from[\(index)].source"
            if !(from.source?.requestPrincipals ?? []).isEmpty { places.append("\(place).requestPrincipals") }
            if !(from.source?.notRequestPrincipals ?? []).isEmpty { places.append("\(place).notRequestPrincipals") }
        }
        for (index, condition) in (rule.when ?? []).enumerated() where condition.key?.hasPrefix("request.auth.") == true
        {
            places.append("\(path).when[\(index)].key")
        }
        for place in places {
            findings.error(
                place,
                "conditions on tokens are not supported with CUSTOM action: tokens are read after the service is asked",
                hint: "let the authorization service check the token")
        }
    }

    /// What took the place of a key of Istio's first API; `nil` for any other.
    static func replacement(of key: String) -> String? {
        switch key {
        case "destination.namespace": "the policy holds in its metadata.namespace; move it there"
        case "destination.name", "destination.user": "select the workloads by label in spec.selector"
        default: key.hasPrefix("destination.labels") ? "select the workloads by label in spec.selector" : nil
        }
    }

    // MARK: - Stars

    /// Lists and keys whose values may begin or end with a star.
    private static let starred: Set = [
        "principals", "notPrincipals", "requestPrincipals", "notRequestPrincipals", "hosts", "notHosts", "methods",
        "notMethods", "paths", "notPaths", "source.principal", "request.auth.principal", "request.auth.audiences",
        "request.auth.presenter", "connection.sni",
    ]

    static func takesStars(_ name: String) -> Bool {
        starred.contains(name) || name.hasPrefix("request.headers[") || name.hasPrefix("request.auth.claims[")
    }

    /// A star that is no wildcard, and a principal as certificates have it: neither is met by anybody.
    static func checkStars(_ value: String, _ path: String, _ findings: inout Findings) {
        if path.contains("rincipal"), value.hasPrefix("spiffe://") {
            findings.warning(
                path, "principals are written without spiffe://, so \"\(value)\" is nobody",
                hint: "write \(value.dropFirst("spiffe://".count))")
        }
        if value.contains("{*}") || value.contains("{**}") { return }
        let rest = value.hasPrefix("*") ? value.dropFirst() : (value.hasSuffix("*") ? value.dropLast() : value[...])
        guard rest.contains("*") else { return }
        findings.warning(
            path,
            "a star stands for any text only at the start or at the end; in \"\(value)\" it is a character like others",
            hint: path.contains("aths[")
                ? "write {*} for one segment of a path and {**} for the rest"
                : "write one star, at the start or at the end")
    }
}
