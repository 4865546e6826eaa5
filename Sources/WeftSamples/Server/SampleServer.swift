import NIOCore
import NIOHTTP1
import NIOPosix

/// One request as the samples see it.
struct SampleRequest: Sendable {
    var method: String
    var uri: String
    var headers: HTTPHeaders
    var body: ByteBuffer
    var remoteAddress: String

    var path: String { String(uri.prefix { $0 != "?" }) }
    var query: [String: String] {
        guard let mark = uri.firstIndex(of: "?") else { return [:] }
        var result: [String: String] = [:]
        for pair in uri[uri.index(after: mark)...].split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            if let name = parts.first { result[String(name)] = parts.count > 1 ? String(parts[1]) : "" }
        }
        return result
    }
}

/// One answer.
struct SampleResponse: Sendable {
    var status = 200
    var headers: [(String, String)] = []
    var body = ""

    static func json(_ body: String, status: Int = 200) -> SampleResponse {
        SampleResponse(status: status, headers: [("content-type", "application/json")], body: body)
    }
    static func html(_ body: String, status: Int = 200) -> SampleResponse {
        SampleResponse(status: status, headers: [("content-type", "text/html; charset=utf-8")], body: body)
    }
    static func text(_ body: String, status: Int = 200) -> SampleResponse {
        SampleResponse(status: status, headers: [("content-type", "text/plain")], body: body)
    }
}

typealias SampleService = @Sendable (SampleRequest) async -> SampleResponse

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
                remoteAddress: context.channel.remoteAddress?.ipAddress ?? "")
            let channel = context.channel
            let service = service
            let keepAlive = head.isKeepAlive
            Task {
                SampleHandler.write(await service(request), to: channel, keepAlive: keepAlive, request.method == "HEAD")
            }
        }
    }

    private static func write(_ response: SampleResponse, to channel: any Channel, keepAlive: Bool, _ headOnly: Bool) {
        let body = ByteBuffer(string: response.body)
        var headers = HTTPHeaders(response.headers)
        headers.replaceOrAdd(name: "content-length", value: String(body.readableBytes))
        if !keepAlive { headers.replaceOrAdd(name: "connection", value: "close") }
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: response.status), headers: headers)
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        if !headOnly { channel.write(HTTPServerResponsePart.body(.byteBuffer(body)), promise: nil) }
        let sent = channel.writeAndFlush(HTTPServerResponsePart.end(nil))
        if !keepAlive { sent.whenComplete { _ in channel.close(promise: nil) } }
    }
}
