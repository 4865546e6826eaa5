import FoundationEssentials
import Logging
import WeftCA
import WeftConfig
import WeftCore
import WeftKubernetes

/// Finds the mesh's signing key, or makes one. Several control planes may start at once: all end with the same key.
struct AuthorityLoader {
    static let secretName = "istio-ca-secret"
    /// A root that the user plugged in.
    static let pluggedSecretName = "cacerts"

    let client: KubernetesClient
    let namespace: String
    let trustDomain: String
    var limits = CertificateAuthority.Limits()
    let logger: Logger

    func load() async throws -> CertificateAuthority {
        for name in [Self.pluggedSecretName, Self.secretName] {
            if let secret = try await secret(name) {
                logger.info("signing key read from Secret \(namespace)/\(name)")
                return try authority(from: secret)
            }
        }
        let made = try CertificateAuthority(selfSignedFor: trustDomain, limits: limits)
        do {
            _ = try await client.create(.secrets, try object(made))
            logger.info("new self-signed root kept in Secret \(namespace)/\(Self.secretName)")
            return made
        } catch let error as KubernetesError where error.isAlreadyExists {
            guard let winner = try await secret(Self.secretName) else { throw error }
            return try authority(from: winner)
        }
    }

    /// What the Secrets say now; the one that the user plugged in goes before ours.
    func reload(_ secrets: ResourceStore, into current: CurrentAuthority) -> Bool {
        for name in [Self.pluggedSecretName, Self.secretName] {
            guard let secret = secrets[namespace, name] else { continue }
            let place = "\(namespace)/\(name)"
            do {
                return current.take(
                    try authority(from: secret, last: current.value), from: place, logger: logger)
            } catch {
                logger.error("Secret \(place) cannot be used: \(error). The signing key stays as it was.")
                return false
            }
        }
        logger.error(
            """
            Secret \(namespace)/\(Self.secretName) is gone. The key in memory signs on; after a restart there would be \
            a new root that running workloads do not trust: put the Secret back from a copy, or restart them all then.
            """)
        return false
    }

    private func secret(_ name: String) async throws -> KubernetesObject? {
        do {
            return try await client.get(.secrets, namespace: namespace, name: name)
        } catch let error as KubernetesError where error.isNotFound {
            return nil
        }
    }

    /// - Parameter last: whose revocation lists stay in force if those of the Secret cannot be used.
    private func authority(from secret: KubernetesObject, last: CertificateAuthority? = nil) throws
        -> CertificateAuthority
    {
        func text(_ key: String) -> String {
            let encoded = secret.json[path: "data", key]?.stringValue ?? ""
            return Data(base64Encoded: encoded).map { String(decoding: $0, as: UTF8.self) } ?? ""
        }
        let certificate = text("ca-cert.pem")
        let root = text("root-cert.pem")
        let authority = try CertificateAuthority(
            trustDomain: trustDomain, certificatePEM: certificate, keyPEM: text("ca-key.pem"),
            chainPEM: text("cert-chain.pem"), rootPEM: root.isEmpty ? certificate : root, limits: limits)
        do {
            return try authority.revoking(text("ca-crl.pem"))
        } catch {
            logger.error(
                "ca-crl.pem of Secret \(namespace)/\(secret.name) is NOT used: \(error). Lists sent before stay in force."
            )
            return (try? authority.revoking(last?.revocationsPEM)) ?? authority
        }
    }

    private func object(_ authority: CertificateAuthority) throws -> KubernetesObject {
        let data = try authority.secretData().mapValues { JSONValue.string(Data($0.utf8).base64EncodedString()) }
        return KubernetesObject([
            "apiVersion": "v1", "kind": "Secret", "type": "istio.io/ca-root",
            "metadata": ["name": .string(Self.secretName), "namespace": .string(namespace)], "data": .object(data),
        ])
    }
}
