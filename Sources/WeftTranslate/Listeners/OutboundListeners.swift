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

    /// - Returns: services that cannot have a listener, because another service has it.
    func build(into configuration: inout ProxyConfiguration) -> [Diagnostic] {
        var set = ListenerSet()
        set.add(capture)
        for entry in scope.egress {
            let view = OutboundListeners(scope: scope.limited(to: entry))
            if let port = entry.port {
                view.build(entry, port: port, into: &set, &configuration)
            } else {
                view.buildAll(bind: entry.bind, into: &set, &configuration)
            }
        }
        configuration.listeners.merge(set.listeners) { _, new in new }
        return set.diagnostics
    }

    /// Every port of every service.
    private func buildAll(
        bind: String?, into set: inout ListenerSet, _ configuration: inout ProxyConfiguration
    ) {
        let routes = OutboundRoutes(scope: scope)
        for port in httpPorts where configuration.routes[String(port)] == nil {
            set.add(httpListener(address: bind ?? "0.0.0.0", port: port))
            configuration.routes[String(port)] = routes.table(port: port)
        }
        for service in scope.services {
            for port in service.ports where port.protocol != .udp && !port.protocol.isHTTP {
                add(service, port, bind: bind, isBound: false, into: &set, &configuration)
            }
        }
    }

    /// The listeners of an egress entry with a port of its own.
    private func build(
        _ entry: EgressScope, port: Int, into set: inout ListenerSet, _ configuration: inout ProxyConfiguration
    ) {
        let routes = OutboundRoutes(scope: scope)
        if let path = entry.bind, path.hasPrefix("unix://") {
            var listener = httpListener(address: "0.0.0.0", port: port, routes: path)
            listener.name = path
            listener.address = .unix(path: String(path.dropFirst("unix://".count)))
            listener.bindToPort = true
            set.add(listener)
            configuration.routes[path] = port == 0 ? routes.table(socket: path) : routes.table(port: port, name: path)
            return
        }
        let declared = entry.entry?.port?.protocol.flatMap(PortProtocol.parse)
        if declared?.isHTTP == true || httpPorts.contains(port) {
            var listener = httpListener(address: entry.bind ?? (entry.isBound ? "127.0.0.1" : "0.0.0.0"), port: port)
            listener.bindToPort = entry.isBound
            set.add(listener)
            if configuration.routes[String(port)] == nil {
                configuration.routes[String(port)] = routes.table(port: port)
            }
        }
        for service in scope.services {
            for own in service.ports where own.number == port && own.protocol != .udp && !own.protocol.isHTTP {
                let bind = entry.bind ?? (entry.isBound ? "127.0.0.1" : nil)
                add(service, own, bind: bind, isBound: entry.isBound, into: &set, &configuration)
            }
        }
    }

    private func add(
        _ service: MeshService, _ port: MeshService.Port, bind: String?, isBound: Bool, into set: inout ListenerSet,
        _ configuration: inout ProxyConfiguration
    ) {
        for listener in listeners(of: service, port: port, bind: bind) {
            var listener = listener
            listener.bindToPort = isBound
            set.add(listener, for: service)
        }
        guard port.protocol == .sniffed else { return }
        let table = OutboundRoutes(scope: scope).table(service: service, port: port.number)
        configuration.routes[table.name] = table
    }

    private var httpPorts: [Int] {
        Set(scope.services.flatMap(\.ports).filter(\.protocol.isHTTP).map(\.number)).sorted()
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
        let unknown = scope.unknownTCP
        return FilterChain(
            name: name,
            filters: managers.tcp(
                statPrefix: unknown.cluster, cluster: .cluster(unknown.cluster), provenance: unknown.provenance,
                reporter: .source))
    }

    // MARK: - HTTP

    /// All declared HTTP services of a port, or those in a table of its own; anything else that goes there passes through.
    func httpListener(address: String, port: Int, routes: String? = nil) -> Listener {
        let name = "\(address)_\(port)"
        var listener = self.listener(name: name, address: address, port: port)
        listener.listenerFilters = [.tlsInspector, .httpInspector]
        listener.listenerFiltersTimeoutMilliseconds = 0
        listener.filterChains = [httpChain(name: name, routes: routes ?? String(port))]
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

    /// One listener per virtual address; per pod for headless services; one for all addresses where the service has none
    /// or only ranges, which its chains then tell apart by range and server name.
    private func listeners(of service: MeshService, port: MeshService.Port, bind: String?) -> [Listener] {
        if let bind { return [listener(of: service, port: port, address: bind, number: port.number)] }
        if service.resolution == .headless {
            return service.endpoints.filter(\.isReady).map { endpoint in
                listener(
                    of: service, port: port, address: endpoint.address,
                    number: endpoint.ports[port.number] ?? port.number)
            }
        }
        let all = scope.addresses(of: service)
        let single = all.filter { !$0.contains("/") }.map {
            listener(of: service, port: port, address: $0, number: port.number)
        }
        let ranges = all.compactMap(CIDR.init(parsing:)).filter { !$0.isSingleAddress }
        guard !ranges.isEmpty || (all.isEmpty && service.resource.kind == "ServiceEntry") else { return single }
        return single + [wildcard(service, port: port, ranges: ranges)]
    }

    private func listener(
        of service: MeshService, port: MeshService.Port, address: String, number: Int
    ) -> Listener {
        var listener = self.listener(name: "\(address)_\(number)", address: address, port: number)
        switch port.protocol {
        case .sniffed: sniff(&listener, service: service, port: port)
        case .tls, .https:
            let chains = tlsChains(service: service, port: port)
            listener.listenerFilters = chains.isEmpty ? [] : [.tlsInspector]
            listener.filterChains = chains + tcpChains(service: service, port: port)
        default: listener.filterChains = tcpChains(service: service, port: port)
        }
        return listener
    }

    /// The listener for any address of a port, with this service's share of it. What is for none of the services passes.
    private func wildcard(_ service: MeshService, port: MeshService.Port, ranges: [CIDR]) -> Listener {
        var listener = self.listener(name: "0.0.0.0_\(port.number)", address: "0.0.0.0", port: port.number)
        var chains: [FilterChain]
        switch port.protocol {
        case .sniffed:
            sniff(&listener, service: service, port: port)
            chains = listener.filterChains
            if !ranges.isEmpty, let rest = listener.defaultFilterChain { chains.append(rest) }
        case .tls, .https:
            listener.listenerFilters = [.tlsInspector]
            chains = tlsChains(service: service, port: port)
            if chains.isEmpty {
                chains = tcpChains(service: service, port: port)
                for index in chains.indices {
                    chains[index].match.transportProtocol = "tls"
                    chains[index].match.serverNames = [service.host]
                }
            }
        default: chains = tcpChains(service: service, port: port)
        }
        for index in chains.indices where chains[index].match.prefixRanges.isEmpty {
            chains[index].match.prefixRanges = ranges
        }
        listener.filterChains = chains
        let takesAll = chains.contains { $0.match == FilterChainMatch() } || listener.defaultFilterChain != nil
        if !takesAll || !ranges.isEmpty { listener.defaultFilterChain = fallback("PassthroughFilterChain") }
        return listener
    }

    /// HTTP if the first bytes are, else plain forwarding; also when the server speaks first.
    private func sniff(_ listener: inout Listener, service: MeshService, port: MeshService.Port) {
        listener.listenerFilters = [.tlsInspector, .httpInspector]
        listener.listenerFiltersTimeoutMilliseconds = scope.detectionTimeout
        listener.continueOnListenerFiltersTimeout = true
        let plain = tcpChains(service: service, port: port)
        listener.filterChains =
            [httpChain(name: listener.name, routes: "\(service.host):\(port.number)")] + plain.dropLast()
        listener.defaultFilterChain = plain.last
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
