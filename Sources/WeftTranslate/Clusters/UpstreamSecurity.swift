import WeftConfig
import WeftCore
import WeftIR

/// TLS towards upstreams: what the DestinationRule asks for, else mutual TLS wherever the endpoint can take it.
struct UpstreamSecurity {
    let scope: Scope

    /// Where systems keep the authorities that everybody trusts.
    static let systemAuthorities = "/etc/ssl/certs/ca-certificates.crt"

    /// - Throws: If a Secret that the rule names is missing or not for this proxy.
    func apply(
        _ settings: DestinationRule.ClientTLS?, service: MeshService, port: MeshService.Port,
        subset: DestinationRule.Subset?, destination: DestinationPolicy?, to cluster: inout Cluster,
        _ configuration: inout ProxyConfiguration
    ) throws(CredentialSecrets.Problem) {
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
        case .simple, .mutual:
            var tls = UpstreamTLS()
            scope.mesh.tlsDefaults?.apply(to: &tls.common)
            let sni = settings.sni ?? ""
            tls.sni = sni.isEmpty ? (service.host.hasPrefix("*") ? "" : service.host) : sni
            tls.common.alpnProtocols = cluster.httpProtocol == .http2 ? ["h2"] : []
            if let credential = settings.credentialName, !credential.isEmpty {
                guard scope.proxy.kind == .router || destination?.selectsClients == true else {
                    throw CredentialSecrets.Problem(
                        message:
                            "credentialName \(credential) is for gateways, or for the clients of a workloadSelector",
                        hint: "add a workloadSelector to the rule, or name files")
                }
                try addSecrets(credential, settings, mode, to: &tls.common, &configuration)
            } else {
                addFiles(settings, mode, to: &tls.common)
            }
            addNames(settings, host: tls.sni, to: &tls.common)
            cluster.tls = tls
            if tls.sni.isEmpty { cluster.automaticServerName = automaticName(settings) }
        }
    }

    /// Behind a wildcard host each request names the server that it is for.
    private func automaticName(_ settings: DestinationRule.ClientTLS) -> Cluster.AutomaticServerName {
        var name = Cluster.AutomaticServerName()
        name.setsServerName = true
        name.validatesName = settings.insecureSkipVerify != true && settings.subjectAltNames?.isEmpty != false
        return name
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
        tls.common.subjectAltNames = RevokedIdentities(scope.mesh).trusted(Set(names).sorted()).map {
            SubjectAltNameMatcher(exact: $0)
        }
        tls.sni = ClusterName.serverName(port: port.number, subset: subset?.name ?? "", host: service.host)
        return tls
    }

    /// `istio` marks mutual TLS of the mesh; what stands before it says what is inside.
    private func alpn(_ port: MeshService.Port, _ cluster: Cluster) -> [String] {
        if cluster.httpProtocol == .http2 { return ["istio-h2", "istio", "h2"] }
        if port.protocol.isHTTP { return ["istio-http/1.1", "istio"] }
        return port.protocol == .sniffed ? ["istio"] : ["istio-peer-exchange", "istio"]
    }

    private func addSecrets(
        _ name: String, _ settings: DestinationRule.ClientTLS, _ mode: DestinationRule.ClientTLS.Mode,
        to tls: inout CommonTLS, _ configuration: inout ProxyConfiguration
    ) throws(CredentialSecrets.Problem) {
        let secrets = CredentialSecrets(scope: scope)
        if mode == .mutual {
            let secret = try secrets.certificate(name)
            configuration.secrets[secret.name] = secret
            tls.certificates = [SecretReference(name: secret.name, source: .ads)]
        }
        guard settings.insecureSkipVerify != true else { return }
        let secret = try secrets.authority(name)
        configuration.secrets[secret.name] = secret
        tls.validation = SecretReference(name: secret.name, source: .ads)
    }

    private func addFiles(
        _ settings: DestinationRule.ClientTLS, _ mode: DestinationRule.ClientTLS.Mode, to tls: inout CommonTLS
    ) {
        if mode == .mutual, let certificate = settings.clientCertificate, let key = settings.privateKey {
            tls.certificates = [.files(certificate: certificate, privateKey: key)]
        }
        guard settings.insecureSkipVerify != true else { return }
        let file = settings.caCertificates.flatMap { $0.isEmpty || $0 == "system" ? nil : $0 }
        tls.validation = .files(authorities: file ?? Self.systemAuthorities, revocations: settings.caCrl)
    }

    /// Names that the rule gives; without them, and without an `sni` of the rule's own, the host itself.
    private func addNames(_ settings: DestinationRule.ClientTLS, host: String, to tls: inout CommonTLS) {
        guard tls.validation != nil else { return }
        let names = settings.subjectAltNames ?? []
        tls.subjectAltNames = names.map { SubjectAltNameMatcher(exact: $0) }
        if names.isEmpty, (settings.sni ?? "").isEmpty, !host.isEmpty {
            tls.subjectAltNames = [SubjectAltNameMatcher(exact: host)]
        }
    }
}
