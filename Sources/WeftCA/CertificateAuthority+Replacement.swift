package import WeftIdentity
import X509

/// What to do with a signing key that appeared while another one is in use.
package enum AuthorityReplacement: Sendable, Hashable {
    /// The same certificate and the same roots.
    case unchanged
    /// Every running workload trusts the new one, and the new one's workloads trust every running one.
    case accepted
    /// A change at once would cut running workloads off from each other. The text says why and what to do.
    case refused(String)
}

extension CertificateAuthority {
    /// Whether `other` may take this authority's place while workloads run on certificates of this one.
    ///
    /// Two steps that are safe, each followed by one certificate lifetime: first a bundle with both roots, then the key
    /// of the new root.
    package func replacement(by other: CertificateAuthority) throws(IdentityError) -> AuthorityReplacement {
        if other.info == info, other.trustBundlePEM == trustBundlePEM {
            return other.revocationsPEM == revocationsPEM ? .unchanged : .accepted
        }
        guard other.trustDomain == trustDomain else {
            return .refused("its trust domain is \(other.trustDomain), the mesh's is \(trustDomain)")
        }
        let trusted = Set(try CertificatePEM.parse(trustBundlePEM))
        let offered = Set(try CertificatePEM.parse(other.trustBundlePEM))
        let own = try CertificatePEM.parse(rootPEM)
        let new = try CertificatePEM.parse(other.rootPEM)
        guard offered.isSuperset(of: own) else {
            return .refused(
                "its root-cert.pem lacks the root that running workloads have their certificates from; "
                    + "add that root to it, and take it out one certificate lifetime later")
        }
        guard trusted.isSuperset(of: new) else {
            return .refused(
                "running workloads do not trust its root yet; put both roots into root-cert.pem with the old key first, "
                    + "wait for one certificate lifetime, then change the key")
        }
        return .accepted
    }
}
