import WeftConfig
import WeftCore
import WeftIR

/// Clusters that routes name and nothing defines: an unknown host, port or subset. They get an empty cluster that says why,
/// so that a request there is answered with 503 and a reason.
struct MissingClusters {
    let scope: Scope

    /// - Parameter named: What virtual hosts name that are not in the configuration.
    func complete(_ configuration: inout ProxyConfiguration, naming named: NamedClusters = NamedClusters()) {
        var named = named
        for table in configuration.routes.values {
            for host in table.virtualHosts { named.add(host) }
        }
        for listener in configuration.listeners.values {
            for chain in listener.filterChains + (listener.defaultFilterChain.map { [$0] } ?? []) {
                for case .tcpProxy(let proxy) in chain.filters { named.add(proxy) }
            }
        }
        for (name, provenance) in named.rules
        where configuration.clusters[name] == nil && name != ClusterName.invalidBackend {
            if addHidden(name, to: &configuration) { continue }
            var cluster = Cluster(name: name, discovery: .eds(serviceName: ""))
            cluster.provenance = provenance
            configuration.clusters[name] = cluster
            var assignment = ClusterLoadAssignment(clusterName: name)
            assignment.emptyReason = reason(name, provenance)
            assignment.provenance = provenance
            configuration.endpoints[name] = assignment
        }
    }

    /// A Sidecar may hide a service that a rule sends requests to; such a destination is there all the same.
    private func addHidden(_ name: String, to configuration: inout ProxyConfiguration) -> Bool {
        let parts = name.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4, let service = scope.service(host: parts[3]),
            let port = service.ports.first(where: { String($0.number) == parts[1] })
        else { return false }
        let destination = scope.destinationPolicy(for: service)
        let subset = destination?.subsets.first { $0.name == parts[2] }
        guard parts[2].isEmpty || subset != nil else { return false }
        OutboundClusters(scope: scope).add(
            service, port, parts[2].isEmpty ? nil : subset, destination, to: &configuration)
        return true
    }

    private func reason(_ name: String, _ provenance: Provenance) -> String {
        let parts = name.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4 else { return "cluster \(name) is not defined" }
        let (port, subset, host) = (parts[1], parts[2], parts[3])
        guard let service = scope.service(host: host) else {
            return "host \(host) is not a known service; create it or change \(provenance.resource)"
        }
        guard service.ports.contains(where: { String($0.number) == port }) else {
            let ports = service.ports.map { String($0.number) }.joined(separator: ", ")
            return
                "host \(host) has no port \(port) (it has \(ports)); set destination.port.number in \(provenance.resource)"
        }
        if let rule = scope.destinationPolicy(for: service)?.resource {
            return "subset \(subset) of host \(host) is not defined in \(rule); add it or change \(provenance.resource)"
        }
        return
            "subset \(subset) of host \(host) is not defined: there is no DestinationRule for the host; add one or change \(provenance.resource)"
    }
}
