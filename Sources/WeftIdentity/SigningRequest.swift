import SwiftASN1
package import X509

/// A certificate signing request (PKCS #10) whose signature has been checked: the sender owns the private key.
package struct SigningRequest: Sendable {
    package let publicKey: Certificate.PublicKey
    /// URI names that the sender asks for. They decide nothing; a mismatch with the caller's identity is a reason to refuse.
    package let uriNames: [String]

    /// Checks form and signature.
    package init(pem: String) throws(IdentityError) {
        let request: CertificateSigningRequest
        do {
            request = try CertificateSigningRequest(pemEncoded: pem)
        } catch {
            throw IdentityError(.malformedRequest, "the CSR is not a PEM certificate request: \(error)")
        }
        guard request.publicKey.isValidSignature(request.signature, for: request) else {
            throw IdentityError(.badSignature, "the CSR is not signed with the key that it carries")
        }
        self.publicKey = request.publicKey
        do {
            let names = try request.attributes.extensionRequest?.extensions.subjectAlternativeNames
            self.uriNames =
                names?.compactMap { if case .uniformResourceIdentifier(let uri) = $0 { uri } else { nil } } ?? []
        } catch {
            throw IdentityError(.malformedRequest, "the CSR's extensions cannot be read: \(error)")
        }
    }

    /// The PEM text of a new request for `identity`, signed with `key`.
    package static func make(identity: SPIFFEIdentity, key: SigningKey) throws(IdentityError) -> String {
        let algorithm = try key.signatureAlgorithm
        do {
            let extensions = try Certificate.Extensions {
                SubjectAlternativeNames([.uniformResourceIdentifier(identity.uri)])
            }
            let request = try CertificateSigningRequest(
                version: .v1, subject: DistinguishedName(), privateKey: key.key,
                attributes: CertificateSigningRequest.Attributes([.init(ExtensionRequest(extensions: extensions))]),
                signatureAlgorithm: algorithm)
            return try request.serializeAsPEM().pemString + "\n"
        } catch {
            throw IdentityError(.malformedRequest, "cannot make a CSR for \(identity): \(error)")
        }
    }
}
