import WeftConfig
import WeftCore
import WeftTranslate

/// Which proxies an object can matter to, by what it says of itself: namespace, `exportTo`, selector, gateways. Pure.
///
/// An upper bound: a proxy that it leaves out is not touched by the object.
struct ObjectScope: Sendable {
    let meshConfig: MeshConfig

    /// - Parameter labels: the pod's.
    func concerns(_ object: KubernetesObject, kind: ProxyIdentity.Kind, namespace: String, labels: [String: String])
        -> Bool
    {
        let spec = object.json["spec"] ?? [:]
        if object.group == GatewayAPI.group {
            return gatewayAPI(object, spec, isRouter: kind == .router, namespace: namespace, labels: labels)
        }
        switch object.kind {
        case "VirtualService":
            // A rule without hosts is handed to by others, whose gateways it takes over.
            if (spec["hosts"]?.arrayValue ?? []).isEmpty { return true }
            let named = spec["gateways"]?.arrayValue?.compactMap(\.stringValue) ?? []
            let gateways = named.isEmpty ? ["mesh"] : named
            let isBound = kind == .router ? gateways.contains(where: { $0 != "mesh" }) : gateways.contains("mesh")
            guard isBound else { return false }
            return isExported(object, default: meshConfig.defaultVirtualServiceExportTo, to: namespace)
        case "DestinationRule":
            if spec["workloadSelector"] != nil { return object.namespace == namespace && selects(spec, labels) }
            return isExported(object, default: meshConfig.defaultDestinationRuleExportTo, to: namespace)
        case "ServiceEntry":
            return isExported(object, default: meshConfig.defaultServiceExportTo, to: namespace)
        case "Gateway":
            let selector = spec["selector"]?.objectValue?.compactMapValues(\.stringValue) ?? [:]
            return kind == .router && selector.allSatisfy { labels[$0.key] == $0.value }
        case "Sidecar":
            return kind == .sidecar && isInForce(object, in: namespace) && selects(spec, labels)
        case "AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication", "EnvoyFilter", "ProxyConfig",
            "Telemetry", "WasmPlugin", "TrafficExtension":
            let targets = (spec["targetRefs"]?.arrayValue ?? []) + [spec["targetRef"]].compactMap(\.self)
            if !targets.isEmpty {
                return kind == .router && targets.contains { isTarget($0, of: object, namespace, labels) }
            }
            return isInForce(object, in: namespace) && selects(spec, labels)
        default: return true
        }
    }

    /// Gateways are known by the label of their pods; one that runs elsewhere (an address that is a name) may be any of its
    /// namespace. Routes of Services are every sidecar's.
    private func gatewayAPI(
        _ object: KubernetesObject, _ spec: JSONValue, isRouter: Bool, namespace: String, labels: [String: String]
    ) -> Bool {
        func mayBe(_ name: String) -> Bool { labels[GatewayLabels.gatewayName].map { $0 == name } ?? true }
        switch object.kind {
        case "Gateway": return isRouter && object.namespace == namespace && mayBe(object.name)
        case "ListenerSet":
            let parent = spec["parentRef"] ?? [:]
            return isRouter && (parent["namespace"]?.stringValue ?? object.namespace) == namespace
                && mayBe(parent["name"]?.stringValue ?? "")
        case "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute":
            return (spec["parentRefs"]?.arrayValue ?? []).contains { parent in
                switch parent["kind"]?.stringValue ?? "Gateway" {
                case "Gateway":
                    isRouter && (parent["namespace"]?.stringValue ?? object.namespace) == namespace
                        && mayBe(parent["name"]?.stringValue ?? "")
                case "ListenerSet": isRouter
                default: !isRouter
                }
            }
        // TLS towards a Service is a matter of all of its clients.
        case "BackendTLSPolicy": return true
        default: return isRouter
        }
    }

    /// Whether a gateway is what a policy is attached to: by name in its own namespace, by class everywhere if the policy is
    /// the mesh's. Policies on Services and ServiceEntries are waypoints', which there are not: they are no proxy's.
    private func isTarget(
        _ target: JSONValue, of object: KubernetesObject, _ namespace: String, _ labels: [String: String]
    )
        -> Bool
    {
        guard target["group"]?.stringValue == GatewayAPI.group, let name = target["name"]?.stringValue else {
            return false
        }
        switch target["kind"]?.stringValue {
        case "Gateway": return object.namespace == namespace && labels[GatewayLabels.gatewayName] == name
        case "GatewayClass":
            return object.namespace == meshConfig.effectiveRootNamespace && labels[GatewayLabels.className] == name
        default: return false
        }
    }

    private func isInForce(_ object: KubernetesObject, in namespace: String) -> Bool {
        object.namespace == namespace || object.namespace == meshConfig.effectiveRootNamespace
    }

    private func isExported(_ object: KubernetesObject, default fallback: [String]?, to namespace: String) -> Bool {
        let own = object.json[path: "spec", "exportTo"]?.arrayValue?.compactMap(\.stringValue) ?? []
        let targets = own.isEmpty ? fallback ?? [] : own
        if targets.isEmpty || targets.contains("*") || targets.contains(namespace) { return true }
        return targets.contains(".") && object.namespace == namespace
    }

    private func selects(_ spec: JSONValue, _ labels: [String: String]) -> Bool {
        let selectors = [
            spec[path: "selector", "matchLabels"], spec[path: "workloadSelector", "labels"],
            spec[path: "workloadSelector", "matchLabels"],
        ]
        return selectors.allSatisfy { selector in
            (selector?.objectValue ?? [:]).allSatisfy { labels[$0.key] == $0.value.stringValue }
        }
    }
}
