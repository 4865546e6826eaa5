import WeftConfig
package import WeftCore

/// IST0116: a Deployment's pods are behind two Services that give one port different protocols.
package struct DeploymentProtocolAnalyzer: Analyzer {
    package let name = "deployment.ServiceAssociationAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        context.all("Deployment").flatMap { deployment -> [Diagnostic] in
            let labels = deployment.templateLabels
            let services = context.all("Service").filter { service in
                let selector = service.json[path: "spec", "selector"]?.objectValue ?? [:]
                return service.namespace == deployment.namespace && !selector.isEmpty
                    && selector.allSatisfy { labels[$0.key] == $0.value.stringValue }
            }
            return conflicts(services, deployment)
        }
    }

    private func conflicts(_ services: [KubernetesObject], _ deployment: KubernetesObject) -> [Diagnostic] {
        var users: [String: [(service: String, protocol: String)]] = [:]
        for service in services {
            for port in service.array("spec", "ports") {
                let number = port["targetPort"] ?? port["port"] ?? 0
                let target = number.stringValue ?? String(number.intValue ?? 0)
                users[target, default: []].append((service.name, port["protocol"]?.stringValue ?? "TCP"))
            }
        }
        return users.sorted { $0.key < $1.key }.compactMap { port, users in
            let protocols = Set(users.map(\.protocol)).sorted()
            guard protocols.count > 1 else { return nil }
            return Diagnostic(
                .warning, code: "IST0116", resource: deployment.reference,
                message:
                    "This deployment \(deployment.namespace)/\(deployment.name) is associated with multiple services "
                    + "using port \(port) but different protocols: \(protocols.joined(separator: ",")) "
                    + "(\(Set(users.map(\.service)).sorted().joined(separator: ",")))",
                hint: "Let the Services agree on the protocol of the port.")
        }
    }
}

/// IST0146, IST0147: a Deployment, or a pod, with `image: auto`, to which no injector will give a real image.
package struct AutomaticImageAnalyzer: Analyzer {
    package let name = "injection.ImageAutoAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        let spaces = Dictionary(context.all("Namespace").map { ($0.name, $0.labels) }) { first, _ in first }
        let pods = context.all("Pod").compactMap { pod -> Diagnostic? in
            guard Self.isAutomatic(pod.json["spec"]), let labels = spaces[pod.namespace],
                !Self.isInjected(labels, pod.labels)
            else { return nil }
            return Diagnostic(
                .error, code: "IST0147", resource: pod.reference, path: "spec.containers",
                message:
                    "Pod \(pod.name) contains `image: auto` but does not match any Istio injection webhook selectors.",
                hint: "Label the namespace or the pod for injection, and make the pod again.")
        }
        let deployments = context.all("Deployment").compactMap { deployment -> Diagnostic? in
            guard Self.isAutomatic(deployment.json[path: "spec", "template", "spec"]),
                let labels = spaces[deployment.namespace], !Self.isInjected(labels, deployment.templateLabels)
            else { return nil }
            return Diagnostic(
                .warning, code: "IST0146", resource: deployment.reference, path: "spec.template.spec.containers",
                message: "Deployment \(deployment.name) contains `image: auto` but matches no Istio injection webhook "
                    + "selectors.",
                hint: "Label the namespace istio-injection=enabled, or the pod template "
                    + "sidecar.istio.io/inject=\"true\".")
        }
        return pods + deployments
    }

    private static func isAutomatic(_ spec: JSONValue?) -> Bool {
        let containers = (spec?["containers"]?.arrayValue ?? []) + (spec?["initContainers"]?.arrayValue ?? [])
        return containers.contains { $0["name"]?.stringValue == "istio-proxy" && $0["image"]?.stringValue == "auto" }
    }

    /// What the selectors of the injector's webhooks say.
    private static func isInjected(_ space: [String: String], _ pod: [String: String]) -> Bool {
        if pod["sidecar.istio.io/inject"] == "false" { return false }
        if let wish = space["istio-injection"] { return wish == "enabled" }
        return space["istio.io/rev"] != nil || pod["istio.io/rev"] != nil || pod["sidecar.istio.io/inject"] == "true"
    }
}

/// IST0158: pods whose proxy is of another image than the injector gives now.
package struct ProxyImageAnalyzer: Analyzer {
    package let name = "injection.ImageAnalyzer"

    package func analyze(_ context: AnalysisContext) -> [Diagnostic] {
        let images = Self.images(context)
        guard !images.isEmpty else { return [] }
        var outdated: [String: [String]] = [:]
        for pod in context.all("Pod") where pod.annotations["sidecar.istio.io/proxyImage"] == nil {
            let containers = pod.array("spec", "containers") + pod.array("spec", "initContainers")
            guard let revision = pod.annotations["istio.io/rev"], let wanted = images[revision],
                let image = containers.first(where: { $0["name"]?.stringValue == "istio-proxy" })?["image"]?
                    .stringValue,
                image != wanted, pod.annotations["sidecar.istio.io/status"] != nil
            else { continue }
            outdated[pod.namespace, default: []].append(pod.name)
        }
        return outdated.sorted { $0.key < $1.key }.map { namespace, names in
            Diagnostic(
                .warning, code: "IST0158",
                resource: ResourceReference(kind: "Namespace", namespace: "", name: namespace),
                message:
                    "The Istio proxy images of the pods running in the namespace do not match the image defined in "
                    + "the injection configuration (pod names: \(names.sorted().joined(separator: ", "))).",
                hint: "Restart what makes them: kubectl rollout restart deployment -n \(namespace).")
        }
    }

    /// The image of each revision's injector.
    private static func images(_ context: AnalysisContext) -> [String: String] {
        let maps = context.all("ConfigMap").filter { $0.name.hasPrefix("istio-sidecar-injector") }
        let pairs = maps.compactMap { map -> (String, String)? in
            guard let text = map.json[path: "data", "values"]?.stringValue, let values = try? JSONValue(parsing: text),
                let image = values[path: "global", "proxy", "image"]?.stringValue, image.contains("/")
            else { return nil }
            return (values["revision"]?.stringValue ?? "default", image)
        }
        return Dictionary(pairs) { first, _ in first }
    }
}

extension KubernetesObject {
    /// Labels of the pods that it makes.
    var templateLabels: [String: String] {
        (json[path: "spec", "template", "metadata", "labels"]?.objectValue ?? [:]).compactMapValues(\.stringValue)
    }
}
