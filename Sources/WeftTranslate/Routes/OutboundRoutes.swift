import WeftConfig
import WeftCore
import WeftIR

/// Route tables of a sidecar's outbound listeners.
struct OutboundRoutes {
    let scope: Scope

    /// The table of all declared HTTP services on a port, under the port's number.
    func table(port: Int, name: String? = nil) -> RouteConfiguration {
        var table = begin(name ?? String(port))
        var taken: Set<String> = ["*"]
        for service in scope.services where service.port(port)?.protocol.isHTTP == true {
            add(service, port: port, to: &table, &taken)
        }
        if port == 80 { table.virtualHosts += unregisteredHosts(port: port, taken: &taken) }
        table.virtualHosts.append(fallback)
        return table
    }

    /// The table of one service on a listener of its own, where the first bytes showed HTTP.
    func table(service: MeshService, port: Int) -> RouteConfiguration {
        var table = begin("\(service.host):\(port)")
        if let deferred = deferred(for: service) {
            deferred.add(VirtualHostInputs(deferred.common, service, port: port, domains: .any, in: scope), to: &table)
        } else {
            let rule = scope.virtualService(for: service.host)
            table.virtualHosts = [virtualHost(for: service, port: port, domains: ["*"], rule: rule)]
        }
        return table
    }

    private func begin(_ table: String) -> RouteConfiguration {
        scope.deferred?.begin(table)
        return RouteConfiguration(name: table)
    }

    /// Routes of the Gateway API come from more than a virtual host names as its inputs.
    private func deferred(for service: MeshService) -> DeferredHosts? {
        scope.snapshot.gatewayAPI.meshRoutes[service.host] == nil ? scope.deferred : nil
    }

    /// Puts a service's virtual host into a table, under those of its domains that nobody has yet.
    private func add(
        _ service: MeshService, port: Int, to table: inout RouteConfiguration, _ taken: inout Set<String>
    ) {
        let domains = domains(of: service, port: port)
        let others = domains.filter(taken.contains)
        let mine = domains.filter { taken.insert($0).inserted }
        guard !mine.isEmpty else { return }
        guard let deferred = deferred(for: service) else {
            let rule = scope.virtualService(for: service.host)
            return table.virtualHosts.append(virtualHost(for: service, port: port, domains: mine, rule: rule))
        }
        deferred.add(
            VirtualHostInputs(deferred.common, service, port: port, domains: .own(without: others), in: scope),
            to: &table)
    }

    /// - Parameter rule: The VirtualService in force for the service.
    func virtualHost(
        for service: MeshService, port: Int, domains: [String], rule: Config<VirtualService>?
    ) -> VirtualHost {
        let builder = HTTPRoutes(scope: scope, listenerPort: port, gateways: [GatewayName.mesh])
        var host = VirtualHost(name: "\(service.host):\(port)", domains: domains)
        host.includeRequestAttemptCount = true
        if let routes = GatewayMeshRoutes(scope: scope).http(to: service, port: port) {
            host.routes = routes
            return host
        }
        if let rule { host.routes = builder.routes(of: rule) }
        // Without a rule, or with one that has nothing for this proxy and port, the service is reached as it is.
        if host.routes.isEmpty { host.routes = [builder.standardRoute(to: service, port: port)] }
        return host
    }

    /// Hosts that only a VirtualService knows; Istio puts them on port 80 alone.
    private func unregisteredHosts(port: Int, taken: inout Set<String>) -> [VirtualHost] {
        var hosts: [VirtualHost] = []
        for rule in scope.virtualServices
        where GatewayName.names(of: rule).contains(GatewayName.mesh) && rule.spec.http?.isEmpty == false {
            for name in rule.spec.hosts ?? [] {
                let host = MeshSnapshot.resolve(host: name, namespace: rule.namespace)
                guard host != "*", scope.service(host: host) == nil, !isWildcardOverServices(host) else { continue }
                let routes = HTTPRoutes(scope: scope, listenerPort: port, gateways: [GatewayName.mesh]).routes(of: rule)
                guard !routes.isEmpty else { continue }
                let domains = [host, "\(host):\(port)"].filter { taken.insert($0).inserted }
                guard !domains.isEmpty else { continue }
                var virtualHost = VirtualHost(name: "\(host):\(port)", domains: domains, routes: routes)
                virtualHost.includeRequestAttemptCount = true
                hosts.append(virtualHost)
            }
        }
        return hosts
    }

    /// A wildcard that covers services applies to those services, on their own ports.
    private func isWildcardOverServices(_ host: String) -> Bool {
        host.hasPrefix("*") && scope.services.contains { HostPattern.matches(host, $0.host) }
    }

    /// The table of a Unix socket: every port of every HTTP service; a host without a port is its first.
    func table(socket name: String) -> RouteConfiguration {
        var table = begin(name)
        var taken: Set<String> = ["*"]
        for service in scope.services {
            for port in service.ports where port.protocol.isHTTP {
                add(service, port: port.number, to: &table, &taken)
            }
        }
        table.virtualHosts.append(fallback)
        return table
    }

    /// Where requests for unknown hosts go.
    private var fallback: VirtualHost {
        let unknown = scope.unknownHTTP
        guard unknown.cluster != ClusterName.blackHole else {
            let route = Route(
                name: "block_all", match: RouteMatch(path: .prefix("/")),
                action: .directResponse(DirectResponse(status: 502)))
            return VirtualHost(name: "block_all", domains: ["*"], routes: [route])
        }
        var action = RouteAction(cluster: .cluster(unknown.cluster))
        action.timeoutMilliseconds = 0
        action.grpcTimeoutHeaderMaxMilliseconds = 0
        var route = Route(name: "allow_any", match: RouteMatch(path: .prefix("/")), action: .forward(action))
        route.provenance = unknown.provenance
        return VirtualHost(name: "allow_any", domains: ["*"], routes: [route])
    }

    private func own(_ service: MeshService) -> [String] {
        guard service.resource.kind == "Service" else { return [service.host] }
        let bare = service.namespace == scope.proxy.namespace ? [service.name] : []
        return [service.host] + bare
            + ["\(service.name).\(service.namespace).svc", "\(service.name).\(service.namespace)"]
    }

    /// Every form in which a client may write the host, each with and without the port.
    func domains(of service: MeshService, port: Int) -> [String] {
        var names = own(service)
        if service.resolution == .headless { names += names.map { "*.\($0)" } }
        for alias in scope.aliases[service.host] ?? [] { names += own(alias) }
        names += scope.addresses(of: service).filter { !$0.contains("/") }.map { $0.contains(":") ? "[\($0)]" : $0 }
        return names.flatMap { [$0, "\($0):\(port)"] }
    }
}

extension Scope {
    /// The VirtualService for a host inside the mesh: the most specific host, then the first in order.
    func virtualService(for host: String) -> Config<VirtualService>? {
        meshRules.best(host).map { virtualServices[$0] }
    }
}
