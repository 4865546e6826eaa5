import WeftConfig
package import WeftCore

/// The configuration of one pod's proxy. In Istio's order, later ones win field by field: MeshConfig's `defaultConfig`,
/// ProxyConfig objects of the control plane's namespace, of the pod's namespace, with a selector that the pod meets, and
/// the pod's own annotation `proxy.istio.io/config`.
package enum EffectiveProxyConfig {
    static func make(
        settings: InjectionSettings, namespace: String, labels: [String: String], annotations: [String: String]
    ) -> JSONValue {
        var layers = [settings.proxyConfig]
        let objects = settings.proxyConfigs.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
        let general = objects.filter { selector($0) == nil }
        layers += general.filter { $0.namespace == settings.controlPlaneNamespace }.map(fields)
        if namespace != settings.controlPlaneNamespace {
            layers += general.filter { $0.namespace == namespace }.map(fields)
        }
        layers += objects.filter { object in
            guard object.namespace == namespace, let wanted = selector(object) else { return false }
            return wanted.allSatisfy { labels[$0.key] == $0.value }
        }.map(fields)
        // YAML that cannot be read changes nothing.
        if let text = annotations[InjectionName.proxyConfig], let own = try? YAMLReader.value(in: text) {
            layers.append(own)
        }
        return layers.reduce([:], merge)
    }

    private static func selector(_ object: KubernetesObject) -> [String: String]? {
        let labels = object.json[path: "spec", "selector", "matchLabels"]?.objectValue?.compactMapValues(\.stringValue)
        return labels.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// What a ProxyConfig says, under the names of MeshConfig's `defaultConfig`.
    private static func fields(_ object: KubernetesObject) -> JSONValue {
        var result: JSONValue = [:]
        result["concurrency"] = object.json[path: "spec", "concurrency"]
        result["proxyMetadata"] = object.json[path: "spec", "environmentVariables"]
        return result
    }

    /// Environment variables are added one by one, everything else is replaced.
    package static func merge(_ base: JSONValue, _ over: JSONValue) -> JSONValue {
        guard let old = base.objectValue, let new = over.objectValue else { return base }
        var result = old.merging(new) { $1 }
        if let before = old["proxyMetadata"]?.objectValue, let after = new["proxyMetadata"]?.objectValue {
            result["proxyMetadata"] = .object(before.merging(after) { $1 })
        }
        return .object(result)
    }
}
