import WeftConfig
import WeftCore
import WeftIR

/// TLS of a Gateway's server, where it ends at the gateway.
struct GatewayTLS {
    let scope: Scope

    /// Adds the secrets that the server needs. - Returns: `nil`, and a diagnostic, when one of them is missing.
    func terminate(
        _ server: GatewayServer, _ configuration: inout ProxyConfiguration, _ diagnostics: inout [Diagnostic]
    ) -> DownstreamTLS? {
        let settings = server.server.tls ?? Gateway.ServerTLS()
        let mode = settings.mode ?? .simple
        var tls = DownstreamTLS()
        tls.common.alpnProtocols = server.isHTTPS ? ["h2", "http/1.1"] : []
        tls.common.minimumVersion = version(settings.minProtocolVersion) ?? .v1_2
        if settings.minProtocolVersion == nil { scope.mesh.tlsDefaults?.apply(to: &tls.common) }
        tls.common.maximumVersion = version(settings.maxProtocolVersion) ?? .auto
        if let suites = settings.cipherSuites { tls.common.cipherSuites = suites }
        if mode == .istioMutual {
            tls.common.certificates = [.workloadCertificate]
            tls.common.validation = .workloadTrustBundle
            tls.common.rules = rules(settings)
            tls.requireClientCertificate = true
            return tls
        }
        tls.requireClientCertificate = mode == .mutual
        do {
            try addCertificates(settings, to: &tls.common, &configuration)
            if mode == .mutual || mode == .optionalMutual {
                try addAuthorities(settings, to: &tls.common, &configuration)
                tls.common.rules = rules(settings)
            }
            return tls
        } catch {
            diagnostics.append(
                Diagnostic(
                    .error, code: "IST0101", resource: server.gateway.resource, path: "\(server.path).tls",
                    message: error.message, hint: error.hint))
            return nil
        }
    }

    private func addCertificates(
        _ settings: Gateway.ServerTLS, to tls: inout CommonTLS, _ configuration: inout ProxyConfiguration
    ) throws(CredentialSecrets.Problem) {
        for name in settings.credentials {
            let secret = try CredentialSecrets(scope: scope).certificate(name)
            configuration.secrets[secret.name] = secret
            tls.certificates.append(SecretReference(name: secret.name, source: .ads))
        }
        let own = (settings.serverCertificate, settings.privateKey)
        let pairs = [own] + (settings.tlsCertificates ?? []).map { ($0.serverCertificate, $0.privateKey) }
        for case (let certificate?, let key?) in pairs where settings.credentials.isEmpty {
            tls.certificates.append(.files(certificate: certificate, privateKey: key))
        }
        if tls.certificates.isEmpty {
            throw CredentialSecrets.Problem(
                message: "the server has no certificate",
                hint: "set credentialName to a Secret of the namespace \(scope.proxy.namespace)")
        }
    }

    /// What clients' certificates are verified against.
    private func addAuthorities(
        _ settings: Gateway.ServerTLS, to tls: inout CommonTLS, _ configuration: inout ProxyConfiguration
    ) throws(CredentialSecrets.Problem) {
        let secrets = CredentialSecrets(scope: scope)
        let secret: Secret
        if let name = settings.caCertCredentialName, !name.isEmpty {
            secret = try secrets.authority(named: name)
        } else if let name = settings.credentials.first {
            secret = try secrets.authority(name)
        } else {
            let files = [settings.caCertificates] + (settings.tlsCertificates ?? []).map(\.caCertificates)
            guard let file = files.lazy.compactMap({ $0 }).first(where: { !$0.isEmpty }) else {
                throw CredentialSecrets.Problem(
                    message: "nothing says whose client certificates are good", hint: "set caCertificates")
            }
            tls.validation = .files(authorities: file, revocations: settings.caCrl)
            return
        }
        configuration.secrets[secret.name] = secret
        tls.validation = SecretReference(name: secret.name, source: .ads)
    }

    private func rules(_ settings: Gateway.ServerTLS) -> ValidationRules {
        var rules = ValidationRules()
        rules.subjectAltNames = (settings.subjectAltNames ?? []).map { SubjectAltNameMatcher(exact: $0) }
        rules.certificateHashes = (settings.verifyCertificateHash ?? []).map {
            $0.lowercased().replacing(":", with: "")
        }
        rules.keyHashes = (settings.verifyCertificateSpki ?? []).compactMap(Base64.decode).map { bytes in
            bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        rules.acceptsUntrusted = settings.insecureSkipVerify == true
        return rules
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

extension Gateway.ServerTLS {
    /// Secrets with the server's certificates.
    fileprivate var credentials: [String] {
        (credentialNames ?? []) + [credentialName].compactMap { $0 }.filter { !$0.isEmpty }
    }
}
