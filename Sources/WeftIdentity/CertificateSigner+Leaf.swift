package import FoundationEssentials
import SwiftASN1
package import X509

extension CertificateSigner {
    /// Signs a certificate for the holder of `publicKey`. The leaf never outlives the signer.
    package func issue(
        _ profile: LeafProfile, publicKey: Certificate.PublicKey, validFor seconds: Double, now: Date = Date()
    ) throws(IdentityError) -> Certificate {
        let algorithm = try key.signatureAlgorithm
        let names = try Self.alternativeNames(profile)
        let notAfter = min(now.addingTimeInterval(seconds), certificate.notValidAfter)
        guard notAfter > now else {
            throw IdentityError(.expired, "the CA's certificate expired at \(certificate.notValidAfter)")
        }
        do {
            let subject = try Self.subject(profile)
            let extensions = try Self.extensions(
                profile, names: names, subjectIsEmpty: subject.isEmpty, publicKey: publicKey,
                issuerKeyIdentifier: certificate.extensions.subjectKeyIdentifier?.keyIdentifier)
            return try Certificate(
                version: .v3, serialNumber: .init(), publicKey: publicKey,
                notValidBefore: max(now.addingTimeInterval(-Self.clockSkewSeconds), certificate.notValidBefore),
                notValidAfter: notAfter, issuer: certificate.subject, subject: subject, signatureAlgorithm: algorithm,
                extensions: extensions, issuerPrivateKey: key.key)
        } catch {
            throw IdentityError(.malformedCertificate, "cannot issue a certificate: \(error)")
        }
    }

    /// Makes a key and a certificate for it; the chain is the leaf and this signer's certificate.
    package func issue(_ profile: LeafProfile, validFor seconds: Double, now: Date = Date())
        throws(IdentityError) -> IssuedCertificate
    {
        let leafKey = SigningKey()
        let leaf = try issue(profile, publicKey: leafKey.key.publicKey, validFor: seconds, now: now)
        return try IssuedCertificate(
            chainPEM: CertificatePEM.print([leaf, certificate]), keyPEM: leafKey.pem())
    }

    private static func subject(_ profile: LeafProfile) throws -> DistinguishedName {
        var parts: [RelativeDistinguishedName] = []
        for organization in profile.organizations {
            parts.append(try OrganizationName(organization).makeRDN())
        }
        if let commonName = profile.commonName { parts.append(try CommonName(commonName).makeRDN()) }
        return DistinguishedName(parts)
    }

    private static func alternativeNames(_ profile: LeafProfile) throws(IdentityError) -> [GeneralName] {
        var names: [GeneralName] = profile.uris.map { .uniformResourceIdentifier($0) }
        names += profile.dnsNames.map { .dnsName($0) }
        for address in profile.ipAddresses {
            guard let bytes = IPAddressBytes.parse(address) else {
                throw IdentityError(.malformedIdentity, "\"\(address)\" is not an IP address")
            }
            names.append(.ipAddress(ASN1OctetString(contentBytes: bytes[...])))
        }
        return names
    }

    private static func extensions(
        _ profile: LeafProfile, names: [GeneralName], subjectIsEmpty: Bool, publicKey: Certificate.PublicKey,
        issuerKeyIdentifier: ArraySlice<UInt8>?
    ) throws -> Certificate.Extensions {
        var usages: [ExtendedKeyUsage.Usage] = []
        if profile.server { usages.append(.serverAuth) }
        if profile.client { usages.append(.clientAuth) }
        var list: [Certificate.Extension] = [
            try Certificate.Extension(KeyUsage(digitalSignature: true, keyEncipherment: true), critical: true),
            try Certificate.Extension(ExtendedKeyUsage(usages), critical: false),
            try Certificate.Extension(BasicConstraints.notCertificateAuthority, critical: true),
            try Certificate.Extension(SubjectKeyIdentifier(hash: publicKey), critical: false),
        ]
        if let issuerKeyIdentifier {
            list.append(
                try Certificate.Extension(AuthorityKeyIdentifier(keyIdentifier: issuerKeyIdentifier), critical: false))
        }
        if !names.isEmpty {
            // RFC 5280, 4.2.1.6: critical when the subject is empty.
            list.append(try Certificate.Extension(SubjectAlternativeNames(names), critical: subjectIsEmpty))
        }
        return try Certificate.Extensions(list)
    }
}
