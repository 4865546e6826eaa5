import WeftConfig
import WeftCore
import WeftIR

/// The listener for what a workload receives, with chains per port: mutual TLS and plain text, HTTP and TCP.
struct InboundListener {
    let scope: Scope
    private var managers: ConnectionManagers { ConnectionManagers(scope: scope) }

    init(scope: Scope) { self.scope = scope }

    private static let meshHTTP = ["istio-http/1.0", "istio-http/1.1", "istio-h2"]
    private static let meshTCP = ["istio-peer-exchange", "istio"]

    /// A port of the workload, as the oldest service that names it declares it.
    struct Port {
        var number: Int
        var `protocol`: PortProtocol
        var service: MeshService?
        var servicePort: Int
        /// The entry of the Sidecar that declares the port.
        var ingress: Sidecar.Ingress?
        /// Applications are reached through a listener of its own instead of the redirect rules.
        var bind: Address?
    }

    /// - Returns: what a Sidecar asks for that cannot be done.
    func build(into configuration: inout ProxyConfiguration) -> [Diagnostic] {
        var listener = Listener(name: "virtualInbound", address: .ip("0.0.0.0", port: 15006))
        listener.trafficDirection = .inbound
        listener.listenerFilters = [.originalDestination, .tlsInspector, .httpInspector]
        listener.listenerFiltersTimeoutMilliseconds = scope.detectionTimeout
        listener.continueOnListenerFiltersTimeout = true
        var trap = FilterChain(name: "virtualInbound-blackhole")
        trap.match.destinationPort = 15006
        trap.filters = [
            .tcpProxy(TCPProxy(statPrefix: ClusterName.blackHole, cluster: .cluster(ClusterName.blackHole)))
        ]
        listener.filterChains = [trap]
        for port in ports {
            let cluster = inboundCluster(port)
            configuration.clusters[cluster.name] = cluster
            if let bind = port.bind {
                let own = boundListener(port, bind: bind, cluster: cluster.name)
                configuration.listeners[own.name] = own
            } else {
                listener.filterChains += chains(port, cluster: cluster.name)
            }
        }
        let other = Port(number: 0, protocol: .sniffed, service: nil, servicePort: 0)
        listener.filterChains += chains(other, cluster: ClusterName.inboundPassthrough)
        configuration.listeners[listener.name] = listener
        return ports.compactMap(ignoredTLS)
    }

    /// A listener that applications' callers connect to themselves (`captureMode: NONE`).
    private func boundListener(_ port: Port, bind: Address, cluster: String) -> Listener {
        let place: String
        switch bind {
        case .ip(let address, let number): place = "\(address)_\(number)"
        case .unix(let path, _): place = "unix://\(path)"
        case .hostname, .internalListener: place = String(port.number)
        }
        var listener = Listener(name: "inbound_\(place)", address: bind)
        listener.trafficDirection = .inbound
        listener.listenerFilters = [.tlsInspector, .httpInspector]
        listener.listenerFiltersTimeoutMilliseconds = scope.detectionTimeout
        listener.continueOnListenerFiltersTimeout = true
        listener.filterChains = chains(port, cluster: cluster).map { chain in
            var own = chain
            own.match.destinationPort = nil
            return own
        }
        listener.provenance = scope.sidecar.map { Provenance($0.resource) }
        return listener
    }

    /// TLS of an ingress entry holds where the mesh's own TLS is off.
    private func ignoredTLS(_ port: Port) -> Diagnostic? {
        guard port.ingress?.tls != nil, let sidecar = scope.sidecar, mode(of: port).mode != .disable else { return nil }
        return Diagnostic(
            .warning, code: "IST0133", resource: sidecar.resource, path: "spec.ingress",
            message: "tls of ingress port \(port.number) is not used, because callers use mutual TLS of the mesh there",
            hint: "set portLevelMtls \(port.number) to DISABLE in a PeerAuthentication of the workload")
    }

    func mode(of port: Port) -> PeerModes.Effective {
        PeerModes(snapshot: scope.snapshot).mode(
            namespace: scope.proxy.namespace, labels: scope.proxy.labels, port: port.number == 0 ? nil : port.number)
    }

    var ports: [Port] {
        let declared = scope.sidecar?.spec.ingress ?? []
        return declared.isEmpty ? servicePorts : ingressPorts(declared)
    }

