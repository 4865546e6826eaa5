import WeftConfig
import WeftCore
import WeftIR

/// Listeners for what a workload sends: the one that captures, one per HTTP port, one per other service port.
struct OutboundListeners {
    let scope: Scope
    private var managers: ConnectionManagers { ConnectionManagers(scope: scope) }

    /// How plaintext HTTP looks to the inspector.
    static let httpProtocols = ["http/1.0", "http/1.1", "h2c"]

    init(scope: Scope) { self.scope = scope }

    func build(into configuration: inout ProxyConfiguration) {
        add(capture, to: &configuration)
        let routes = OutboundRoutes(scope: scope)
        for port in httpPorts {
            add(httpListener(port: port), to: &configuration)
            configuration.routes[String(port)] = routes.table(port: port)
        }
        for service in scope.services {
            for port in service.ports where port.protocol != .udp && !port.protocol.isHTTP {
                for listener in listeners(of: service, port: port) { add(listener, to: &configuration) }
                guard port.protocol == .sniffed else { continue }
                let table = routes.table(service: service, port: port.number)
                configuration.routes[table.name] = table
            }
        }
    }

    private var httpPorts: [Int] {
        Set(scope.services.flatMap(\.ports).filter(\.protocol.isHTTP).map(\.number)).sorted()
    }

    private func add(_ listener: Listener, to configuration: inout ProxyConfiguration) {
        if configuration.listeners[listener.name] == nil { configuration.listeners[listener.name] = listener }
    }

    // MARK: - Capture

    private var capture: Listener {
        var listener = Listener(name: "virtualOutbound", address: .ip("0.0.0.0", port: 15001))
        listener.useOriginalDestination = true
        listener.trafficDirection = .outbound
        var loop = FilterChain(name: "virtualOutbound-trap")
        loop.match.destinationPort = 15001
        loop.filters = [
            .tcpProxy(TCPProxy(statPrefix: ClusterName.blackHole, cluster: .cluster(ClusterName.blackHole)))
        ]
        listener.filterChains = [loop, fallback("virtualOutbound-catchall-tcp")]
        return listener
    }

    private func fallback(_ name: String) -> FilterChain {
        let cluster = scope.allowsAnyOutbound ? ClusterName.passthrough : ClusterName.blackHole
        return FilterChain(
            name: name, filters: managers.tcp(statPrefix: cluster, cluster: .cluster(cluster), reporter: .source))
    }

    // MARK: - HTTP

    /// All declared HTTP services of a port; anything else that goes there passes through.
    private func httpListener(port: Int) -> Listener {
        let name = "0.0.0.0_\(port)"
        var listener = self.listener(name: name, address: "0.0.0.0", port: port)
        listener.listenerFilters = [.tlsInspector, .httpInspector]
        listener.listenerFiltersTimeoutMilliseconds = 0
        listener.filterChains = [httpChain(name: name, routes: String(port))]
        listener.defaultFilterChain = fallback("PassthroughFilterChain")
        return listener
    }

    /// One HTTP service at its own address; anything but HTTP that goes there passes through.
    func httpListener(address: String, port: Int, routes: String) -> Listener {
        let name = "\(address)_\(port)"
        var listener = self.listener(name: name, address: address, port: port)
        listener.listenerFilters = [.tlsInspector, .httpInspector]
        listener.listenerFiltersTimeoutMilliseconds = 0
        listener.filterChains = [httpChain(name: name, routes: routes)]
        listener.defaultFilterChain = fallback("PassthroughFilterChain")
        return listener
    }

    private func httpChain(name: String, routes: String) -> FilterChain {
        var chain = FilterChain(name: name)
        chain.match.transportProtocol = "raw_buffer"
        chain.match.applicationProtocols = Self.httpProtocols
        chain.filters = [.httpConnectionManager(managers.outbound(statPrefix: "outbound_\(name);", routes: routes))]
        return chain
    }

    // MARK: - Everything else

    /// One listener per virtual address; per endpoint for headless services; none where there is no address to tell it by.
    private func listeners(of service: MeshService, port: MeshService.Port) -> [Listener] {
        var addresses = service.addresses.filter { !$0.contains("/") }
        if service.resolution == .headless { addresses = service.endpoints.map(\.address) }
        if addresses.isEmpty, service.resource.kind == "ServiceEntry" { addresses = ["0.0.0.0"] }
        return addresses.map { address in
            let number =
                service.resolution == .headless
                ? service.endpoints.first { $0.address == address }?.ports[port.number] ?? port.number : port.number
            let name = "\(address)_\(number)"
            var listener = self.listener(name: name, address: address, port: number)
            switch port.protocol {
            case .sniffed: sniff(&listener, service: service, port: port)
            case .tls, .https:
                let chains = tlsChains(service: service, port: port)
                listener.listenerFilters = chains.isEmpty ? [] : [.tlsInspector]
                listener.filterChains = chains + [tcpChain(service: service, port: port)]
            default: listener.filterChains = [tcpChain(service: service, port: port)]
            }
            return listener
        }
    }

    /// HTTP if the first bytes are, else plain forwarding; also when the server speaks first.
    private func sniff(_ listener: inout Listener, service: MeshService, port: MeshService.Port) {
        listener.listenerFilters = [.tlsInspector, .httpInspector]
        listener.listenerFiltersTimeoutMilliseconds = scope.detectionTimeout
        listener.continueOnListenerFiltersTimeout = true
        listener.filterChains = [httpChain(name: listener.name, routes: "\(service.host):\(port.number)")]
        listener.defaultFilterChain = tcpChain(service: service, port: port)
    }

    private func tcpChain(service: MeshService, port: MeshService.Port) -> FilterChain {
        let name = ClusterName.outbound(port: port.number, host: service.host)
        let routed = TCPRoutes(scope: scope).route(to: service, port: port.number)
        return FilterChain(
            name: name,
            filters: managers.tcp(
                statPrefix: name, cluster: routed?.cluster ?? .cluster(name), provenance: routed?.provenance,
                reporter: .source))
    }

    private func tlsChains(service: MeshService, port: MeshService.Port) -> [FilterChain] {
        TCPRoutes(scope: scope).tlsRoutes(to: service, port: port.number).enumerated().map { index, route in
            var chain = FilterChain(name: "\(service.host):\(port.number)-sni-\(index)")
            chain.match.serverNames = route.names
            chain.match.transportProtocol = "tls"
            chain.filters = managers.tcp(
                statPrefix: chain.name, cluster: route.cluster, provenance: route.provenance, reporter: .source)
            return chain
        }
    }

    private func listener(name: String, address: String, port: Int) -> Listener {
        var listener = Listener(name: name, address: .ip(address, port: UInt16(clamping: port)))
        listener.bindToPort = false
        listener.trafficDirection = .outbound
        return listener
    }
}

extension Scope {
    /// How long to wait for first bytes where they decide the protocol. Five seconds unless the mesh says otherwise, so that
    /// protocols in which the server speaks first work on undeclared ports.
    var detectionTimeout: UInt32 {
        guard let configured = mesh.protocolDetectionTimeout, configured.nanoseconds > 0 else { return 5_000 }
        return UInt32(clamping: configured.milliseconds)
    }
}
