import NIOCore
import NIOPosix

/// One question to one server, over UDP or TCP. Loop-confined; reports exactly once, `nil` when no answer came.
///
/// A datagram socket of its own gives every question another source port, and only the asked server is listened to, so
/// that a forged answer must guess port and identifier.
final class DNSExchange {
    typealias Completion = (Result<[DNSMessage.Record], DNSMessage.Problem>?) -> Void

    private let query: [UInt8]
    private let kind: DNSMessage.Kind
    private let server: SocketAddress
    private let isStream: Bool
    private let eventLoop: any EventLoop
    private let timeout: TimeAmount
    private var completion: Completion?
    private var timer: Scheduled<Void>?
    private var channel: (any Channel)?

    init(
        query: [UInt8], kind: DNSMessage.Kind, server: SocketAddress, isStream: Bool, eventLoop: any EventLoop,
        timeout: TimeAmount, completion: @escaping Completion
    ) {
        self.query = query
        self.kind = kind
        self.server = server
        self.isStream = isStream
        self.eventLoop = eventLoop
        self.timeout = timeout
        self.completion = completion
    }

    func start() {
        timer = eventLoop.assumeIsolated().scheduleTask(in: timeout) { [self] in finish(nil) }
        let opened: EventLoopFuture<any Channel>
        if isStream {
            opened = ClientBootstrap(group: eventLoop).connectTimeout(timeout).connect(to: server)
        } else {
            let any = server.protocol == .inet6 ? "::" : "0.0.0.0"
            opened = DatagramBootstrap(group: eventLoop).bind(host: any, port: 0)
        }
        opened.hop(to: eventLoop).assumeIsolated().whenComplete { [self] result in
            guard case .success(let channel) = result else { return finish(nil) }
            guard completion != nil else { return channel.close(promise: nil) }
            self.channel = channel
            do {
                if isStream {
                    try channel.pipeline.syncOperations.addHandler(StreamAnswer(query: query) { [self] in took($0) })
                } else {
                    try channel.pipeline.syncOperations.addHandler(
                        DatagramAnswer(query: query, server: server) { [self] in took($0) })
                }
            } catch { finish(nil) }
        }
    }

    private func took(_ bytes: [UInt8]?) {
        guard let bytes else { return finish(nil) }
        do throws(DNSMessage.Problem) {
            finish(.success(try DNSMessage.answer(bytes, to: query, kind: kind)))
        } catch .unexpected where !isStream {
            // Not the answer to this question: the right one may still come.
        } catch { finish(.failure(error)) }
    }

    private func finish(_ result: Result<[DNSMessage.Record], DNSMessage.Problem>?) {
        guard let completion else { return }
        self.completion = nil
        timer?.cancel()
        channel?.close(promise: nil)
        completion(result)
    }
}

/// Sends a question in a datagram and reports every datagram that its server sends back; `nil` is an error.
final class DatagramAnswer: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>
    private let query: [UInt8]
    private let server: SocketAddress
    private let took: ([UInt8]?) -> Void

    init(query: [UInt8], server: SocketAddress, took: @escaping ([UInt8]?) -> Void) {
        self.query = query
        self.server = server
        self.took = took
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let envelope = AddressedEnvelope(remoteAddress: server, data: ByteBuffer(bytes: query))
        context.writeAndFlush(wrapOutboundOut(envelope), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard envelope.remoteAddress == server else { return }
        took(Array(envelope.data.readableBytesView))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { took(nil) }
}

/// Sends a question over a stream and reports the message that comes back; `nil` when the stream ends before.
final class StreamAnswer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let query: [UInt8]
    private let took: ([UInt8]?) -> Void
    private var bytes: [UInt8] = []

    init(query: [UInt8], took: @escaping ([UInt8]?) -> Void) {
        self.query = query
        self.took = took
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let length = [UInt8(query.count >> 8), UInt8(query.count & 255)]
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: length + query)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes += unwrapInboundIn(data).readableBytesView
        guard bytes.count >= 2 else { return }
        let length = Int(bytes[0]) << 8 | Int(bytes[1])
        if bytes.count >= 2 + length { took(Array(bytes[2..<(2 + length)])) }
    }

    func channelInactive(context: ChannelHandlerContext) { took(nil) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { took(nil) }
}
