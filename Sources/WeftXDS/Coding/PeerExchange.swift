import WeftIR

/// Over `istio-peer-exchange` the client's proxy speaks of itself first, which `weft-proxy` does and takes. Envoy 1.40 has
/// no filter for that, so it must neither offer nor accept the protocol.
private let exchangeProtocol = "istio-peer-exchange"

extension CommonTLS {
    fileprivate mutating func removeExchange() { alpnProtocols.removeAll { $0 == exchangeProtocol } }
}

extension Listener {
    /// The same for a proxy that cannot exchange metadata on plain connections.
    func without(exchange target: Target) -> Listener {
        guard target == .envoy else { return self }
        var listener = self
        for index in listener.filterChains.indices { listener.filterChains[index].tls?.common.removeExchange() }
        listener.defaultFilterChain?.tls?.common.removeExchange()
        return listener
    }
}

extension Cluster {
    /// The same for a proxy that cannot exchange metadata on plain connections.
    func without(exchange target: Target) -> Cluster {
        guard target == .envoy else { return self }
        var cluster = self
        cluster.tls?.common.removeExchange()
        for index in cluster.transportSocketMatches.indices {
            cluster.transportSocketMatches[index].tls?.common.removeExchange()
        }
        return cluster
    }
}
