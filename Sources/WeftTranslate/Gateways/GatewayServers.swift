import WeftConfig
import WeftIR

/// One server of one Gateway that a proxy serves, with the port that the proxy really listens on.
struct GatewayServer {
    let gateway: Config<Gateway>
    let server: Gateway.Server
    /// Place in `spec.servers`.
    let index: Int
    /// As the Gateway says.
    let port: Int
    /// The gateway Service's target for it.
    let listenPort: Int

    var path: String { "spec.servers[\(index)]" }
    /// The address or Unix socket to listen on, where the Gateway names one.
    var bind: String? { server.bind.flatMap { $0.isEmpty ? nil : $0 } }
    var listenerName: String {
        bind.map { $0.hasPrefix("unix://") ? $0 : "\($0)_\(listenPort)" } ?? "0.0.0.0_\(listenPort)"
    }
    var address: Address {
        guard let bind, bind.hasPrefix("unix://") else {
            return .ip(bind ?? "0.0.0.0", port: UInt16(clamping: listenPort))
        }
        return .unix(path: String(bind.dropFirst("unix://".count)))
    }
    var gatewayName: String { "\(gateway.namespace)/\(gateway.name)" }
    var `protocol`: String { (server.port?.protocol ?? "HTTP").uppercased() }
    /// True if TLS ends here and HTTP is inside.
    var isHTTPS: Bool { self.protocol == "HTTPS" && !isPassthrough }
    var isPassthrough: Bool { server.tls?.mode == .passthrough || server.tls?.mode == .autoPassthrough }
    var isAutoPassthrough: Bool { server.tls?.mode == .autoPassthrough }
    /// True if connections are told apart by the name that their TLS handshake asks for.
    var isSecure: Bool { !isPlainHTTP && (server.tls != nil || ["HTTPS", "TLS"].contains(self.protocol)) }
    var isPlainHTTP: Bool { ["HTTP", "HTTP2", "GRPC", "GRPC-WEB"].contains(self.protocol) }

    var routeName: String {
        guard isHTTPS else { return "http.\(listenPort)\(bind.map { ".\($0)" } ?? "")" }
        return "https.\(port).\(server.port?.name ?? "https").\(gateway.name).\(gateway.namespace)"
    }

    /// Hosts without the namespace that may stand before them.
    var hosts: [(namespace: String, host: String)] {
        (server.hosts ?? []).map { text in
            let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { return ("*", text.smallLetters) }
            return (parts[0] == "." ? gateway.namespace : parts[0], parts[1].smallLetters)
        }
    }

    /// The names under which a VirtualService answers at this server.
    func domains(of config: Config<VirtualService>) -> [String] {
        guard GatewayName.names(of: config).contains(gatewayName) else { return [] }
        var result: [String] = []
        for (namespace, host) in hosts where namespace == "*" || namespace == config.namespace {
            for name in config.spec.hosts ?? [] {
                let full = MeshSnapshot.resolve(host: name, namespace: config.namespace)
                if let common = HostPattern.intersection(host, full), !result.contains(common) { result.append(common) }
            }
        }
        return result
    }
}

extension Scope {
    /// Servers of all Gateways that select this proxy, oldest Gateway first.
    var gatewayServers: [GatewayServer] {
        snapshot.gateways.filter { config in
            (config.spec.selector ?? [:]).allSatisfy { proxy.labels[$0.key] == $0.value }
        }.flatMap { config in
            (config.spec.servers ?? []).enumerated().compactMap { index, server in
                guard config.refusedParts[index] == nil, let port = server.port?.number else { return nil }
                return GatewayServer(
                    gateway: config, server: server, index: index, port: port, listenPort: listenPort(port))
            }
        }
    }

    /// Where the proxy's own Service sends a port; the port itself if no Service of the proxy has it.
    func listenPort(_ number: Int) -> Int {
        for service in snapshot.services where service.namespace == proxy.namespace {
            if let port = service.port(number), let target = ownPort(behind: port, of: service) { return target }
        }
        return number
    }

    /// The proxy's port behind a service's port: as the endpoints say, else as the selector and the pod do, because a pod
    /// is configured before it is an endpoint. `nil` if the service does not stand for this proxy.
    func ownPort(behind port: MeshService.Port, of service: MeshService) -> Int? {
        if let ports = proxy.endpointPorts[service.host] { return ports[port.number] }
        guard let selector = service.selector, !selector.isEmpty,
            selector.allSatisfy({ proxy.labels[$0.key] == $0.value })
        else { return nil }
        if let name = port.targetPortName {
            return proxy.namedPorts[name]
        }
        return port.targetPort
    }
}
