import FoundationEssentials
import Testing
import WeftIdentity
import X509

@Suite struct CertificateTests {
    let root: CertificateSigner
    let reviews: SPIFFEIdentity

    init() throws {
        root = try CertificateSigner(selfSignedRoot: "weft", commonName: "root", validFor: 86_400)
        reviews = try SPIFFEIdentity(uri: "spiffe://cluster.local/ns/bookinfo/sa/reviews")
    }

    @Test func workloadCertificateVerifiesAgainstItsRootOnly() async throws {
        let issued = try root.issue(.workload(reviews), validFor: 3_600)
        let chain = try CertificatePEM.parse(issued.chainPEM)
        #expect(chain.count == 2)
        let verifier = try PeerVerifier(trustBundlePEM: root.certificatePEM())
        #expect(try await verifier.identity(ofChain: chain) == reviews)
        try await verifier.verify(chain, anyURI: [reviews.uri])
        await #expect(throws: IdentityError.self) { try await verifier.verify(chain, anyURI: ["spiffe://x/ns/a/sa/b"]) }

        let other = try CertificateSigner(selfSignedRoot: "weft", commonName: "root", validFor: 86_400)
        let stranger = try PeerVerifier(trustBundlePEM: other.certificatePEM())
        await #expect(throws: IdentityError.self) { try await stranger.identity(ofChain: chain) }
    }

    @Test func expiredLeafIsRefused() async throws {
        let past = Date().addingTimeInterval(-7_200)
        let old = try CertificateSigner(selfSignedRoot: "weft", commonName: "root", validFor: 86_400, now: past)
        let issued = try old.issue(.workload(reviews), validFor: 60, now: past)
        let verifier = try PeerVerifier(trustBundlePEM: old.certificatePEM())
        await #expect(throws: IdentityError.self) {
            try await verifier.identity(ofChain: CertificatePEM.parse(issued.chainPEM))
        }
    }

    @Test func leafNeverOutlivesTheRoot() throws {
        let issued = try root.issue(.workload(reviews), validFor: 10 * 86_400)
        #expect(issued.notAfter <= root.certificate.notValidAfter)
        #expect(issued.rotationTime() < issued.notAfter)
    }

    /// A certificate of a minute begins two minutes before its issue; its rotation must not lie in the past.
    @Test(arguments: [10.0, 60, 86_400])
    func rotationLiesBetweenIssueAndHalfOfTheLife(_ seconds: Double) throws {
        let now = Date()
        let long = try CertificateSigner(selfSignedRoot: "weft", commonName: "root", validFor: 10 * 86_400)
        let issued = try long.issue(.workload(reviews), validFor: seconds, now: now)
        let wait = issued.rotationTime(obtained: now).timeIntervalSince(now)
        #expect(wait > 0.3 * seconds)
        #expect(wait < 0.5 * seconds)
    }

    @Test func requestRoundTripsAndChecksItsSignature() throws {
        let key = SigningKey()
        let pem = try SigningRequest.make(identity: reviews, key: key)
        let request = try SigningRequest(pem: pem)
        #expect(request.uriNames == [reviews.uri])
        #expect(request.publicKey == key.key.publicKey)
        #expect(throws: IdentityError.self) { try SigningRequest(pem: "rubbish") }
        #expect(throws: IdentityError.self) { try SigningRequest(pem: root.certificatePEM()) }
    }

    @Test func tamperedRequestIsRefused() throws {
        let pem = try SigningRequest.make(identity: reviews, key: SigningKey())
        var lines = pem.split(separator: "\n").map(String.init)
        // Another letter in the middle: inside the key or the names, which the signature covers.
        let middle = lines.count / 2
        let first = lines[middle].removeFirst()
        lines[middle] = (first == "A" ? "B" : "A") + lines[middle]
        #expect(throws: IdentityError.self) { try SigningRequest(pem: lines.joined(separator: "\n") + "\n") }
    }

    @Test func servingAndUserCertificatesSayWhoTheyAre() throws {
        let serving = try root.issue(
            .serving(dnsNames: ["kubernetes.default.svc"], ipAddresses: ["10.96.0.1", "::1"]), validFor: 600)
        let info = try #require(CertificateInfo.all(inPEM: serving.chainPEM).first)
        #expect(info.dnsNames == ["kubernetes.default.svc"])
        #expect(!info.isAuthority)
        #expect(!info.serialNumber.isEmpty)
        let admin = try root.issue(.user("kubernetes-admin", groups: ["system:masters"]), validFor: 600)
        let subject = try #require(CertificateInfo.all(inPEM: admin.chainPEM).first).subject
        #expect(subject.contains("CN=kubernetes-admin"))
        #expect(subject.contains("O=system:masters"))
        #expect(throws: IdentityError.self) {
            try root.issue(.serving(dnsNames: ["a"], ipAddresses: ["999.1.1.1"]), validFor: 600)
        }
    }

    @Test func keysArePersistedAndNeverPrinted() throws {
        let reloaded = try CertificateSigner(certificatePEM: root.certificatePEM(), keyPEM: root.key.pem())
        #expect(reloaded.certificate == root.certificate)
        #expect("\(root.key)" == "[redacted]")
        #expect(String(reflecting: try root.issue(.workload(reviews), validFor: 60)).contains("BEGIN") == false)
        #expect(throws: IdentityError.self) {
            try CertificateSigner(certificatePEM: root.certificatePEM(), keyPEM: SigningKey().pem())
        }
    }

    @Test func bundlesAreMergedWithoutRepetition() throws {
        let other = try CertificateSigner(selfSignedRoot: "weft", commonName: "second", validFor: 60)
        let merged = try CertificatePEM.union(root.certificatePEM() + other.certificatePEM(), root.certificatePEM())
        #expect(try CertificatePEM.parse(merged).count == 2)
        #expect(throws: IdentityError.self) { try PeerVerifier(trustBundlePEM: "") }
    }
}
