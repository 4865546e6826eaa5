import FoundationEssentials
package import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket
import WeftConfig
import WeftCore
import WeftIdentity

/// The Kubernetes API server: storage, admission and the HTTPS front in one value.
///
/// ``api`` works from the moment of creation; ``run()`` serves the listeners until its task is cancelled.
package struct APIServer: Sendable {
    /// Where to listen: a socket that somebody opened, or an address.
    package enum Listener: Sendable, Hashable {
        /// A listening file descriptor; owned by the server from now on.
        case inherited(Int32)
        case address(host: String, port: Int)
    }

    package struct Configuration: Sendable {
        /// Holds `state.db`.
        package var stateDirectory: String
        package var pkiDirectory: String
        package var listeners: [Listener]
        package var podBackend: (any PodBackend)?
        package var logger = Logger(label: "weft.apiserver")

        package init(
            stateDirectory: String, pkiDirectory: String, listeners: [Listener], podBackend: (any PodBackend)? = nil
        ) {
            self.stateDirectory = stateDirectory
            self.pkiDirectory = pkiDirectory
            self.listeners = listeners
            self.podBackend = podBackend
        }
    }

    private let configuration: Configuration
    private let engine: APIEngine
    private let pki: PublicKeyInfrastructure

    package init(_ configuration: Configuration) throws {
        self.configuration = configuration
        let manager = FileManager.default
        try manager.createDirectory(atPath: configuration.stateDirectory, withIntermediateDirectories: true)
        pki = try PublicKeyInfrastructure(directory: configuration.pkiDirectory)
        engine = try APIEngine(
            store: ObjectStore(path: configuration.stateDirectory + "/state.db"),
            tokens: TokenIssuer(keyFile: configuration.pkiDirectory + "/sa.key"), logger: configuration.logger)
    }

    /// The in-process client.
    package var api: LocalAPI { LocalAPI(engine: engine, user: .system) }
    /// The certificate of the server's CA, for `ca.crt` in pods.
    package var caPEM: String { pki.caPEM }
    /// A kubeconfig of the administrator for a server URL (`https://127.0.0.1:16443`).
    package func kubeconfig(server: String) -> String { pki.kubeconfig(server: server) }
    package func writeKubeconfig(to path: String, server: String) throws {
        try SecretFile.write(kubeconfig(server: server), to: path)
    }

    /// Serves until cancelled; then watches end cleanly. Makes the objects that every cluster has first.
    /// - Parameter ready: called once all listeners accept, with their addresses.
    package func run(ready: @Sendable ([String]) async throws -> Void = { _ in }) async throws {
        try await Bootstrap.ensure(api, caPEM: pki.caPEM)
        let router = RequestRouter(engine: engine, backend: configuration.podBackend, logger: configuration.logger)
        let context = try Self.tls(pki)
        var channels: [any Channel] = []
        for listener in configuration.listeners { channels.append(try await bind(listener, router, context)) }
        let addresses = channels.compactMap { channel in
            channel.localAddress.flatMap { address in address.port.map { "\(address.ipAddress ?? ""):\($0)" } }
        }
        try await ready(addresses)
        let collector = GarbageCollector(engine: engine)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await collector.run() }
            await group.waitForAll()
        }
        engine.store.close()
        for channel in channels { try? await channel.close() }
        await engine.webhooks.shutdown()
    }

    private static func tls(_ pki: PublicKeyInfrastructure) throws -> NIOSSLContext {
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(pki.serving.chainPEM.utf8)).map {
                .certificate($0)
            },
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(pki.serving.keyPEM.utf8), format: .pem)))
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(pki.caPEM.utf8)))
        tls.certificateVerification = .optionalVerification
        tls.applicationProtocols = ["http/1.1"]
        return try NIOSSLContext(configuration: tls)
    }

    private func bind(_ listener: Listener, _ router: RequestRouter, _ context: NIOSSLContext) async throws
        -> any Channel
    {
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try Self.configure(channel.pipeline.syncOperations, router, context)
                }
            }
        switch listener {
        case .inherited(let descriptor): return try await bootstrap.withBoundSocket(descriptor).get()
        case .address(let host, let port): return try await bootstrap.bind(host: host, port: port).get()
        }
    }

    private static func configure(
        _ pipeline: ChannelPipeline.SynchronousOperations, _ router: RequestRouter, _ context: NIOSSLContext
    ) throws {
        try pipeline.addHandler(NIOSSLServerHandler(context: context))
        let handler = ConnectionHandler(router: router)
        let bound = NIOLoopBound(handler, eventLoop: pipeline.eventLoop)
        try pipeline.configureHTTPServerPipeline(
            withPipeliningAssistance: true,
            withServerUpgrade: (
                upgraders: [ExecUpgrade.upgrader(router)],
                completionHandler: { $0.pipeline.syncOperations.removeHandler(bound.value, promise: nil) }
            ), withErrorHandling: true)
        try pipeline.addHandler(handler)
    }
}
