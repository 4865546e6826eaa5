import Logging
import Synchronization
import WeftCA
import WeftIdentity

/// The authority in force, for everything that signs with it or shows its roots. Thread-safe.
final class CurrentAuthority: Sendable {
    private let state: Mutex<CertificateAuthority>

    init(_ authority: CertificateAuthority) { state = Mutex(authority) }

    var value: CertificateAuthority { state.withLock { $0 } }
    /// Every root that peers are to trust.
    var trustBundlePEM: String { value.trustBundlePEM }
    /// Whom workloads trust and what they refuse, by file name: what ConfigMap `istio-ca-root-cert` holds.
    var trustFiles: [String: String] {
        let value = value
        var files = ["root-cert.pem": value.trustBundlePEM]
        files["ca-crl.pem"] = value.revocationsPEM
        return files
    }

    /// Takes over a signing key that was read again, if that cuts nobody off; says in the log what was done and why.
    /// - Returns: whether the authority is another one now.
    func take(_ found: CertificateAuthority, from secret: String, logger: Logger) -> Bool {
        state.withLock { current in
            do {
                switch try current.replacement(by: found) {
                case .unchanged: return false
                case .accepted:
                    let isSameKey = current.info == found.info && current.trustBundlePEM == found.trustBundlePEM
                    current = found
                    logger.notice(
                        isSameKey
                            ? "revocation lists replaced from Secret \(secret)"
                            : "signing key replaced from Secret \(secret): \(found.info.subject)")
                    return true
                case .refused(let reason):
                    logger.error(
                        """
                        Secret \(secret) changed and is NOT used: \(reason). To change over at once, and restart every \
                        workload after it: kubectl rollout restart -n \(secret.prefix { $0 != "/" }) deployment -l app=istiod
                        """)
                    return false
                }
            } catch {
                logger.error("Secret \(secret) changed and is NOT used: \(error). The signing key stays as it was.")
                return false
            }
        }
    }
}
