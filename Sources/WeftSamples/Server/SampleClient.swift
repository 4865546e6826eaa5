import NIOCore
import NIOHTTP1
import NIOPosix

/// A plain HTTP/1.1 client: one connection for each request.
enum SampleClient {
    struct Failure: Error { var message: String }

    /// Headers that one service of a chain passes on to the next: identity, tracing, canaries. Never `authorization`:
    /// a credential is meant for the service that it was sent to.
    static let forwarded = [
        "end-user", "x-canary", "x-request-id", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled",
        "x-b3-flags", "b3", "traceparent", "tracestate", "user-agent", "cookie",
    ]

    static func passedOn(_ request: SampleRequest) -> HTTPHeaders {
        HTTPHeaders(forwarded.compactMap { name in request.headers.first(name: name).map { (name, $0) } })
    }

    static func get(host: String, port: Int, path: String, headers: HTTPHeaders) async throws -> (Int, String) {
        let answer = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: (Int, String).self)
        let connecting = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(5))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(AnswerHandler(answer))
                }
            }
            .connect(host: host, port: port)
        connecting.whenFailure { answer.fail($0) }
        connecting.whenSuccess { channel in
            var headers = headers
            headers.replaceOrAdd(name: "host", value: port == 80 ? host : "\(host):\(port)")
            headers.replaceOrAdd(name: "connection", value: "close")
            let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: headers)
            channel.write(HTTPClientRequestPart.head(head), promise: nil)
            channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
            let limit = channel.eventLoop.scheduleTask(in: .seconds(15)) { channel.close(promise: nil) }
            channel.closeFuture.whenComplete { _ in limit.cancel() }
        }
        return try await answer.futureResult.get()
    }
}

private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    private let answer: EventLoopPromise<(Int, String)>
    private var status = 0
    private var body = ByteBuffer()
    private var isDone = false

    init(_ answer: EventLoopPromise<(Int, String)>) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): status = Int(head.status.code)
        case .body(var bytes): body.writeBuffer(&bytes)
        case .end:
            isDone = true
            answer.succeed((status, String(buffer: body)))
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !isDone { answer.fail(SampleClient.Failure(message: "connection closed before the answer")) }
    }
}
