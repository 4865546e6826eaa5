import GRPCCore
import GRPCNIOTransportHTTP2
package import WeftIdentity
import WeftProto

/// What a workload needs to take part in mTLS: its certificate with key, and whom to trust.
package struct WorkloadIdentity: Sendable, Hashable {
    package var certificate: IssuedCertificate
    /// The root that ``certificate`` comes from, as the authority named it.
    package var issuerRootPEM: String
    /// Every root whose certificates are to be taken.
    package var trustBundlePEM: String
    /// Lists of certificates that are to be refused.
    package var revocationsPEM: String?

    /// Takes over what the mesh publishes: the roots of `bundlePEM` and one's own are trusted from now on.
    package mutating func trust(_ bundlePEM: String, revoking listsPEM: String?) throws(IdentityError) {
        trustBundlePEM = try CertificatePEM.union(bundlePEM, issuerRootPEM)
        revocationsPEM = listsPEM
    }
}

/// Asks the mesh's authority for a certificate. The private key is made here and never leaves the process.
package struct CertificateClient: Sendable {
    package struct Configuration: Sendable {
        package var host: String
        package var port: Int
        /// The name in the server's certificate, whatever address is dialled.
        package var serverName: String
        package var rootPEM: String
        package var token: String
        package var timeout = Duration.seconds(10)

        package init(
            host: String, port: Int, serverName: String = "istiod.istio-system.svc", rootPEM: String, token: String
        ) {
            self.host = host
            self.port = port
            self.serverName = serverName
            self.rootPEM = rootPEM
            self.token = token
        }
    }

    private let configuration: Configuration

    package init(_ configuration: Configuration) { self.configuration = configuration }

    /// - Parameter seconds: wished lifetime; 0 leaves it to the authority.
    /// - Throws: `RPCError` as the authority sent it, or `IdentityError` for an answer that cannot be used.
    package func requestCertificate(for identity: SPIFFEIdentity, validForSeconds seconds: Int64 = 0) async throws
        -> WorkloadIdentity
    {
        let key = SigningKey()
        var message = Istio_V1_Auth_IstioCertificateRequest()
        message.csr = try SigningRequest.make(identity: identity, key: key)
        message.validityDuration = seconds
        let request = ClientRequest(
            message: message, metadata: ["authorization": "Bearer \(configuration.token)"])
        var options = CallOptions.defaults
        options.timeout = configuration.timeout
        let callOptions = options
        let chain = try await withGRPCClient(transport: transport()) { client in
            let service = Istio_V1_Auth_IstioCertificateService.Client(wrapping: client)
            return try await service.createCertificate(request: request, options: callOptions) { response in
                try response.message.certChain
            }
        }
        guard chain.count >= 2, let root = chain.last else {
            throw IdentityError(
                .malformedCertificate, "the authority's answer has \(chain.count) certificates, not a chain")
        }
        let issued = try IssuedCertificate(chainPEM: chain.dropLast().joined(), keyPEM: key.pem())
        return WorkloadIdentity(
            certificate: issued, issuerRootPEM: root,
            trustBundlePEM: try CertificatePEM.union(configuration.rootPEM, root))
    }

    private func transport() throws -> HTTP2ClientTransport.Posix {
        let roots = try CertificatePEM.parse(configuration.rootPEM)
        let pem = try roots.map {
            TLSConfig.CertificateSource.bytes(Array(try CertificatePEM.print([$0]).utf8), format: .pem)
        }
        return try HTTP2ClientTransport.Posix(
            target: .dns(host: configuration.host, port: configuration.port),
            transportSecurity: .tls { $0.trustRoots = .certificates(pem) },
            config: .defaults { $0.http2.authority = configuration.serverName })
    }
}
