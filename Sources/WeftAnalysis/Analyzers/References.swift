import WeftConfig
package import WeftCore

/// IST0101: a VirtualService names a host that nothing answers to.
package struct ReferencedHostAnalyzer: Analyzer {
    package let name = "virtualservice.DestinationHostAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        context.all("VirtualService").flatMap { object in
            object.destinations.filter { !context.hostExists($0.host, namespace: object.namespace) }.map {
                Diagnostic(
                    .error, code: "IST0101", resource: object.reference, path: $0.path + ".host",
                    message: "Referenced host not found: \"\($0.host)\"",
                    hint: "Create a Service or a ServiceEntry for it, or correct the name.")
            }
        }
    }
}

/// IST0174: a DestinationRule for a host that nothing answers to; it changes nothing.
package struct UnknownRuleHostAnalyzer: Analyzer {
    package let name = "destinationrule.UnknownHostAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        context.all("DestinationRule").compactMap { rule in
            guard let host = rule.json[path: "spec", "host"]?.stringValue, !host.contains("*"),
                !context.hostExists(host, namespace: rule.namespace)
            else { return nil }
            let full = context.resolve(host, namespace: rule.namespace)
            return Diagnostic(
                .warning, code: "IST0174", resource: rule.reference, path: "spec.host",
                message: "DestinationRule \(rule.name) is for host \(host), which no Service or ServiceEntry has",
                hint: full == host
                    ? "Create it, or correct the name."
                    : "The short name means \(full); write the full name of a service in another namespace.")
        }
    }
}

/// IST0112: a route to a service of several ports does not say which one.
package struct DestinationPortAnalyzer: Analyzer {
    package let name = "virtualservice.DestinationPortAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        context.all("VirtualService").flatMap { object in
            object.destinations.compactMap { destination -> Diagnostic? in
                guard destination.port == nil else { return nil }
                let ports = context.ports(of: destination.host, namespace: object.namespace)
                guard ports.count > 1 else { return nil }
                let list = ports.map(String.init).joined(separator: " ")
                return Diagnostic(
                    .error, code: "IST0112", resource: object.reference, path: destination.path,
                    message:
                        "This VirtualService routes to service \"\(destination.host)\", which exposes several ports "
                        + "[\(list)], and names none of them",
                    hint: "Add port.number to \(destination.path).")
            }
        }
    }
}

/// IST0101: a route uses a subset that no DestinationRule of its host defines.
package struct SubsetAnalyzer: Analyzer {
    package let name = "virtualservice.DestinationRuleAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        context.all("VirtualService").flatMap { object in
            object.destinations.compactMap { destination -> Diagnostic? in
                guard let subset = destination.subset else { return nil }
                let full = context.resolve(destination.host, namespace: object.namespace)
                let defined = context.all("DestinationRule").contains { rule in
                    context.resolve(rule.json[path: "spec", "host"]?.stringValue ?? "", namespace: rule.namespace)
                        == full
                        && rule.array("spec", "subsets").contains { $0["name"]?.stringValue == subset }
                }
                guard !defined else { return nil }
                return Diagnostic(
                    .error, code: "IST0101", resource: object.reference, path: destination.path + ".subset",
                    message: "Referenced host+subset in destinationrule not found: \"\(destination.host)+\(subset)\"",
                    hint: "Define subset \(subset) in a DestinationRule for \(destination.host).")
            }
        }
    }
}

/// IST0173: a subset whose labels no pod of its service has; requests routed to it get 503.
package struct SubsetPodsAnalyzer: Analyzer {
    package let name = "destinationrule.PodNotSelectedAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        context.all("DestinationRule").flatMap { rule -> [Diagnostic] in
            guard let host = rule.json[path: "spec", "host"]?.stringValue,
                let service = context.service(host, namespace: rule.namespace)
            else { return [] }
            let workloads = context.workloadLabels(selectedBy: service)
            return rule.array("spec", "subsets").enumerated().compactMap { index, subset in
                let labels = subset["labels"]?.objectValue?.compactMapValues(\.stringValue) ?? [:]
                guard !workloads.contains(where: { pod in labels.allSatisfy { pod[$0.key] == $0.value } }) else {
                    return nil
                }
                let name = subset["name"]?.stringValue ?? ""
                let text = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
                return Diagnostic(
                    .error, code: "IST0173", resource: rule.reference, path: "spec.subsets[\(index)]",
                    message: "subset \(name) of DestinationRule \(rule.name) (host \(host)) selects no pod: "
                        + "no pod of service \(service.namespace)/\(service.name) has labels \(text)",
                    hint: "Label the pods (in the Deployment's template) with \(text), or correct the subset.")
            }
        }
    }
}

/// IST0101: a VirtualService is bound to a gateway that does not exist; IST0132: the gateway does not serve its hosts.
package struct GatewayReferenceAnalyzer: Analyzer {
    package let name = "virtualservice.GatewayAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        context.all("VirtualService").flatMap { object in
            object.strings("spec", "gateways").enumerated().compactMap { index, reference -> Diagnostic? in
                guard reference != "mesh" else { return nil }
                let parts = reference.split(separator: "/").map(String.init)
                let (namespace, name) = parts.count == 2 ? (parts[0], parts[1]) : (object.namespace, reference)
                guard
                    let gateway = context.all("Gateway").first(where: { $0.namespace == namespace && $0.name == name })
                else {
                    return Diagnostic(
                        .error, code: "IST0101", resource: object.reference, path: "spec.gateways[\(index)]",
                        message: "Referenced gateway not found: \"\(reference)\"",
                        hint: "Create Gateway \(namespace)/\(name), or correct the name.")
                }
                let served = gateway.array("spec", "servers").flatMap {
                    $0["hosts"]?.arrayValue?.compactMap(\.stringValue) ?? []
                }
                let missing = object.strings("spec", "hosts").filter { host in
                    !served.contains { Self.covers($0, host) }
                }
                guard !missing.isEmpty else { return nil }
                return Diagnostic(
                    .warning, code: "IST0132", resource: object.reference, path: "spec.hosts",
                    message: "one or more host [\(missing.joined(separator: " "))] defined in VirtualService "
                        + "\(object.namespace)/\(object.name) not found in Gateway \(namespace)/\(name)",
                    hint: "Add the host to a server of the gateway.")
            }
        }
    }

    private static func covers(_ served: String, _ host: String) -> Bool {
        let pattern = served.split(separator: "/").last.map(String.init) ?? served
        return pattern == "*" || pattern == host || pattern.hasPrefix("*.") && host.hasSuffix(pattern.dropFirst())
    }
}

/// IST0101: a Gateway selects no workload.
package struct GatewaySelectorAnalyzer: Analyzer {
    package let name = "gateway.SelectorAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        let pods = context.all("Pod").map(\.labels)
        guard !pods.isEmpty else { return [] }
        return context.all("Gateway").compactMap { gateway in
            let selector = gateway.json[path: "spec", "selector"]?.objectValue?.compactMapValues(\.stringValue) ?? [:]
            guard !selector.isEmpty, !pods.contains(where: { pod in selector.allSatisfy { pod[$0.key] == $0.value } })
            else { return nil }
            let text = selector.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
            return Diagnostic(
                .error, code: "IST0101", resource: gateway.reference, path: "spec.selector",
                message: "Referenced selector not found: \"\(text)\"",
                hint: "Label the gateway's pods, or correct the selector.")
        }
    }
}
