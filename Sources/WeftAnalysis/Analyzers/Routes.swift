import WeftConfig
package import WeftCore

/// IST0109: two VirtualServices for the mesh claim the same host.
package struct ConflictingHostsAnalyzer: Analyzer {
    package let name = "virtualservice.ConflictingMeshGatewayHostsAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        var owners: [String: [KubernetesObject]] = [:]
        for object in context.all("VirtualService") {
            let gateways = object.strings("spec", "gateways")
            guard gateways.isEmpty || gateways.contains("mesh") else { continue }
            for host in Set(object.strings("spec", "hosts")) {
                owners[context.resolve(host, namespace: object.namespace), default: []].append(object)
            }
        }
        return owners.filter { $0.value.count > 1 }.sorted { $0.key < $1.key }.flatMap { host, objects in
            let names = objects.map { "\($0.namespace)/\($0.name)" }.joined(separator: ",")
            return objects.map {
                Diagnostic(
                    .error, code: "IST0109", resource: $0.reference, path: "spec.hosts",
                    message: "The VirtualServices \(names) associated with mesh gateway define the same host \(host) "
                        + "which can lead to undefined behavior.",
                    hint: "Merge them into one VirtualService.")
            }
        }
    }
}

/// IST0130: a rule that no request reaches, because rules before it match everything that it matches; IST0131: one of
/// a rule's matches that an earlier rule has.
package struct UnreachableRuleAnalyzer: Analyzer {
    package let name = "virtualservice.MatchesAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        context.all("VirtualService").flatMap { object in
            ["http", "tls", "tcp"].flatMap { unused(object, $0) }
        }
    }

    private func unused(_ object: KubernetesObject, _ section: String) -> [Diagnostic] {
        var seen: Set<JSONValue> = []
        var catchAll: Int?
        var findings: [Diagnostic] = []
        for (index, rule) in object.array("spec", section).enumerated() {
            let matches = rule["match"]?.arrayValue ?? []
            let reason: String? =
                if let catchAll {
                    "rule #\(catchAll) before it matches every request"
                } else if !matches.isEmpty, matches.allSatisfy({ seen.contains(Self.condition($0)) }) {
                    "earlier rules have the same matches"
                } else {
                    nil
                }
            if let reason {
                findings.append(
                    Diagnostic(
                        .warning, code: "IST0130", resource: object.reference, path: "spec.\(section)[\(index)]",
                        message: "VirtualService rule \(Self.title(rule, index)) not used: \(reason).",
                        hint: "Move it up, make the earlier rule narrower, or delete it."))
            }
            if reason == nil {
                for (place, match) in matches.enumerated() where seen.contains(Self.condition(match)) {
                    findings.append(
                        Diagnostic(
                            .info, code: "IST0131", resource: object.reference,
                            path: "spec.\(section)[\(index)].match[\(place)]",
                            message: "VirtualService rule \(Self.title(rule, index)) match #\(place) is not used: "
                                + "an earlier rule has the same match.", hint: "Delete the match."))
                }
            }
            seen.formUnion(matches.map(Self.condition))
            if catchAll == nil, matches.isEmpty || matches.contains(where: Self.isEverything) { catchAll = index }
        }
        return findings
    }

    private static func title(_ rule: JSONValue, _ index: Int) -> String {
        rule["name"]?.stringValue.map { "#\(index) (\($0))" } ?? "#\(index)"
    }

    /// What a match asks for; its name is for people.
    private static func condition(_ match: JSONValue) -> JSONValue {
        var match = match
        match["name"] = nil
        return match
    }

    private static func isEverything(_ match: JSONValue) -> Bool {
        let condition = condition(match)
        return condition == [:] || condition == ["uri": ["prefix": "/"]]
    }
}
