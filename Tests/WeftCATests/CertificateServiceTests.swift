import FoundationEssentials
import GRPCCore
import GRPCNIOTransportHTTP2
import Logging
import Testing
import WeftCA
import WeftIdentity

@Suite struct CertificateServiceTests {
    let authority: CertificateAuthority
    let reviews: SPIFFEIdentity

    init() throws {
        authority = try CertificateAuthority(selfSignedFor: "cluster.local")
        reviews = try SPIFFEIdentity(uri: "spiffe://cluster.local/ns/bookinfo/sa/reviews")
    }

    /// Runs the service on a free port with TLS, as 15012 does.
    func withService<Result: Sendable>(_ body: (_ port: Int) async throws -> Result) async throws -> Result {
        let reviews = reviews
        let authority = authority
        let service = CertificateService(authority: { authority }, logger: Logger(label: "test")) { token in
            if token == "down" { throw CancellationError() }
            return token == "good" ? reviews : nil
        }
        let serving = try authority.issueServing(dnsNames: ["istiod.istio-system.svc"], validForSeconds: 600)
        let transport = HTTP2ServerTransport.Posix(
            address: .ipv4(host: "127.0.0.1", port: 0),
            transportSecurity: .tls(
                certificateChain: try CertificatePEM.parse(serving.chainPEM).map {
                    .bytes(Array(try CertificatePEM.print([$0]).utf8), format: .pem)
                }, privateKey: .bytes(Array(serving.keyPEM.utf8), format: .pem)))
        return try await withGRPCServer(transport: transport, services: [service]) { server in
            let port = try await server.listeningAddress?.ipv4?.port
            return try await body(try #require(port))
        }
    }

    func client(_ port: Int, token: String, serverName: String = "istiod.istio-system.svc") -> CertificateClient {
        CertificateClient(
            .init(
                host: "127.0.0.1", port: port, serverName: serverName, rootPEM: authority.trustBundlePEM, token: token))
    }

    @Test func goodTokenGetsACertificateForItsIdentity() async throws {
        let identity = try await withService {
            try await client($0, token: "good").requestCertificate(for: reviews, validForSeconds: 600)
        }
        let verifier = try PeerVerifier(trustBundlePEM: identity.trustBundlePEM)
        #expect(try await verifier.identity(ofChain: CertificatePEM.parse(identity.certificate.chainPEM)) == reviews)
        #expect(identity.certificate.notAfter.timeIntervalSinceNow < 700)
        #expect(identity.trustBundlePEM == authority.trustBundlePEM)
    }

    @Test(arguments: [("bad", RPCError.Code.unauthenticated), ("down", .unavailable)])
    func otherTokensAreRefused(_ token: String, _ code: RPCError.Code) async throws {
        try await withService { port in
            let error = await #expect(throws: RPCError.self) {
                try await client(port, token: token).requestCertificate(for: reviews)
            }
            #expect(error?.code == code)
        }
    }

    @Test func anotherIdentityInTheRequestIsRefused() async throws {
        let ratings = try SPIFFEIdentity(uri: "spiffe://cluster.local/ns/bookinfo/sa/ratings")
        try await withService { port in
            let error = await #expect(throws: RPCError.self) {
                try await client(port, token: "good").requestCertificate(for: ratings)
            }
            #expect(error?.code == .permissionDenied)
            #expect(error?.message.contains("sa/ratings") == true)
        }
    }
}

@Suite struct CertificateAuthorityTests {
    @Test func comesBackFromItsSecret() throws {
        let made = try CertificateAuthority(selfSignedFor: "cluster.local")
        let secret = try made.secretData()
        let loaded = try CertificateAuthority(
            trustDomain: "cluster.local", certificatePEM: secret["ca-cert.pem"] ?? "",
            keyPEM: secret["ca-key.pem"] ?? "",
            chainPEM: secret["cert-chain.pem"] ?? "", rootPEM: secret["root-cert.pem"] ?? "")
        #expect(loaded.trustBundlePEM == made.trustBundlePEM)
        #expect(loaded.info.isAuthority)
    }

    @Test(arguments: [(0.0, 86_400.0), (60.0, 60.0), (17_280_000.0, 7_776_000.0)])
    func lifetimesAreLimited(_ requested: Double, _ expected: Double) throws {
        let authority = try CertificateAuthority(selfSignedFor: "cluster.local")
        let identity = try SPIFFEIdentity(uri: "spiffe://cluster.local/ns/a/sa/b")
        let request = try SigningRequest(pem: SigningRequest.make(identity: identity, key: SigningKey()))
        let now = Date()
        let chain = try authority.issue(request, for: identity, requestedSeconds: requested, now: now)
        let leaf = try #require(CertificateInfo.all(inPEM: chain[0]).first)
        #expect(abs(leaf.notAfter.timeIntervalSince(now) - expected) < 2)
    }
}

/// Which signing keys may follow which while workloads run.
@Suite struct AuthorityReplacementTests {
    /// An authority of the key of `secret`, with these roots in its bundle.
    private func authority(_ secret: [String: String], roots: String, trustDomain: String = "cluster.local") throws
        -> CertificateAuthority
    {
        try CertificateAuthority(
            trustDomain: trustDomain, certificatePEM: secret["ca-cert.pem"] ?? "", keyPEM: secret["ca-key.pem"] ?? "",
            rootPEM: roots)
    }

    @Test func aRootChangesInTwoStepsAndNotInOne() throws {
        let old = try CertificateAuthority(selfSignedFor: "cluster.local")
        let new = try CertificateAuthority(selfSignedFor: "cluster.local")
        let both = old.trustBundlePEM + new.trustBundlePEM
        #expect(try old.replacement(by: authority(old.secretData(), roots: old.trustBundlePEM)) == .unchanged)
        guard case .refused(let reason) = try old.replacement(by: new) else {
            Issue.record("a root that nobody trusts was taken")
            return
        }
        #expect(reason.contains("lacks the root"))
        guard case .refused(let early) = try old.replacement(by: authority(new.secretData(), roots: both)) else {
            Issue.record("a key was taken before workloads trust it")
            return
        }
        #expect(early.contains("do not trust its root yet"))

        let first = try authority(old.secretData(), roots: both)
        #expect(try old.replacement(by: first) == .accepted)
        let second = try authority(new.secretData(), roots: both)
        #expect(try first.replacement(by: second) == .accepted)
        #expect(try second.replacement(by: authority(new.secretData(), roots: new.trustBundlePEM)) == .accepted)
    }

    @Test func anotherTrustDomainIsRefused() throws {
        let old = try CertificateAuthority(selfSignedFor: "cluster.local")
        let other = try authority(old.secretData(), roots: old.trustBundlePEM + old.trustBundlePEM, trustDomain: "b.c")
        guard case .refused(let reason) = try old.replacement(by: other) else {
            Issue.record("another trust domain was taken")
            return
        }
        #expect(reason.contains("b.c"))
    }
}
