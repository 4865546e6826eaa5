package import GRPCCore
import GRPCNIOTransportHTTP2
package import WeftIdentity

/// One gRPC server on one port, with any number of services; TLS with one certificate, or plain text.
package struct GRPCHost: Sendable {
    private let server: GRPCServer<HTTP2ServerTransport.Posix>

    /// - Parameter certificate: `nil` serves plain text. The certificate stays for the life of the host.
    package init(
        host: String, port: Int, certificate: IssuedCertificate?, services: [any RegistrableRPCService]
    ) throws {
        let security: HTTP2ServerTransport.Posix.TransportSecurity
        if let certificate {
            let chain = try CertificatePEM.parse(certificate.chainPEM)
            security = .tls(
                certificateChain: try chain.map { .bytes(Array(try CertificatePEM.print([$0]).utf8), format: .pem) },
                privateKey: .bytes(Array(certificate.keyPEM.utf8), format: .pem))
        } else {
            security = .plaintext
        }
        let isIPv6 = host.contains(":")
        let transport = HTTP2ServerTransport.Posix(
            address: isIPv6 ? .ipv6(host: host, port: port) : .ipv4(host: host, port: port),
            transportSecurity: security,
            config: .defaults { config in
                config.connection.keepalive.time = .seconds(30)
                config.connection.keepalive.timeout = .seconds(10)
                config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(5)
                config.connection.keepalive.clientBehavior.allowWithoutCalls = true
                config.connection.maxGraceTime = .seconds(1)
            })
        server = GRPCServer(transport: transport, services: services)
    }

    /// Serves until ``beginShutdown()`` and the end of all calls, or until the task is cancelled.
    package func run() async throws {
        do {
            try await server.serve()
        } catch {
            if Task.isCancelled { return }
            throw error
        }
    }

    /// Takes no more calls; connections that stay are closed after a second.
    package func beginShutdown() { server.beginGracefulShutdown() }

    /// The port that is listened on; waits for the server to start.
    package var port: Int? {
        get async throws {
            let address = try await server.listeningAddress
            return address?.ipv4?.port ?? address?.ipv6?.port
        }
    }
}
