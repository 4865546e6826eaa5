import Crypto
import SwiftASN1
package import X509

/// A private key that signs certificates or requests. Prints itself redacted; only ``pem()`` shows it.
package struct SigningKey: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package let key: Certificate.PrivateKey

    /// A new P-256 key.
    package init() { self.key = Certificate.PrivateKey(P256.Signing.PrivateKey()) }

    /// - Parameter pem: PKCS #8, SEC 1 or PKCS #1 form.
    package init(pem: String) throws(IdentityError) {
        do {
            self.key = try Certificate.PrivateKey(pemEncoded: pem)
        } catch {
            throw IdentityError(.malformedKey, "not a PEM private key: \(error)")
        }
    }

    package func pem() throws(IdentityError) -> String {
        do {
            return try key.serializeAsPEM().pemString + "\n"
        } catch {
            throw IdentityError(.malformedKey, "the key has no PEM form: \(error)")
        }
    }

    var signatureAlgorithm: Certificate.SignatureAlgorithm {
        get throws(IdentityError) {
            guard let algorithm = key.supportedSignatureAlgorithms.first else {
                throw IdentityError(.malformedKey, "no signature algorithm fits the key")
            }
            return algorithm
        }
    }

    package var description: String { "[redacted]" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
