import WeftCore

/// Sends the kubelet's probes through the proxy, because with strict mTLS the kubelet cannot talk to the application itself.
///
/// The originals are kept as the value of `ISTIO_KUBE_APP_PROBERS`; the proxy answers for them on ``port``.
struct ProbeRewrite {
    static let port = 15020
    /// Path on the proxy → original handler.
    private(set) var originals: [String: JSONValue] = [:]

    mutating func rewrite(_ containers: [JSONValue]) -> [JSONValue] { containers.map { rewrite($0) } }

    private mutating func rewrite(_ original: JSONValue) -> JSONValue {
        guard let name = original["name"]?.stringValue, name != InjectionName.proxyContainer else { return original }
        var container = original
        let probes = [("livenessProbe", "livez"), ("readinessProbe", "readyz"), ("startupProbe", "startupz")]
        for (field, path) in probes {
            guard let probe = container[field] else { continue }
            container[field] = rewritten(probe, path: "/app-health/\(name)/\(path)", container: original)
        }
        for (field, path) in [("preStop", "prestopz"), ("postStart", "poststartz")] {
            guard let hook = container[path: "lifecycle", field], hook["httpGet"] != nil else { continue }
            container[path: "lifecycle", field] = rewritten(
                hook, path: "/app-lifecycle/\(name)/\(path)", container: original)
        }
        return container
    }

    private mutating func rewritten(_ probe: JSONValue, path: String, container: JSONValue) -> JSONValue {
        for handler in ["httpGet", "tcpSocket", "grpc"] {
            guard var action = probe[handler] else { continue }
            guard let port = Self.number(of: action["port"], in: container) else { return probe }
            if handler == "httpGet", port == Self.port { return probe }
            action["port"] = .int(Int64(port))
            var kept: JSONValue = [:]
            kept[handler] = action
            if let timeout = probe["timeoutSeconds"] { kept["timeoutSeconds"] = timeout }
            originals[path] = kept
            var changed = probe
            changed[handler] = nil
            changed["httpGet"] = ["path": .string(path), "port": .int(Int64(Self.port)), "scheme": "HTTP"]
            return changed
        }
        return probe
    }

    /// A named port becomes its number, because the proxy does not know the container's port names.
    private static func number(of port: JSONValue?, in container: JSONValue) -> Int? {
        if let number = port?.intValue { return number }
        guard let name = port?.stringValue else { return nil }
        if let number = Int(name) { return number }
        let named = container["ports"]?.arrayValue?.first { $0["name"]?.stringValue == name }
        return named?["containerPort"]?.intValue
    }
}