    /// What a Sidecar lists replaces what Services say, wholly.
    private func ingressPorts(_ entries: [Sidecar.Ingress]) -> [Port] {
        var found: [Int: Port] = [:]
        for entry in entries {
            guard let number = entry.port?.number, (1...65_535).contains(number), found[number] == nil else { continue }
            let owner = servicePorts.first { $0.number == number }
            let declared = entry.port?.protocol.flatMap(PortProtocol.parse)
            var port = Port(
                number: number, protocol: declared ?? owner?.protocol ?? .sniffed, service: owner?.service,
                servicePort: owner?.servicePort ?? number, ingress: entry)
            port.bind = Self.bind(entry, number: number)
            found[number] = port
        }
        return found.values.sorted { $0.number < $1.number }
    }

    private static func bind(_ entry: Sidecar.Ingress, number: Int) -> Address? {
        if let bind = entry.bind, bind.hasPrefix("unix://") {
            return .unix(path: String(bind.dropFirst("unix://".count)))
        }
        guard entry.captureMode == "NONE" else { return nil }
        let address = entry.bind.flatMap { $0.isEmpty ? nil : $0 } ?? "0.0.0.0"
        return .ip(address, port: UInt16(clamping: number))
    }

    private var servicePorts: [Port] {
        var found: [Int: Port] = [:]
        let services = scope.snapshot.services.filter { $0.namespace == scope.proxy.namespace }
        for service in services.sorted(by: { ($0.created, $0.host) < ($1.created, $1.host) }) {
            for port in service.ports where port.protocol != .udp {
                guard let target = scope.ownPort(behind: port, of: service), found[target] == nil else { continue }
                found[target] = Port(
                    number: target, protocol: port.protocol, service: service, servicePort: port.number)
            }
        }
        for number in PeerModes(snapshot: scope.snapshot).portsWithModes(of: scope.proxy) where found[number] == nil {
            found[number] = Port(number: number, protocol: .sniffed, service: nil, servicePort: number)
        }
        return found.values.sorted { $0.number < $1.number }
    }

    /// Goes on to the address that the caller meant, from 127.0.0.6, so that the redirect rules let it pass.
    private func inboundCluster(_ port: Port) -> Cluster {
        var cluster = Cluster(
            name: ClusterName.inbound(port: port.number), discovery: .originalDestination(useHTTPHeader: false))
        cluster.loadBalancer = .clusterProvided
        cluster.bindAddress = "127.0.0.6"
        cluster.connectTimeoutMilliseconds = scope.mesh.connectTimeout?.milliseconds ?? 10_000
        cluster.circuitBreakers = .unlimited
        switch Self.target(of: port.ingress?.defaultEndpoint) {
        case .address(let address): pointAt(address, &cluster)
        case .instance(let number): cluster.originalDestinationPort = number
        case nil where scope.mesh.inboundTrafficPolicy?.mode == .localhost:
            pointAt(.ip("127.0.0.1", port: UInt16(clamping: port.number)), &cluster)
            cluster.provenance = nil
        case nil: break
        }
        let defaults = scope.mesh.defaultTrafficPolicy?.connectionPool
        let pool = port.ingress?.connectionPool ?? scope.sidecar?.spec.inboundConnectionPool
        InboundPool(pool?.filled(from: defaults) ?? defaults).apply(to: &cluster)
        cluster.httpProtocol = port.protocol.isHTTP2 ? .http2 : (port.protocol == .sniffed ? .useDownstream : .http1)
        if let service = port.service {
            cluster.services = [.init(host: service.host, name: service.name, namespace: service.namespace)]
        }
        return cluster
    }

    // MARK: - Chains

    enum Content { case http, tcp }
    private enum Security { case mutual, plain }

    private func chains(_ port: Port, cluster: String) -> [FilterChain] {
        let peers = mode(of: port)
        if peers.mode == .disable, let tls = port.ingress?.tls { return ownTLSChains(port, cluster, tls, peers.source) }
        func chain(_ content: Content, _ security: Security, transport: String, protocols: [String] = []) -> FilterChain
        {
            self.chain(
                port, cluster, content, security, transport: transport, protocols: protocols, source: peers.source)
        }
        let detect = port.protocol == .sniffed
        let http = port.protocol.isHTTP
        var result: [FilterChain] = []
        if peers.mode != .disable {
            let strict = peers.mode == .strict
            if detect { result.append(chain(.http, .mutual, transport: "tls", protocols: Self.meshHTTP)) }
            let all = strict ? [] : (detect ? Self.meshTCP : Self.meshHTTP + Self.meshTCP)
            result.append(chain(http ? .http : .tcp, .mutual, transport: "tls", protocols: all))
            if strict { return result }
        }
        if detect {
            result.append(chain(.http, .plain, transport: "raw_buffer", protocols: OutboundListeners.httpProtocols))
        }
        // Matching goes field by field and never back: each transport needs its own last resort.
        result.append(chain(http ? .http : .tcp, .plain, transport: "raw_buffer"))
        result.append(chain(.tcp, .plain, transport: "tls"))
        return result
    }

