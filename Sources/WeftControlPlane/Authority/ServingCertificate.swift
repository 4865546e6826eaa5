import FoundationEssentials
import Logging
import NIOSSL
import Synchronization
import WeftCA
import WeftIdentity

/// The control plane's own certificate for webhooks and discovery, issued by the mesh's authority and renewed in time.
final class ServingCertificate: Sendable {
    private struct State {
        var issued: IssuedCertificate?
        var context: NIOSSLContext?
    }
    private let authority: CertificateAuthority
    private let names: [String]
    private let lifetime: Double
    private let state = Mutex(State())

    /// What the control plane is called in the cluster.
    static func names(namespace: String, service: String = "istiod") -> [String] {
        [
            "\(service).\(namespace).svc", "\(service).\(namespace)", "\(service).\(namespace).svc.cluster.local",
            service,
        ]
    }

    init(authority: CertificateAuthority, namespace: String, lifetime: Double = 86_400) throws {
        self.authority = authority
        self.lifetime = lifetime
        names = Self.names(namespace: namespace)
        try renew()
    }

    /// The context for the next TLS connection.
    var context: NIOSSLContext? { state.withLock { $0.context } }
    var current: IssuedCertificate? { state.withLock { $0.issued } }

    /// Renews the certificate before half of its life is over; runs until the task is cancelled.
    func keepFresh(logger: Logger) async {
        while !Task.isCancelled {
            let due = current?.rotationTime() ?? Date()
            do { try await Task.sleep(for: .seconds(max(due.timeIntervalSinceNow, 1))) } catch { return }
            do {
                try renew()
                logger.info("serving certificate renewed")
            } catch {
                logger.error("serving certificate not renewed, trying again in a minute: \(error)")
                try? await Task.sleep(for: .seconds(60))
            }
        }
    }

    private func renew() throws {
        let issued = try authority.issueServing(dnsNames: names, validForSeconds: lifetime)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(issued.chainPEM.utf8)).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(issued.keyPEM.utf8), format: .pem)))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        let context = try NIOSSLContext(configuration: configuration)
        state.withLock { $0 = State(issued: issued, context: context) }
    }
}
