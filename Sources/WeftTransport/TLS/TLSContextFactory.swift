package import NIOSSL
package import WeftIR

/// Why a TLS configuration could not be built, naming the secret.
package struct TLSContextError: Error, CustomStringConvertible {
    package var description: String
    /// True when only a secret is missing: the chain waits for it (Envoy: warming).
    package var isMissingSecret: Bool
}

/// Builds NIOSSL contexts from configuration and secrets. Built once per snapshot, shared by all connections.
package struct TLSContextFactory: Sendable {
    private let secret: @Sendable (SecretReference) -> Secret.Content?

    package init(secret: @escaping @Sendable (SecretReference) -> Secret.Content?) { self.secret = secret }

    package func server(_ tls: DownstreamTLS) throws -> NIOSSLContext {
        guard let reference = tls.common.certificates.first else {
            throw TLSContextError(description: "no certificate is configured", isMissingSecret: false)
        }
        let (chain, key) = try identity(reference)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.certificateVerification =
            tls.common.validation == nil
            ? .none : (tls.requireClientCertificate ? .noHostnameVerification : .optionalVerification)
        try apply(tls.common, to: &configuration)
        return try NIOSSLContext(configuration: configuration)
    }

    package func client(_ tls: UpstreamTLS) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let reference = tls.common.certificates.first {
            let (chain, key) = try identity(reference)
            configuration.certificateChain = chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(key)
        }
        // The host name is not what is verified: SANs are matched after the handshake, as the configuration says.
        configuration.certificateVerification = tls.common.validation == nil ? .none : .noHostnameVerification
        try apply(tls.common, to: &configuration)
        return try NIOSSLContext(configuration: configuration)
    }

    private func apply(_ common: CommonTLS, to configuration: inout TLSConfiguration) throws {
        configuration.minimumTLSVersion = version(common.minimumVersion) ?? .tlsv12
        configuration.maximumTLSVersion = version(common.maximumVersion)
        configuration.applicationProtocols = common.alpnProtocols
        if let reference = common.validation {
            guard case .validation(let pem)? = secret(reference) else { throw missing(reference) }
            configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(pem.utf8)))
        }
    }

    private func identity(_ reference: SecretReference) throws -> ([NIOSSLCertificate], NIOSSLPrivateKey) {
        guard case .certificate(let pem, let key)? = secret(reference) else { throw missing(reference) }
        return (
            try NIOSSLCertificate.fromPEMBytes(Array(pem.utf8)), try NIOSSLPrivateKey(bytes: key.bytes, format: .pem)
        )
    }

    private func missing(_ reference: SecretReference) -> TLSContextError {
        TLSContextError(description: "secret \(reference.name) is not there", isMissingSecret: true)
    }

    private func version(_ version: WeftIR.TLSVersion) -> NIOSSL.TLSVersion? {
        switch version {
        case .auto: nil
        case .v1_0: .tlsv1
        case .v1_1: .tlsv11
        case .v1_2: .tlsv12
        case .v1_3: .tlsv13
        }
    }
}
