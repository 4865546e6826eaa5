package import FoundationEssentials
import SwiftASN1
package import X509

/// A CA's certificate with its key: what signs other certificates.
package struct CertificateSigner: Sendable {
    package let certificate: Certificate
    package let key: SigningKey

    /// A self-signed root.
    package init(selfSignedRoot organization: String, commonName: String, validFor seconds: Double, now: Date = Date())
        throws(IdentityError)
    {
        let key = SigningKey()
        let algorithm = try key.signatureAlgorithm
        do {
            let name = try DistinguishedName {
                OrganizationName(organization)
                CommonName(commonName)
            }
            self.certificate = try Certificate(
                version: .v3, serialNumber: .init(), publicKey: key.key.publicKey,
                notValidBefore: now.addingTimeInterval(-CertificateSigner.clockSkewSeconds),
                notValidAfter: now.addingTimeInterval(seconds), issuer: name, subject: name,
                signatureAlgorithm: algorithm,
                extensions: Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                    Critical(KeyUsage(digitalSignature: true, keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: key.key.publicKey)
                },
                issuerPrivateKey: key.key)
        } catch {
            throw IdentityError(.malformedCertificate, "cannot make the root certificate: \(error)")
        }
        self.key = key
    }

    /// Fails when the key is not the certificate's.
    package init(certificatePEM: String, keyPEM: String) throws(IdentityError) {
        let key = try SigningKey(pem: keyPEM)
        guard let certificate = try CertificatePEM.parse(certificatePEM).first else {
            throw IdentityError(.malformedCertificate, "no certificate in the CA's PEM")
        }
        guard certificate.publicKey == key.key.publicKey else {
            throw IdentityError(.malformedKey, "the CA's key does not belong to its certificate")
        }
        self.certificate = certificate
        self.key = key
    }

    /// How far certificates reach back, so that a peer whose clock is behind accepts them.
    package static let clockSkewSeconds = 120.0

    package func certificatePEM() throws(IdentityError) -> String { try CertificatePEM.print([certificate]) }
}

/// What a leaf certificate says about its holder.
package struct LeafProfile: Sendable, Hashable {
    package var commonName: String?
    package var organizations: [String] = []
    package var uris: [String] = []
    package var dnsNames: [String] = []
    package var ipAddresses: [String] = []
    package var server = true
    package var client = true
    package init() {}

    /// A workload: one URI name, both roles, no subject.
    package static func workload(_ identity: SPIFFEIdentity) -> LeafProfile {
        var profile = LeafProfile()
        profile.uris = [identity.uri]
        return profile
    }

    package static func serving(dnsNames: [String], ipAddresses: [String] = []) -> LeafProfile {
        var profile = LeafProfile()
        profile.commonName = dnsNames.first
        profile.dnsNames = dnsNames
        profile.ipAddresses = ipAddresses
        profile.client = false
        return profile
    }

    /// A Kubernetes user: the common name is the user, the organisations are the groups.
    package static func user(_ name: String, groups: [String]) -> LeafProfile {
        var profile = LeafProfile()
        profile.commonName = name
        profile.organizations = groups
        profile.server = false
        return profile
    }
}
