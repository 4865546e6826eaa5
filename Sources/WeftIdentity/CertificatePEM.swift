import SwiftASN1
package import X509

/// Certificates as PEM text: chains and trust bundles.
package enum CertificatePEM {
    /// All certificates in the text; other kinds of PEM blocks are passed over.
    package static func parse(_ text: String) throws(IdentityError) -> [Certificate] {
        guard text.contains("-----BEGIN") else {
            throw IdentityError(.malformedCertificate, "no PEM block found")
        }
        do {
            return try PEMDocument.parseMultiple(pemString: text)
                .filter { $0.discriminator == Certificate.defaultPEMDiscriminator }
                .map { try Certificate(pemDocument: $0) }
        } catch {
            throw IdentityError(.malformedCertificate, "not a PEM certificate: \(error)")
        }
    }

    package static func print(_ certificates: [Certificate]) throws(IdentityError) -> String {
        do {
            return try certificates.map { try $0.serializeAsPEM().pemString + "\n" }.joined()
        } catch {
            throw IdentityError(.malformedCertificate, "cannot write a certificate as PEM: \(error)")
        }
    }

    /// The bundle with `more` added, each certificate once, in order.
    package static func union(_ bundle: String, _ more: String) throws(IdentityError) -> String {
        var seen = Set<Certificate>()
        var all: [Certificate] = []
        for certificate in try parse(bundle) + parse(more) where seen.insert(certificate).inserted {
            all.append(certificate)
        }
        return try print(all)
    }
}
