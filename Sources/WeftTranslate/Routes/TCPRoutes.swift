import WeftConfig
import WeftIR

/// The `tcp` and `tls` parts of VirtualServices.
struct TCPRoutes {
    let scope: Scope
    var gateways: Set<String> = [GatewayName.mesh]

    /// Where connections go that a listener's filter chain can tell by their addresses or by the name they ask for.
    struct Chain {
        /// Server names, without the `*` that stands for all; empty for `tcp` routes.
        var names: [String] = []
        /// Of the original destination, and of the client; empty for any.
        var destinations: [CIDR] = []
        var sources: [CIDR] = []
        var cluster: ClusterSelector
        var provenance: Provenance

        var isCatchAll: Bool { names.isEmpty && destinations.isEmpty && sources.isEmpty }

        func apply(to match: inout FilterChainMatch) {
            match.serverNames = names
            match.prefixRanges = destinations
            match.sourcePrefixRanges = sources
        }
    }

    // MARK: - tcp

    func chains(to service: MeshService, port: Int) -> [Chain] {
        if let attached = GatewayMeshRoutes(scope: scope).tcp(to: service, port: port) { return [attached] }
        return scope.virtualService(for: service.host).map { chains(of: $0, port: port) } ?? []
    }

    /// In order; the first one that takes every connection is the last.
    func chains(of config: Config<VirtualService>, port: Int) -> [Chain] {
        var result: [Chain] = []
        for (index, rule) in (config.spec.tcp ?? []).enumerated() {
            guard let cluster = cluster(rule.route ?? [], namespace: config.namespace, port: port) else { continue }
            let provenance = Provenance(config.resource, rule: index)
            let matches = rule.match.map { $0.isEmpty ? [nil] : $0.map { $0 } } ?? [nil]
            for match in matches where applies(match, port: port, rule: config.namespace) {
                let chain = Chain(
                    destinations: (match?.destinationSubnets ?? []).compactMap(Subnet.parse),
                    sources: [match?.sourceSubnet].compactMap { $0 }.compactMap(Subnet.parse), cluster: cluster,
                    provenance: provenance)
                result.append(chain)
                if chain.isCatchAll { return Self.distinct(result) }
            }
        }
        return Self.distinct(result)
    }

    private func applies(_ match: VirtualService.TCPRoute.Match?, port: Int, rule namespace: String) -> Bool {
        guard let match else { return true }
        return applies(
            port: match.port, on: port, gateways: match.gateways, labels: match.sourceLabels,
            namespace: match.sourceNamespace, rule: namespace)
    }

    // MARK: - tls

    func tlsChains(to service: MeshService, port: Int) -> [Chain] {
        let attached = GatewayMeshRoutes(scope: scope).tls(to: service, port: port)
        if !attached.isEmpty { return attached }
        return scope.virtualService(for: service.host).map { tlsChains(of: $0, port: port) } ?? []
    }

    func tlsChains(of config: Config<VirtualService>, port: Int) -> [Chain] {
        var result: [Chain] = []
        for (index, rule) in (config.spec.tls ?? []).enumerated() {
            guard let cluster = cluster(rule.route ?? [], namespace: config.namespace, port: port) else { continue }
            for match in rule.match ?? [] {
                guard
                    applies(
                        port: match.port, on: port, gateways: match.gateways, labels: match.sourceLabels,
                        namespace: match.sourceNamespace, rule: config.namespace)
                else { continue }
                result.append(
                    Chain(
                        names: (match.sniHosts ?? []).filter { $0 != "*" }.map(\.smallLetters),
                        destinations: (match.destinationSubnets ?? []).compactMap(Subnet.parse), cluster: cluster,
                        provenance: Provenance(config.resource, rule: index)))
            }
        }
        return Self.distinct(result)
    }

    // MARK: - Both

    /// Without what an earlier chain takes already: a proxy refuses a listener with two chains for the same connections.
    private static func distinct(_ chains: [Chain]) -> [Chain] {
        var taken: Set<String> = []
        return chains.compactMap { chain in
            func isNew(_ name: String, _ range: CIDR?) -> Bool {
                taken.insert("\(name) \(range.map { "\($0)" } ?? "") \(chain.sources)").inserted
            }
            var chain = chain
            guard !chain.names.isEmpty else {
                guard !chain.destinations.isEmpty else { return isNew("", nil) ? chain : nil }
                chain.destinations = chain.destinations.filter { isNew("", $0) }
                return chain.destinations.isEmpty ? nil : chain
            }
            let ranges: [CIDR?] = chain.destinations.isEmpty ? [nil] : chain.destinations
            chain.names = chain.names.filter { name in ranges.allSatisfy { isNew(name, $0) } }
            return chain.names.isEmpty ? nil : chain
        }
    }

    private func applies(
        port: Int?, on listener: Int, gateways names: [String]?, labels: [String: String]?, namespace: String?,
        rule: String
    ) -> Bool {
        if let port, port != 0, port != listener { return false }
        if let names, !names.isEmpty {
            return names.contains { gateways.contains(GatewayName.resolve($0, namespace: rule)) }
        }
        return scope.isSource(labels: labels, namespace: namespace)
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

/// Address prefixes as rules write them: `10.1.0.0/16`, or one address.
enum Subnet {
    /// `nil` for what is no address; validation refuses such a rule.
    static func parse(_ text: String) -> CIDR? {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let address = String(parts[0])
        let most: UInt8 = address.contains(":") ? 128 : 32
        guard !address.isEmpty else { return nil }
        guard parts.count == 2 else { return CIDR(address, prefixLength: most) }
        return UInt8(parts[1]).flatMap { $0 <= most ? CIDR(address, prefixLength: $0) : nil }
    }
}
