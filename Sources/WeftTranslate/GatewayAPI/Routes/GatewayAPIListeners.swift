import WeftConfig
import WeftCore
import WeftIR

/// Listeners, route tables and secrets that a proxy needs for the Gateways it stands for.
struct GatewayAPIListeners {
    let scope: Scope
    private var managers: ConnectionManagers { ConnectionManagers(scope: scope) }
    private var objects: GatewayAPIObjects { scope.snapshot.gatewayAPI.objects }

    init(scope: Scope) { self.scope = scope }

    func build(into configuration: inout ProxyConfiguration) {
        for gateway in scope.boundGateways where gateway.refusal == nil {
            let byPort = Dictionary(grouping: gateway.listeners.filter(\.isServed)) { $0.spec.port }
            for (port, listeners) in byPort.sorted(by: { $0.key < $1.key }) {
                add(listeners, port: port, of: gateway, to: &configuration)
            }
        }
    }

    private func add(
        _ listeners: [GatewayListenerState], port: Int, of gateway: BoundGateway,
        to configuration: inout ProxyConfiguration
    ) {
        let bound = scope.listenPort(port)
        let name = "0.0.0.0_\(bound)"
        var listener =
            configuration.listeners[name]
            ?? Listener(name: name, address: .ip("0.0.0.0", port: UInt16(clamping: bound)))
        listener.trafficDirection = .outbound
        listener.provenance = listener.provenance ?? Provenance(gateway.config.resource)
        let plain = listeners.filter { $0.protocol == "HTTP" }
        if !plain.isEmpty { addPlain(plain, port: port, name: "http.\(bound)", to: &listener, &configuration) }
        for state in listeners where state.protocol != "HTTP" {
            if state.protocol == "HTTPS" {
                addHTTPS(state, among: listeners, of: gateway, to: &listener, &configuration)
            } else {
                addStream(state, among: listeners, of: gateway, to: &listener, &configuration)
            }
        }
        GatewayTopology(scope: scope).apply(to: &listener)
        if !listener.filterChains.isEmpty { configuration.listeners[name] = listener }
    }

    // MARK: - HTTP

    private func addPlain(
        _ states: [GatewayListenerState], port: Int, name: String, to listener: inout Listener,
        _ configuration: inout ProxyConfiguration
    ) {
        if !listener.filterChains.contains(where: { $0.name == name }) {
            var chain = FilterChain(name: name)
            chain.filters = [
                .httpConnectionManager(managers.gateway(statPrefix: "outbound_\(listener.name);", routes: name))
            ]
            listener.filterChains.append(chain)
        }
        let tables = GatewayRouteTables(scope: scope, port: port, isTLS: false)
        // A Gateway of Istio's own kind on the same port keeps the hosts that it has.
        tables.merge(tables.virtualHosts(of: states), into: &configuration, name: name)
    }

    private func addHTTPS(
        _ state: GatewayListenerState, among states: [GatewayListenerState], of gateway: BoundGateway,
        to listener: inout Listener, _ configuration: inout ProxyConfiguration
    ) {
        let name =
            "https.\(state.spec.port).\(state.spec.name).\(state.owner.name).\(state.owner.namespace)"
        var chain = chain(name, state, &configuration)
        chain.filters = [
            .httpConnectionManager(managers.gateway(statPrefix: "outbound_\(listener.name);", routes: name))
        ]
        listener.filterChains.append(chain)
        let tables = GatewayRouteTables(scope: scope, port: state.spec.port, isTLS: true)
        let others = states.filter { $0.protocol == "HTTPS" && $0.hostname != state.hostname }
        tables.merge(tables.virtualHosts(of: state, others: others), into: &configuration, name: name)
    }

    private func chain(_ name: String, _ state: GatewayListenerState, _ configuration: inout ProxyConfiguration)
        -> FilterChain
    {
        var chain = FilterChain(name: name)
        chain.match.transportProtocol = "tls"
        chain.match.serverNames = state.hostname == "*" ? [] : [state.hostname]
        chain.provenance = Provenance(state.owner)
        var tls = DownstreamTLS()
        tls.common.alpnProtocols = state.protocol == "HTTPS" ? ["h2", "http/1.1"] : []
        tls.common.minimumVersion = .v1_2
        if state.usesMeshCertificate {
            tls.common.certificates = [.workloadCertificate]
            tls.common.validation = .workloadTrustBundle
            tls.requireClientCertificate = true
        }
        for secret in state.certificates {
            configuration.secrets[secret.name] = secret
            tls.common.certificates.append(SecretReference(name: secret.name, source: .ads))
        }
        if let authority = state.clientAuthority {
            configuration.secrets[authority.name] = authority
            tls.common.validation = SecretReference(name: authority.name, source: .ads)
            tls.requireClientCertificate = state.clientMode == .allowValidOnly
            tls.common.rules.acceptsUntrusted = state.clientMode == .allowInsecureFallback
        }
        chain.tls = tls
        return chain
    }

    // MARK: - TLS and TCP

    private func addStream(
        _ state: GatewayListenerState, among states: [GatewayListenerState], of gateway: BoundGateway,
        to listener: inout Listener, _ configuration: inout ProxyConfiguration
    ) {
        let base = "\(state.owner.namespace)/\(state.owner.name)-\(state.spec.name)"
        let others = states.filter { $0.protocol != "HTTP" && $0.protocol != "TCP" && $0.hostname != state.hostname }
        var isServed = false
        for (position, entry) in state.routes.enumerated() {
            let names = entry.hostnames.filter { name in !others.contains { $0.takes(name, before: state) } }
            guard !names.isEmpty else { continue }
            isServed = true
            let route = objects.routes[entry.route]
            add(
                named: state.routes.count == 1 ? base : "\(base)-\(position)", state, serverNames: names,
                to: GatewayStreamRoutes(scope: scope).cluster(of: route), Provenance(route.resource, rule: 0),
                &listener,
                &configuration)
        }
        // A listener without a route for its own host still keeps others away from it.
        guard !isServed, state.protocol == "TLS", others.contains(where: { state.takes(state.hostname, before: $0) })
        else { return }
        add(
            named: base, state, serverNames: [state.hostname], to: .cluster(ClusterName.blackHole),
            Provenance(state.owner), &listener, &configuration)
    }

