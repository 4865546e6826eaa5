package import WeftConfig
package import WeftCore

/// The TLS that a workload asks of its callers, from the mesh's, its namespace's and its own PeerAuthentication.
package struct PeerModes {
    let snapshot: MeshSnapshot

    package init(snapshot: MeshSnapshot) { self.snapshot = snapshot }

    /// A mode and the object that set it; `nil` is Istio's default, PERMISSIVE.
    package struct Effective {
        package var mode: PeerAuthentication.Mode
        package var source: ResourceReference?
    }

    /// `port` is the workload's; `nil` for ports that no service names.
    package func mode(namespace: String, labels: [String: String], port: Int?) -> Effective {
        let root = snapshot.meshConfig.effectiveRootNamespace
        let all = snapshot.peerAuthentications
        let meshWide = all.first { $0.namespace == root && ($0.spec.selector?.isEmpty ?? true) }
        let ofNamespace = all.first { $0.namespace == namespace && ($0.spec.selector?.isEmpty ?? true) }
        let ofWorkload = own(namespace: namespace, labels: labels)
        if let port, let ofWorkload, let mode = ofWorkload.spec.portLevelMtls?[String(port)]?.mode, mode != .unset {
            return Effective(mode: mode, source: ofWorkload.resource)
        }
        for config in [ofWorkload, ofNamespace, meshWide].compactMap({ $0 }) {
            if let mode = config.spec.mtls?.mode, mode != .unset {
                return Effective(mode: mode, source: config.resource)
            }
        }
        return Effective(mode: .permissive, source: nil)
    }

    /// The workload's own policy: the oldest one that selects it, and one whose selector cannot be read only for want of it.
    private func own(namespace: String, labels: [String: String]) -> Config<PeerAuthentication>? {
        var guess: Config<PeerAuthentication>?
        for config in snapshot.peerAuthentications where config.namespace == namespace {
            guard let selector = config.spec.selector, !selector.isEmpty, selector.matches(labels) else { continue }
            if !selector.isGuess { return config }
            guess = guess ?? config
        }
        return guess
    }

    /// Ports to which the workload's own policy gives a mode.
    func portsWithModes(of proxy: ProxyClass) -> [Int] { ports(namespace: proxy.namespace, labels: proxy.labels) }

    /// Ports of a workload to which its own policy gives a mode.
    package func ports(namespace: String, labels: [String: String]) -> [Int] {
        let own = own(namespace: namespace, labels: labels)
        return (own?.spec.portLevelMtls ?? [:]).keys.compactMap { Int($0) }.filter { (1...65_535).contains($0) }
            .sorted()
    }

    /// True if callers should use mutual TLS towards this endpoint.
    func endpointMode(_ endpoint: MeshEndpoint, port: Int) -> Bool {
        guard let workload = endpoint.workload, workload.acceptsMutualTLS else { return false }
        return mode(namespace: workload.namespace, labels: workload.labels, port: endpoint.ports[port]).mode != .disable
    }
}
