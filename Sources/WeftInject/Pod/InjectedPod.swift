import WeftConfig
package import WeftCore

/// A pod (or pod template) with the sidecar in it.
package struct InjectedPod: Sendable, Hashable {
    package let pod: JSONValue

    /// True for what this injector, or Istio's, has already written.
    static func isInjected(_ pod: JSONValue) -> Bool {
        guard pod[path: "metadata", "annotations"]?[InjectionName.status] != nil else { return false }
        return ["containers", "initContainers"].contains { list in
            pod[path: "spec", list]?.arrayValue?.contains { $0["name"]?.stringValue == InjectionName.proxyContainer }
                ?? false
        }
    }

    /// - Parameters:
    ///   - pod: an object with `metadata` and `spec`; a pod that is injected already comes back unchanged.
    ///   - template: what it is to be made of.
    ///   - namespace: where the pod will run.
    package init(
        injecting pod: JSONValue, as template: InjectionTemplate = .sidecar, namespace: String,
        settings: InjectionSettings
    ) {
        if Self.isInjected(pod) {
            self.pod = pod
            return
        }
        let annotations = pod[path: "metadata", "annotations"]?.objectValue?.compactMapValues(\.stringValue) ?? [:]
        var result = pod
        var rewrite = ProbeRewrite()
        let native = annotations[InjectionName.nativeSidecar] != "false"
        var containers = pod[path: "spec", "containers"]?.arrayValue ?? []
        let own = containers.first { $0["name"]?.stringValue == InjectionName.proxyContainer }
        containers.removeAll { $0["name"]?.stringValue == InjectionName.proxyContainer }
        switch template {
        case .sidecar: if Self.rewritesProbes(annotations, settings) { containers = rewrite.rewrite(containers) }
        // The kubelet's probes get to the application by themselves: nothing stands in their way.
        case .grpcAgent: containers = containers.map(ProxylessPod.equipped)
        }

        let prometheus = PrometheusMerge(annotations: annotations, settings: settings)
        let builder = SidecarContainers(
            settings: settings, template: template, pod: pod, namespace: namespace, probers: rewrite.originals,
            prometheus: prometheus.original,
            proxyConfig: EffectiveProxyConfig.make(
                settings: settings, namespace: namespace,
                labels: pod[path: "metadata", "labels"]?.objectValue?.compactMapValues(\.stringValue) ?? [:],
                annotations: annotations))
        var proxy = builder.proxyContainer(native: native)
        if let own { proxy = Self.overlay(proxy, with: own) }

        var inits: [JSONValue] = builder.interceptionMode == "NONE" ? [] : [builder.initContainer()]
        if native { inits.append(proxy) } else { containers.append(proxy) }
        inits += pod[path: "spec", "initContainers"]?.arrayValue ?? []
        result[path: "spec", "initContainers"] = .array(inits)
        result[path: "spec", "containers"] = .array(containers)
        result[path: "spec", "volumes"] = .array(Self.volumes(existing: pod[path: "spec", "volumes"]?.arrayValue ?? []))
        Self.label(&result, template, namespace: namespace)
        Self.annotate(
            &result, native: native, mode: builder.interceptionMode, prometheus: prometheus, settings: settings)
        self.pod = result
    }

    private static func rewritesProbes(_ annotations: [String: String], _ settings: InjectionSettings) -> Bool {
        annotations[InjectionName.rewriteProbes].map { $0 == "true" } ?? settings.rewriteProbes
    }

    /// The user's own `istio-proxy` container wins field by field; `image: auto` means ours.
    private static func overlay(_ proxy: JSONValue, with own: JSONValue) -> JSONValue {
        var result = proxy
        for (key, value) in own.objectValue ?? [:] {
            switch key {
            case "image" where value.stringValue == "auto": continue
            case "env", "volumeMounts", "ports":
                let mine = value.arrayValue ?? []
                let identity = key == "volumeMounts" ? "mountPath" : key == "ports" ? "containerPort" : "name"
                let kept = (proxy[key]?.arrayValue ?? []).filter { item in
                    !mine.contains { $0[identity] == item[identity] }
                }
                result[key] = .array(kept + mine)
            default: result[key] = value
            }
        }
        return result
    }

    // MARK: Volumes, labels, annotations

    private static func volumes(existing: [JSONValue]) -> [JSONValue] {
        let names = ProxyPod.volumeNames
        return ProxyPod.volumes + existing.filter { !names.contains($0["name"]?.stringValue ?? "") }
    }

    private static func label(_ pod: inout JSONValue, _ template: InjectionTemplate, namespace: String) {
        var labels = pod[path: "metadata", "labels"]?.objectValue ?? [:]
        func first(_ names: String...) -> JSONValue? { names.lazy.compactMap { labels[$0] }.first }
        let workload = WorkloadOwner(pod: pod, namespace: namespace).name
        let name = first("service.istio.io/canonical-name", "app.kubernetes.io/name", "app") ?? .string(workload)
        let revision = first("service.istio.io/canonical-revision", "app.kubernetes.io/version", "version") ?? "latest"
        labels["service.istio.io/canonical-name"] = name
        labels["service.istio.io/canonical-revision"] = revision
        // Whether an application speaks the mesh's TLS by itself is for its owner to say.
        if template == .sidecar, labels["security.istio.io/tlsMode"] == nil {
            labels["security.istio.io/tlsMode"] = "istio"
        }
        pod[path: "metadata", "labels"] = .object(labels)
    }

    private static func annotate(
        _ pod: inout JSONValue, native: Bool, mode: String, prometheus: PrometheusMerge, settings: InjectionSettings
    ) {
        var annotations = pod[path: "metadata", "annotations"]?.objectValue ?? [:]
        var inits: [JSONValue] = mode == "NONE" ? [] : [.string(InjectionName.initContainer)]
        if native { inits.append(.string(InjectionName.proxyContainer)) }
        let status: JSONValue = [
            "initContainers": .array(inits),
            "containers": native ? .null : [.string(InjectionName.proxyContainer)],
            "volumes": .array(ProxyPod.volumeNames.map { .string($0) }), "imagePullSecrets": .null,
            "revision": .string(settings.revision),
        ]
        annotations[InjectionName.status] = .string(status.text())
        annotations[InjectionName.revision] = .string(settings.revision)
        if let first = pod[path: "spec", "containers"]?[0]?["name"] {
            for name in ["kubectl.kubernetes.io/default-container", "kubectl.kubernetes.io/default-logs-container"]
            where annotations[name] == nil {
                annotations[name] = first
            }
        }
        for (name, value) in prometheus.rewritten { annotations[name] = .string(value) }
        pod[path: "metadata", "annotations"] = .object(annotations)
    }
}

/// Turns a pod's own scrape annotations into ones for the proxy's merged endpoint, and keeps the originals for the proxy.
struct PrometheusMerge {
    /// What the proxy has to scrape; `nil` when the application is not scraped.
    var original: JSONValue?
    var rewritten: [String: String] = [:]

    init(annotations: [String: String], settings: InjectionSettings) {
        let merge = annotations["prometheus.istio.io/merge-metrics"].map { $0 != "false" } ?? settings.mergePrometheus
        let scrape = annotations["prometheus.io/scrape"]
        guard merge, scrape != "false" else { return }
        if scrape == "true" {
            original = [
                "scrape": "true", "path": .string(annotations["prometheus.io/path"] ?? "/metrics"),
                "port": .string(annotations["prometheus.io/port"] ?? "80"),
            ]
        }
        rewritten = [
            "prometheus.io/scrape": "true", "prometheus.io/port": "15020", "prometheus.io/path": "/stats/prometheus",
        ]
    }
}
