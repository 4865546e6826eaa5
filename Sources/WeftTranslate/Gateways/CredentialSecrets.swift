import WeftConfig
import WeftCore
import WeftIR

/// Secrets that rules name as `credentialName`. A proxy gets those of its own namespace, and no others.
struct CredentialSecrets {
    let scope: Scope

    /// Why a Secret cannot be used.
    struct Problem: Error {
        var message: String
        var hint: String
    }

    /// Certificate and key, in either form: `tls.crt` and `tls.key`, or `cert` and `key`.
    func certificate(_ name: String) throws(Problem) -> Secret {
        guard let object = secret(name) else { throw missing(name) }
        guard let chain = Self.bytes(object, "tls.crt", "cert"), let key = Self.bytes(object, "tls.key", "key") else {
            throw Problem(
                message: "\(object.reference) has no certificate and key",
                hint: "give it tls.crt and tls.key (or cert and key)")
        }
        let text = String(decoding: chain, as: UTF8.self)
        guard text.contains("-----BEGIN CERTIFICATE-----"),
            String(decoding: key, as: UTF8.self).contains("PRIVATE KEY-----")
        else {
            throw Problem(
                message: "\(object.reference) holds no certificate and key in PEM form",
                hint: "make it from files that begin with -----BEGIN CERTIFICATE----- and -----BEGIN PRIVATE KEY-----")
        }
        return Secret(
            name: "kubernetes://\(name)", content: .certificate(chainPEM: text, privateKey: PrivateBytes(key)))
    }

    /// The authorities that peers are verified against, with their revocation list: of the Secret `NAME-cacert`, else of
    /// the Secret itself; keys `ca.crt` and `ca.crl`, or `cacert` and `crl`.
    func authority(_ name: String) throws(Problem) -> Secret {
        for candidate in ["\(name)-cacert", name] {
            guard let secret = authority(in: candidate, as: "kubernetes://\(name)-cacert") else { continue }
            return secret
        }
        throw missing("\(name)-cacert", what: "ca.crt")
    }

    /// The same of a Secret that holds nothing else (`caCertCredentialName`).
    func authority(named name: String) throws(Problem) -> Secret {
        guard let secret = authority(in: name, as: "kubernetes://\(name)-cacert") else {
            throw missing(name, what: "ca.crt")
        }
        return secret
    }

    private func authority(in name: String, as resource: String) -> Secret? {
        guard let object = secret(name),
            let pem = Self.bytes(object, "ca.crt", "cacert")
        else { return nil }
        let list = Self.bytes(object, "ca.crl", "crl").map { String(decoding: $0, as: UTF8.self) }
        return Secret(
            name: resource,
            content: .validation(trustedCAPEM: String(decoding: pem, as: UTF8.self), revocationsPEM: list))
    }

    private func secret(_ name: String) -> KubernetesObject? {
        scope.proxy.mayHaveSecrets ? scope.snapshot.secrets["\(scope.proxy.namespace)/\(name)"] : nil
    }

    private func missing(_ name: String, what: String? = nil) -> Problem {
        let namespace = scope.proxy.namespace
        guard scope.proxy.mayHaveSecrets else {
            return Problem(
                message: "Secret \"\(name)\" is not given to a proxy of \(namespace) whose credential is not its pod's",
                hint: "wait until the pod is known; if it stays, a workload pretends to be a gateway")
        }
        let command =
            what.map { "kubectl create -n \(namespace) secret generic \(name) --from-file=\($0)=…" }
            ?? "kubectl create -n \(namespace) secret tls \(name) --cert=… --key=…"
        return Problem(
            message: "Referenced credentialName not found: \"\(name)\"",
            hint: "create the Secret \(namespace)/\(name) in the proxy's own namespace: \(command)")
    }

    private static func bytes(_ object: KubernetesObject, _ keys: String...) -> [UInt8]? {
        keys.lazy.compactMap { object.json["data"]?[$0]?.stringValue.flatMap(Base64.decode) }.first { !$0.isEmpty }
    }
}

extension SecretReference {
    /// A certificate that the proxy reads from its own files.
    static func files(certificate: String, privateKey: String) -> SecretReference {
        SecretReference(
            name: "tls_certificates",
            source: .inline(.certificateFrom(chain: .file(certificate), privateKey: .file(privateKey))))
    }

    /// Authorities that the proxy reads from its own files.
    static func files(authorities: String, revocations: String?) -> SecretReference {
        let list = revocations.flatMap { $0.isEmpty ? nil : DataSource.file($0) }
        return SecretReference(
            name: "trusted_ca",
            source: .inline(.validationFrom(trustedCA: .file(authorities), revocations: list)))
    }
}
