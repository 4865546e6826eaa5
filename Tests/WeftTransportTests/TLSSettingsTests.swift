import CWeftTLS
import NIOCore
import NIOPosix
import NIOSSL
import Testing
import WeftIR
import WeftIdentity

@testable import WeftTransport

/// What is set on BoringSSL beside NIOSSL: that it is reachable, and that it has its effect between our own two ends.
@Suite(.timeLimit(.minutes(1))) struct TLSSettingsTests {
    private let root: CertificateSigner
    private let secrets: [String: Secret.Content]

    init() throws {
        root = try CertificateSigner(selfSignedRoot: "weft", commonName: "root", validFor: 3_600)
        let issued = try root.issue(.serving(dnsNames: ["a.test"]), validFor: 600)
        let other = try root.issue(.serving(dnsNames: ["b.test"]), validFor: 600)
        func pair(_ issued: IssuedCertificate) -> Secret.Content {
            .certificate(chainPEM: issued.chainPEM, privateKey: PrivateBytes(Array(issued.keyPEM.utf8)))
        }
        secrets = [
            "a": pair(issued), "b": pair(other), "ca": .validation(trustedCAPEM: try root.certificatePEM()),
            "mixed": .certificate(chainPEM: issued.chainPEM, privateKey: PrivateBytes(Array(other.keyPEM.utf8))),
        ]
    }

    private var factory: TLSContextFactory {
        let secrets = secrets
        return TLSContextFactory { secrets[$0.name] }
    }

    private func server(_ change: (inout DownstreamTLS) -> Void = { _ in }) throws -> NIOSSLContext {
        var tls = DownstreamTLS()
        tls.common.certificates = [SecretReference(name: "a", source: .ads)]
        change(&tls)
        return try factory.server(tls)
    }

    private func client(_ change: (inout UpstreamTLS) -> Void = { _ in }) throws -> UpstreamTLSContext {
        var tls = UpstreamTLS()
        tls.sni = "a.test"
        tls.common.validation = SecretReference(name: "ca", source: .ads)
        change(&tls)
        return UpstreamTLSContext(context: try factory.client(tls), serverName: tls.sni, accepts: { _ in true })
    }

    /// Sends one byte to whoever completes a handshake.
    private final class Greeter: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "x")), promise: nil)
        }
    }

    private func listen(_ context: NIOSSLContext) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([NIOSSLServerHandler(context: context), Greeter()])
                }
            }.bind(host: "127.0.0.1", port: 0).get()
    }

    /// The first byte that comes; session tickets have come with it.
    private final class FirstByte: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let promise: EventLoopPromise<Void>
        init(_ promise: EventLoopPromise<Void>) { self.promise = promise }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) { promise.succeed() }
        func channelInactive(context: ChannelHandlerContext) { promise.fail(ChannelError.eof) }
    }

    /// - Returns: The peer.
    private func connect(_ server: any Channel, _ client: UpstreamTLSContext) async throws -> PeerIdentity? {
        let target = UpstreamTarget(address: try #require(server.localAddress), tls: client)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: PeerIdentity?.self)
        loop.execute {
            UpstreamConnector.connect(to: target, on: loop) { result in
                switch result {
                case .failure(let error): promise.fail(error)
                case .success(let connected):
                    let first = loop.makePromise(of: Void.self)
                    let channel = connected.channel
                    do {
                        try channel.pipeline.syncOperations.addHandler(FirstByte(first))
                        try channel.syncOptions?.setOption(.autoRead, value: true)
                        channel.read()
                    } catch { first.fail(error) }
                    let peer = connected.peer
                    first.futureResult.assumeIsolated().whenComplete { result in
                        channel.close(promise: nil)
                        promise.completeWith(result.map { peer })
                    }
                }
            }
        }
        return try await promise.futureResult.get()
    }

    private func counts(_ context: NIOSSLContext) throws -> [UInt64] {
        var (resumed, all) = (UInt64(0), UInt64(0))
        try context.withBoringSSL { weft_tls_count_resumptions($0, &resumed, &all) }
        return [resumed, all]
    }

    @Test func theContextIsReachable() throws {
        let context = try server()
        try context.withBoringSSL { #expect(weft_tls_set_groups($0, "X25519") == 1) }
        try context.withBoringSSL { #expect(weft_tls_set_groups($0, "no-such-group") == 0) }
    }

    @Test(arguments: [TLSVersion.v1_2, .v1_3]) func clientsResumeSessions(_ version: WeftIR.TLSVersion) async throws {
        let context = try server { $0.common.maximumVersion = version }
        #expect(try counts(context) == [0, 0])
        let listening = try await listen(context)
        let keeping = try client()
        for _ in 0..<3 { #expect(try await connect(listening, keeping)?.dnsNames == ["a.test"]) }
        #expect(try counts(context) == [2, 3])
        let forgetting = try client { $0.maximumSessions = 0 }
        for _ in 0..<2 { _ = try await connect(listening, forgetting) }
        #expect(try counts(context) == [2, 5])
        try await listening.close()
    }

    @Test func ticketsCanBeTurnedOff() async throws {
        let context = try server {
            $0.disablesTickets = true
            $0.disablesSessionCache = true
        }
        #expect(try counts(context) == [0, 0])
        let listening = try await listen(context)
        let keeping = try client()
        for _ in 0..<2 { _ = try await connect(listening, keeping) }
        #expect(try counts(context) == [0, 2])
        try await listening.close()
    }

    /// The post-quantum group between two of us, and nothing else.
    @Test func postQuantumGroup() async throws {
        let listening = try await listen(try server { $0.common.curves = ["X25519MLKEM768"] })
        _ = try await connect(listening, try client { $0.common.curves = ["X25519MLKEM768"] })
        _ = try await connect(listening, try client())
        let old = try client { $0.common.curves = ["P-256"] }
        await #expect(throws: (any Error).self) { try await connect(listening, old) }
        try await listening.close()
    }

    @Test func aNameCanBeDemanded() async throws {
        let listening = try await listen(try server { $0.requiresServerName = true })
        _ = try await connect(listening, try client())
        let nameless = try client { $0.sni = "" }
        await #expect(throws: (any Error).self) { try await connect(listening, nameless) }
        try await listening.close()
    }

    @Test func theCertificateFollowsTheName() async throws {
        let listening = try await listen(
            try server { $0.common.certificates.append(SecretReference(name: "b", source: .ads)) })
        for name in ["a.test", "b.test", "c.test"] {
            let peer = try await connect(listening, try client { $0.sni = name })
            #expect(peer?.dnsNames == [name == "b.test" ? "b.test" : "a.test"])
        }
        try await listening.close()
    }

    @Test(
        arguments: [
            { (tls: inout DownstreamTLS) in tls.common.cipherSuites = ["NO-SUCH-SUITE"] },
            { tls in tls.common.curves = ["P-1"] }, { tls in tls.common.signatureAlgorithms = ["rot13"] },
            { tls in tls.common.certificates = [] },
            { tls in
                tls.common.certificates = ["a", "mixed"].map { SecretReference(name: $0, source: .ads) }
            },
        ] as [@Sendable (inout DownstreamTLS) -> Void])
    func whatCannotBeUsedIsAnError(_ change: @Sendable (inout DownstreamTLS) -> Void) {
        #expect(throws: TLSContextError.self) { try server(change) }
    }
}
