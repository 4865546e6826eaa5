import FoundationEssentials
import GRPCCore
import Logging
import WeftADS
import WeftCA
import WeftIR
import WeftIdentity

/// Gets the workload's certificate and keeps it fresh. The key is made here and stays in this process.
struct IdentityKeeper: Sendable {
    var settings: AgentSettings
    var status: AgentStatus
    var logger: Logger
    /// Takes each new identity; connections that stand keep theirs.
    var deliver: @Sendable (WorkloadIdentity) async -> Void

    private enum Event: Sendable {
        case issued(WorkloadIdentity)
        /// What the mesh publishes may have changed.
        case published
    }

    /// Runs until the task is cancelled.
    func run() async {
        guard let identity = settings.identity else {
            return logger.critical(
                "POD_NAMESPACE, SERVICE_ACCOUNT or TRUST_DOMAIN has a value that no identity can have")
        }
        // Both kinds of news go through one loop, so that an older trust never follows a newer one.
        let (events, news) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .unbounded)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await renew(identity, news) }
            group.addTask { await watchTrust(news) }
            group.addTask { await take(events, of: identity) }
        }
    }

    private func renew(_ identity: SPIFFEIdentity, _ news: AsyncStream<Event>.Continuation) async {
        var backoff = ReconnectBackoff()
        var patience = RenewalPatience()
        while !Task.isCancelled {
            do {
                let issued = try await request(identity, within: patience.attempt(at: Date()))
                news.yield(.issued(issued))
                patience = RenewalPatience(issued.certificate, obtained: Date())
                backoff.reset()
                backoff.maximum = patience.longestPause
                // Proxies that started together do not all come back together.
                let due = issued.certificate.rotationTime(obtained: Date(), fraction: .random(in: 0.42...0.48))
                let pause = max(1, due.timeIntervalSinceNow)
                try await Task.sleep(for: .seconds(pause))
            } catch is CancellationError {
                return
            } catch {
                let wait = backoff.next(random: Double.random(in: 0..<1))
                let text = "certificate from \(settings.authority): \(Self.describe(error))"
                status.problem(text)
                logger.warning("\(text); next attempt in \(wait.components.seconds + 1) s at most")
                do { try await Task.sleep(for: wait) } catch { return }
            }
        }
    }

    /// Roots and revocation lists come as files of a ConfigMap, which hold at once and not with the next certificate.
    private func watchTrust(_ news: AsyncStream<Event>.Continuation) async {
        guard let watcher = FileWatcher() else {
            logger.warning("no inotify watch to be had: the mesh's roots are looked at every 5 s")
            while (try? await Task.sleep(for: .seconds(5))) != nil { news.yield(.published) }
            return
        }
        defer { watcher.stop() }
        watcher.watch([settings.paths.root, settings.paths.revocations])
        for await _ in watcher.events { news.yield(.published) }
    }

    private func take(_ events: AsyncStream<Event>, of name: SPIFFEIdentity) async {
        var delivered: WorkloadIdentity?
        for await event in events {
            var current = delivered
            if case .issued(let issued) = event { current = issued }
            guard var identity = current else { continue }
            do {
                try identity.trust(
                    AgentPaths.required(settings.paths.root), revoking: AgentPaths.text(settings.paths.revocations))
            } catch {
                logger.error("the mesh's roots cannot be read, the last ones hold: \(error)")
                (identity.trustBundlePEM, identity.revocationsPEM) = (
                    delivered?.trustBundlePEM ?? identity.trustBundlePEM, delivered?.revocationsPEM
                )
            }
            guard identity != delivered else { continue }
            delivered = identity
            status.certificateArrived(identity)
            await deliver(identity)
            switch event {
            case .issued: logger.info("certificate for \(name) valid until \(identity.certificate.notAfter)")
            case .published: logger.info("the mesh's roots or revocation lists changed")
            }
        }
    }

    private func request(_ identity: SPIFFEIdentity, within timeout: Duration) async throws -> WorkloadIdentity {
        let root = try AgentPaths.required(settings.paths.root)
        let token = try AgentPaths.required(settings.paths.token)
        var configuration = CertificateClient.Configuration(
            host: settings.authority.host, port: settings.authority.port, rootPEM: root,
            token: token.filter { !$0.isWhitespace })
        configuration.timeout = timeout
        return try await CertificateClient(configuration).requestCertificate(
            for: identity, validForSeconds: settings.certificateSeconds)
    }

    private static func describe(_ error: any Error) -> String {
        (error as? RPCError).map { "\($0.code): \($0.message)" } ?? "\(error)"
    }
}

/// How long to wait for the authority. An attempt that hangs (a lost packet, a name that is not answered) must leave
/// time for others before the certificate ends, however short its life is. Pure.
struct RenewalPatience: Sendable {
    /// When the certificate in use ends; `nil` before the first one.
    private var end: Date?
    /// Seconds.
    private var life = 86_400.0

    init() {}

    init(_ certificate: IssuedCertificate, obtained: Date) { self.init(end: certificate.notAfter, obtained: obtained) }

    init(end: Date, obtained: Date) {
        self.end = end
        life = max(0, end.timeIntervalSince(obtained))
    }

    /// For one attempt: a quarter of what is left, at least a second and at most ten.
    func attempt(at now: Date) -> Duration {
        guard let end else { return .seconds(10) }
        return .seconds(min(10, max(1, max(end.timeIntervalSince(now), life / 4) / 4)))
    }

    /// Between attempts: an eighth of the certificate's life, at least a second and at most fifteen.
    var longestPause: Duration { .seconds(min(15, max(1, life / 8))) }
}

extension WorkloadIdentity {
    /// Another one for each certificate, for dumps and files.
    var version: String { String(Int64(certificate.notBefore.timeIntervalSince1970)) }

    /// As the data plane takes them.
    var secrets: [Secret] {
        [
            Secret(
                name: SecretReference.workloadCertificate.name,
                content: .certificate(
                    chainPEM: certificate.chainPEM, privateKey: PrivateBytes(Array(certificate.keyPEM.utf8)))),
            Secret(
                name: SecretReference.workloadTrustBundle.name,
                content: .validation(trustedCAPEM: trustBundlePEM, revocationsPEM: revocationsPEM)),
        ]
    }
}
