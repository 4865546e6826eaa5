import NIOCore
import NIOSSL
import TestSupport
import Testing
import WeftIR
import WeftIdentity

@testable import WeftProxy

/// What becomes of standing connections when their listener changes.
@Suite(.timeLimit(.minutes(1))) struct ListenerChangeTests {
    /// How long a test waits before it takes silence for an answer that will not come.
    private static let patience = 20_000

    /// An HTTP/1.1 client that keeps its connection.
    private final class Client {
        let stream: any ByteStream
        private var reader = WireReader()
        init(_ stream: any ByteStream) { self.stream = stream }
        convenience init(port: Int) throws { self.init(try RawSocket(to: "127.0.0.1", port: UInt16(port))) }

        func ask() -> Bool { stream.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n") }

        /// - Returns: `nil` when the connection ended instead.
        func answer() -> WireMessage? {
            while true {
                if let message = reader.next(isResponse: true) { return message }
                guard case .bytes(let bytes) = stream.receive(within: ListenerChangeTests.patience) else { return nil }
                reader.buffer += bytes
            }
        }

        func get() -> WireMessage? { ask() ? answer() : nil }
    }

    private func manager(_ body: String, _ change: (inout HTTPConnectionManager) -> Void = { _ in })
        -> HTTPConnectionManager
    {
        let route = Route(
            match: RouteMatch(path: .prefix("/")), action: .directResponse(DirectResponse(status: 200, body: body)))
        var manager = HTTPConnectionManager(
            statPrefix: "in",
            routes: .inline(
                RouteConfiguration(
                    name: "r", virtualHosts: [VirtualHost(name: "v", domains: ["*"], routes: [route])])),
            filters: [HTTPFilter(name: "router", kind: .router)])
        change(&manager)
        return manager
    }

    private func configuration(_ filters: [NetworkFilter], tls: DownstreamTLS? = nil) -> ProxyConfiguration {
        var chain = FilterChain(name: "c", filters: filters)
        chain.tls = tls
        var listener = Listener(name: "l", address: .ip("127.0.0.1", port: 0))
        listener.filterChains = [chain]
        var configuration = ProxyConfiguration()
        configuration.listeners["l"] = listener
        return configuration
    }

    private func start(
        _ configuration: ProxyConfiguration, drainSeconds: Int = 45, secrets: [Secret] = []
    ) async throws -> (DataPlane, port: Int) {
        var options = DataPlane.Options()
        options.drain.seconds = drainSeconds
        let plane = DataPlane(options: options)
        await plane.apply(workloadSecrets: secrets)
        let (bound, problems) = await plane.start(configuration)
        #expect(problems == [])
        return (plane, try #require(bound["l"]?.first?.port))
    }

    @Test func aKeptConnectionMeetsTheNewFilterChain() async throws {
        let (plane, port) = try await start(configuration([.httpConnectionManager(manager("one"))]))
        let client = try Client(port: port)
        #expect(client.get()?.text == "one")
        await plane.apply(configuration([.httpConnectionManager(manager("two"))]))
        let answer = try #require(client.get())
        #expect(answer.text == "two")
        #expect(answer.first("connection") == nil)
        #expect(client.get()?.text == "two")
        await plane.shutdown(grace: .zero)
    }

    @Test func aRequestUnderWayEndsAsItBegan() async throws {
        let upstream = try RawListener()
        defer { upstream.close() }
        var before = configuration([
            .httpConnectionManager(
                manager("") { manager in
                    guard case .inline(var routes) = manager.routes else { return }
                    routes.virtualHosts[0].routes[0].action = .forward(RouteAction(cluster: .cluster("c")))
                    manager.routes = .inline(routes)
                    manager.serverName = "before"
                })
        ])
        var cluster = Cluster(name: "c", discovery: .static)
        cluster.endpoints = ClusterLoadAssignment(
            clusterName: "c",
            localities: [LocalityEndpoints(endpoints: [Endpoint(address: .ip("127.0.0.1", port: upstream.port))])])
        before.clusters["c"] = cluster
        let (plane, port) = try await start(before)
        let client = try Client(port: port)
        #expect(client.ask())
        let far = try #require(upstream.accept())
        guard case .bytes = far.receive(within: Self.patience) else { throw StepFailure("no request") }
        await plane.apply(configuration([.httpConnectionManager(manager("two"))]))
        #expect(far.send("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nold"))
        let answer = try #require(client.answer())
        #expect(answer.text == "old")
        #expect(answer.first("server") == "before")
        #expect(answer.first("connection") == nil)
        #expect(client.get()?.text == "two")
        await plane.shutdown(grace: .zero)
    }

    /// The limits of a codec are settled when the connection begins: it goes with its next answer.
    @Test func whatCannotMoveIsToldWithTheNextAnswer() async throws {
        let (plane, port) = try await start(configuration([.httpConnectionManager(manager("one"))]))
        let client = try Client(port: port)
        #expect(client.get()?.text == "one")
        await plane.apply(configuration([.httpConnectionManager(manager("two") { $0.maxHeadersCount = 7 })]))
        let answer = try #require(client.get())
        #expect(answer.text == "one", "a connection that waits is no closed one")
        #expect(answer.first("connection") == "close")
        #expect(client.answer() == nil)
        #expect(try Client(port: port).get()?.text == "two")
        await plane.shutdown(grace: .zero)
    }

    @Test func whatIsIdleGoesAtTheEndOfTheDrainTime() async throws {
        let (plane, port) = try await start(configuration([.httpConnectionManager(manager("one"))]), drainSeconds: 1)
        let client = try Client(port: port)
        #expect(client.get()?.text == "one")
        await plane.apply(ProxyConfiguration())
        #expect(client.answer() == nil)
        await plane.shutdown(grace: .zero)
    }

    /// A renewed certificate must not bring back the configuration that was in force when it came.
    @Test func changesMadeAtOnceLoseNothing() async throws {
        let (plane, port) = try await start(configuration([.httpConnectionManager(manager("0"))]))
        let configurations = (1...50).map { configuration([.httpConnectionManager(manager("\($0)"))]) }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { for _ in 0..<50 { await plane.apply(workloadSecrets: []) } } }
            group.addTask { for one in configurations { await plane.apply(one) } }
        }
        #expect(plane.snapshot.configuration == configurations.last)
        #expect(try Client(port: port).get()?.text == "50")
        await plane.shutdown(grace: .zero)
    }

    @Test func anHTTP2ConnectionMovesOrSaysGoAway() async throws {
        let (plane, port) = try await start(configuration([.httpConnectionManager(manager("one"))]))
        let peer = HTTP2Peer(try RawSocket(to: "127.0.0.1", port: UInt16(port)), isClient: true)
        func get(_ id: UInt32) -> (body: String?, saysGoAway: Bool) {
            peer.headers(
                id,
                [
                    .init(":method", "GET"), .init(":path", "/"), .init(":scheme", "http"), .init(":authority", "a"),
                ], ended: true)
            var (body, isGoing) = ([UInt8](), false)
            while let event = peer.next(within: Self.patience) {
                switch event {
                case .goAway: isGoing = true
                case .data(id, let bytes, let ended):
                    body += bytes
                    if ended { return (String(decoding: body, as: UTF8.self), isGoing) }
                default: break
                }
            }
            return (nil, isGoing)
        }
        #expect(get(1) == ("one", false))
        await plane.apply(configuration([.httpConnectionManager(manager("two"))]))
        #expect(get(3) == ("two", false))
        await plane.apply(configuration([.httpConnectionManager(manager("three") { $0.maxHeadersCount = 7 })]))
        #expect(get(5) == ("two", true))
        await plane.shutdown(grace: .zero)
    }

    private struct Identity {
        let secrets: [Secret]
        let client: TLSConfiguration

        init() throws {
            let root = try CertificateSigner(selfSignedRoot: "weft", commonName: "root", validFor: 3_600)
            let issued = try root.issue(
                .workload(SPIFFEIdentity(uri: "spiffe://cluster.local/ns/dev/sa/default")), validFor: 600)
            let bundle = try root.certificatePEM()
            secrets = [
                Secret(
                    name: "default",
                    content: .certificate(
                        chainPEM: issued.chainPEM, privateKey: PrivateBytes(Array(issued.keyPEM.utf8)))),
                Secret(name: "ROOTCA", content: .validation(trustedCAPEM: bundle)),
            ]
            var client = TLSConfiguration.makeClientConfiguration()
            client.certificateVerification = .noHostnameVerification
            client.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(bundle.utf8)))
            client.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(issued.chainPEM.utf8))
                .map { .certificate($0) }
            client.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(issued.keyPEM.utf8), format: .pem))
            self.client = client
        }
    }

    /// A policy that changes is one filter more; what was agreed on in the handshake stays.
    @Test func mutualTLSStaysWhenItsSettingsStay() async throws {
        let identity = try Identity()
        var tls = DownstreamTLS()
        tls.common.certificates = [.workloadCertificate]
        tls.common.validation = .workloadTrustBundle
        tls.requireClientCertificate = true
        let (plane, port) = try await start(
            configuration([.httpConnectionManager(manager("one"))], tls: tls), secrets: identity.secrets)
        let socket = try RawSocket(to: "127.0.0.1", port: UInt16(port))
        let stream = try TLSStream(client: socket, identity.client, serverName: nil)
        let client = Client(stream)
        #expect(client.get()?.text == "one", "\(stream.failure ?? "")")
        await plane.apply(configuration([.httpConnectionManager(manager("two"))], tls: tls))
        let moved = try #require(client.get())
        #expect(moved.text == "two")
        #expect(moved.first("connection") == nil)
        tls.requireClientCertificate = false
        await plane.apply(configuration([.httpConnectionManager(manager("three"))], tls: tls))
        let last = try #require(client.get())
        #expect(last.text == "two")
        #expect(last.first("connection") == "close")
        await plane.shutdown(grace: .zero)
    }

    @Test func plainForwardingGoesOn() async throws {
        let upstream = try RawListener()
        defer { upstream.close() }
        func forwarding(_ prefix: String) -> ProxyConfiguration {
            var made = configuration([.tcpProxy(TCPProxy(statPrefix: prefix, cluster: .cluster("c")))])
            var cluster = Cluster(name: "c", discovery: .static)
            cluster.endpoints = ClusterLoadAssignment(
                clusterName: "c",
                localities: [LocalityEndpoints(endpoints: [Endpoint(address: .ip("127.0.0.1", port: upstream.port))])])
            made.clusters["c"] = cluster
            return made
        }
        let (plane, port) = try await start(forwarding("one"), drainSeconds: 0)
        let near = try RawSocket(to: "127.0.0.1", port: UInt16(port))
        let far = try #require(upstream.accept())
        func passes(_ text: String) -> Bool {
            near.send(text) && far.receive(within: Self.patience) == .bytes(Array(text.utf8))
        }
        #expect(passes("a"))
        await plane.apply(forwarding("two"))
        #expect(passes("b"))
        await plane.apply(ProxyConfiguration())
        #expect(passes("c"))
        await plane.shutdown(grace: .zero)
    }
}
