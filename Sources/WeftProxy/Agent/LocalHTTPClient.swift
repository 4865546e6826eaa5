import NIOCore
import NIOPosix
import NIOSSL
import WeftHTTP
import WeftTransport

/// One request to something near: the application's probe and metrics, or the admin server of this pod. HTTP/1.1, or
/// HTTP/2 without asking first.
///
/// One connection per request; bodies are read whole, up to a limit.
enum LocalHTTPClient {
    struct Request: Sendable {
        var method = "GET"
        var host: String
        var port: Int
        var path: String
        var authority: String?
        var headers: [(String, String)] = []
        var body: [UInt8] = []
        var version = HTTPVersion.http1
        var isTLS = false
        /// Source address; the application sees probes come from there.
        var bind: String?
        var timeout = TimeAmount.seconds(5)
    }
    struct Response: Sendable {
        var status: UInt16
        var headers: HeaderBlock
        /// As the server sent it.
        var bytes: [UInt8]
        var trailers: HeaderBlock?

        var body: String { String(decoding: bytes, as: UTF8.self) }
    }
    struct Failure: Error, CustomStringConvertible { var description: String }

    static let bodyLimit = 64 << 20

    static func send(_ request: Request) async throws -> Response {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: Response.self)
        let target = try target(request)
        loop.execute {
            let deadline = loop.assumeIsolated().scheduleTask(in: request.timeout) {
                promise.fail(Failure(description: "no answer in \(request.timeout.nanoseconds / 1_000_000) ms"))
            }
            promise.futureResult.assumeIsolated().whenComplete { _ in deadline.cancel() }
            UpstreamConnector.connect(to: target, on: loop) { result in
                switch result {
                case .failure(let error): promise.fail(Failure(description: "\(error)"))
                case .success(let connected): start(request, connected.channel, promise)
                }
            }
        }
        return try await promise.futureResult.get()
    }

    /// True when the port takes connections.
    static func canConnect(_ request: Request) async -> Bool {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: Bool.self)
        guard let target = try? target(request) else { return false }
        loop.execute {
            UpstreamConnector.connect(to: target, on: loop) { result in
                if case .success(let connected) = result { connected.channel.close(promise: nil) }
                if case .success = result { promise.succeed(true) } else { promise.succeed(false) }
            }
        }
        return (try? await promise.futureResult.get()) ?? false
    }

    private static func target(_ request: Request) throws -> UpstreamTarget {
        var tls: UpstreamTLSContext?
        if request.isTLS {
            // As the kubelet: a probe asks for life, not for identity.
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.certificateVerification = .none
            tls = UpstreamTLSContext(
                context: try NIOSSLContext(configuration: configuration), serverName: "", accepts: { _ in true })
        }
        return UpstreamTarget(
            address: try SocketAddress.makeAddressResolvingHost(request.host, port: request.port), tls: tls,
            bindAddress: request.bind.flatMap { try? SocketAddress(ipAddress: $0, port: 0) },
            connectTimeout: request.timeout)
    }

    private static func start(_ request: Request, _ channel: any Channel, _ promise: EventLoopPromise<Response>) {
        let receiver = ResponseCollector(promise, channel: channel)
        do {
            let connection = try HTTPPipeline.configureUpstream(channel, version: request.version, maxStreams: 1)
            receiver.connection = connection
            guard let stream = connection.open(receiver) else { throw Failure(description: "connection closed") }
            var head = RequestHead(
                HTTPMethod(name: request.method), request.path,
                authority: request.authority ?? "\(request.host):\(request.port)",
                headers: request.headers)
            if request.version == .http2 { head.version = .http2 }
            if !request.body.isEmpty { head.framing = .length(UInt64(request.body.count)) }
            stream.send(head, endStream: request.body.isEmpty)
            if !request.body.isEmpty {
                stream.write(body: ByteBuffer(bytes: request.body))
                stream.writeEnd(trailers: nil)
            }
            stream.flush()
            try channel.syncOptions?.setOption(.autoRead, value: true)
            channel.read()
        } catch {
            promise.fail(error)
            channel.close(promise: nil)
        }
    }
}

/// Collects one response and then closes the connection. Loop-confined.
private final class ResponseCollector: ResponseReceiver {
    private let promise: EventLoopPromise<LocalHTTPClient.Response>
    private let channel: any Channel
    var connection: UpstreamHTTPConnection?
    private var head: ResponseHead?
    private var body = ByteBuffer()

    init(_ promise: EventLoopPromise<LocalHTTPClient.Response>, channel: any Channel) {
        self.promise = promise
        self.channel = channel
    }

    func receive(informational head: ResponseHead) {}
    func receive(head: ResponseHead, endStream: Bool) {
        self.head = head
        if endStream { finish(nil) }
    }
    func receive(body bytes: ByteBuffer) {
        guard body.readableBytes < LocalHTTPClient.bodyLimit else { return finish(nil) }
        body.writeImmutableBuffer(bytes)
    }
    func receiveEnd(trailers: HeaderBlock?) { finish(trailers) }
    func receive(reset: StreamReset) {
        promise.fail(LocalHTTPClient.Failure(description: "the connection broke off"))
        channel.close(promise: nil)
        connection = nil
    }
    func writabilityChanged(_ isWritable: Bool) {}

    private func finish(_ trailers: HeaderBlock?) {
        if let head {
            promise.succeed(
                LocalHTTPClient.Response(
                    status: head.status, headers: head.headers, bytes: Array(body.readableBytesView), trailers: trailers
                ))
        }
        channel.close(promise: nil)
        connection = nil
    }
}
