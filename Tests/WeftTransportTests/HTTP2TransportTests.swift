import NIOCore
import NIOPosix
import Testing
import WeftHTTP

@testable import WeftTransport

/// Answers requests by their path: `/echo` sends the body back as it comes, `/big` sends 300,000 bytes, `/hold` never
/// answers.
private final class PathDelegate: DownstreamConnectionDelegate {
    final class Receiver: HTTPStreamReceiver {
        let stream: DownstreamStream
        let echoes: Bool
        init(_ stream: DownstreamStream, echoes: Bool) {
            self.stream = stream
            self.echoes = echoes
        }
        func receive(body: ByteBuffer) { if echoes { stream.write(body: body) } }
        func receiveEnd(trailers: HeaderBlock?) { if echoes { stream.writeEnd(trailers: trailers) } }
        func receive(reset: StreamReset) {}
        func writabilityChanged(_ isWritable: Bool) {}
        func readComplete() { stream.flush() }
    }
    func open(stream: DownstreamStream, head: RequestHead, endStream: Bool) -> any HTTPStreamReceiver {
        switch head.pathString {
        case "/echo": stream.respond(ResponseHead(status: 200), endStream: endStream)
        case "/big":
            stream.respond(ResponseHead(status: 200), endStream: false)
            stream.write(body: ByteBuffer(repeating: 120, count: 300_000))
            stream.writeEnd(trailers: HeaderBlock([("grpc-status", "0")]))
        default: break
        }
        return Receiver(stream, echoes: head.pathString == "/echo")
    }
    func refuse(stream: DownstreamStream, error: RequestError) {
        stream.respond(ResponseHead(status: error == .headersTooLarge ? 431 : 400), endStream: true)
    }
    func connectionClosed() {}
}

/// Collects one response as status, body length and trailers.
private final class Summary: ResponseReceiver {
    let promise: EventLoopPromise<String>
    private var status = 0
    private var count = 0
    init(_ promise: EventLoopPromise<String>) { self.promise = promise }
    func receive(informational head: ResponseHead) {}
    func receive(head: ResponseHead, endStream: Bool) {
        status = Int(head.status)
        if endStream { promise.succeed("\(status) 0 -") }
    }
    func receive(body: ByteBuffer) { count += body.readableBytes }
    func receiveEnd(trailers: HeaderBlock?) {
        promise.succeed("\(status) \(count) \(trailers?.string(.grpcStatus) ?? "-")")
    }
    func receive(reset: StreamReset) { promise.succeed("reset \(reset)") }
    func writabilityChanged(_ isWritable: Bool) {}
}

/// Hears nothing, because its stream is reset at once.
private final class Silent: ResponseReceiver {
    func receive(informational head: ResponseHead) {}
    func receive(head: ResponseHead, endStream: Bool) { Issue.record("a response after the reset") }
    func receive(body: ByteBuffer) {}
    func receiveEnd(trailers: HeaderBlock?) {}
    func receive(reset: StreamReset) {}
    func writabilityChanged(_ isWritable: Bool) {}
}

/// What a client does with the pooled connection, on its loop.
private typealias Script = @Sendable (UpstreamHTTPConnection, _ answer: () -> EventLoopPromise<String>) -> Void

