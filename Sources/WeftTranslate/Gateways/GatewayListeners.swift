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
        let byPort = Dictionary(grouping: scope.gatewayServers, by: \.listenPort)
        for (port, servers) in byPort.sorted(by: { $0.key < $1.key }) {
            var listener = Listener(name: "0.0.0.0_\(port)", address: .ip("0.0.0.0", port: UInt16(clamping: port)))
            listener.trafficDirection = .outbound
            let plain = servers.filter(\.isPlainHTTP)
            if let first = plain.first {
                addHTTP(plain, port: port, name: first.routeName, to: &listener, &configuration)
            }
            for server in servers where !server.isPlainHTTP {
                addSecure(server, to: &listener, &configuration, &diagnostics)
            }
            if listener.filterChains.contains(where: { $0.match.transportProtocol == "tls" }) {
                listener.listenerFilters = [.tlsInspector]
            }
            if !listener.filterChains.isEmpty { configuration.listeners[listener.name] = listener }
        }
        return diagnostics
    }

    private func addHTTP(
        _ servers: [GatewayServer], port: Int, name: String, to listener: inout Listener,
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
        if server.isHTTPS {
            guard let tls = terminate(server, &configuration, &diagnostics) else { return }
            var chain = FilterChain(name: server.routeName)
            match(&chain, server)
            chain.tls = tls
            chain.filters = [
                .httpConnectionManager(
                    managers.gateway(statPrefix: "outbound_\(listener.name);", routes: server.routeName))
            ]
            append(chain, to: &listener, server, &diagnostics)
            configuration.routes[server.routeName] = GatewayRoutes(scope: scope).table(
                name: server.routeName, servers: [server])
        } else {
            addForwarding(server, to: &listener, &configuration, &diagnostics)
        }
    }

    /// TCP, and TLS that either ends here or passes through.
    private func addForwarding(
        _ server: GatewayServer, to listener: inout Listener, _ configuration: inout ProxyConfiguration,
        _ diagnostics: inout [Diagnostic]
    ) {
        let routes = TCPRoutes(scope: scope, gateways: [server.gatewayName])
        let rules = scope.virtualServices.filter { !server.domains(of: $0).isEmpty }
        let name = "\(server.gatewayName)-\(server.port)"
        if server.isPassthrough {
            for (index, route) in rules.flatMap({ routes.tlsRoutes(of: $0, port: server.port) }).enumerated() {
                var chain = FilterChain(name: "\(name)-\(index)")
                chain.match.transportProtocol = "tls"
                chain.match.serverNames = route.names.filter { $0 != "*" }
                chain.filters = managers.tcp(
                    statPrefix: chain.name, cluster: route.cluster, provenance: route.provenance, reporter: .source)
                append(chain, to: &listener, server, &diagnostics)
            }
            return
        }
        guard let route = rules.lazy.compactMap({ routes.route(of: $0, port: server.port) }).first else { return }
        var chain = FilterChain(name: name)
        if server.server.tls != nil {
            guard let tls = terminate(server, &configuration, &diagnostics) else { return }
            match(&chain, server)
            chain.tls = tls
        }
        chain.filters = managers.tcp(
            statPrefix: name, cluster: route.cluster, provenance: route.provenance, reporter: .source)
        append(chain, to: &listener, server, &diagnostics)
    }

    private func match(_ chain: inout FilterChain, _ server: GatewayServer) {
        chain.match.transportProtocol = "tls"
        chain.match.serverNames = server.hosts.map(\.host).contains("*") ? [] : server.hosts.map(\.host)
        chain.provenance = Provenance(server.gateway.resource)
    }

    /// A name that another chain of the port has already is dropped, as the older one keeps it.
    private func append(
        _ chain: FilterChain, to listener: inout Listener, _ server: GatewayServer, _ diagnostics: inout [Diagnostic]
    ) {
        let same = listener.filterChains.contains {
            $0.match.transportProtocol == chain.match.transportProtocol
                && ($0.match.serverNames == chain.match.serverNames
                    || !Set($0.match.serverNames).isDisjoint(with: chain.match.serverNames))
        }
        guard !same else {
            diagnostics.append(
                Diagnostic(
                    .error, code: "IST0145", resource: server.gateway.resource, path: "spec.servers",
                    message:
                        "port \(server.port) already has a server for \(chain.match.serverNames.isEmpty ? "*" : chain.match.serverNames.joined(separator: ", "))",
                    hint: "merge the two servers or give them different hosts"))
            return
        }
        listener.filterChains.append(chain)
    }

    // MARK: - TLS

    private func terminate(
        _ server: GatewayServer, _ configuration: inout ProxyConfiguration, _ diagnostics: inout [Diagnostic]
    ) -> DownstreamTLS? {
        let settings = server.server.tls
        var tls = DownstreamTLS()
        tls.common.alpnProtocols = server.isHTTPS ? ["h2", "http/1.1"] : []
        tls.common.minimumVersion = version(settings?.minProtocolVersion) ?? .v1_2
        if settings?.minProtocolVersion == nil { scope.mesh.tlsDefaults?.apply(to: &tls.common) }
        tls.common.maximumVersion = version(settings?.maxProtocolVersion) ?? .auto
        tls.common.cipherSuites = settings?.cipherSuites ?? []
        tls.common.subjectAltNames = (settings?.subjectAltNames ?? []).map { SubjectAltNameMatcher(exact: $0) }
        let mode = settings?.mode ?? .simple
        if mode == .istioMutual {
            tls.common.certificates = [.workloadCertificate]
            tls.common.validation = .workloadTrustBundle
            tls.requireClientCertificate = true
            return tls
        }
        tls.requireClientCertificate = mode == .mutual
        let wantsClient = mode == .mutual || mode == .optionalMutual
        let names =
            (settings?.credentialNames ?? []) + [settings?.credentialName].compactMap { $0 }.filter { !$0.isEmpty }
        guard !names.isEmpty else { return fromFiles(settings, wantsClient: wantsClient, tls) }
        let secrets = GatewaySecrets(scope: scope)
        for name in names {
            guard let secret = secrets.certificate(name) else {
                diagnostics.append(secrets.missing(name, gateway: server.gateway.resource))
                return nil
            }
            configuration.secrets[secret.name] = secret
            tls.common.certificates.append(SecretReference(name: secret.name, source: .ads))
            if wantsClient, let authority = secrets.authority(name) {
                configuration.secrets[authority.name] = authority
                tls.common.validation = SecretReference(name: authority.name, source: .ads)
            }
        }
        if wantsClient, tls.common.validation == nil {
            diagnostics.append(secrets.missing("\(names[0])-cacert", gateway: server.gateway.resource))
            return nil
        }
        return tls
    }

    private func fromFiles(_ settings: Gateway.ServerTLS?, wantsClient: Bool, _ base: DownstreamTLS) -> DownstreamTLS? {
        guard let certificate = settings?.serverCertificate, let key = settings?.privateKey else { return nil }
        var tls = base
        tls.common.certificates = [SecretReference(name: "file-cert:\(certificate)~\(key)", source: .ads)]
        if wantsClient, let authority = settings?.caCertificates {
            tls.common.validation = SecretReference(name: "file-root:\(authority)", source: .ads)
        }
        return tls
    }

    private func version(_ version: Gateway.ServerTLS.Version?) -> TLSVersion? {
        switch version {
        case .tls10: .v1_0
        case .tls11: .v1_1
        case .tls12: .v1_2
        case .tls13: .v1_3
        case .auto, nil: nil
        }
    }
}

