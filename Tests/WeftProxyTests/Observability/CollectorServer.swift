import NIOCore
import NIOPosix
import WeftHTTP
import WeftTransport

/// A server on loopback that keeps what it is sent: a collector of spans, a log service, an upstream.
///
/// Answers every request with 200 when it is complete; gRPC gets its status in trailers. Streams that do not end are
/// handed out as their bytes come.
final class CollectorServer: Sendable {
    struct Received: Sendable {
        var path: String
        var headers: [String: String]
        var body: [UInt8]
    }
    let port: UInt16
    let received: AsyncStream<Received>
    private let channel: any Channel

    /// - Parameters:
    ///   - headers: Of every answer.
    ///   - message: Of every answer to gRPC, at most 255 bytes.
    init(
        _ version: HTTPVersion, whole: Bool = true, body: String = "", headers: [(String, String)] = [],
        message: [UInt8] = []
    ) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let (descriptor, bound) = try ListeningSocket.open(host: "127.0.0.1", port: 0)
        let (stream, continuation) = AsyncStream.makeStream(of: Received.self)
        received = stream
        port = bound
        channel = try await ListeningSocket.accept(on: descriptor, eventLoop: loop) { channel in
            channel.eventLoop.makeCompletedFuture {
                _ = try HTTPPipeline.configureDownstream(
                    channel, version: version, limits: DownstreamLimits(),
                    delegate: Connection(whole: whole, body: body, headers: headers, message: message) {
                        continuation.yield($0)
                    })
            }
        }.get()
    }

    func stop() async { try? await channel.close() }

    private final class Connection: DownstreamConnectionDelegate {
        let whole: Bool
        let body: String
        let headers: [(String, String)]
        let message: [UInt8]
        let found: (Received) -> Void

        init(
            whole: Bool, body: String, headers: [(String, String)], message: [UInt8],
            found: @escaping (Received) -> Void
        ) {
            self.message = message
            self.whole = whole
            self.body = body
            self.headers = headers
            self.found = found
        }

        func open(stream: DownstreamStream, head: RequestHead, endStream: Bool) -> any HTTPStreamReceiver {
            let taker = Taker(self, stream, head)
            if endStream { taker.receiveEnd(trailers: nil) }
            return taker
        }
        func refuse(stream: DownstreamStream, error: RequestError) { stream.reset() }
        func connectionClosed() {}
    }

    private final class Taker: HTTPStreamReceiver {
        private let owner: Connection
        private var stream: DownstreamStream?
        private let head: RequestHead
        private var body: [UInt8] = []

        init(_ owner: Connection, _ stream: DownstreamStream, _ head: RequestHead) {
            self.owner = owner
            self.stream = stream
            self.head = head
        }

        func receive(body bytes: ByteBuffer) {
            body += bytes.readableBytesView
            guard !owner.whole else { return }
            hand()
            body = []
        }

        private func hand() {
            let headers = Dictionary(
                head.headers.fields.map { ($0.name.lowercased(), $0.value) }, uniquingKeysWith: { "\($0),\($1)" })
            owner.found(Received(path: head.pathString, headers: headers, body: body))
        }

        func receiveEnd(trailers: HeaderBlock?) {
            if owner.whole { hand() }
            guard let stream else { return }
            self.stream = nil
            if head.isGRPC {
                stream.respond(
                    ResponseHead(status: 200, headers: HeaderBlock([("content-type", "application/grpc")])),
                    endStream: false)
                stream.write(body: ByteBuffer(bytes: [0, 0, 0, 0, UInt8(owner.message.count)] + owner.message))
                stream.writeEnd(trailers: HeaderBlock([("grpc-status", "0")]))
                return
            }
            var headers = HeaderBlock(owner.headers)
            headers.set("content-length", String(owner.body.utf8.count))
            stream.respond(ResponseHead(status: 200, headers: headers), endStream: owner.body.isEmpty)
            guard !owner.body.isEmpty else { return }
            stream.write(body: ByteBuffer(string: owner.body))
            stream.writeEnd(trailers: nil)
        }

        func receive(reset: StreamReset) { stream = nil }
        func writabilityChanged(_ isWritable: Bool) {}
    }
}
