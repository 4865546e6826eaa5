import WeftConfig
package import WeftCore

/// IST0113: a DestinationRule sends plain text where PeerAuthentication asks for mTLS, or the reverse.
package struct MutualTLSAnalyzer: Analyzer {
    package let name = "destinationrule.MutualTLSAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        context.all("DestinationRule").compactMap { rule in
            guard let mode = rule.json[path: "spec", "trafficPolicy", "tls", "mode"]?.stringValue,
                let host = rule.json[path: "spec", "host"]?.stringValue,
                let service = context.service(host, namespace: rule.namespace)
            else { return nil }
            let server = Self.serverMode(of: service.namespace, context)
            let conflict = server == "STRICT" && mode != "ISTIO_MUTUAL" || server == "DISABLE" && mode == "ISTIO_MUTUAL"
            guard conflict else { return nil }
            return Diagnostic(
                .error, code: "IST0113", resource: rule.reference, path: "spec.trafficPolicy.tls.mode",
                message:
                    "A DestinationRule and PeerAuthentication are in conflict with regards to mTLS for host \(host): "
                    + "clients use \(mode), but servers in namespace \(service.namespace) are \(server ?? "")",
                hint: "Remove trafficPolicy.tls (auto mTLS picks the right mode), or change the PeerAuthentication.")
        }
    }

    /// The namespace's policy without a selector, else the mesh's.
    private static func serverMode(of namespace: String, _ context: AnalysisContext) -> String? {
        let general = context.all("PeerAuthentication").filter { $0.json[path: "spec", "selector"] == nil }
        let policy = general.first { $0.namespace == namespace } ?? general.first { $0.namespace == "istio-system" }
        return policy?.json[path: "spec", "mtls", "mode"]?.stringValue
    }
}

/// IST0102: a namespace with workloads is not labelled for injection; IST0148: it is injected although; IST0103: a pod
/// there has no sidecar.
package struct InjectionAnalyzer: Analyzer {
    package let name = "injection.Analyzer"
    private static let system: Set<String> = [
        "kube-system", "kube-public", "kube-node-lease", "istio-system", "local-path-storage",
    ]

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        var findings: [Diagnostic] = []
        var injected: Set<String> = []
        let used = Set(context.all("Pod").map(\.namespace) + context.all("Deployment").map(\.namespace))
        let isByDefault = Self.injectsByDefault(context)
        for namespace in context.all("Namespace") where !Self.system.contains(namespace.name) {
            let labels = namespace.labels
            if labels["istio-injection"] == "enabled" || labels["istio.io/rev"] != nil {
                injected.insert(namespace.name)
            }
            guard labels["istio-injection"] == nil, labels["istio.io/rev"] == nil, used.contains(namespace.name) else {
                continue
            }
            guard !isByDefault else {
                findings.append(
                    Diagnostic(
                        .info, code: "IST0148", resource: namespace.reference,
                        message: "is enabled for Istio injection, as Istio is installed with enableNamespacesByDefault "
                            + "as true.",
                        hint:
                            "Run 'kubectl label namespace \(namespace.name) istio-injection=disabled' to leave it out.")
                )
                continue
            }
            findings.append(
                Diagnostic(
                    .info, code: "IST0102", resource: namespace.reference,
                    message: "The namespace is not enabled for Istio injection.",
                    hint: "Run 'kubectl label namespace \(namespace.name) istio-injection=enabled' to enable it, or "
                        + "'kubectl label namespace \(namespace.name) istio-injection=disabled' to mark it as not needing injection."
                ))
        }
        for pod in context.all("Pod") where injected.contains(pod.namespace) {
            let containers = pod.array("spec", "containers") + pod.array("spec", "initContainers")
            let optedOut =
                pod.labels["sidecar.istio.io/inject"] == "false"
                || pod.annotations["sidecar.istio.io/inject"] == "false"
            guard !optedOut, !containers.contains(where: { $0["name"]?.stringValue == "istio-proxy" }) else { continue }
            findings.append(
                Diagnostic(
                    .warning, code: "IST0103", resource: pod.reference,
                    message: "The pod \(pod.namespace)/\(pod.name) is missing the Istio proxy.",
                    hint: "It is older than the namespace's label: restart its Deployment."))
        }
        return findings
    }
}

extension InjectionAnalyzer {
    /// Whether the default revision's injector takes namespaces that say nothing.
    fileprivate static func injectsByDefault(_ context: AnalysisContext) -> Bool {
        context.all("ConfigMap").filter { $0.name == "istio-sidecar-injector" }.contains { map in
            let values = map.json[path: "data", "values"]?.stringValue.flatMap { try? JSONValue(parsing: $0) }
            let injector = values?[path: "values", "sidecarInjectorWebhook"]
            return injector?["enableNamespacesByDefault"]?.boolValue == true
        }
    }
}

/// IST0118: a service port whose name does not say its protocol.
package struct PortNameAnalyzer: Analyzer {
    package let name = "service.PortNameAnalyzer"
    private static let protocols: Set<String> = [
        "http", "http2", "https", "grpc", "grpc-web", "tcp", "tls", "mongo", "mysql", "redis", "udp",
    ]

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        context.all("Service").flatMap { service -> [Diagnostic] in
            guard !["kube-system", "istio-system"].contains(service.namespace),
                !(service.namespace == "default" && service.name == "kubernetes")
            else { return [] }
            return service.array("spec", "ports").enumerated().compactMap { index, port in
                let name = port["name"]?.stringValue ?? ""
                let transport = port["protocol"]?.stringValue ?? "TCP"
                guard transport == "TCP", port["appProtocol"] == nil, !Self.isKnown(name) else { return nil }
                return Diagnostic(
                    .info, code: "IST0118", resource: service.reference, path: "spec.ports[\(index)].name",
                    message:
                        "Port name \(name) (port: \(port["port"]?.intValue ?? 0), targetPort: \(Self.target(port))) "
                        + "doesn't follow the naming convention of Istio port.",
                    hint: "Name it <protocol>[-<suffix>], such as http-web, or set appProtocol.")
            }
        }
    }

    private static func isKnown(_ name: String) -> Bool {
        protocols.contains(name) || protocols.contains { name.hasPrefix($0 + "-") }
    }

    private static func target(_ port: JSONValue) -> String {
        let target = port["targetPort"] ?? port["port"] ?? 0
        return target.stringValue ?? String(target.intValue ?? 0)
    }
}