/// Secrets that a gateway may read: those of its own namespace.
private struct GatewaySecrets {
    let scope: Scope

    func certificate(_ name: String) -> Secret? {
        guard let chain = bytes(name, "tls.crt") ?? bytes(name, "cert"),
            let key = bytes(name, "tls.key") ?? bytes(name, "key")
        else { return nil }
        return Secret(
            name: "kubernetes://\(name)",
            content: .certificate(chainPEM: String(decoding: chain, as: UTF8.self), privateKey: PrivateBytes(key)))
    }

    func authority(_ name: String) -> Secret? {
        guard
            let pem = bytes("\(name)-cacert", "ca.crt") ?? bytes("\(name)-cacert", "cacert") ?? bytes(name, "ca.crt")
                ?? bytes(name, "cacert")
        else { return nil }
        return Secret(
            name: "kubernetes://\(name)-cacert",
            content: .validation(trustedCAPEM: String(decoding: pem, as: UTF8.self)))
    }

    func missing(_ name: String, gateway: ResourceReference) -> Diagnostic {
        Diagnostic(
            .error, code: "IST0101", resource: gateway, path: "spec.servers[].tls.credentialName",
            message: "Referenced credentialName not found: \"\(name)\"",
            hint:
                "create the Secret \(scope.proxy.namespace)/\(name) in the gateway's own namespace: kubectl create -n \(scope.proxy.namespace) secret tls \(name) --cert=… --key=…"
        )
    }

    private func bytes(_ name: String, _ key: String) -> [UInt8]? {
        scope.snapshot.secrets["\(scope.proxy.namespace)/\(name)"]?.json["data"]?[key]?.stringValue.flatMap(
            Base64.decode)
    }
}