    private func add(
        named name: String, _ state: GatewayListenerState, serverNames: [String], to cluster: ClusterSelector,
        _ provenance: Provenance, _ listener: inout Listener, _ configuration: inout ProxyConfiguration
    ) {
        var chain = FilterChain(name: name)
        if state.protocol == "TLS" {
            if state.isPassthrough {
                chain.match.transportProtocol = "tls"
            } else {
                chain = self.chain(name, state, &configuration)
            }
            chain.match.serverNames = serverNames.contains("*") ? [] : serverNames
        }
        chain.provenance = Provenance(state.owner)
        chain.filters = managers.tcp(
            statPrefix: name, cluster: cluster, provenance: provenance, reporter: .source)
        listener.filterChains.append(chain)
    }
}

/// Virtual hosts of HTTP and HTTPS listeners.
struct GatewayRouteTables {
    let scope: Scope
    let port: Int
    let isTLS: Bool

    /// Listeners of one port without TLS: the most specific one that knows a host has it alone.
    func virtualHosts(of states: [GatewayListenerState]) -> [VirtualHost] {
        states.flatMap { state in
            hosts(of: state) { domain in states.contains { $0.takes(domain, before: state) } }
        }
    }

    /// One listener with TLS: a request for a host of another listener has come down the wrong connection (421).
    func virtualHosts(of state: GatewayListenerState, others: [GatewayListenerState]) -> [VirtualHost] {
        var hosts = hosts(of: state) { domain in others.contains { $0.takes(domain, before: state) } }
        for other in others where !hosts.contains(where: { $0.domains.contains(other.hostname) }) {
            let answer = DirectResponse(status: 421, body: "this host is served on connections for \(other.hostname)")
            var route = Route(
                name: "misdirected", match: RouteMatch(path: .prefix("/")), action: .directResponse(answer))
            route.provenance = Provenance(other.owner)
            hosts.append(VirtualHost(name: "\(other.hostname):\(port)", domains: [other.hostname], routes: [route]))
        }
        return hosts
    }

    /// - Parameter belongsElsewhere: whether a more specific listener has a host.
    private func hosts(of state: GatewayListenerState, belongsElsewhere: (String) -> Bool) -> [VirtualHost] {
        let builder = GatewayHTTPRoutes(scope: scope, listenerPort: port, isTLS: isTLS)
        var byDomain: [String: [RankedRoute]] = [:]
        // A listener without a route for its own host still keeps others away from it.
        if state.hostname != "*" { byDomain[state.hostname] = [] }
        for entry in state.routes {
            let routes = builder.routes(of: entry.route)
            for domain in entry.hostnames where !belongsElsewhere(domain) { byDomain[domain, default: []] += routes }
        }
        return byDomain.sorted { $0.key < $1.key }.map { domain, routes in
            var host = VirtualHost(name: "\(domain):\(port)", domains: [domain], routes: RankedRoute.sorted(routes))
            host.includeRequestAttemptCount = true
            return host
        }
    }

    /// Adds hosts to a table; those that it has already stay.
    func merge(_ hosts: [VirtualHost], into configuration: inout ProxyConfiguration, name: String) {
        var table = configuration.routes[name] ?? RouteConfiguration(name: name)
        table.ignorePortInHostMatching = true
        table.virtualHosts.removeAll { $0.name.hasPrefix("blackhole:") }
        let taken = Set(table.virtualHosts.flatMap(\.domains))
        table.virtualHosts += hosts.filter { taken.isDisjoint(with: $0.domains) }
        if table.virtualHosts.isEmpty {
            table.virtualHosts = [VirtualHost(name: "blackhole:\(port)", domains: ["*"])]
        }
        configuration.routes[name] = table
    }
}

extension Scope {
    /// The Gateways that this proxy stands for: by the label that deployed gateways carry, or because the Service that a
    /// Gateway names as its address selects it.
    var boundGateways: [BoundGateway] {
        guard proxy.kind == .router else { return [] }
        return snapshot.gatewayAPI.gateways.filter { gateway in
            if gateway.hasManualAddress {
                return gateway.manualServices.contains { host in
                    guard let service = snapshot.gatewayAPI.objects.services[host],
                        service.namespace == proxy.namespace, let selector = service.selector, !selector.isEmpty
                    else { return false }
                    return selector.allSatisfy { proxy.labels[$0.key] == $0.value }
                }
            }
            return gateway.namespace == proxy.namespace && proxy.labels[GatewayLabels.gatewayName] == gateway.name
        }
    }
}

extension BoundGateway {
    /// Hosts of the Services that an address names; a short name is in the Gateway's namespace.
    var manualServices: [String] {
        (config.spec.addresses ?? []).filter { $0.effectiveType == "Hostname" }.compactMap(\.value).map { value in
            value.hasSuffix(".svc.\(MeshSnapshot.clusterDomain)")
                ? value : MeshSnapshot.resolve(host: value, namespace: namespace)
        }
    }
}

/// Labels of deployed gateways.
package enum GatewayLabels {
    package static let gatewayName = "gateway.networking.k8s.io/gateway-name"
    package static let className = "gateway.networking.k8s.io/gateway-class-name"
    package static let managed = "gateway.istio.io/managed"
}
