import NIOCore
import NIOPosix
import Testing
import WeftHTTP

@testable import WeftTransport

/// Answers every request with its method, path and body.
private final class EchoDelegate: DownstreamConnectionDelegate {
    final class Receiver: HTTPStreamReceiver {
        let stream: DownstreamStream
        var text: String
        init(_ stream: DownstreamStream, _ text: String) {
            self.stream = stream
            self.text = text
        }
        func receive(body: ByteBuffer) { text += String(buffer: body) }
        func receiveEnd(trailers: HeaderBlock?) { answer() }
        func receive(reset: StreamReset) {}
        func writabilityChanged(_ isWritable: Bool) {}
        func answer() {
            stream.respond(ResponseHead(status: 200), endStream: false)
            stream.write(body: ByteBuffer(string: text))
            stream.writeEnd(trailers: HeaderBlock([("x-sum", "\(text.count)")]))
        }
    }
    func open(stream: DownstreamStream, head: RequestHead, endStream: Bool) -> any HTTPStreamReceiver {
        let receiver = Receiver(stream, "\(head.method) \(head.pathString) ")
        if endStream { receiver.answer() }
        return receiver
    }
    func refuse(stream: DownstreamStream, error: RequestError) {
        stream.closeAfterResponse()
        stream.respond(ResponseHead(status: 400), endStream: true)
    }
    func connectionClosed() {}
}

/// Collects one response as text.
private final class Collector: ResponseReceiver {
    let promise: EventLoopPromise<String>
    var text = ""
    init(_ promise: EventLoopPromise<String>) { self.promise = promise }
    func receive(informational head: ResponseHead) {}
    func receive(head: ResponseHead, endStream: Bool) {
        text = "\(head.status) "
        if endStream { promise.succeed(text) }
    }
    func receive(body: ByteBuffer) { text += String(buffer: body) }
    func receiveEnd(trailers: HeaderBlock?) { promise.succeed(text + "sum=\(trailers?.string("x-sum") ?? "none")") }
    func receive(reset: StreamReset) { promise.fail(ChannelError.eof) }
    func writabilityChanged(_ isWritable: Bool) {}
}

@Suite struct CodecTests {
    @Test(.timeLimit(.minutes(1)), arguments: [WeftTransport.HTTPVersion.http1, .http2])
    func exchangesOnOneConnection(version: WeftTransport.HTTPVersion) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let (descriptor, port) = try ListeningSocket.open(host: "127.0.0.1", port: 0)
        let server = try await ListeningSocket.accept(on: descriptor, eventLoop: loop) { channel in
            channel.eventLoop.makeCompletedFuture {
                _ = try HTTPPipeline.configureDownstream(
                    channel, version: version, limits: DownstreamLimits(), delegate: EchoDelegate())
            }
        }.get()
        let answers = try await loop.flatSubmit { () -> EventLoopFuture<[String]> in
            let promises = (0..<3).map { _ in loop.makePromise(of: String.self) }
            guard let address = try? SocketAddress(ipAddress: "127.0.0.1", port: Int(port)) else {
                return loop.makeFailedFuture(ChannelError.eof)
            }
            UpstreamConnector.connect(to: UpstreamTarget(address: address), on: loop) { result in
                guard case .success(let connected) = result,
                    let connection = try? HTTPPipeline.configureUpstream(
                        connected.channel, version: version, maxStreams: 10)
                else { return promises.forEach { $0.fail(ChannelError.eof) } }
                try? connected.channel.syncOptions?.setOption(.autoRead, value: true)
                func send(_ index: Int) {
                    guard index < promises.count else { return connection.close() }
                    guard let stream = connection.open(Collector(promises[index])) else {
                        return promises[index].fail(ChannelError.eof)
                    }
                    let hasBody = index == 1
                    stream.send(RequestHead(hasBody ? .post : .get, "/\(index)", authority: "a"), endStream: !hasBody)
                    if hasBody {
                        stream.write(body: ByteBuffer(string: "body"))
                        stream.writeEnd(trailers: nil)
                    }
                    promises[index].futureResult.assumeIsolated().whenSuccess { _ in
                        loop.assumeIsolated().execute { send(index + 1) }
                    }
                }
                send(0)
            }
            return EventLoopFuture.whenAllSucceed(promises.map(\.futureResult), on: loop)
        }.get()
        #expect(answers == ["200 GET /0 sum=7", "200 POST /1 bodysum=12", "200 GET /2 sum=7"])
        try await server.close()
    }
}
