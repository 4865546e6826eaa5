import WeftConfig
import WeftCore
import WeftIR

/// One proxy's view of a snapshot: the services it sees and the rules that apply to it.
struct Scope {
    let snapshot: MeshSnapshot
    let proxy: ProxyIdentity
    let services: [MeshService]
    /// Virtual services that this proxy may use, the ones that win first.
    let virtualServices: [Config<VirtualService>]
    let sidecar: Config<Sidecar>?
    /// Hosts that rules may not route (``HostPermissions``).
    let ownershipDiagnostics: [Diagnostic]

    var mesh: MeshConfig { snapshot.meshConfig }

    init(snapshot: MeshSnapshot, proxy identity: ProxyIdentity) {
        var proxy = identity
        if let workload = snapshot.workload(namespace: identity.namespace, name: identity.podName) {
            proxy.labels = workload.labels
            proxy.serviceAccount = workload.serviceAccount
        }
        self.snapshot = snapshot
        self.proxy = proxy
        let sidecar = proxy.kind == .sidecar ? Self.sidecar(for: proxy, in: snapshot) : nil
        self.sidecar = sidecar
        let reach = SidecarReach(sidecar: sidecar?.spec, namespace: proxy.namespace)
        services = Self.distinct(
            snapshot.services.filter {
                $0.isVisible(from: proxy.namespace) && reach.includes(host: $0.host, namespace: $0.namespace)
            },
            namespace: proxy.namespace)
        let permissions = HostPermissions(snapshot: snapshot, proxy: proxy)
        let visible = Self.visibleVirtualServices(for: proxy, in: snapshot)
        virtualServices = visible.compactMap { permissions.allowed($0) }
        ownershipDiagnostics = permissions.diagnostics(visible)
    }

    func service(host: String) -> MeshService? { snapshot.service(host: host, from: proxy.namespace) }

    /// Istio's order: private to the proxy's namespace, exported to it, public; the oldest first in each.
    private static func visibleVirtualServices(for proxy: ProxyIdentity, in snapshot: MeshSnapshot) -> [Config<
        VirtualService
    >] {
        func rank(_ config: Config<VirtualService>) -> Int? {
            let exportTo = config.spec.exportTo ?? snapshot.meshConfig.defaultVirtualServiceExportTo ?? []
            if exportTo.isEmpty || exportTo.contains("*") { return 2 }
            if config.namespace == proxy.namespace, exportTo.contains(".") { return 0 }
            return exportTo.contains(proxy.namespace) ? 1 : nil
        }
        let ranked = snapshot.virtualServices.enumerated().compactMap { index, config in
            rank(config).map { (rank: $0, index: index, config: config) }
        }
        return ranked.sorted { ($0.rank, $0.index) < ($1.rank, $1.index) }.map(\.config)
    }

    /// One service per host: the proxy's own namespace first, then Kubernetes', then the oldest.
    private static func distinct(_ services: [MeshService], namespace: String) -> [MeshService] {
        var chosen: [String: MeshService] = [:]
        for service in services {
            guard let other = chosen[service.host] else {
                chosen[service.host] = service
                continue
            }
            let better = rank(service, namespace) < rank(other, namespace)
            if better || (rank(service, namespace) == rank(other, namespace) && service.created < other.created) {
                chosen[service.host] = service
            }
        }
        return chosen.values.sorted { $0.host < $1.host }
    }

    private static func rank(_ service: MeshService, _ namespace: String) -> Int {
        service.namespace == namespace ? 0 : (service.resource.kind == "Service" ? 1 : 2)
    }

    private static func sidecar(for proxy: ProxyIdentity, in snapshot: MeshSnapshot) -> Config<Sidecar>? {
        let own = snapshot.sidecars.filter { $0.namespace == proxy.namespace }
        return own.first {
            !($0.spec.workloadSelector?.labels ?? [:]).isEmpty
                && $0.spec.workloadSelector?.matches(proxy.labels) == true
        }
            ?? own.first { ($0.spec.workloadSelector?.labels ?? [:]).isEmpty }
            ?? snapshot.sidecars.first {
                $0.namespace == snapshot.meshConfig.effectiveRootNamespace
                    && ($0.spec.workloadSelector?.labels ?? [:]).isEmpty
            }
    }
}

/// What the `egress.hosts` of a Sidecar let a proxy see.
private struct SidecarReach {
    private let patterns: [(namespace: String, host: String)]?

    init(sidecar: Sidecar?, namespace: String) {
        guard let egress = sidecar?.egress, !egress.isEmpty else {
            patterns = nil
            return
        }
        patterns = egress.flatMap { $0.hosts ?? [] }.compactMap { text in
            let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { return nil }
            return (parts[0] == "." ? namespace : parts[0], parts[1])
        }
    }

    func includes(host: String, namespace: String) -> Bool {
        guard let patterns else { return true }
        return patterns.contains {
            ($0.namespace == "*" || $0.namespace == namespace) && HostPattern.matches($0.host, host)
        }
    }
}

/// Host names with a leading wildcard.
enum HostPattern {
    /// True if `host` is the pattern, or lies under its wildcard.
    static func matches(_ pattern: String, _ host: String) -> Bool {
        if pattern == "*" || pattern == host { return true }
        return pattern.hasPrefix("*") && host.hasSuffix(pattern.dropFirst())
    }

    /// The narrower one of two hosts if one covers the other.
    static func intersection(_ left: String, _ right: String) -> String? {
        if matches(left, right) { return right }
        return matches(right, left) ? left : nil
    }
}
