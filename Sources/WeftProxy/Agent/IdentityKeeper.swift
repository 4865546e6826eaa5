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

    /// Runs until the task is cancelled.
    func run() async {
        guard let identity = settings.identity else {
            return logger.critical(
                "POD_NAMESPACE, SERVICE_ACCOUNT or TRUST_DOMAIN has a value that no identity can have")
        }
        var backoff = ReconnectBackoff()
        while !Task.isCancelled {
            do {
                let issued = try await request(identity)
                status.certificateArrived(issued)
                await deliver(issued)
                backoff.reset()
                logger.info("certificate for \(identity) valid until \(issued.certificate.notAfter)")
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

    private func request(_ identity: SPIFFEIdentity) async throws -> WorkloadIdentity {
        let root = try AgentPaths.required(settings.paths.root)
        let token = try AgentPaths.required(settings.paths.token)
        let configuration = CertificateClient.Configuration(
            host: settings.authority.host, port: settings.authority.port, rootPEM: root,
            token: token.filter { !$0.isWhitespace })
        return try await CertificateClient(configuration).requestCertificate(
            for: identity, validForSeconds: settings.certificateSeconds)
    }

    private static func describe(_ error: any Error) -> String {
        (error as? RPCError).map { "\($0.code): \($0.message)" } ?? "\(error)"
    }
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
                name: SecretReference.workloadTrustBundle.name, content: .validation(trustedCAPEM: trustBundlePEM)),
        ]
    }
}
