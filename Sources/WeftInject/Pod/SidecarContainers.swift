import WeftConfig
import WeftCore

/// Writes the two containers that make a pod part of the mesh: the one that redirects its traffic, and the proxy.
struct SidecarContainers {
    var settings: InjectionSettings
    var template: InjectionTemplate
    var pod: JSONValue
    var namespace: String
    /// Value of `ISTIO_KUBE_APP_PROBERS`, if any probe was rewritten.
    var probers: [String: JSONValue]
    /// Value of `ISTIO_PROMETHEUS_ANNOTATIONS`, if the application is scraped.
    var prometheus: JSONValue?
    var proxyConfig: JSONValue

    private func annotation(_ name: String) -> String? { pod[path: "metadata", "annotations"]?[name]?.stringValue }

    private var image: String { annotation(InjectionName.proxyImage) ?? settings.proxyImage }

    /// Real Envoy as the data plane, supervised by our agent.
    private var usesEnvoy: Bool {
        template == .sidecar && hasEnvoyAnnotation
    }

    private var hasEnvoyAnnotation: Bool {
        annotation(InjectionName.dataPlane) == "envoy"
            || (annotation(InjectionName.dataPlane) == nil
                && annotation(InjectionName.proxyImage)?.contains("envoy") == true)
    }

    /// `ISTIO_META_DNS_CAPTURE` in the proxy's environment; the agent of Envoy answers no questions.
    private var capturesDNS: Bool {
        proxyConfig[path: "proxyMetadata", "ISTIO_META_DNS_CAPTURE"]?.stringValue?.lowercased() == "true" && !usesEnvoy
    }

    // MARK: istio-init

    func initContainer() -> JSONValue {
        var arguments = [
            "istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", interceptionMode,
            "-i", annotation("traffic.sidecar.istio.io/includeOutboundIPRanges") ?? "*",
            "-x", annotation("traffic.sidecar.istio.io/excludeOutboundIPRanges") ?? "",
            "-b", annotation("traffic.sidecar.istio.io/includeInboundPorts") ?? "*",
            "-d",
            (["15090", "15021", "15020"] + list("traffic.sidecar.istio.io/excludeInboundPorts")).joined(separator: ","),
        ]
        for (flag, name) in [("-q", "includeOutboundPorts"), ("-o", "excludeOutboundPorts")] {
            if let value = annotation("traffic.sidecar.istio.io/\(name)"), !value.isEmpty {
                arguments += [flag, value]
            }
        }
        if capturesDNS { arguments.append("--redirect-dns") }
        var container: JSONValue = [
            "name": .string(InjectionName.initContainer),
            "image": .string(settings.proxyImage),
            "args": .array(arguments.map { .string($0) }),
            "resources": resources,
            "securityContext": [
                "allowPrivilegeEscalation": false, "privileged": false, "readOnlyRootFilesystem": false,
                "runAsGroup": 0, "runAsNonRoot": false, "runAsUser": 0,
                "capabilities": ["add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]],
            ],
        ]
        if let policy = settings.imagePullPolicy { container["imagePullPolicy"] = .string(policy) }
        return container
    }

    var interceptionMode: String {
        template == .grpcAgent ? "NONE" : annotation("sidecar.istio.io/interceptionMode") ?? "REDIRECT"
    }

    private func list(_ name: String) -> [String] {
        (annotation(name) ?? "").split(separator: ",").map { $0.filter { $0 != " " } }.filter { !$0.isEmpty }
    }

    // MARK: istio-proxy

    func proxyContainer(native: Bool) -> JSONValue {
        var container: JSONValue = [
            "name": .string(InjectionName.proxyContainer),
            "image": .string(image),
            "args": .array(arguments.map { .string($0) }),
            "env": .array(environment),
            "ports": [["containerPort": 15090, "name": "http-envoy-prom", "protocol": "TCP"]],
            "readinessProbe": [
                "failureThreshold": 4, "httpGet": ["path": "/healthz/ready", "port": 15021], "periodSeconds": 15,
                "timeoutSeconds": 3,
            ],
            "startupProbe": [
                "failureThreshold": 600, "httpGet": ["path": "/healthz/ready", "port": 15021], "periodSeconds": 1,
                "timeoutSeconds": 3,
            ],
            "resources": resources,
            "securityContext": [
                "allowPrivilegeEscalation": false, "privileged": false, "readOnlyRootFilesystem": true,
                "runAsGroup": 1337, "runAsNonRoot": true, "runAsUser": 1337, "capabilities": ["drop": ["ALL"]],
            ],
            "volumeMounts": .array(ProxyPod.mounts),
        ]
        if native { container["restartPolicy"] = "Always" }
        if let policy = settings.imagePullPolicy { container["imagePullPolicy"] = .string(policy) }
        return container
    }

    private var arguments: [String] {
        var arguments = ["proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.\(settings.mesh.clusterDomain)"]
        if let level = annotation("sidecar.istio.io/logLevel") { arguments += ["--proxyLogLevel=\(level)"] }
        if usesEnvoy { arguments += ["--envoy", annotation(InjectionName.envoyPath) ?? "envoy"] }
        return arguments
    }

    /// Any one resource annotation replaces all defaults, as in Istio.
    private var resources: JSONValue {
        let prefix = "sidecar.istio.io/proxy"
        let own = ["CPU", "Memory", "CPULimit", "MemoryLimit"].map { annotation(prefix + $0) }
        let values =
            own.contains { $0 != nil }
            ? own : [settings.cpuRequest, settings.memoryRequest, settings.cpuLimit, settings.memoryLimit]
        var resources: JSONValue = [:]
        for (index, path) in [["requests", "cpu"], ["requests", "memory"], ["limits", "cpu"], ["limits", "memory"]]
            .enumerated()
        {
            if let value = values[index] { resources[path: path[...]] = .string(value) }
        }
        return resources
    }
}

// MARK: - Environment

extension SidecarContainers {
    private var environment: [JSONValue] {
        let owner = WorkloadOwner(pod: pod, namespace: namespace)
        var list = [
            variable("ISTIO_META_POD_PORTS", JSONValue.array(ports).text()),
            variable("ISTIO_META_APP_CONTAINERS", containerNames.joined(separator: ",")),
            variable("ISTIO_META_INTERCEPTION_MODE", interceptionMode),
        ]
        if !probers.isEmpty { list.append(variable("ISTIO_KUBE_APP_PROBERS", JSONValue.object(probers).text())) }
        if let prometheus { list.append(variable("ISTIO_PROMETHEUS_ANNOTATIONS", prometheus.text())) }
        if template == .grpcAgent { list += ProxylessPod.agentEnvironment }
        if usesEnvoy, let path = annotation(InjectionName.envoyPath) { list.append(variable("WEFT_ENVOY_PATH", path)) }
        // The last of a name counts: what the user puts into proxyMetadata goes before ours.
        return list
            + ProxyPod.environment(
                settings.mesh, controlPlane: "\(settings.discoveryHost):15012", proxyConfig: proxyConfig,
                workload: owner.name, owner: owner.uri)
    }

    private func variable(_ name: String, _ value: String) -> JSONValue { ProxyPod.variable(name, value) }

    private var appContainers: [JSONValue] {
        (pod[path: "spec", "containers"]?.arrayValue ?? []).filter {
            $0["name"]?.stringValue != InjectionName.proxyContainer
        }
    }

    private var containerNames: [String] { appContainers.compactMap { $0["name"]?.stringValue } }

    private var ports: [JSONValue] { appContainers.flatMap { $0["ports"]?.arrayValue ?? [] } }
}
