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
    private struct Port {
        var number: Int
        var `protocol`: PortProtocol
        var service: MeshService?
        var servicePort: Int
    }

    func build(into configuration: inout ProxyConfiguration) {
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
            listener.filterChains += chains(port, cluster: cluster.name)
        }
        let other = Port(number: 0, protocol: .sniffed, service: nil, servicePort: 0)
        listener.filterChains += chains(other, cluster: ClusterName.inboundPassthrough)
        configuration.listeners[listener.name] = listener
    }

    private var ports: [Port] {
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
        cluster.httpProtocol = port.protocol.isHTTP2 ? .http2 : (port.protocol == .sniffed ? .useDownstream : .http1)
        if let service = port.service {
            cluster.services = [.init(host: service.host, name: service.name, namespace: service.namespace)]
        }
        return cluster
    }

    // MARK: - Chains

    private enum Content { case http, tcp }
    private enum Security { case mutual, plain }

    private func chains(_ port: Port, cluster: String) -> [FilterChain] {
        let peers = PeerModes(snapshot: scope.snapshot).mode(
            namespace: scope.proxy.namespace, labels: scope.proxy.labels, port: port.number == 0 ? nil : port.number)
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

    private func serverTLS(_ content: Content) -> DownstreamTLS {
        var tls = DownstreamTLS()
        tls.requireClientCertificate = true
        tls.common.certificates = [.workloadCertificate]
        tls.common.validation = .workloadTrustBundle
        // Whoever signed the certificate: callers are of this mesh's trust domain, or of one that it goes by as well.
        tls.common.subjectAltNames = scope.mesh.trustDomains.map {
            SubjectAltNameMatcher(.uri, StringMatcher(.prefix("spiffe://\($0)/")))
        }
        tls.common.minimumVersion = .v1_2
        // `istio…` only marks the mesh's own TLS. What is agreed on says whether HTTP/2 or HTTP/1.1 is inside.
        tls.common.alpnProtocols = content == .http ? ["h2", "http/1.1"] : ["istio-peer-exchange", "istio"]
        return tls
    }

    private func routes(_ port: Port, cluster: String) -> RouteConfiguration {
        var action = RouteAction(cluster: .cluster(cluster))
        action.timeoutMilliseconds = 0
        action.grpcTimeoutHeaderMaxMilliseconds = 0
        var route = Route(name: "default", match: RouteMatch(path: .prefix("/")), action: .forward(action))
        if let service = port.service { route.operation = "\(service.host):\(port.servicePort)/*" }
        let host = VirtualHost(name: "inbound|http|\(port.servicePort)", domains: ["*"], routes: [route])
        return RouteConfiguration(name: cluster, virtualHosts: [host])
    }
}
