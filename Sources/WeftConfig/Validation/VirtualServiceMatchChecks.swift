import WeftCore

/// Checks of the conditions of a VirtualService's HTTP routes that are about headers, parameters and callers.
enum VirtualServiceMatchChecks {
    /// - Parameter inMesh: whether sidecars obey the rule: they have no claims of tokens to route by.
    static func check(
        _ route: VirtualService.HTTPRoute, inMesh: Bool, _ path: String, _ findings: inout Findings
    ) {
        for (index, match) in (route.match ?? []).enumerated() {
            let path = "\(path).match[\(index)]"
            for (field, values) in [("headers", match.headers), ("withoutHeaders", match.withoutHeaders)] {
                for (name, value) in (values ?? [:]).sorted(by: { $0.key < $1.key }) {
                    header(name, value, inMesh: inMesh, field, path, &findings)
                }
            }
            for (name, value) in (match.queryParams ?? [:]).sorted(by: { $0.key < $1.key }) {
                if name.isEmpty { findings.error("\(path).queryParams", "name of a query parameter cannot be empty") }
                findings.match(value, "\(path).queryParams[\(name)]")
            }
            findings.objectLabels(match.sourceLabels, "\(path).sourceLabels")
            findings.gateways(match.gateways, "\(path).gateways")
            if let namespace = match.sourceNamespace, !namespace.isEmpty, !Names.isLabel(Substring(namespace)) {
                findings.error("\(path).sourceNamespace", "sourceNamespace match \(namespace) is invalid")
            }
        }
    }

    private static func header(
        _ name: String, _ value: StringMatch, inMesh: Bool, _ field: String, _ path: String,
        _ findings: inout Findings
    ) {
        let place = "\(path).\(field)[\(name)]"
        // Not a pattern, but Istio's way to say "any value" here.
        if field != "withoutHeaders" || value.regex != "*" { findings.match(value, place) }
        if name.isEmpty { return findings.error("\(path).\(field)", "header name cannot be empty") }
        if isClaim(name) {
            guard inMesh else { return }
            return findings.error(
                place, "JWT claim based routing is only supported for gateway, and this rule holds for the mesh",
                hint: "name gateways without mesh in spec.gateways")
        }
        if !name.utf8.allSatisfy(isNameByte) {
            findings.error(place, "header name \(name) is not a valid header name")
        }
    }

    /// `@request.auth.claims.NAME`, `@request.auth.claims[NAME]`.
    private static func isClaim(_ name: String) -> Bool {
        let prefix = "@request.auth.claims"
        guard name.lowercased().hasPrefix(prefix) else { return false }
        let rest = name.dropFirst(prefix.count)
        return rest.count > 1 && (rest.hasPrefix(".") || (rest.hasPrefix("[") && rest.hasSuffix("]") && rest.count > 2))
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
