import WeftConfig
import WeftIR

/// Routes whose parent is a Service: they steer what workloads of the mesh send to it (GAMMA).
///
/// A route in the Service's own namespace holds for every caller. One in another namespace holds for callers of that
/// namespace alone, and there it comes first.
struct GatewayMeshRoutes {
    let scope: Scope
    private var model: GatewayAPIModel { scope.snapshot.gatewayAPI }

    init(scope: Scope) { self.scope = scope }

    /// Indices of the routes of some kinds that hold for this proxy at a port of a service; empty when there are none.
    private func routes(to service: MeshService, port: Int, kinds: Set<String>) -> [Int] {
        let attached = (model.meshRoutes[service.host] ?? []).filter {
            ($0.port ?? port) == port && kinds.contains(model.objects.routes[$0.route].kind)
        }.map(\.route)
        let consumer = attached.filter {
            let namespace = model.objects.routes[$0].namespace
            return namespace == scope.proxy.namespace && namespace != service.namespace
        }
        if !consumer.isEmpty { return consumer }
        return attached.filter { model.objects.routes[$0].namespace == service.namespace }
    }

    /// HTTP routes in order, or `nil` when no HTTPRoute or GRPCRoute is attached. What none of them takes gets 404.
    func http(to service: MeshService, port: Int) -> [Route]? {
        let attached = routes(to: service, port: port, kinds: ["HTTPRoute", "GRPCRoute"])
        guard !attached.isEmpty else { return nil }
        let builder = GatewayHTTPRoutes(scope: scope, listenerPort: port)
        return RankedRoute.sorted(attached.flatMap(builder.routes(of:)))
    }

    /// Where connections go by a TCPRoute.
    func tcp(to service: MeshService, port: Int) -> TCPRoutes.Chain? {
        routes(to: service, port: port, kinds: ["TCPRoute"]).first.map { index in
            let route = model.objects.routes[index]
            return TCPRoutes.Chain(
                cluster: GatewayStreamRoutes(scope: scope).cluster(of: route),
                provenance: Provenance(route.resource, rule: 0))
        }
    }

    /// Where connections go by the TLSRoutes of a service, by server name.
    func tls(to service: MeshService, port: Int) -> [TCPRoutes.Chain] {
        routes(to: service, port: port, kinds: ["TLSRoute"]).map { index in
            let route = model.objects.routes[index]
            return TCPRoutes.Chain(
                names: route.hostnames, cluster: GatewayStreamRoutes(scope: scope).cluster(of: route),
                provenance: Provenance(route.resource, rule: 0))
        }
    }

    // MARK: - By address

    /// Gives services with routes a listener at their own address, so that the address decides and no header can say
    /// otherwise; other services of the port are still told apart by host.
    func addListeners(to configuration: inout ProxyConfiguration) {
        for service in scope.services where model.meshRoutes[service.host] != nil && service.resolution == .endpoints {
            for port in service.ports where port.protocol.isHTTP {
                guard let routes = http(to: service, port: port.number) else { continue }
                let name = "\(service.host):\(port.number)"
                var host = VirtualHost(name: name, domains: ["*"], routes: routes)
                host.includeRequestAttemptCount = true
                configuration.routes[name] = RouteConfiguration(name: name, virtualHosts: [host])
                for address in service.addresses where !address.contains("/") {
                    let listener = OutboundListeners(scope: scope).httpListener(
                        address: address, port: port.number, routes: name)
                    configuration.listeners[listener.name] = listener
                }
            }
        }
    }
}
