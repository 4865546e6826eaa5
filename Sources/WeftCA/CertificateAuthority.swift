package import FoundationEssentials
package import WeftIdentity
import X509

/// Issues workload certificates from one signing certificate. Immutable; a new root is a new authority.
///
/// The names in a certificate come from the caller's proven identity, never from the request.
package struct CertificateAuthority: Sendable {
    package struct Limits: Sendable, Hashable {
        package var defaultSeconds = 24.0 * 3_600
        package var maximumSeconds = 90.0 * 86_400
        package var minimumSeconds = 1.0
        package init() {}
    }

    package let trustDomain: String
    package let limits: Limits
    /// Every root that peers are to trust, this authority's own among them.
    package let trustBundlePEM: String
    private let signer: CertificateSigner
    /// Certificates between the leaf and the root, the signer's own first; empty when the signer is the root.
    private let intermediatesPEM: String
    let rootPEM: String
    /// What authorities of the bundle have revoked (`ca-crl.pem`), for every peer to check; `nil` when nothing is checked.
    package private(set) var revocationsPEM: String?

    /// A new self-signed root, valid for ten years.
    package init(selfSignedFor trustDomain: String, limits: Limits = Limits(), now: Date = Date()) throws(IdentityError)
    {
        let signer = try CertificateSigner(
            selfSignedRoot: trustDomain, commonName: "Weft root of \(trustDomain)", validFor: 3_650 * 86_400, now: now)
        let root = try signer.certificatePEM()
        try self.init(trustDomain: trustDomain, signer: signer, chainPEM: "", rootPEM: root, limits: limits)
    }

    /// From the keys of the Secrets `istio-ca-secret` and `cacerts`.
    /// - Parameters:
    ///   - chainPEM: `cert-chain.pem`; from the signing certificate up to, and perhaps with, the root.
    ///   - rootPEM: `root-cert.pem`; one or several roots.
    package init(
        trustDomain: String, certificatePEM: String, keyPEM: String, chainPEM: String = "", rootPEM: String,
        limits: Limits = Limits()
    ) throws(IdentityError) {
        let signer = try CertificateSigner(certificatePEM: certificatePEM, keyPEM: keyPEM)
        try self.init(trustDomain: trustDomain, signer: signer, chainPEM: chainPEM, rootPEM: rootPEM, limits: limits)
    }

    private init(trustDomain: String, signer: CertificateSigner, chainPEM: String, rootPEM: String, limits: Limits)
        throws(IdentityError)
    {
        let roots = try CertificatePEM.parse(rootPEM)
        guard !roots.isEmpty else { throw IdentityError(.malformedCertificate, "the root bundle has no certificate") }
        let ownRoot = roots.contains(signer.certificate) ? signer.certificate : nil
        var intermediates = ownRoot == nil ? [signer.certificate] : []
        for certificate in chainPEM.isEmpty ? [] : try CertificatePEM.parse(chainPEM)
        where !roots.contains(certificate) && !intermediates.contains(certificate) {
            intermediates.append(certificate)
        }
        self.trustDomain = trustDomain
        self.limits = limits
        self.signer = signer
        self.trustBundlePEM = try CertificatePEM.print(roots)
        self.intermediatesPEM = try CertificatePEM.print(intermediates)
        let top: Certificate
        if let ownRoot { top = ownRoot } else { top = try Self.root(of: intermediates, among: roots) }
        self.rootPEM = try CertificatePEM.print([top])
    }

    /// The root that the chain leads to: a bundle may begin with another one while roots are being exchanged.
    private static func root(of intermediates: [Certificate], among roots: [Certificate]) throws(IdentityError)
        -> Certificate
    {
        let top = intermediates.last
        guard
            let root = roots.first(where: { root in
                intermediates.contains {
                    $0.issuer == root.subject && root.publicKey.isValidSignature($0.signature, for: $0)
                }
            })
        else {
            throw IdentityError(
                .untrusted,
                "no root of root-cert.pem has signed the chain (its top is \(top.map { "\($0.subject)" } ?? "missing")); "
                    + "put that root into root-cert.pem, or what is missing in between into cert-chain.pem")
        }
        return root
    }

    /// The same authority, with lists for every peer to check. `nil` takes them away.
    ///
    /// Peers check each step of a chain, so there must be a list, in force, of every root and of every authority below it.
    package func revoking(_ listsPEM: String?, now: Date = Date()) throws(IdentityError) -> CertificateAuthority {
        var result = self
        result.revocationsPEM = nil
        guard let listsPEM, listsPEM.contains(where: { !$0.isWhitespace }) else { return result }
        let lists = try RevocationList.all(inPEM: listsPEM)
        let below = intermediatesPEM.isEmpty ? [] : try CertificatePEM.parse(intermediatesPEM)
        try RevocationList.check(lists, for: CertificatePEM.parse(trustBundlePEM) + below, now: now)
        result.revocationsPEM = listsPEM
        return result
    }

    /// What the Secret `istio-ca-secret` holds.
    package func secretData() throws(IdentityError) -> [String: String] {
        [
            "ca-cert.pem": try signer.certificatePEM(), "ca-key.pem": try signer.key.pem(),
            "cert-chain.pem": intermediatesPEM, "root-cert.pem": trustBundlePEM,
        ]
    }

    /// Of the certificates between a leaf and the root.
    func intermediates() throws(IdentityError) -> [CertificateInfo] {
        intermediatesPEM.isEmpty ? [] : try CertificateInfo.all(inPEM: intermediatesPEM)
    }

    /// The signing certificate's own validity and names.
    package var info: CertificateInfo { CertificateInfo(signer.certificate) }

    /// Signs a request for `identity`.
    /// - Parameter requestedSeconds: 0 takes the default; more than the maximum is cut.
    /// - Returns: PEM texts, leaf first, root last.
    package func issue(
        _ request: SigningRequest, for identity: SPIFFEIdentity, requestedSeconds: Double = 0, now: Date = Date()
    ) throws(IdentityError) -> [String] {
        try Self.check(request, of: identity)
        let leaf = try signer.issue(
            .workload(identity), publicKey: request.publicKey, validFor: lifetime(requestedSeconds), now: now)
        var chain = [try CertificatePEM.print([leaf])]
        if !intermediatesPEM.isEmpty {
            for certificate in try CertificatePEM.parse(intermediatesPEM) {
                chain.append(try CertificatePEM.print([certificate]))
            }
        }
        chain.append(rootPEM)
        return chain
    }

    /// A request may name its sender and nobody else, and ask for nothing that a leaf does not have.
    private static func check(_ request: SigningRequest, of identity: SPIFFEIdentity) throws(IdentityError) {
        if let other = request.uriNames.first(where: { $0 != identity.uri }) {
            throw IdentityError(
                .refused,
                "the CSR asks for \(other), but the caller is \(identity); leave the name out or correct it")
        }
        if request.uriNames.count > 1 {
            throw IdentityError(.refused, "the CSR names \(identity) more than once")
        }
        if let name = request.otherNames.first {
            throw IdentityError(
                .refused,
                "the CSR asks for the extra name \(name); certificates of workloads have their SPIFFE ID alone")
        }
        if let right = request.excessiveRights.first {
            throw IdentityError(.refused, "the CSR asks \(right), which workloads may not")
        }
        guard request.keyKind.isGood else {
            let sizes = PublicKeyKind.rsaBits
            throw IdentityError(
                .refused,
                "the CSR's key is \(request.keyKind); signed are P-256, P-384, P-521 and RSA of \(sizes.lowerBound) to \(sizes.upperBound) bits"
            )
        }
    }

    /// A serving certificate for the control plane itself (discovery, webhooks), with a fresh key.
    package func issueServing(dnsNames: [String], validForSeconds seconds: Double, now: Date = Date())
        throws(IdentityError) -> IssuedCertificate
    {
        let issued = try signer.issue(.serving(dnsNames: dnsNames), validFor: seconds, now: now)
        guard !intermediatesPEM.isEmpty else { return issued }
        guard let leaf = try CertificatePEM.parse(issued.chainPEM).first else { return issued }
        return try IssuedCertificate(chainPEM: CertificatePEM.print([leaf]) + intermediatesPEM, keyPEM: issued.keyPEM)
    }

    private func lifetime(_ requested: Double) -> Double {
        requested <= 0 ? limits.defaultSeconds : min(max(requested, limits.minimumSeconds), limits.maximumSeconds)
    }
}
