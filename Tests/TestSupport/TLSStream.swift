import NIOCore
import NIOEmbedded
package import NIOSSL
import NIOTLS

/// TLS over a ``RawSocket`` by NIOSSL in an embedded channel: no event loop, so a blocking test can use it.
///
/// Must be used by the thread that made it.
package final class TLSStream: ByteStream {
    private let socket: RawSocket
    private let channel = EmbeddedChannel()
    private let events = TLSEventRecorder()
    private var hasEnded = false
    /// Why TLS failed.
    package private(set) var failure: String?

    /// Connects as a client and shakes hands.
    /// - Parameter serverName: sent as SNI; `nil` sends none.
    package init(client socket: RawSocket, _ configuration: TLSConfiguration, serverName: String?) throws {
        self.socket = socket
        let handler = try NIOSSLClientHandler(
            context: NIOSSLContext(configuration: configuration), serverHostname: serverName)
        try start(handler)
    }

    /// Takes a client's connection.
    package init(server socket: RawSocket, _ context: NIOSSLContext) throws {
        self.socket = socket
        try start(NIOSSLServerHandler(context: context))
    }

    private func start(_ handler: some ChannelHandler) throws {
        try channel.pipeline.syncOperations.addHandlers([handler, events])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        flush()
        let deadline = ContinuousClock.now + .seconds(10)
        while !events.isComplete, failure == nil, !hasEnded, ContinuousClock.now < deadline { pump(within: 200) }
        if !events.isComplete { failure = failure ?? "no handshake" }
    }

    package var isEstablished: Bool { events.isComplete }
    package var negotiatedProtocol: String? { events.negotiatedProtocol }
    /// `TLSv1.3` and the like.
    package var version: String? {
        guard let handler = try? channel.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self) else {
            return nil
        }
        return handler.tlsVersion.map { "\($0)" }
    }
    /// DER bytes of what the other side presented.
    package var peerCertificate: [UInt8]? {
        if let handler = try? channel.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self) {
            return try? handler.peerCertificate?.toDERBytes()
        }
        let server = try? channel.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self)
        return try? server?.peerCertificate?.toDERBytes()
    }

    private func flush() {
        while let out = try? channel.readOutbound(as: ByteBuffer.self) {
            if !socket.send(Array(out.readableBytesView)) { hasEnded = true }
        }
    }

    private func pump(within milliseconds: Int) {
        switch socket.receive(within: milliseconds) {
        case .bytes(let bytes):
            do { try channel.writeInbound(ByteBuffer(bytes: bytes)) } catch { failure = "\(error)" }
            flush()
        case .closed, .reset: hasEnded = true
        case .nothing: break
        }
    }

    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool {
        guard isEstablished, failure == nil, !hasEnded else { return false }
        do { try channel.writeOutbound(ByteBuffer(bytes: bytes)) } catch { failure = "\(error)" }
        flush()
        return failure == nil && !hasEnded
    }

    package func receive(within milliseconds: Int) -> RawSocket.Input {
        if let bytes = read() { return .bytes(bytes) }
        guard !hasEnded, failure == nil, !events.isOver else { return .closed }
        pump(within: milliseconds)
        if let bytes = read() { return .bytes(bytes) }
        return hasEnded || failure != nil || events.isOver ? .closed : .nothing
    }

    private func read() -> [UInt8]? {
        guard let buffer = try? channel.readInbound(as: ByteBuffer.self) else { return nil }
        return Array(buffer.readableBytesView)
    }

    package func close() {
        if failure == nil, !hasEnded { channel.close(promise: nil) }
        flush()
        socket.close()
    }

    package func reset() { socket.reset() }
}

/// Notes the end of the handshake and of the stream.
private final class TLSEventRecorder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    var isComplete = false
    var isOver = false
    var negotiatedProtocol: String?

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event as? TLSUserEvent {
        case .handshakeCompleted(let name):
            isComplete = true
            negotiatedProtocol = name
        case .shutdownCompleted: isOver = true
        case nil: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) { isOver = true }
}
