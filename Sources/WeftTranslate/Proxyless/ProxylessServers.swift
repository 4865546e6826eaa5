import WeftConfig
import WeftCore
import WeftIR

/// Listeners of gRPC servers that have no proxy. A server asks for one by the address that it listens on
/// (`server_listener_resource_name_template` of the bootstrap): `xds.istio.io/grpc/lds/inbound/0.0.0.0:7070`.
///
/// Such a server cannot tell TLS from plain text on one port. PERMISSIVE is therefore plain text, unless the pod says
/// that its callers use mutual TLS (`security.istio.io/tlsMode: istio`): then it is STRICT, as in Istio.
struct ProxylessServers {
    let scope: Scope

    /// What stands before the address in the names of the listeners.
    static let namePrefix = "xds.istio.io/grpc/lds/inbound/"

    /// - Parameter address: The pod's own.
    func listeners(at address: String) -> [Listener] {
        InboundListener(scope: scope).ports.filter { $0.protocol.isHTTP || $0.protocol == .sniffed }.flatMap { port in
            Set(["0.0.0.0", "::", "127.0.0.1", "::1", address]).sorted().map { listener(port, at: $0) }
        }
    }

    private func listener(_ port: InboundListener.Port, at address: String) -> Listener {
        let number = UInt16(clamping: port.number)
        let place = address.contains(":") ? "[\(address)]:\(number)" : "\(address):\(number)"
        var listener = Listener(name: Self.namePrefix + place, address: .ip(address, port: number))
        listener.trafficDirection = .inbound
        let mode = InboundListener(scope: scope).mode(of: port)
        let isMutual = mode.mode == .strict || mode.mode == .permissive && announcesMutualTLS
        var chain = FilterChain(name: isMutual ? "inbound-mtls" : "inbound-plaintext")
        if isMutual { chain.tls = InboundListener(scope: scope).serverTLS(.http) }
        chain.provenance = mode.source.map { Provenance($0) }
        let routes = RouteConfiguration(name: chain.name, virtualHosts: [])
        chain.filters = [
            .httpConnectionManager(
                HTTPConnectionManager(
                    statPrefix: chain.name, routes: .inline(routes), filters: filters(isMutual: isMutual)))
        ]
        listener.filterChains = [chain]
        return listener
    }

    private var announcesMutualTLS: Bool { scope.proxy.labels["security.istio.io/tlsMode"] == "istio" }

    /// Access rules, each under a name of its own. What a server cannot do refuses: a CUSTOM policy refuses what it
    /// matches, and a condition on a token matches no request.
    private func filters(isMutual: Bool) -> [HTTPFilter] {
        var rules = [RevokedIdentities(scope.mesh).refusal, isMutual ? strangers : nil].compactMap { $0 }
        rules += ExternalAuthorizers(scope: scope).refusals(.http)
        rules += AuthorizationFilters(scope: scope).rules(.http).filter { $0.action != .log }.map { rule in
            var enforced = rule
            enforced.shadowAction = nil
            enforced.shadowPolicies = []
            enforced.shadowStatPrefix = ""
            return enforced
        }
        return rules.enumerated().map { HTTPFilter(name: "envoy.filters.http.rbac.\($0)", kind: .rbac($1)) }
            + [HTTPFilter(name: "envoy.filters.http.router", kind: .router)]
    }

    /// Callers of another trust domain: a server's TLS settings cannot name callers, so a rule does.
    private var strangers: RBAC {
        let own = scope.mesh.trustDomains.map { Principal.authenticated(StringMatcher(.prefix("spiffe://\($0)/"))) }
        return RBAC(
            action: .deny,
            policies: [RBAC.Policy(name: "other-trust-domains", permissions: [.any], principals: [.not(.or(own))])])
    }
}
