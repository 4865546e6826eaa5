import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix

/// A plain server around one function: HTTP/1.1, and HTTP/2 where the client starts with its preface. Answers in order:
/// an HTTP/1.1 connection and an HTTP/2 stream have one request under way at a time.
enum SampleServer {
    static func run(port: Int, service: @escaping SampleService) async throws {
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        PrefaceHandler { channel, isHTTP2 in try configure(channel, isHTTP2: isHTTP2, service) })
                }
            }
        let channel = try await bootstrap.bind(host: "0.0.0.0", port: port).get()
        print("listening on \(channel.localAddress?.description ?? "port \(port)")")
        try await channel.closeFuture.get()
    }

    private static func configure(_ channel: any Channel, isHTTP2: Bool, _ service: @escaping SampleService) throws {
        guard isHTTP2 else {
            try channel.pipeline.syncOperations.configureHTTPServerPipeline()
            return try channel.pipeline.syncOperations.addHandler(SampleHandler(service, version: "HTTP/1.1"))
        }
        _ = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
            mode: .server, connectionConfiguration: .init(), streamConfiguration: .init()
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandlers([
                    HTTP2FramePayloadToHTTP1ServerCodec(), SampleHandler(service, version: "HTTP/2"),
                ])
            }
        }
    }
}

/// Holds back the first bytes of a connection until they are HTTP/2's preface (RFC 9113, 3.4) or cannot be. Loop-confined.
private final class PrefaceHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    private var held = ByteBuffer()
    private let configure: (any Channel, _ isHTTP2: Bool) throws -> Void

    init(_ configure: @escaping (any Channel, _ isHTTP2: Bool) throws -> Void) { self.configure = configure }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        held.writeBuffer(&bytes)
        let begins = zip(held.readableBytesView, Self.preface).allSatisfy { $0 == $1 }
        guard !begins || held.readableBytes >= Self.preface.count else { return }
        do { try configure(context.channel, begins) } catch { return context.close(promise: nil) }
        context.fireChannelRead(wrapInboundOut(held))
        context.fireChannelReadComplete()
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
}

/// Collects a request and answers it with the service's response. Loop-confined.
private final class SampleHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    private let service: SampleService
    private let version: String
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()

    init(_ service: @escaping SampleService, version: String) {
        self.service = service
        self.version = version
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = ByteBuffer()
        case .body(var bytes): body.writeBuffer(&bytes)
        case .end:
            guard let head else { return }
            let request = SampleRequest(
                method: head.method.rawValue, uri: head.uri, headers: head.headers, body: body,
                version: version, remoteAddress: peer(context.channel).remoteAddress?.ipAddress ?? "",
                localAddress: SampleHandler.text(peer(context.channel).localAddress))
            let channel = context.channel
            let service = service
            let keepAlive = version == "HTTP/2" || head.isKeepAlive
            Task {
                SampleHandler.write(await service(request), to: channel, keepAlive: keepAlive, request.method == "HEAD")
            }
        }
    }

    /// The connection that an HTTP/2 stream runs on.
    private func peer(_ channel: any Channel) -> any Channel {
        version == "HTTP/2" ? channel.parent ?? channel : channel
    }

    private static func text(_ address: SocketAddress?) -> String {
        let ip = address?.ipAddress ?? ""
        return "\(ip.contains(":") ? "[\(ip)]" : ip):\(address?.port ?? 0)"
    }

    private static func write(_ response: SampleResponse, to channel: any Channel, keepAlive: Bool, _ headOnly: Bool) {
        var headers = HTTPHeaders(response.headers)
        headers.replaceOrAdd(name: "date", value: ClockText.httpDate())
        let hasBody = response.status >= 200 && response.status != 204 && response.status != 304
        if hasBody, response.chunks == nil, response.bytes == nil {
            headers.replaceOrAdd(name: "content-length", value: String(response.body.utf8.count))
        }
        if !keepAlive { headers.replaceOrAdd(name: "connection", value: "close") }
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: response.status), headers: headers)
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        if !headOnly, hasBody {
            let texts = response.chunks ?? [response.body]
            let parts = response.bytes.map { [$0] } ?? texts.map { ByteBuffer(string: $0) }
            for part in parts where part.readableBytes > 0 {
                channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(part)), promise: nil)
            }
        }
        let trailers = response.trailers.isEmpty ? nil : HTTPHeaders(response.trailers)
        let sent = channel.writeAndFlush(HTTPServerResponsePart.end(trailers))
        if !keepAlive { sent.whenComplete { _ in channel.close(promise: nil) } }
    }
}
