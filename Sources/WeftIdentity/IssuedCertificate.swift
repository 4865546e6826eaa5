package import FoundationEssentials
import X509

/// A certificate chain (leaf first) with the leaf's private key. The key shows only through ``keyPEM``.
package struct IssuedCertificate: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    package let chainPEM: String
    package let keyPEM: String
    package let notBefore: Date
    package let notAfter: Date

    package init(chainPEM: String, keyPEM: String) throws(IdentityError) {
        guard let leaf = try CertificatePEM.parse(chainPEM).first else {
            throw IdentityError(.malformedCertificate, "the chain has no certificate")
        }
        self.chainPEM = chainPEM
        self.keyPEM = keyPEM
        self.notBefore = leaf.notValidBefore
        self.notAfter = leaf.notValidAfter
    }

    /// When to ask for the next one. Before half of the life with the default, so that a control plane that is away for a
    /// while costs nothing.
    /// - Parameter obtained: When its use began. `notBefore` lies earlier, for peers whose clock is behind, and may be all
    ///   that is known of a certificate from a file.
    package func rotationTime(obtained: Date? = nil, fraction: Double = 0.45) -> Date {
        let begin = obtained ?? notBefore
        return begin.addingTimeInterval(notAfter.timeIntervalSince(begin) * fraction)
    }

    package var description: String { "certificate valid until \(notAfter), key [redacted]" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["notAfter": notAfter]) }
}
