import WeftConfig
import WeftCore
import WeftIR

/// Listeners, route tables and secrets of a gateway.
struct GatewayListeners {
    let scope: Scope
    private var managers: ConnectionManagers { ConnectionManagers(scope: scope) }

    init(scope: Scope) { self.scope = scope }

    func build(into configuration: inout ProxyConfiguration) -> [Diagnostic] {
        var diagnostics: [Diagnostic] = []
        let byName = Dictionary(grouping: scope.gatewayServers, by: \.listenerName)
        for (name, all) in byName.sorted(by: { $0.key < $1.key }) {
            let servers = compatible(all, &diagnostics)
            guard let first = servers.first else { continue }
            var listener = Listener(name: name, address: first.address)
            listener.trafficDirection = .outbound
            if first.isPlainHTTP { addHTTP(servers, name: first.routeName, to: &listener, &configuration) }
            for server in servers where !server.isPlainHTTP {
                addSecure(server, to: &listener, &configuration, &diagnostics)
            }
            GatewayTopology(scope: scope).apply(to: &listener)
            if !listener.filterChains.isEmpty { configuration.listeners[listener.name] = listener }
        }
        return diagnostics
    }

    /// Servers of one port that can stand side by side: all plain HTTP, or all TLS with different hosts, or one of plain
    /// TCP. The oldest Gateway decides; what does not go with it is left out, and a diagnostic says so.
    private func compatible(_ servers: [GatewayServer], _ diagnostics: inout [Diagnostic]) -> [GatewayServer] {
        guard let first = servers.first else { return [] }
        var taken: [(host: String, owner: GatewayServer)] = []
        var routes: Set<String> = []
        return servers.enumerated().filter { index, server in
            let fits = server.isPlainHTTP == first.isPlainHTTP && server.isSecure == first.isSecure
            guard fits, index == 0 || server.isPlainHTTP || server.isSecure else {
                let kind = first.isPlainHTTP ? "HTTP" : first.isSecure ? "TLS" : "TCP"
                report(
                    server, "port \(server.port) already serves \(kind) for \(first.gateway.resource)",
                    "give the server another port", &diagnostics)
                return false
            }
            guard server.isSecure, !server.isPassthrough || server.isAutoPassthrough else { return true }
            let hosts = server.hosts.map(\.host)
            if let other = taken.first(where: { hosts.contains($0.host) }) {
                report(
                    server,
                    "port \(server.port) already has a server for \(other.host) in \(other.owner.gateway.resource)",
                    "merge the two servers or give them different hosts", &diagnostics)
                return false
            }
            if server.isHTTPS, !routes.insert(server.routeName).inserted {
                report(
                    server, "port name \(server.server.port?.name ?? "") is used twice for port \(server.port)",
                    "give each server's port a name of its own", &diagnostics)
                return false
            }
            taken += hosts.map { ($0, server) }
            return true
        }.map(\.element)
    }

    private func addHTTP(
        _ servers: [GatewayServer], name: String, to listener: inout Listener,
        _ configuration: inout ProxyConfiguration
    ) {
        var chain = FilterChain(name: name)
        chain.filters = [
            .httpConnectionManager(managers.gateway(statPrefix: "outbound_\(listener.name);", routes: name))
        ]
        listener.filterChains.append(chain)
        configuration.routes[name] = GatewayRoutes(scope: scope).table(name: name, servers: servers)
    }

    private func addSecure(
        _ server: GatewayServer, to listener: inout Listener, _ configuration: inout ProxyConfiguration,
        _ diagnostics: inout [Diagnostic]
    ) {
        if server.isAutoPassthrough {
            listener.filterChains += AutoPassthrough(scope: scope).chains(for: server, &configuration)
            return
        }
        guard server.isHTTPS else { return addForwarding(server, to: &listener, &configuration, &diagnostics) }
        guard let tls = GatewayTLS(scope: scope).terminate(server, &configuration, &diagnostics) else { return }
        var chain = FilterChain(name: server.routeName)
        match(&chain, server)
        chain.tls = tls
        chain.filters = [
            .httpConnectionManager(
                managers.gateway(statPrefix: "outbound_\(listener.name);", routes: server.routeName))
        ]
        guard append(chain, to: &listener, server, &diagnostics) else { return }
        configuration.routes[server.routeName] = GatewayRoutes(scope: scope).table(
            name: server.routeName, servers: [server])
    }

