import Logging
import NIOCore
import NIOHTTP1
import NIOWebSocket
import WeftCore

/// Reads requests of one connection and starts a task for each; ends the task when the peer goes away.
///
/// Loop-confined.
final class ConnectionHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart
    /// The largest request that is taken, as in Kubernetes.
    static let bodyLimit = 3 << 20

    private let router: RequestRouter
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()
    private var tooLarge = false
    private var task: Task<Void, Never>?

    init(router: RequestRouter) { self.router = router }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body.clear()
            tooLarge = false
        case .body(var part):
            if body.readableBytes + part.readableBytes > Self.bodyLimit {
                tooLarge = true
            } else {
                body.writeBuffer(&part)
            }
        case .end:
            guard let head else { return }
            let writer = ResponseWriter(channel: context.channel, keepAlive: head.isKeepAlive)
            let request = APIRequest(head: head, body: body)
            let (router, tooLarge) = (router, tooLarge)
            task = Task { await router.serve(request, writer, tooLarge: tooLarge) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        task?.cancel()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A refused upgrade is no broken connection: the request itself follows and gets an answer that says why.
        if error is NIOWebSocketUpgradeError { return }
        context.close(promise: nil)
    }
}
