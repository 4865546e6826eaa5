import WeftConfig
import WeftIR

/// Filter chains for connections that are forwarded as they are.
extension OutboundListeners {
    /// The chains of `tcp` routes; the last one takes what no other does.
    func tcpChains(service: MeshService, port: MeshService.Port) -> [FilterChain] {
        let name = ClusterName.outbound(port: port.number, host: service.host)
        let routes = TCPRoutes(scope: scope).chains(to: service, port: port.number)
        var chains = routes.enumerated().map { index, route in
            var chain = FilterChain(name: route.isCatchAll ? name : "\(name)-\(index)")
            route.apply(to: &chain.match)
            chain.filters = ConnectionManagers(scope: scope).tcp(
                statPrefix: chain.name, cluster: route.cluster, provenance: route.provenance, reporter: .source)
            return chain
        }
        if routes.last?.isCatchAll != true {
            let filters = ConnectionManagers(scope: scope).tcp(
                statPrefix: name, cluster: .cluster(name), reporter: .source)
            chains.append(FilterChain(name: name, filters: filters))
        }
        return chains
    }

    /// Of `tls` routes, by the server name that a client asks for; without one the service's last chain takes over.
    func tlsChains(service: MeshService, port: MeshService.Port) -> [FilterChain] {
        TCPRoutes(scope: scope).tlsChains(to: service, port: port.number).enumerated().map { index, route in
            var chain = FilterChain(name: "\(service.host):\(port.number)-sni-\(index)")
            route.apply(to: &chain.match)
            chain.match.transportProtocol = "tls"
            chain.filters = ConnectionManagers(scope: scope).tcp(
                statPrefix: chain.name, cluster: route.cluster, provenance: route.provenance, reporter: .source)
            return chain
        }
    }
}
