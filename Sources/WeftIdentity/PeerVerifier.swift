import SwiftASN1
package import X509

/// Decides whether a peer's chain leads to one of our roots, and who the peer is. Immutable; made once per trust bundle.
package struct PeerVerifier: Sendable {
    private let roots: CertificateStore

    package init(trustBundlePEM: String) throws(IdentityError) {
        let certificates = try CertificatePEM.parse(trustBundlePEM)
        guard !certificates.isEmpty else { throw IdentityError(.malformedCertificate, "the trust bundle is empty") }
        self.roots = CertificateStore(certificates)
    }

    /// - Parameter chain: leaf first, as the peer sent it.
    /// - Returns: the peer's identity from its only URI name.
    package func identity(ofChain chain: [Certificate]) async throws(IdentityError) -> SPIFFEIdentity {
        guard let leaf = chain.first else { throw IdentityError(.untrusted, "the peer sent no certificate") }
        try await verify(chain)
        guard let identity = leaf.spiffeIdentity else {
            throw IdentityError(
                .untrusted, "the peer's certificate has no single SPIFFE URI name; it has \(leaf.uriNames)")
        }
        return identity
    }

    /// Fails unless the chain leads to a root and is valid now, and the leaf has one of `names` (any, when empty).
    package func verify(_ chain: [Certificate], anyURI names: Set<String> = []) async throws(IdentityError) {
        guard let leaf = chain.first else { throw IdentityError(.untrusted, "the peer sent no certificate") }
        var verifier = Verifier(rootCertificates: roots) {
            AlternativeNamesPolicy()
            RFC5280Policy()
        }
        let result = await verifier.validate(leaf: leaf, intermediates: CertificateStore(chain.dropFirst()))
        if case .couldNotValidate(let failures) = result {
            let reasons = failures.map { $0.policyFailureReason.description }.joined(separator: "; ")
            throw IdentityError(
                .untrusted,
                "the peer's certificate does not chain to a trusted root"
                    + (reasons.isEmpty ? " (issuer \(leaf.issuer))" : ": \(reasons)"))
        }
        guard names.isEmpty || leaf.uriNames.contains(where: names.contains) else {
            throw IdentityError(
                .untrusted, "the peer is \(leaf.uriNames), expected one of \(names.sorted())")
        }
    }
}

/// Declares that we read the names and usages of a leaf ourselves, so that marking them critical is fine.
private struct AlternativeNamesPolicy: VerifierPolicy {
    let verifyingCriticalExtensions: [ASN1ObjectIdentifier] = [
        .X509ExtensionID.subjectAlternativeName, .X509ExtensionID.extendedKeyUsage,
    ]

    func chainMeetsPolicyRequirements(chain: UnverifiedCertificateChain) async -> PolicyEvaluationResult {
        .meetsPolicy
    }
}
