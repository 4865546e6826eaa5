import WeftConfig
import WeftIR

/// Route tables of gateway listeners: the routes of every VirtualService bound to a server, by host.
struct GatewayRoutes {
    let scope: Scope

    /// Routes for one host from several objects follow each other in order of age; those that take everything come last.
    func table(name: String, servers: [GatewayServer]) -> RouteConfiguration {
        var table = RouteConfiguration(name: name)
        table.ignorePortInHostMatching = true
        var hosts: [String: VirtualHost] = [:]
        for server in servers {
            let builder = HTTPRoutes(
                scope: scope, listenerPort: server.port, gateways: [server.gatewayName],
                isTLS: server.isHTTPS)
            for rule in scope.virtualServices where rule.spec.http?.isEmpty == false {
                for domain in server.domains(of: rule) {
                    var host = hosts[domain] ?? VirtualHost(name: "\(domain):\(server.port)", domains: [domain])
                    host.includeRequestAttemptCount = true
                    host.routes += builder.routes(of: rule)
                    if server.server.tls?.httpsRedirect == true { host.requireTLS = .all }
                    hosts[domain] = host
                }
            }
            if server.server.tls?.httpsRedirect == true {
                for (_, domain) in server.hosts {
                    var host = hosts[domain] ?? VirtualHost(name: "\(domain):\(server.port)", domains: [domain])
                    host.requireTLS = .all
                    hosts[domain] = host
                }
            }
        }
        table.virtualHosts = hosts.values.sorted { $0.name < $1.name }.map { host in
            var host = host
            let (all, narrow) = (
                host.routes.filter { RouteMatches.isCatchAll($0.match) },
                host.routes.filter { !RouteMatches.isCatchAll($0.match) }
            )
            host.routes = narrow + all
            return host
        }
        if table.virtualHosts.isEmpty {
            // No route at all: every request is answered with 404.
            table.virtualHosts = [VirtualHost(name: "blackhole:\(servers.first?.port ?? 0)", domains: ["*"])]
        }
        return table
    }
}
