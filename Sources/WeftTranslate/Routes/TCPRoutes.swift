import WeftConfig
import WeftIR

/// The `tcp` and `tls` parts of VirtualServices.
struct TCPRoutes {
    let scope: Scope
    var gateways: Set<String> = [GatewayName.mesh]

    struct TLSMatch {
        var names: [String]
        var cluster: ClusterSelector
        var provenance: Provenance
    }

    func route(to service: MeshService, port: Int) -> (cluster: ClusterSelector, provenance: Provenance)? {
        GatewayMeshRoutes(scope: scope).tcp(to: service, port: port)
            ?? scope.virtualService(for: service.host).flatMap { route(of: $0, port: port) }
    }

    func route(of config: Config<VirtualService>, port: Int) -> (cluster: ClusterSelector, provenance: Provenance)? {
        for (index, rule) in (config.spec.tcp ?? []).enumerated() {
            let matches = rule.match ?? []
            let applies =
                matches.isEmpty
                || matches.contains { match in
                    (match.port.map { $0 == port } ?? true)
                        && self.applies(
                            gateways: match.gateways, labels: match.sourceLabels, namespace: match.sourceNamespace,
                            rule: config.namespace)
                }
            guard applies, let cluster = cluster(rule.route ?? [], namespace: config.namespace, port: port) else {
                continue
            }
            return (cluster, Provenance(config.resource, rule: index))
        }
        return nil
    }

    func tlsRoutes(to service: MeshService, port: Int) -> [TLSMatch] {
        let attached = GatewayMeshRoutes(scope: scope).tls(to: service, port: port)
        if !attached.isEmpty { return attached }
        return scope.virtualService(for: service.host).map { tlsRoutes(of: $0, port: port) } ?? []
    }

    func tlsRoutes(of config: Config<VirtualService>, port: Int) -> [TLSMatch] {
        var result: [TLSMatch] = []
        for (index, rule) in (config.spec.tls ?? []).enumerated() {
            guard let cluster = cluster(rule.route ?? [], namespace: config.namespace, port: port) else { continue }
            for match in rule.match ?? [] where match.port.map({ $0 == port }) ?? true {
                guard
                    applies(
                        gateways: match.gateways, labels: match.sourceLabels, namespace: match.sourceNamespace,
                        rule: config.namespace)
                else { continue }
                result.append(
                    TLSMatch(
                        names: match.sniHosts ?? [], cluster: cluster,
                        provenance: Provenance(config.resource, rule: index)))
            }
        }
        return result
    }

    private func applies(gateways names: [String]?, labels: [String: String]?, namespace: String?, rule: String) -> Bool
    {
        if let names, !names.isEmpty,
            !names.contains(where: { gateways.contains(GatewayName.resolve($0, namespace: rule)) })
        {
            return false
        }
        if let labels, !labels.allSatisfy({ scope.proxy.labels[$0.key] == $0.value }) { return false }
        return namespace.map { $0.isEmpty || $0 == scope.proxy.namespace } ?? true
    }

    private func cluster(_ routes: [VirtualService.RouteDestination], namespace: String, port: Int) -> ClusterSelector?
    {
        let names = HTTPRoutes(scope: scope, listenerPort: port, gateways: gateways)
        let destinations = routes.compactMap { route in
            route.destination.map { (name: names.name(of: $0, namespace: namespace), weight: route.weight ?? 0) }
        }
        if destinations.count == 1 { return .cluster(destinations[0].name) }
        let weighted = destinations.filter { $0.weight > 0 }.map {
            WeightedCluster(name: $0.name, weight: UInt32(clamping: $0.weight))
        }
        return weighted.isEmpty ? nil : .weighted(weighted)
    }
}