@Suite(.timeLimit(.minutes(1))) struct HTTP2TransportTests {
    private func run(
        limits: DownstreamLimits = DownstreamLimits(), client: HTTP2TransportOptions = HTTP2TransportOptions(),
        _ script: @escaping Script
    ) async throws -> [String] {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let (descriptor, port) = try ListeningSocket.open(host: "127.0.0.1", port: 0)
        let server = try await ListeningSocket.accept(on: descriptor, eventLoop: loop) { channel in
            channel.eventLoop.makeCompletedFuture {
                _ = try HTTPPipeline.configureDownstream(
                    channel, version: .http2, limits: limits, delegate: PathDelegate())
            }
        }.get()
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: Int(port))
        let (channel, answers) = try await loop.flatSubmit { () -> EventLoopFuture<(any Channel, [String])> in
            let connected = loop.makePromise(of: (any Channel, [String]).self)
            UpstreamConnector.connect(to: UpstreamTarget(address: address), on: loop) { result in
                guard case .success(let established) = result,
                    let connection = try? HTTPPipeline.configureUpstream(
                        established.channel, version: .http2, maxStreams: 100, http2: client)
                else { return connected.fail(ChannelError.eof) }
                try? established.channel.syncOptions?.setOption(.autoRead, value: true)
                var promises: [EventLoopFuture<String>] = []
                script(connection) {
                    let promise = loop.makePromise(of: String.self)
                    promises.append(promise.futureResult)
                    return promise
                }
                EventLoopFuture.whenAllSucceed(promises, on: loop).map { (established.channel, $0) }.cascade(
                    to: connected)
            }
            return connected.futureResult
        }.get()
        try? await channel.close()
        try await server.close()
        return answers
    }

    @Test func manyStreamsLargerThanTheirWindows() async throws {
        let result = try await run { connection, answer in
            for _ in 0..<20 {
                let stream = connection.open(Summary(answer()))
                stream?.send(RequestHead(.get, "/big", authority: "a"), endStream: true)
            }
        }
        #expect(result == Array(repeating: "200 300000 0", count: 20))
    }

    @Test func bodiesGoBothWaysAtOnce() async throws {
        var client = HTTP2TransportOptions()
        client.codec.streamWindow = 10_000
        let result = try await run(client: client) { connection, answer in
            for _ in 0..<5 {
                let stream = connection.open(Summary(answer()))
                stream?.send(RequestHead(.post, "/echo", authority: "a"), endStream: false)
                for _ in 0..<10 { stream?.write(body: ByteBuffer(repeating: 120, count: 20_000)) }
                stream?.writeEnd(trailers: HeaderBlock([("grpc-status", "7")]))
            }
        }
        #expect(result == Array(repeating: "200 200000 7", count: 5))
    }

    @Test func tooManyHeadersAreAnswered() async throws {
        var limits = DownstreamLimits()
        limits.http2.codec.maximumHeaderListSize = 1000
        let result = try await run(limits: limits) { connection, answer in
            let long = String(repeating: "v", count: 2000)
            connection.open(Summary(answer()))?.send(
                RequestHead(.get, "/big", authority: "a", headers: [("x", long)]), endStream: true)
            connection.open(Summary(answer()))?.send(RequestHead(.get, "/big", authority: "a"), endStream: true)
        }
        #expect(result == ["431 0 -", "200 300000 0"])
    }

    @Test func drainsAfterTheLastRequest() async throws {
        var limits = DownstreamLimits()
        limits.maximumRequests = 1
        let result = try await run(limits: limits) { connection, answer in
            let first = answer()
            connection.open(Summary(first))?.send(RequestHead(.get, "/big", authority: "a"), endStream: true)
            let gone = answer()
            connection.onChange = { _, isClosed in if isClosed { gone.succeed("closed") } }
        }
        #expect(result == ["200 300000 0", "closed"])
    }

    @Test func resettingOneStreamLeavesTheOthers() async throws {
        let result = try await run { connection, answer in
            let dropped = connection.open(Silent())
            dropped?.send(RequestHead(.get, "/hold", authority: "a"), endStream: true)
            dropped?.flush()
            dropped?.reset()
            connection.open(Summary(answer()))?.send(RequestHead(.get, "/big", authority: "a"), endStream: true)
        }
        #expect(result == ["200 300000 0"])
    }

    /// A PING without an answer ends the connection; the reset says so to whoever waits.
    @Test func keepAliveFindsADeadPeer() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let deaf = try await ServerBootstrap(group: loop).childChannelOption(.autoRead, value: false)
            .bind(host: "127.0.0.1", port: 0).get()
        let address = try #require(deaf.localAddress)
        let statistics = HTTP2Statistics()
        let answer = try await loop.flatSubmit { () -> EventLoopFuture<String> in
            let promise = loop.makePromise(of: String.self)
            UpstreamConnector.connect(to: UpstreamTarget(address: address), on: loop) { result in
                var options = HTTP2TransportOptions()
                options.keepAlive = HTTP2KeepAlive(interval: .milliseconds(20), timeout: .milliseconds(20))
                options.statistics = statistics
                guard case .success(let established) = result,
                    let connection = try? HTTPPipeline.configureUpstream(
                        established.channel, version: .http2, maxStreams: 100, http2: options)
                else { return promise.fail(ChannelError.eof) }
                try? established.channel.syncOptions?.setOption(.autoRead, value: true)
                connection.open(Summary(promise))?.send(RequestHead(.get, "/", authority: "a"), endStream: true)
            }
            return promise.futureResult
        }.get()
        #expect(answer == "reset protocolError")
        #expect(statistics[.keepAliveTimeout] == 1)
        try await deaf.close()
    }
}
