import Crypto
import SwiftASN1
package import X509

/// A certificate signing request (PKCS #10) whose signature has been checked: the sender owns the private key.
package struct SigningRequest: Sendable {
    package let publicKey: Certificate.PublicKey
    /// URI names that the sender asks for. They decide nothing; a mismatch with the caller's identity is a reason to refuse.
    package let uriNames: [String]
    /// Names of other kinds that the sender asks for, as `DNS:…`, `IP:…`, `CN:…`.
    package let otherNames: [String]
    /// Rights beyond a leaf's that the sender asks for, in words.
    package let excessiveRights: [String]
    package let keyKind: PublicKeyKind
    /// SHA-256 of the request, hexadecimal: the same bytes sent again are the same request.
    package let fingerprint: String

    /// A request of a workload has well under two kilobytes.
    package static let sizeLimit = 16_384

    /// Checks form and signature.
    package init(pem: String) throws(IdentityError) {
        guard pem.utf8.count <= Self.sizeLimit else {
            throw IdentityError(
                .malformedRequest, "the CSR has \(pem.utf8.count) bytes, at most \(Self.sizeLimit) are read")
        }
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
        keyKind = PublicKeyKind(request.publicKey)
        do {
            fingerprint = try Self.fingerprint(request)
            let extensions = try request.attributes.extensionRequest?.extensions
            let names = Array(try extensions?.subjectAlternativeNames ?? SubjectAlternativeNames([]))
            uriNames = names.compactMap { if case .uniformResourceIdentifier(let uri) = $0 { uri } else { nil } }
            otherNames = names.compactMap(Self.describe) + Self.commonNames(request.subject)
            var rights: [String] = []
            if case .isCertificateAuthority? = try extensions?.basicConstraints {
                rights.append("to be a certificate authority")
            }
            if let usage = try extensions?.keyUsage, usage.keyCertSign || usage.cRLSign {
                rights.append("to sign certificates")
            }
            excessiveRights = rights
        } catch {
            throw IdentityError(.malformedRequest, "the CSR's extensions cannot be read: \(error)")
        }
    }

    private static func fingerprint(_ request: CertificateSigningRequest) throws -> String {
        let bytes = try request.serializeAsPEM().derBytes
        return SHA256.hash(data: bytes).reduce(into: "") { text, byte in
            text += byte < 16 ? "0\(String(byte, radix: 16))" : String(byte, radix: 16)
        }
    }

    /// `nil` for a URI.
    private static func describe(_ name: GeneralName) -> String? {
        switch name {
        case .uniformResourceIdentifier: nil
        case .dnsName(let host): "DNS:\(host)"
        case .rfc822Name(let address): "email:\(address)"
        case .ipAddress(let address): "IP:\(address.bytes.map { String($0) }.joined(separator: "."))"
        default: "a name of another kind"
        }
    }

    private static func commonNames(_ subject: DistinguishedName) -> [String] {
        subject.flatMap { Array($0) }.filter { $0.type == .RDNAttributeType.commonName }.map { "CN:\($0.value)" }
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
