import WeftConfig
import WeftCore

/// Which hosts of a VirtualService count, when hosts have owners (``HostOwnership``).
///
/// Without this a namespace can send the traffic of another one's service, or of a public name, where it likes.
struct HostPermissions {
    let snapshot: MeshSnapshot
    /// Whose proxies see the rules.
    let kind: ProxyIdentity.Kind
    let namespace: String

    private var isStrict: Bool { !snapshot.isRestricted && snapshot.meshConfig.hostOwnership?.mode == .strict }

    /// The rule with the hosts that its namespace may route; `nil` when none is left.
    func allowed(_ config: Config<VirtualService>) -> Config<VirtualService>? {
        guard isStrict, let hosts = config.spec.hosts else { return config }
        let mine = hosts.filter { mayRoute($0, config.namespace) }
        guard !mine.isEmpty else { return nil }
        var result = config
        result.spec.hosts = mine
        return result
    }

    /// What was left out, for the objects' status.
    func diagnostics(_ configs: [Config<VirtualService>]) -> [Diagnostic] {
        guard isStrict else { return [] }
        return configs.flatMap { config in
            (config.spec.hosts ?? []).enumerated().filter { !mayRoute($1, config.namespace) }.map { index, host in
                Diagnostic(
                    .error, code: "WEFT0002", resource: config.resource, path: "spec.hosts[\(index)]",
                    message:
                        "namespace \(config.namespace) may not route host \(host) for others; the host is left out",
                    hint: "move the object to the service's namespace, or name \(config.namespace) under "
                        + "hostOwnership.owners of the mesh configuration")
            }
        }
    }

    private func mayRoute(_ host: String, _ namespace: String) -> Bool {
        if namespace == snapshot.meshConfig.effectiveRootNamespace { return true }
        // What a namespace does to its own requests is its own affair.
        if kind == .sidecar, self.namespace == namespace { return true }
        let full = MeshSnapshot.resolve(host: host, namespace: namespace)
        if let owners = owners(of: full) { return owners.contains(namespace) || owners.contains("*") }
        let services = (snapshot.places.hosts[full] ?? []).map { snapshot.services[$0] }
        if !services.isEmpty { return services.contains { $0.namespace == namespace } }
        return isNamedByAGateway(full, namespace)
    }

    /// The namespaces of the narrowest entry that covers the host; `nil` without an entry.
    private func owners(of host: String) -> [String]? {
        let entries = (snapshot.meshConfig.hostOwnership?.owners ?? []).filter {
            HostPattern.matches($0.host ?? "", host)
        }
        return entries.max { ($0.host ?? "").utf8.count < ($1.host ?? "").utf8.count }.map { $0.namespaces ?? [] }
    }

    /// A Gateway that writes the namespace before the host has chosen who may bind to it.
    private func isNamedByAGateway(_ host: String, _ namespace: String) -> Bool {
        snapshot.gateways.contains { gateway in
            (gateway.spec.servers ?? []).flatMap { $0.hosts ?? [] }.contains { text in
                let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
                guard parts.count == 2 else { return false }
                let named = parts[0] == "." ? gateway.namespace : parts[0]
                return named == namespace && HostPattern.matches(parts[1], host)
            }
        }
    }
}
