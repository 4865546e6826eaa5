import FoundationEssentials
import Logging
import NIOSSL
import Synchronization
import WeftCA
import WeftIdentity

/// The control plane's own certificate for webhooks (15017) and discovery (15012), issued by the mesh's authority and
/// renewed in time. Each new connection takes the newest; standing ones keep what they have. Thread-safe.
final class ServingCertificate: Sendable {
    private struct State {
        var issued: IssuedCertificate
        var context: NIOSSLContext
    }
    private let authority: CurrentAuthority
    private let names: [String]
    private let lifetime: Double
    private let state: Mutex<State>

    /// The Service of a revision's control plane.
    static func service(ofRevision revision: String) -> String {
        revision == "default" ? "istiod" : "istiod-\(revision)"
    }

    /// What the control plane is called in the cluster: its revision's Service, and the common one, by which sidecars
    /// that moved from another revision may know it.
    private static func names(namespace: String, revision: String) -> [String] {
        Set([service(ofRevision: revision), "istiod"]).sorted().flatMap { service in
            [
                "\(service).\(namespace).svc", "\(service).\(namespace)",
                "\(service).\(namespace).svc.cluster.local", service,
            ]
        }
    }

    /// - Parameter lifetime: in seconds.
    init(authority: CurrentAuthority, namespace: String, revision: String, lifetime: Double) throws {
        self.authority = authority
        self.lifetime = lifetime
        names = Self.names(namespace: namespace, revision: revision)
        state = Mutex(try Self.issue(authority.value, names, lifetime))
    }

    /// The context for the next TLS connection of a webhook.
    var context: NIOSSLContext { state.withLock { $0.context } }
    var current: IssuedCertificate { state.withLock { $0.issued } }

    /// Renews the certificate before half of its life is over; runs until the task is cancelled.
    func keepFresh(logger: Logger) async {
        while !Task.isCancelled {
            let due = current.rotationTime(obtained: Date())
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

    /// Issues the next one now.
    func renew() throws {
        let next = try Self.issue(authority.value, names, lifetime)
        state.withLock { $0 = next }
    }

    private static func issue(_ authority: CertificateAuthority, _ names: [String], _ lifetime: Double) throws -> State
    {
        let issued = try authority.issueServing(dnsNames: names, validForSeconds: lifetime)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(issued.chainPEM.utf8)).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(issued.keyPEM.utf8), format: .pem)))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        return State(issued: issued, context: try NIOSSLContext(configuration: configuration))
    }
}
