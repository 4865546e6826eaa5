package import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore
import NIOPosix
package import NIOSSL
import ServiceLifecycle

/// Serves a Hummingbird router on any number of sockets, plain or TLS, until it is told to stop.
///
/// Unlike Hummingbird's own application it takes sockets that were opened elsewhere, and asks for the TLS context at
/// every connection, so that a certificate can change while it runs.
package struct HTTPService: Service {
    /// Where connections come from.
    package enum Socket: Sendable, Hashable {
        case address(host: String, port: Int)
        /// A listening socket that this process inherited.
        case descriptor(Int32)
    }

    private let sockets: [Socket]
    private let logger: Logger
    private let channel: HTTP1Channel
    private let tls: (@Sendable () -> NIOSSLContext?)?

    /// - Parameter tls: the context for the next connection; `nil` from it refuses the connection.
    package init(
        router: Router<BasicRequestContext>, sockets: [Socket], logger: Logger,
        tls: (@Sendable () -> NIOSSLContext?)? = nil
    ) {
        self.sockets = sockets
        self.logger = logger
        self.tls = tls
        let responder = router.buildResponder()
        channel = HTTP1Channel(
            responder: { request, writer, channel in
                let context = BasicRequestContext(
                    source: ApplicationRequestContextSource(channel: channel, logger: logger))
                let response: Response
                do {
                    response = try await responder.respond(to: request, context: context)
                } catch {
                    logger.debug("\(request.method) \(request.uri.path): \(error)")
                    response = Response(
                        status: .internalServerError, body: .init(byteBuffer: ByteBuffer(string: "\(error)\n")))
                }
                try await writer.write(response: response.head, body: response.body)
            }, configuration: .init(idleTimeout: .seconds(60)))
    }

    package func run() async throws {
        try await cancelWhenGracefulShutdown {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for socket in sockets { group.addTask { try await serve(socket) } }
                try await group.waitForAll()
            }
        }
    }

    @concurrent private func serve(_ socket: Socket) async throws {
        let logger = logger
        let channel = channel
        let tls = tls
        let setUp: @Sendable (any Channel) -> EventLoopFuture<HTTP1Channel.Value> = { connection in
            do {
                if let tls {
                    guard let context = tls() else { throw CertificateNotReady() }
                    try connection.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                }
                return channel.setup(channel: connection, logger: logger)
            } catch {
                return connection.eventLoop.makeFailedFuture(error)
            }
        }
        let bootstrap = ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
        let server =
            switch socket {
            case .address(let host, let port):
                try await bootstrap.bind(host: host, port: port, childChannelInitializer: setUp)
            case .descriptor(let descriptor):
                try await bootstrap.bind(descriptor, childChannelInitializer: setUp)
            }
        try await server.executeThenClose { connections in
            try await withThrowingDiscardingTaskGroup { group in
                for try await connection in connections {
                    group.addTask { await channel.handle(value: connection, logger: logger) }
                }
            }
        }
    }
}

/// A connection came before there was a certificate to serve it with.
private struct CertificateNotReady: Error {}
