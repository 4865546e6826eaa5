import WeftConfig
import WeftIR

/// Where the routes of a VirtualService send requests: clusters by weight, mirrors, and what is hashed to pick an endpoint.
extension HTTPRoutes {
    /// Destinations of weight 0 are dropped if there are several. `nil` if nothing is left.
    func cluster(_ destinations: [VirtualService.HTTPDestination], namespace: String) -> ClusterSelector? {
        guard destinations.count > 1 else {
            return destinations.first?.destination.map { .cluster(name(of: $0, namespace: namespace)) }
        }
        let clusters = destinations.compactMap { entry -> WeightedCluster? in
            guard let destination = entry.destination, let weight = entry.weight, weight > 0 else { return nil }
            return weighted(entry, destination, namespace: namespace, weight: weight)
        }
        return clusters.isEmpty ? nil : .weighted(clusters)
    }

    private func weighted(
        _ entry: VirtualService.HTTPDestination, _ destination: Destination, namespace: String, weight: Int
    ) -> WeightedCluster {
        var cluster = WeightedCluster(
            name: name(of: destination, namespace: namespace), weight: UInt32(clamping: weight))
        cluster.requestHeaders = RouteFeatures.mutations(entry.headers?.request, host: &cluster.hostRewrite)
        cluster.responseHeaders = RouteFeatures.mutations(entry.headers?.response)
        return cluster
    }

    func name(of destination: Destination, namespace: String) -> String {
        let host = MeshSnapshot.resolve(host: destination.host ?? "", namespace: namespace)
        return ClusterName.outbound(
            port: port(of: destination, host: host), subset: destination.subset ?? "", host: host)
    }

    /// The port that is named, else the service's only one, else the listener's.
    func port(of destination: Destination, host: String) -> Int {
        if let number = destination.port?.number { return number }
        if let ports = scope.service(host: host)?.ports, ports.count == 1 { return ports[0].number }
        return listenerPort
    }

    /// Every destination says on its own what of a request is hashed.
    func hashPolicies(of destinations: [Destination], namespace: String) -> [HashPolicy] {
        var policies: [HashPolicy] = []
        for destination in destinations {
            let host = MeshSnapshot.resolve(host: destination.host ?? "", namespace: namespace)
            guard let service = scope.service(host: host) else { continue }
            let own = hashPolicies(service, port: port(of: destination, host: host), subset: destination.subset)
            policies += own.filter { !policies.contains($0) }
        }
        return policies
    }

    func hashPolicies(_ service: MeshService, port: Int, subset: String?) -> [HashPolicy] {
        guard let destination = scope.destinationPolicy(for: service) else { return [] }
        let chosen = destination.subsets.first { $0.name == subset && subset != nil }
        guard let hash = destination.policy(subset: chosen, port: port).loadBalancer?.consistentHash else { return [] }
        if let header = hash.httpHeaderName { return [.header(header.lowercased(), terminal: false)] }
        if let cookie = hash.httpCookie {
            return [
                .cookie(
                    name: cookie.name ?? "", ttlMilliseconds: cookie.ttl?.milliseconds, path: cookie.path ?? "",
                    terminal: false,
                    attributes: (cookie.attributes ?? []).map { .init(name: $0.name ?? "", value: $0.value ?? "") })
            ]
        }
        if hash.useSourceIp == true { return [.sourceIP(terminal: false)] }
        return hash.httpQueryParameterName.map { [.queryParameter($0, terminal: false)] } ?? []
    }

    private func percentage(of rule: VirtualService.HTTPRoute) -> Double {
        let old = rule.mirrorPercent ?? rule.mirrorPercentByProtoName
        return rule.mirrorPercentage.map { $0.value ?? 0 } ?? old.map(Double.init) ?? 100
    }

    func mirrors(_ rule: VirtualService.HTTPRoute, namespace: String) -> [WeftIR.Mirror] {
        if let mirror = rule.mirror {
            let fraction = percentage(of: rule)
            return fraction == 0
                ? []
                : [
                    Mirror(
                        cluster: name(of: mirror, namespace: namespace), fraction: FractionalPercent(percent: fraction))
                ]
        }
        return (rule.mirrors ?? []).compactMap { mirror in
            guard let destination = mirror.destination, mirror.percentage.map({ ($0.value ?? 0) > 0 }) ?? true else {
                return nil
            }
            return Mirror(
                cluster: name(of: destination, namespace: namespace),
                fraction: FractionalPercent(percent: mirror.percentage?.value ?? 100))
        }
    }
}
