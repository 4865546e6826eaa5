import GRPCCore
import GRPCNIOTransportHTTP2
import WeftIdentity

/// How a stream to the control plane is opened. Token and roots are read anew for each.
extension ADSClient.Configuration {
    func metadata() throws -> Metadata {
        var metadata = Metadata()
        if let token = try token?() {
            metadata.addString("Bearer \(token.filter { !$0.isWhitespace })", forKey: "authorization")
        }
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) { metadata.addString(value, forKey: name) }
        return metadata
    }

    func transport() throws -> HTTP2ClientTransport.Posix {
        let security: HTTP2ClientTransport.Posix.TransportSecurity
        if let roots = try roots?() {
            let sources = try CertificatePEM.parse(roots).map {
                TLSConfig.CertificateSource.bytes(Array(try CertificatePEM.print([$0]).utf8), format: .pem)
            }
            let verification: TLSConfig.CertificateVerification =
                verifiesName ? .fullVerification : .noHostnameVerification
            if let (chain, key) = try identity?() {
                let certificates = try CertificatePEM.parse(chain).map {
                    TLSConfig.CertificateSource.bytes(Array(try CertificatePEM.print([$0]).utf8), format: .pem)
                }
                security = .mTLS(
                    certificateChain: certificates, privateKey: .bytes(Array(key.utf8), format: .pem)
                ) {
                    $0.trustRoots = .certificates(sources)
                    $0.serverCertificateVerification = verification
                }
            } else {
                security = .tls {
                    $0.trustRoots = .certificates(sources)
                    $0.serverCertificateVerification = verification
                }
            }
        } else {
            security = .plaintext
        }
        return try HTTP2ClientTransport.Posix(
            target: .dns(host: host, port: port), transportSecurity: security,
            config: .defaults { config in
                config.http2.authority = serverName
                config.connection.maxIdleTime = nil
                config.connection.keepalive = .init(time: .seconds(30), timeout: .seconds(10), allowWithoutCalls: true)
            })
    }
}
