import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A server in this process that answers by a function, so that a client can be tried against any behaviour.
final class FakeAPIServer: Sendable {
    struct Request: Sendable {
        var method: String
        var uri: String
        var headers: HTTPHeaders
        var body: String

        var path: String { String(uri.prefix { $0 != "?" }) }
    }

    /// An answer: its chunks are sent one after the other; the end is sent unless the body stays open.
    struct Answer: Sendable {
        var status = HTTPResponseStatus.ok
        var chunks: [String]
        var staysOpen = false
    }

    private let channel: any Channel
    private let log: Log
    var requests: [Request] { log.requests }
    var url: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }

    private final class Log: Sendable {
        private let state = Mutex<[Request]>([])
        var requests: [Request] { state.withLock { $0 } }
        func add(_ request: Request) -> Int {
            state.withLock {
                $0.append(request)
                return $0.count
            }
        }
    }

    /// - Parameter answer: gets the request and how many there have been, from 1.
    init(_ answer: @escaping @Sendable (Request, Int) -> Answer) async throws {
        let log = Log()
        self.log = log
        channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler { answer($0, log.add($0)) })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    func stop() async throws { try await channel.close() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let answer: (Request) -> Answer
        private var head: HTTPRequestHead?
        private var body = ""

        init(_ answer: @escaping (Request) -> Answer) { self.answer = answer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): (self.head, body) = (head, "")
            case .body(let bytes): body += String(buffer: bytes)
            case .end: respond(context)
            }
        }

        private func respond(_ context: ChannelHandlerContext) {
            guard let head else { return }
            let answer = answer(Request(method: head.method.rawValue, uri: head.uri, headers: head.headers, body: body))
            var headers: HTTPHeaders = ["Content-Type": "application/json"]
            if !answer.staysOpen { headers.add(name: "Content-Length", value: "\(answer.chunks.joined().utf8.count)") }
            let response = HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
            context.write(wrapOutboundOut(.head(response)), promise: nil)
            for chunk in answer.chunks {
                context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: chunk)))), promise: nil)
            }
            if answer.staysOpen {
                context.flush()
            } else {
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
