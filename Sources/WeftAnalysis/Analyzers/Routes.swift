import WeftConfig
package import WeftCore

/// IST0106: weights that are negative, that add up to nothing, or to something other than 100.
package struct RouteWeightAnalyzer: Analyzer {
    package let name = "virtualservice.WeightAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        context.all("VirtualService").flatMap { object in
            object.array("spec", "http").enumerated().flatMap { index, rule -> [Diagnostic] in
                let routes = rule["route"]?.arrayValue ?? []
                let weights = routes.map { $0["weight"]?.intValue ?? 0 }
                let path = "spec.http[\(index)].route"
                if let bad = weights.firstIndex(where: { $0 < 0 }) {
                    return [
                        finding(.error, object, "\(path)[\(bad)].weight", "weight \(weights[bad]) must not be negative")
                    ]
                }
                guard routes.count > 1 else { return [] }
                let total = weights.reduce(0, +)
                if total == 0 {
                    return [finding(.error, object, path, "total destination weight is 0: no route can be taken")]
                }
                return total == 100
                    ? [] : [finding(.warning, object, path, "total destination weight is \(total), not 100")]
            }
        }
    }

    private func finding(_ severity: Diagnostic.Severity, _ object: KubernetesObject, _ path: String, _ text: String)
        -> Diagnostic
    {
        Diagnostic(
            severity, code: "IST0106", resource: object.reference, path: path,
            message: "Schema validation error: \(text)")
    }
}

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

/// IST0130: a rule after one that already matches every request, or the same requests.
package struct UnreachableRuleAnalyzer: Analyzer {
    package let name = "virtualservice.MatchesAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        context.all("VirtualService").flatMap { object -> [Diagnostic] in
            var catchAll: Int?
            var findings: [Diagnostic] = []
            for (index, rule) in object.array("spec", "http").enumerated() {
                if let catchAll {
                    findings.append(
                        Diagnostic(
                            .warning, code: "IST0130", resource: object.reference, path: "spec.http[\(index)]",
                            message:
                                "VirtualService rule #\(index) not used: rule #\(catchAll) before it matches every request.",
                            hint: "Move the rule before the one that matches everything."))
                }
                if catchAll == nil, (rule["match"]?.arrayValue ?? []).isEmpty { catchAll = index }
            }
            return findings
        }
    }
}
