import NIOCore
import WeftHTTP
import WeftIR
import WeftTransport

/// The HTTP connection manager on one downstream connection: makes an ``Exchange`` of every request.
final class HTTPConnection: DownstreamConnectionDelegate {
    let worker: Worker
    let connection: DownstreamConnection
    let manager: CompiledManager
    let version: HTTPVersion
    /// Callers inside the mesh may be told why they were refused: our own pod, or a peer with an identity.
    let explainsRefusals: Bool

    init(worker: Worker, connection: DownstreamConnection, manager: CompiledManager, version: HTTPVersion) {
        self.worker = worker
        self.connection = connection
        self.manager = manager
        self.version = version
        explainsRefusals =
            connection.info.peer != nil || manager.direction == .outbound && !manager.manager.useRemoteAddress
    }

    func open(stream: DownstreamStream, head: RequestHead, endStream: Bool) -> any HTTPStreamReceiver {
        let exchange = Exchange(self, stream: stream, head: head, endStream: endStream)
        exchange.start()
        return exchange
    }

    func refuse(stream: DownstreamStream, error: RequestError) {
        let reply = LocalReply(error == .headersTooLarge ? .headersTooLarge : .badRequest)
        stream.closeAfterResponse()
        stream.respond(reply.head(explain: false), endStream: reply.body.isEmpty)
        if !reply.body.isEmpty {
            stream.write(body: ByteBuffer(string: reply.body))
            stream.writeEnd(trailers: nil)
        }
    }

    func connectionClosed() {}
}
