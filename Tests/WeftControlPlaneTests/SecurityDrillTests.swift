import GRPCCore
import GRPCNIOTransportHTTP2
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import SwiftASN1
import SwiftProtobuf
import Synchronization
import TestSupport
import Testing
import WeftADS
import WeftCA
import WeftConfig
import WeftCore
import WeftIdentity
import WeftProto
import WeftXDS
import X509

@testable import WeftControlPlane
@testable import WeftKubernetes

/// What a workload might try, each refused and each in the log.
@Suite(.timeLimit(.minutes(5))) struct SecurityDrillTests {
    private let lines = AuthorityTests.Lines()
    private let authority: CertificateAuthority
    private let reviews: SPIFFEIdentity

    init() throws {
        authority = try CertificateAuthority(selfSignedFor: "cluster.local")
        reviews = try SPIFFEIdentity(uri: "spiffe://cluster.local/ns/bookinfo/sa/reviews")
    }

    /// The API server's answers: who holds which token, and for whom it was made.
    private let tokens = TokenAuthenticator(trustDomain: "cluster.local") { token, audiences in
        let name = "system:serviceaccount:bookinfo:reviews"
        return switch token {
        case "good": TokenIdentity(username: name, groups: [], audiences: ["istio-ca"])
        case "istiod":
            TokenIdentity(username: "system:serviceaccount:istio-system:istiod", groups: [], audiences: ["istio-ca"])
        // A server that does not look at audiences would say these are good.
        case "other audience": TokenIdentity(username: name, groups: [], audiences: ["vault"])
        case "no audience": TokenIdentity(username: name, groups: [], audiences: [])
        case "person": TokenIdentity(username: "alice", groups: [], audiences: ["istio-ca"])
        default: nil
        }
    }

    private func logged(_ words: String...) -> Bool {
        lines.all.withLock { $0.contains { line in words.allSatisfy(line.contains) } }
    }

    // MARK: - Certificates

    /// Sends a CSR as the holder of `token`; the code and message of the refusal, or `nil`.
    private func ask(
        _ requests: [String], token: String, admission: RequestAdmission = RequestAdmission(),
        identify: CertificateService.Authenticator? = nil
    ) async throws -> [RPCError?] {
        let (authority, tokens) = (authority, tokens)
        let service = CertificateService(
            authority: { authority }, admission: admission, logger: lines.logger,
            authenticate: identify ?? { try await tokens.identity(of: $0) })
        let transport = HTTP2ServerTransport.Posix(
            address: .ipv4(host: "127.0.0.1", port: 0), transportSecurity: .plaintext)
        return try await withGRPCServer(transport: transport, services: [service]) { server in
            let port = try #require(try await server.listeningAddress?.ipv4?.port)
            let client = try HTTP2ClientTransport.Posix(
                target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: .plaintext)
            return try await withGRPCClient(transport: client) { client in
                var outcomes: [RPCError?] = []
                for csr in requests {
                    var message = Istio_V1_Auth_IstioCertificateRequest()
                    message.csr = csr
                    do {
                        _ = try await Istio_V1_Auth_IstioCertificateService.Client(wrapping: client).createCertificate(
                            request: ClientRequest(message: message, metadata: ["authorization": "Bearer \(token)"]))
                        outcomes.append(nil)
                    } catch let error as RPCError { outcomes.append(error) }
                }
                return outcomes
            }
        }
    }

    private func csr(for uri: String) throws -> String {
        try SigningRequest.make(identity: SPIFFEIdentity(uri: uri), key: SigningKey())
    }

    /// A request with what a workload has no right to.
    private func csr(
        names: [GeneralName], subject: DistinguishedName = DistinguishedName(), isAuthority: Bool = false
    ) throws -> String {
        let key = SigningKey()
        let extensions = try Certificate.Extensions {
            SubjectAlternativeNames(names)
            if isAuthority { BasicConstraints.isCertificateAuthority(maxPathLength: nil) }
        }
        let request = try CertificateSigningRequest(
            version: .v1, subject: subject, privateKey: key.key,
            attributes: CertificateSigningRequest.Attributes([.init(ExtensionRequest(extensions: extensions))]),
            signatureAlgorithm: .ecdsaWithSHA256)
        return try request.serializeAsPEM().pemString
    }

    @Test func anothersCertificate() async throws {
        let outcome = try await ask([csr(for: "spiffe://cluster.local/ns/bookinfo/sa/ratings")], token: "good")
        #expect(outcome[0]?.code == .permissionDenied)
        #expect(outcome[0]?.message.contains("the caller is \(reviews)") == true)
        #expect(logged("warning certificate refused to \(reviews)", "sa/ratings"))
    }

    @Test(arguments: ["expired", "other audience", "no audience", "person", ""])
    func tokensThatAreNotGood(_ token: String) async throws {
        let outcome = try await ask([csr(for: reviews.uri)], token: token)
        #expect(outcome[0]?.code == .unauthenticated)
        #expect(logged("warning certificate refused to a caller without a good token"))
    }

    @Test func requestsForMoreThanOnesName() async throws {
        let own = GeneralName.uniformResourceIdentifier(reviews.uri)
        let requests = [
            try csr(names: [own, .dnsName("istiod.istio-system.svc")]),
            try csr(names: [own, .uniformResourceIdentifier("spiffe://cluster.local/ns/istio-system/sa/istiod")]),
            try csr(names: [own, .ipAddress(ASN1OctetString(contentBytes: [10, 0, 0, 1]))]),
            try csr(names: [own, .rfc822Name("a@b")]),
            try csr(names: [own, own]),
            try csr(names: [own], subject: try DistinguishedName { CommonName("admin") }),
            try csr(names: [own], isAuthority: true),
        ]
        let outcomes = try await ask(requests, token: "good")
        #expect(outcomes.allSatisfy { $0?.code == .permissionDenied }, "\(outcomes)")
        #expect(logged("certificate refused to \(reviews)", "DNS:istiod.istio-system.svc"))
        #expect(logged("CN:admin"))
        #expect(logged("to be a certificate authority"))
        // The same workload's own request is fine.
        #expect(try await ask([csr(for: reviews.uri)], token: "good") == [nil])
    }

    @Test func aReplayedRequest() async throws {
        let request = try csr(for: reviews.uri)
        let outcomes = try await ask([request, request], token: "good")
        #expect(outcomes[0] == nil)
        #expect(outcomes[1]?.code == .permissionDenied)
        #expect(logged("certificate refused to \(reviews)", "answered before"))
    }

    @Test func moreRequestsThanACallerMayMake() async throws {
        var limits = RequestAdmission.Limits()
        (limits.burst, limits.perSecond) = (2, 0.001)
        let requests = try (0..<3).map { _ in try csr(for: reviews.uri) }
        let outcomes = try await ask(requests, token: "good", admission: RequestAdmission(limits: limits))
        #expect(outcomes.map(\.?.code) == [nil, nil, .resourceExhausted])
        #expect(logged("asked for too many certificates"))
    }

    /// Trust in somebody may be withdrawn while its token is good, and while the control plane remembers that.
    @Test func aRevokedCallerGetsNoCertificate() async throws {
        final class Flag: Sendable { let isSet = Mutex(false) }
        let revoked = Flag()
        let revocable = TokenAuthenticator(
            trustDomain: "cluster.local", isRevoked: { _ in revoked.isSet.withLock { $0 } }
        ) { _, _ in
            TokenIdentity(
                username: "system:serviceaccount:bookinfo:reviews", groups: [], audiences: ["istio-ca"])
        }
        #expect(
            try await ask([csr(for: reviews.uri)], token: "t", identify: { try await revocable.identity(of: $0) }) == [
                nil
            ])
        revoked.isSet.withLock { $0 = true }
        let outcome = try await ask(
            [csr(for: reviews.uri)], token: "t", identify: { try await revocable.identity(of: $0) })
        #expect(outcome[0]?.code == .unauthenticated)
        #expect(outcome[0]?.message.contains("trust in \(reviews) was withdrawn") == true)
        #expect(logged("certificate refused", "was withdrawn"))
    }

    // MARK: - Discovery

    @Test func discoveryForAnotherNamespaceOrAccount() async throws {
        struct Silent: ADSDelegate {
            func connected(_ session: ADSSession) async throws { Issue.record("\(session.node.id) was served") }
            func sent(_ session: ADSSession, _ type: ResourceType, nonce: String, version: String, names: [String])
                async
            {}
            func delivered(_ session: ADSSession, number: UInt64) async {}
            func acknowledged(_ session: ADSSession, _ type: ResourceType, nonce: String, version: String) async {}
            func rejected(
                _ session: ADSSession, _ type: ResourceType, nonce: String, version: String, reason: String
            ) async {}
            func disconnected(_ session: ADSSession) async {}
        }
        let tokens = tokens
        let server = ADSServer(
            authentication: .token { try await tokens.identity(of: $0) }, delegate: Silent(), logger: lines.logger)
        let transport = HTTP2ServerTransport.Posix(
            address: .ipv4(host: "127.0.0.1", port: 0), transportSecurity: .plaintext)
        try await withGRPCServer(transport: transport, services: [server]) { server in
            let port = try #require(try await server.listeningAddress?.ipv4?.port)
            let client = try HTTP2ClientTransport.Posix(
                target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: .plaintext)
            try await withGRPCClient(transport: client) { client in
                for fields in [["NAMESPACE": "istio-system"], ["NAMESPACE": "bookinfo", "SERVICE_ACCOUNT": "gateway"]] {
                    var message = Envoy_Service_Discovery_V3_DiscoveryRequest()
                    message.node.id =
                        "router~10.0.0.1~istio-ingressgateway-1.istio-system~istio-system.svc.cluster.local"
                    for (name, value) in fields {
                        message.node.metadata.fields[name] = .with { $0.stringValue = value }
                    }
                    message.typeURL = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
                    message.resourceNames = ["kubernetes://shop-credential"]
                    let request = message
                    let error = await #expect(throws: RPCError.self) {
                        try await Envoy_Service_Discovery_V3_AggregatedDiscoveryService.Client(wrapping: client)
                            .streamAggregatedResources(
                                request: StreamingClientRequest(metadata: ["authorization": "Bearer good"]) {
                                    try await $0.write(request)
                                }
                            ) { response in for try await _ in response.messages {} }
                    }
                    #expect(error?.code == .permissionDenied)
                }
            }
        }
        #expect(logged("refused", "the node says namespace istio-system, its credential says bookinfo"))
        #expect(logged("refused", "the node says service account gateway, its credential says reviews"))
    }

    /// A proxy that is who it says asks for a Secret of another namespace: it gets nothing, and the log names both.
    @Test func secretsOfOthers() async throws {
        struct Empty: ADSDelegate {
            func connected(_ session: ADSSession) async throws { session.publish(.empty) }
            func sent(_ session: ADSSession, _ type: ResourceType, nonce: String, version: String, names: [String])
                async
            {}
            func delivered(_ session: ADSSession, number: UInt64) async {}
            func acknowledged(_ session: ADSSession, _ type: ResourceType, nonce: String, version: String) async {}
            func rejected(
                _ session: ADSSession, _ type: ResourceType, nonce: String, version: String, reason: String
            ) async {}
            func disconnected(_ session: ADSSession) async {}
        }
        let tokens = tokens
        let server = ADSServer(
            authentication: .token { try await tokens.identity(of: $0) }, delegate: Empty(), logger: lines.logger)
        let transport = HTTP2ServerTransport.Posix(
            address: .ipv4(host: "127.0.0.1", port: 0), transportSecurity: .plaintext)
        try await withGRPCServer(transport: transport, services: [server]) { server in
            let port = try #require(try await server.listeningAddress?.ipv4?.port)
            let client = try HTTP2ClientTransport.Posix(
                target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: .plaintext)
            try await withGRPCClient(transport: client) { client in
                var message = Envoy_Service_Discovery_V3_DeltaDiscoveryRequest()
                message.node.id = "sidecar~10.0.0.1~reviews-1.bookinfo~bookinfo.svc.cluster.local"
                message.node.metadata.fields["NAMESPACE"] = .with { $0.stringValue = "bookinfo" }
                message.typeURL = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
                message.resourceNamesSubscribe = ["kubernetes-gateway://istio-system/shop-credential"]
                let request = message
                let given = Mutex<[Envoy_Service_Discovery_V3_DeltaDiscoveryResponse]>([])
                try await Envoy_Service_Discovery_V3_AggregatedDiscoveryService.Client(wrapping: client)
                    .deltaAggregatedResources(
                        request: StreamingClientRequest(metadata: ["authorization": "Bearer good"]) {
                            try await $0.write(request)
                            try await eventually("the server has answered") {
                                given.withLock { $0.isEmpty } ? nil : true
                            }
                        }
                    ) { response in
                        for try await message in response.messages { given.withLock { $0.append(message) } }
                    }
                #expect(given.withLock { $0.allSatisfy { $0.resources.isEmpty } })
            }
        }
        #expect(
            logged("withheld from sidecar~10.0.0.1~reviews-1.bookinfo", "istio-system/shop-credential", "\(reviews)"))
    }

    // MARK: - Debugging

    @Test(
        arguments: [
            (nil, 401), ("expired", 401), ("other audience", 401), ("good", 403), ("istiod", nil),
        ] as [(String?, Int?)])
    func debugCallsNeedRights(_ token: String?, _ status: Int?) async throws {
        let tokens = tokens
        let access = DebugAccess(
            namespace: "istio-system", identify: { try await tokens.identity(of: $0) }, logger: lines.logger)
        for name in [HTTPField.Name.authorization, DebugAccess.header].compactMap({ $0 }) {
            var head = HTTPRequest(method: .get, scheme: nil, authority: nil, path: "/debug/config_dump?proxyID=a.b")
            if let token { head.headerFields[name] = "Bearer \(token)" }
            let answer = await access.refusal(of: Request(head: head, body: RequestBody(buffer: ByteBuffer())))
            #expect(answer?.status.code == status)
            #expect(logged("warning /debug/config_dump refused") == (status != nil))
        }
    }
}
