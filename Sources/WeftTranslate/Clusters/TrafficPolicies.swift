import WeftConfig
import WeftCore

/// The DestinationRule that applies to a service, and the policy it gives to one port of one subset.
struct DestinationPolicy {
    let resource: ResourceReference
    let host: String
    let trafficPolicy: DestinationRule.TrafficPolicy?
    let subsets: [DestinationRule.Subset]
    /// The rule names the clients it is for, so that these may use its credentials.
    var selectsClients = false

    /// Subset blocks replace the rule's; an entry of `portLevelSettings` replaces all blocks of its level for that port.
    func policy(subset: DestinationRule.Subset?, port: Int) -> DestinationRule.TrafficPolicy {
        var merged = DestinationRule.TrafficPolicy()
        apply(trafficPolicy, port: port, to: &merged)
        apply(subset?.trafficPolicy, port: port, to: &merged)
        return merged
    }

    private func apply(
        _ policy: DestinationRule.TrafficPolicy?, port: Int, to merged: inout DestinationRule.TrafficPolicy
    ) {
        guard let policy else { return }
        merged.loadBalancer = policy.loadBalancer ?? merged.loadBalancer
        merged.connectionPool = policy.connectionPool ?? merged.connectionPool
        merged.outlierDetection = policy.outlierDetection ?? merged.outlierDetection
        merged.tls = policy.tls ?? merged.tls
        merged.tunnel = policy.tunnel ?? merged.tunnel
        merged.proxyProtocol = policy.proxyProtocol ?? merged.proxyProtocol
        merged.retryBudget = policy.retryBudget ?? merged.retryBudget
        guard let level = policy.portLevelSettings?.first(where: { $0.port?.number == port }) else { return }
        merged.loadBalancer = level.loadBalancer
        merged.connectionPool = level.connectionPool
        merged.outlierDetection = level.outlierDetection
        merged.tls = level.tls
    }
}

extension Scope {
    /// Looks in the client's namespace, then the service's, then the root namespace; the most specific host wins in each.
    func destinationPolicy(for service: MeshService) -> DestinationPolicy? {
        let root = mesh.effectiveRootNamespace
        var namespaces = proxy.namespace == root ? [] : [proxy.namespace]
        for namespace in [service.namespace, root] where !namespaces.contains(namespace) {
            namespaces.append(namespace)
        }
        let rules = snapshot.destinationRules(covering: service.host).filter(applies)
        for namespace in namespaces where !rules.isEmpty {
            let candidates = rules.filter { $0.namespace == namespace }
            if let policy = merge(candidates, namespace: namespace) { return policy }
        }
        return nil
    }

    private func applies(_ config: Config<DestinationRule>) -> Bool {
        if let selector = config.spec.workloadSelector, !selector.isEmpty {
            return config.namespace == proxy.namespace && selector.matches(proxy.labels)
        }
        let exportTo = config.spec.exportTo ?? mesh.defaultDestinationRuleExportTo ?? []
        return Visibility.allows(exportTo, owner: config.namespace, viewer: proxy.namespace)
    }

    /// Rules for one host of one namespace: subsets are united, the first traffic policy wins.
    private func merge(_ candidates: [Config<DestinationRule>], namespace: String) -> DestinationPolicy? {
        func host(_ config: Config<DestinationRule>) -> String {
            MeshSnapshot.resolve(host: config.spec.host ?? "", namespace: namespace)
        }
        let selected = candidates.filter { !($0.spec.workloadSelector?.isEmpty ?? true) }
        let pool = selected.isEmpty ? candidates : selected
        guard let best = pool.map(host).max(by: { specificity($0) < specificity($1) }) else { return nil }
        let same = pool.filter { host($0) == best }
        guard let first = same.first else { return nil }
        var subsets: [DestinationRule.Subset] = []
        for subset in same.flatMap({ $0.spec.subsets ?? [] }) where !subsets.contains(where: { $0.name == subset.name })
        {
            subsets.append(subset)
        }
        return DestinationPolicy(
            resource: first.resource, host: best, trafficPolicy: same.lazy.compactMap(\.spec.trafficPolicy).first,
            subsets: subsets, selectsClients: !selected.isEmpty)
    }

    private func specificity(_ host: String) -> Int { host.hasPrefix("*") ? host.count : host.count + 10_000 }
}
