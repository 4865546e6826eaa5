import NIOCore
import NIOHTTP1
import NIOPosix

/// A plain HTTP/1.1 server around one function. Answers in order: a connection has one request under way at a time.
enum SampleServer {
    static func run(port: Int, service: @escaping SampleService) async throws {
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(SampleHandler(service))
                }
            }
        let channel = try await bootstrap.bind(host: "0.0.0.0", port: port).get()
        print("listening on \(channel.localAddress?.description ?? "port \(port)")")
        try await channel.closeFuture.get()
    }
}

/// Collects a request and answers it with the service's response. Loop-confined.
private final class SampleHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    private let service: SampleService
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()

    init(_ service: @escaping SampleService) { self.service = service }

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
                remoteAddress: context.channel.remoteAddress?.ipAddress ?? "",
                localAddress: SampleHandler.text(context.channel.localAddress))
            let channel = context.channel
            let service = service
            let keepAlive = head.isKeepAlive
            Task {
                SampleHandler.write(await service(request), to: channel, keepAlive: keepAlive, request.method == "HEAD")
            }
        }
    }

    private static func text(_ address: SocketAddress?) -> String {
        let ip = address?.ipAddress ?? ""
        return "\(ip.contains(":") ? "[\(ip)]" : ip):\(address?.port ?? 0)"
    }

    private static func write(_ response: SampleResponse, to channel: any Channel, keepAlive: Bool, _ headOnly: Bool) {
        var headers = HTTPHeaders(response.headers)
        headers.replaceOrAdd(name: "date", value: ClockText.httpDate())
        let hasBody = response.status >= 200 && response.status != 204 && response.status != 304
        if hasBody, response.chunks == nil {
            headers.replaceOrAdd(name: "content-length", value: String(response.body.utf8.count))
        }
        if !keepAlive { headers.replaceOrAdd(name: "connection", value: "close") }
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: response.status), headers: headers)
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        if !headOnly, hasBody {
            for part in response.chunks ?? [response.body] where !part.isEmpty {
                channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: part))), promise: nil)
            }
        }
        let sent = channel.writeAndFlush(HTTPServerResponsePart.end(nil))
        if !keepAlive { sent.whenComplete { _ in channel.close(promise: nil) } }
    }
}
