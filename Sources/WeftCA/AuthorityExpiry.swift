package import FoundationEssentials
package import WeftIdentity
import X509

/// Something of the authority's that ends: from then on no handshake succeeds that needs it.
package struct AuthorityExpiry: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable { case root, signing, intermediate, revocations }
    package var kind: Kind
    /// Whose it is.
    package var subject: String
    package var start: Date
    package var end: Date

    /// Warnings come this long before the end at the earliest.
    private static let longestNotice = 30.0 * 86_400

    /// The last fifth of the time, at most thirty days: when somebody has to do something.
    package func isDue(at now: Date) -> Bool {
        end.timeIntervalSince(now) <= min(end.timeIntervalSince(start) / 5, Self.longestNotice)
    }

    /// What ends, when, what happens then, and what to do.
    package var advice: String {
        switch kind {
        case .root:
            "root certificate \(subject) ends at \(end); every handshake fails then. Exchange the root: add the new one to "
                + "root-cert.pem, wait for one certificate lifetime, change ca-cert.pem and ca-key.pem"
        case .signing:
            "signing certificate \(subject) ends at \(end), and no certificate that it signs lives longer. Put its "
                + "successor into ca-cert.pem"
        case .intermediate:
            "certificate \(subject) of cert-chain.pem ends at \(end); workloads' chains are refused then. Put its successor "
                + "into cert-chain.pem"
        case .revocations:
            "revocation list of \(subject) is good until \(end); peers refuse everything that it signed then. Put a new "
                + "list into ca-crl.pem"
        }
    }
}

extension CertificateAuthority {
    /// All that can end, the next end first.
    package func expiries() throws(IdentityError) -> [AuthorityExpiry] {
        func entry(_ kind: AuthorityExpiry.Kind, _ info: CertificateInfo) -> AuthorityExpiry {
            AuthorityExpiry(kind: kind, subject: info.subject, start: info.notBefore, end: info.notAfter)
        }
        let roots = try CertificateInfo.all(inPEM: trustBundlePEM)
        var all = roots.map { entry(.root, $0) }
        if !roots.contains(info) { all.append(entry(.signing, info)) }
        for other in try intermediates() where other != info { all.append(entry(.intermediate, other)) }
        for list in try revocationsPEM.map({ text throws(IdentityError) in try RevocationList.all(inPEM: text) }) ?? []
        {
            guard let end = list.nextUpdate else { continue }
            all.append(
                AuthorityExpiry(
                    kind: .revocations, subject: "\(list.issuer)", start: list.thisUpdate ?? end, end: end))
        }
        return all.sorted { $0.end < $1.end }
    }
}
