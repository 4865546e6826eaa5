package import GRPCCore
import GRPCNIOTransportHTTP2
import NIOCertificateReloading
import NIOCore
import NIOSSL
package import WeftIdentity

/// One gRPC server on one port or Unix socket, with any number of services; TLS, or plain text.
package struct GRPCHost: Sendable {
    /// Gives the certificate for the next connection.
    package typealias CertificateSource = @Sendable () -> IssuedCertificate

    private let server: GRPCServer<HTTP2ServerTransport.Posix>

    /// - Parameter certificate: `nil` serves plain text. Asked at each handshake, so that a renewed certificate is in use
    ///   at once; standing connections keep theirs.
    package init(
        host: String, port: Int, certificate: CertificateSource?, services: [any RegistrableRPCService]
    ) throws {
        let address: GRPCNIOTransportHTTP2.SocketAddress =
            host.contains(":") ? .ipv6(host: host, port: port) : .ipv4(host: host, port: port)
        let security: HTTP2ServerTransport.Posix.TransportSecurity =
            if let certificate { try .tls(certificateReloader: HandshakeCertificate(certificate)) } else { .plaintext }
        self.init(address: address, security: security, services: services)
    }

    /// Plain text on a Unix socket, for processes of the same pod. A socket file that is left over is replaced.
    package init(socketPath: String, services: [any RegistrableRPCService]) {
        self.init(address: .unixDomainSocket(path: socketPath), security: .plaintext, services: services)
    }

    private init(
        address: GRPCNIOTransportHTTP2.SocketAddress, security: HTTP2ServerTransport.Posix.TransportSecurity,
        services: [any RegistrableRPCService]
    ) {
        let transport = HTTP2ServerTransport.Posix(
            address: address, transportSecurity: security,
            config: .defaults { config in
                config.connection.keepalive.time = .seconds(30)
                config.connection.keepalive.timeout = .seconds(10)
                config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(5)
                config.connection.keepalive.clientBehavior.allowWithoutCalls = true
                config.connection.maxGraceTime = .seconds(1)
                // With NIO's 128 the kernel drops what hundreds of proxies send when they come at once, and some of them
                // try again only after 31 s (tcp_synack_retries). The kernel's own limit (net.core.somaxconn) holds too.
                config.channelDebuggingCallbacks.onBindTCPListener = { $0.setOption(.backlog, value: 4096) }
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

    /// The port that is listened on; waits for the server to start. `nil` on a Unix socket.
    package var port: Int? {
        get async throws {
            let address = try await server.listeningAddress
            return address?.ipv4?.port ?? address?.ipv6?.port
        }
    }
}

/// Hands each TLS handshake the certificate of the moment.
private struct HandshakeCertificate: CertificateReloader {
    private let source: GRPCHost.CertificateSource

    /// Fails when the certificate of now cannot be used.
    init(_ source: @escaping GRPCHost.CertificateSource) throws {
        self.source = source
        _ = try Self.override(source())
    }

    var sslContextConfigurationOverride: NIOSSLContextConfigurationOverride {
        // What we issued ourselves can be read; without an override the handshake has no certificate and fails.
        (try? Self.override(source())) ?? .noChanges
    }

    private static func override(_ issued: IssuedCertificate) throws -> NIOSSLContextConfigurationOverride {
        var override = NIOSSLContextConfigurationOverride()
        override.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(issued.chainPEM.utf8)).map {
            .certificate($0)
        }
        override.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(issued.keyPEM.utf8), format: .pem))
        return override
    }
}
