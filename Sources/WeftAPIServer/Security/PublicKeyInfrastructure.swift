import FoundationEssentials
import WeftCore
import WeftIdentity

/// The server's own certificates under one directory: its CA, its serving certificate, the administrator's certificate.
/// Made on first use, kept afterwards.
struct PublicKeyInfrastructure: Sendable {
    let caPEM: String
    let serving: IssuedCertificate
    let admin: IssuedCertificate
    private static let year = 365.0 * 86400

    init(directory: String) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let signer = try Self.authority(directory)
        caPEM = try signer.certificatePEM()
        serving = try Self.leaf(directory, "apiserver", signer) {
            LeafProfile.serving(
                dnsNames: [
                    "kubernetes", "kubernetes.default", "kubernetes.default.svc",
                    "kubernetes.default.svc.cluster.local",
                    "localhost",
                ], ipAddresses: ["127.0.0.1", "10.96.0.1", "10.244.0.1"])
        }
        admin = try Self.leaf(directory, "admin", signer) {
            LeafProfile.user("kubernetes-admin", groups: ["system:masters"])
        }
    }

    private static func read(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func authority(_ directory: String) throws -> CertificateSigner {
        if let certificate = read("\(directory)/ca.crt"), let key = read("\(directory)/ca.key") {
            return try CertificateSigner(certificatePEM: certificate, keyPEM: key)
        }
        let signer = try CertificateSigner(selfSignedRoot: "weft", commonName: "weft-local-ca", validFor: 10 * year)
        try SecretFile.write(signer.key.pem(), to: "\(directory)/ca.key")
        try SecretFile.write(signer.certificatePEM(), to: "\(directory)/ca.crt")
        return signer
    }

    private static func leaf(
        _ directory: String, _ name: String, _ signer: CertificateSigner, _ profile: () -> LeafProfile
    ) throws -> IssuedCertificate {
        if let chain = read("\(directory)/\(name).crt"), let key = read("\(directory)/\(name).key"),
            let known = try? IssuedCertificate(chainPEM: chain, keyPEM: key), known.rotationTime() > Date()
        {
            return known
        }
        let issued = try signer.issue(profile(), validFor: year)
        try SecretFile.write(issued.keyPEM, to: "\(directory)/\(name).key")
        try SecretFile.write(issued.chainPEM, to: "\(directory)/\(name).crt")
        return issued
    }

    /// A kubeconfig with the administrator's certificate.
    func kubeconfig(server: String, context: String = "weft") -> String {
        """
        apiVersion: v1
        kind: Config
        clusters:
        - name: \(context)
          cluster:
            server: \(server)
            certificate-authority-data: \(Base64.encode(caPEM))
        users:
        - name: \(context)-admin
          user:
            client-certificate-data: \(Base64.encode(admin.chainPEM))
            client-key-data: \(Base64.encode(admin.keyPEM))
        contexts:
        - name: \(context)
          context:
            cluster: \(context)
            user: \(context)-admin
        current-context: \(context)

        """
    }
}
