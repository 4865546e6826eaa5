import WeftConfig
import WeftCore
import WeftIR

/// TLS towards upstreams: what the DestinationRule asks for, else mutual TLS wherever the endpoint can take it.
struct UpstreamSecurity {
    let scope: Scope

    func apply(
        _ settings: DestinationRule.ClientTLS?, service: MeshService, port: MeshService.Port,
        subset: DestinationRule.Subset?,
        to cluster: inout Cluster
    ) {
        let mutual = mutualTLS(service: service, port: port, subset: subset, cluster: cluster)
        guard let settings, let mode = settings.mode ?? (settings.sni == nil ? nil : .disable) else {
            applyAutomatic(mutual, service: service, port: port, to: &cluster)
            return
        }
        switch mode {
        case .disable: break
        case .istioMutual:
            var tls = mutual
            if let sni = settings.sni, !sni.isEmpty { tls.sni = sni }
            if let names = settings.subjectAltNames, !names.isEmpty {
                tls.common.subjectAltNames = names.map { SubjectAltNameMatcher(exact: $0) }
            }
            cluster.tls = tls
        case .simple, .mutual: cluster.tls = originated(settings, mode: mode, service: service, cluster: cluster)
        }
    }

    private func applyAutomatic(
        _ mutual: UpstreamTLS, service: MeshService, port: MeshService.Port, to cluster: inout Cluster
    ) {
        guard scope.mesh.autoMTLS, !service.isExternal else { return }
        switch cluster.discovery {
        case .eds:
            cluster.transportSocketMatches = [
                .init(name: "tlsMode-istio", match: ["tlsMode": "istio"], tls: mutual),
                .init(name: "tlsMode-disabled", match: [:], tls: nil),
            ]
        case .originalDestination:
            // The endpoint is not known before the connection is: mutual TLS only if every pod behind the service takes it.
            let modes = service.endpoints.map {
                PeerModes(snapshot: scope.snapshot).endpointMode($0, port: port.number)
            }
            if !modes.isEmpty, modes.allSatisfy({ $0 }) { cluster.tls = mutual }
        case .static, .strictDNS, .logicalDNS, .dynamicForwardProxy: break
        }
    }

    private func mutualTLS(
        service: MeshService, port: MeshService.Port, subset: DestinationRule.Subset?, cluster: Cluster
    ) -> UpstreamTLS {
        var tls = UpstreamTLS()
        tls.common.certificates = [.workloadCertificate]
        tls.common.validation = .workloadTrustBundle
        scope.mesh.meshMTLS?.apply(to: &tls.common)
        tls.common.alpnProtocols = alpn(port, cluster)
        let accounts = Set(
            service.endpoints.compactMap(\.workload).map { "ns/\($0.namespace)/sa/\($0.serviceAccount)" })
        // While the mesh changes its name, servers have certificates of either trust domain.
        let names =
            scope.mesh.trustDomains.flatMap { domain in accounts.map { "spiffe://\(domain)/\($0)" } }
            + service.subjectAltNames
        tls.common.subjectAltNames = Set(names).sorted().map { SubjectAltNameMatcher(exact: $0) }
        tls.sni = ClusterName.serverName(port: port.number, subset: subset?.name ?? "", host: service.host)
        return tls
    }

    /// `istio` marks mutual TLS of the mesh; what stands before it says what is inside.
    private func alpn(_ port: MeshService.Port, _ cluster: Cluster) -> [String] {
        if cluster.httpProtocol == .http2 { return ["istio-h2", "istio", "h2"] }
        if port.protocol.isHTTP { return ["istio-http/1.1", "istio"] }
        return port.protocol == .sniffed ? ["istio"] : ["istio-peer-exchange", "istio"]
    }

    private func originated(
        _ settings: DestinationRule.ClientTLS, mode: DestinationRule.ClientTLS.Mode, service: MeshService,
        cluster: Cluster
    ) -> UpstreamTLS {
        var tls = UpstreamTLS()
        scope.mesh.tlsDefaults?.apply(to: &tls.common)
        tls.sni = settings.sni ?? (service.host.hasPrefix("*") ? "" : service.host)
        tls.common.alpnProtocols = cluster.httpProtocol == .http2 ? ["h2"] : []
        tls.common.subjectAltNames = (settings.subjectAltNames ?? []).map { SubjectAltNameMatcher(exact: $0) }
        if let credential = settings.credentialName, !credential.isEmpty {
            if mode == .mutual {
                tls.common.certificates = [SecretReference(name: "kubernetes://\(credential)", source: .ads)]
            }
            if settings.insecureSkipVerify != true {
                tls.common.validation = SecretReference(name: "kubernetes://\(credential)-cacert", source: .ads)
            }
            return tls
        }
        if mode == .mutual, let certificate = settings.clientCertificate, let key = settings.privateKey {
            tls.common.certificates = [SecretReference(name: "file-cert:\(certificate)~\(key)", source: .ads)]
        }
        if let authority = settings.caCertificates, !authority.isEmpty, settings.insecureSkipVerify != true {
            tls.common.validation = SecretReference(name: "file-root:\(authority)", source: .ads)
        }
        return tls
    }
}
