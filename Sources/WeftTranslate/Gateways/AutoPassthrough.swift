import WeftConfig
import WeftIR

/// Servers of mode AUTO_PASSTHROUGH, as gateways between networks are: mutual TLS of sidecars passes as it is, and the name
/// that it asks for (`outbound_.80_.v1_.reviews.dev.svc.cluster.local`) says where to.
struct AutoPassthrough {
    let scope: Scope

    private static let protocols = ["istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2"]

    /// One chain and one cluster without TLS for every port and subset of every service of the mesh that the server's
    /// hosts cover.
    func chains(for server: GatewayServer, _ configuration: inout ProxyConfiguration) -> [FilterChain] {
        var chains: [FilterChain] = []
        for service in scope.services where !service.isExternal && covers(server, service) {
            let destination = scope.destinationPolicy(for: service)
            for port in service.ports where port.protocol != .udp {
                for subset in [nil] + (destination?.subsets.map { $0 } ?? []) {
                    chains.append(chain(service, port, subset, destination, &configuration))
                }
            }
        }
        return chains
    }

    private func covers(_ server: GatewayServer, _ service: MeshService) -> Bool {
        server.hosts.contains { namespace, host in
            (namespace == "*" || namespace == service.namespace) && HostPattern.matches(host, service.host)
        }
    }

    private func chain(
        _ service: MeshService, _ port: MeshService.Port, _ subset: DestinationRule.Subset?,
        _ destination: DestinationPolicy?, _ configuration: inout ProxyConfiguration
    ) -> FilterChain {
        let name = ClusterName.serverName(port: port.number, subset: subset?.name ?? "", host: service.host)
        OutboundClusters(scope: scope).addPassthrough(name, service, port, subset, destination, to: &configuration)
        var chain = FilterChain(name: name)
        chain.match.transportProtocol = "tls"
        chain.match.serverNames = [name]
        chain.match.applicationProtocols = Self.protocols
        chain.filters = ConnectionManagers(scope: scope).tcp(
            statPrefix: name, cluster: .cluster(name), reporter: .source)
        return chain
    }
}
