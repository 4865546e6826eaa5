package import FoundationEssentials
package import X509

/// What people ask about a certificate: names, serial number, validity. For `/certs` and `proxy-config secret`.
package struct CertificateInfo: Sendable, Hashable, Codable {
    /// Lower-case hexadecimal, no separators.
    package var serialNumber: String
    package var subject: String
    package var issuer: String
    package var notBefore: Date
    package var notAfter: Date
    package var uriNames: [String]
    package var dnsNames: [String]
    package var isAuthority: Bool

    package init(_ certificate: Certificate) {
        self.serialNumber = certificate.serialNumber.bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
        self.subject = certificate.subject.description
        self.issuer = certificate.issuer.description
        self.notBefore = certificate.notValidBefore
        self.notAfter = certificate.notValidAfter
        self.uriNames = certificate.uriNames
        self.dnsNames = certificate.dnsNames
        if case .isCertificateAuthority = (try? certificate.extensions.basicConstraints) ?? .notCertificateAuthority {
            self.isAuthority = true
        } else {
            self.isAuthority = false
        }
    }

    /// One entry for each certificate in the text, in order.
    package static func all(inPEM text: String) throws(IdentityError) -> [CertificateInfo] {
        try CertificatePEM.parse(text).map { CertificateInfo($0) }
    }

    package func isValid(at time: Date) -> Bool { notBefore <= time && time <= notAfter }
}

extension Certificate {
    /// URI names, in order; empty when the extension is missing or malformed.
    package var uriNames: [String] {
        alternativeNames.compactMap { if case .uniformResourceIdentifier(let uri) = $0 { uri } else { nil } }
    }

    package var dnsNames: [String] {
        alternativeNames.compactMap { if case .dnsName(let name) = $0 { name } else { nil } }
    }

    /// The workload that this certificate names, if it has exactly one URI name and that is ours in form.
    package var spiffeIdentity: SPIFFEIdentity? {
        let uris = uriNames
        guard uris.count == 1 else { return nil }
        return try? SPIFFEIdentity(uri: uris[0])
    }

    private var alternativeNames: [GeneralName] {
        guard let names = try? extensions.subjectAlternativeNames else { return [] }
        return Array(names)
    }
}