    /// TLS that ends at the sidecar with a certificate of the workload's own (`ingress.tls`).
    private func ownTLSChains(
        _ port: Port, _ cluster: String, _ settings: Gateway.ServerTLS, _ source: ResourceReference?
    ) -> [FilterChain] {
        guard let certificate = settings.serverCertificate, let key = settings.privateKey else { return [] }
        var tls = DownstreamTLS()
        tls.common.certificates = [SecretReference(name: "file-cert:\(certificate)~\(key)", source: .ads)]
        tls.common.minimumVersion = .v1_2
        tls.common.cipherSuites = settings.cipherSuites ?? []
        tls.common.subjectAltNames = (settings.subjectAltNames ?? []).map { SubjectAltNameMatcher(exact: $0) }
        let isHTTP = port.protocol.isHTTP || port.protocol == .https
        tls.common.alpnProtocols = isHTTP ? ["h2", "http/1.1"] : []
        if settings.mode == .mutual || settings.mode == .optionalMutual, let authority = settings.caCertificates {
            tls.requireClientCertificate = settings.mode == .mutual
            tls.common.validation = SecretReference(name: "file-root:\(authority)", source: .ads)
        }
        var chain = chain(
            port, cluster, isHTTP ? .http : .tcp, .plain, transport: "tls", protocols: [], source: source)
        chain.tls = tls
        return [chain]
    }

    private func chain(
        _ port: Port, _ cluster: String, _ content: Content, _ security: Security, transport: String,
        protocols: [String],
        source: ResourceReference?
    ) -> FilterChain {
        let named = port.number != 0
        let base =
            named ? "0.0.0.0_\(port.number)" : (content == .http ? "virtualInbound-catchall-http" : "virtualInbound")
        var chain = FilterChain(name: base)
        if named { chain.match.destinationPort = UInt16(clamping: port.number) }
        chain.match.transportProtocol = transport
        chain.match.applicationProtocols = protocols
        chain.provenance = source.map { Provenance($0) }
        if security == .mutual { chain.tls = serverTLS(content) }
        switch content {
        case .http:
            chain.filters = [
                .httpConnectionManager(
                    managers.inbound(statPrefix: "inbound_\(base);", routes: routes(port, cluster: cluster)))
            ]
        case .tcp: chain.filters = managers.tcp(statPrefix: cluster, cluster: .cluster(cluster), reporter: .destination)
        }
        return chain
    }

    func serverTLS(_ content: Content) -> DownstreamTLS {
        var tls = DownstreamTLS()
        tls.requireClientCertificate = true
        tls.common.certificates = [.workloadCertificate]
        tls.common.validation = .workloadTrustBundle
        // Whoever signed the certificate: callers are of this mesh's trust domain, or of one that it goes by as well.
        tls.common.subjectAltNames = scope.mesh.trustDomains.map {
            SubjectAltNameMatcher(.uri, StringMatcher(.prefix("spiffe://\($0)/")))
        }
        tls.common.minimumVersion = .v1_2
        scope.mesh.meshMTLS?.apply(to: &tls.common)
        // `istio…` only marks the mesh's own TLS. What is agreed on says whether HTTP/2 or HTTP/1.1 is inside.
        tls.common.alpnProtocols = content == .http ? ["h2", "http/1.1"] : ["istio-peer-exchange", "istio"]
        return tls
    }

    private func routes(_ port: Port, cluster: String) -> RouteConfiguration {
        var action = RouteAction(cluster: .cluster(cluster))
        action.timeoutMilliseconds = 0
        action.grpcTimeoutHeaderMaxMilliseconds = 0
        action.retryPolicy = RetryPolicies.inbound(port.protocol, mesh: scope.mesh)
        var route = Route(name: "default", match: RouteMatch(path: .prefix("/")), action: .forward(action))
        if let service = port.service { route.operation = "\(service.host):\(port.servicePort)/*" }
        let host = VirtualHost(name: "inbound|http|\(port.servicePort)", domains: ["*"], routes: [route])
        return RouteConfiguration(name: cluster, virtualHosts: [host])
    }
}