    /// TCP, and TLS that either ends here or passes through.
    private func addForwarding(
        _ server: GatewayServer, to listener: inout Listener, _ configuration: inout ProxyConfiguration,
        _ diagnostics: inout [Diagnostic]
    ) {
        let routes = TCPRoutes(scope: scope, gateways: [server.gatewayName])
        let rules = scope.virtualServices.filter { !server.domains(of: $0).isEmpty }
        let name = "\(server.gatewayName)-\(server.port)"
        var tls: DownstreamTLS?
        if server.isSecure, !server.isPassthrough {
            tls = GatewayTLS(scope: scope).terminate(server, &configuration, &diagnostics)
            guard tls != nil else { return }
        }
        var isComplete = false
        for rule in rules where !isComplete {
            let found =
                server.isPassthrough
                ? routes.tlsChains(of: rule, port: server.port) : routes.chains(of: rule, port: server.port)
            for route in found {
                var chain = FilterChain(name: "\(name)-\(listener.filterChains.count)")
                if tls != nil { match(&chain, server) }
                chain.tls = tls
                let names = chain.match.serverNames
                route.apply(to: &chain.match)
                if server.isPassthrough {
                    chain.match.transportProtocol = "tls"
                } else {
                    chain.match.serverNames = names
                }
                chain.filters = managers.tcp(
                    statPrefix: chain.name, cluster: route.cluster, provenance: route.provenance, reporter: .source)
                append(chain, to: &listener, server, &diagnostics)
                if route.isCatchAll, !server.isPassthrough { isComplete = true }
            }
        }
    }

    private func match(_ chain: inout FilterChain, _ server: GatewayServer) {
        chain.match.transportProtocol = "tls"
        chain.match.serverNames = server.hosts.map(\.host).contains("*") ? [] : server.hosts.map(\.host)
        chain.provenance = Provenance(server.gateway.resource)
    }

    /// Names that another chain of the port has already stay with it: the older rule keeps them.
    /// - Returns: false if nothing is left.
    @discardableResult
    private func append(
        _ chain: FilterChain, to listener: inout Listener, _ server: GatewayServer, _ diagnostics: inout [Diagnostic]
    ) -> Bool {
        var rest = chain
        let same = listener.filterChains.filter {
            $0.match.transportProtocol == chain.match.transportProtocol
                && $0.match.prefixRanges == chain.match.prefixRanges
                && $0.match.sourcePrefixRanges == chain.match.sourcePrefixRanges
        }
        let taken = Set(same.flatMap(\.match.serverNames))
        let double = chain.match.serverNames.filter(taken.contains)
        let isDouble = chain.match.serverNames.isEmpty && same.contains { $0.match.serverNames.isEmpty }
        if isDouble || !double.isEmpty {
            report(
                server,
                "port \(server.port) already has a route for \(isDouble ? "*" : double.joined(separator: ", "))",
                "merge the two rules or give them different hosts", &diagnostics)
            rest.match.serverNames.removeAll(where: taken.contains)
            if isDouble || rest.match.serverNames.isEmpty { return false }
        }
        listener.filterChains.append(rest)
        return true
    }

    private func report(
        _ server: GatewayServer, _ message: String, _ hint: String, _ diagnostics: inout [Diagnostic]
    ) {
        diagnostics.append(
            Diagnostic(
                .error, code: "IST0145", resource: server.gateway.resource, path: server.path, message: message,
                hint: hint))
    }
}
