import WeftConfig
import WeftIR

/// One server of one Gateway that a proxy serves, with the port that the proxy really listens on.
struct GatewayServer {
    let gateway: Config<Gateway>
    let server: Gateway.Server
    /// As the Gateway says.
    let port: Int
    /// The gateway Service's target for it.
    let listenPort: Int

    var gatewayName: String { "\(gateway.namespace)/\(gateway.name)" }
    var `protocol`: String { (server.port?.protocol ?? "HTTP").uppercased() }
    /// True if TLS ends here and HTTP is inside.
    var isHTTPS: Bool { self.protocol == "HTTPS" && !isPassthrough }
    var isPassthrough: Bool { server.tls?.mode == .passthrough || server.tls?.mode == .autoPassthrough }
    var isPlainHTTP: Bool { ["HTTP", "HTTP2", "GRPC", "GRPC-WEB"].contains(self.protocol) }

    var routeName: String {
        guard isHTTPS else { return "http.\(listenPort)" }
        return "https.\(port).\(server.port?.name ?? "https").\(gateway.name).\(gateway.namespace)"
    }

    /// Hosts without the namespace that may stand before them.
    var hosts: [(namespace: String, host: String)] {
        (server.hosts ?? []).map { text in
            let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { return ("*", text) }
            return (parts[0] == "." ? gateway.namespace : parts[0], parts[1])
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
            (config.spec.servers ?? []).compactMap { server in
                server.port?.number.map {
                    GatewayServer(gateway: config, server: server, port: $0, listenPort: targetPort($0))
                }
            }
        }
    }

    /// Where the proxy's own Service sends a port; the port itself if no Service of the proxy has it.
    private func targetPort(_ number: Int) -> Int {
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
