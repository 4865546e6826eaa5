import FoundationEssentials
package import NIOCore
import NIOPosix
import NIOSSL
import WeftCore

extension KubernetesClient {
    /// Runs a command in a container to its end, over a WebSocket.
    ///
    /// - Parameter standardInput: bytes for the command; with `nil` it has no standard input.
    @concurrent package func exec(
        namespace: String, pod: String, container: String? = nil, command: [String], standardInput: ByteBuffer? = nil
    ) async throws -> ExecResult {
        var query = command.map { ("command", $0) }
        if let container { query.append(("container", container)) }
        query += [("stdout", "true"), ("stderr", "true")]
        if standardInput != nil { query.append(("stdin", "true")) }
        let path = APIResource.pods.path(namespace: namespace, name: pod, subresource: "exec") + Self.encoded(query)
        let channel = try await connect()
        return try await channel.executeThenClose { inbound, outbound in
            var bytes = inbound.makeAsyncIterator()
            try await outbound.write(handshakeRequest(path, protocols: "v5.channel.k8s.io, v4.channel.k8s.io"))
            var handshake = WebSocketHandshake()
            while handshake.result == nil {
                guard let chunk = try await bytes.next() else { break }
                handshake.receive(chunk)
            }
            let accepted = try handshake.finish()
            if let standardInput { try await send(standardInput, accepted.subprotocol, outbound) }
            return try await Self.collect(accepted.rest, &bytes, outbound)
        }
    }

    typealias RawChannel = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    @concurrent private static func collect(
        _ first: ByteBuffer, _ bytes: inout NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
        _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) async throws -> ExecResult {
        var session = ExecSession()
        var parser = WebSocketFrameParser()
        var message = ByteBuffer()
        parser.append(first)
        while true {
            while let frame = try parser.next() {
                switch frame.opcode {
                case .binary, .text, .continuation:
                    message.writeImmutableBuffer(frame.payload)
                    guard frame.isFinal else { continue }
                    session.receive(message)
                    message = ByteBuffer()
                case .ping:
                    let pong = WebSocketFrame(opcode: .pong, payload: frame.payload)
                    try await outbound.write(pong.serialized(mask: .random(in: 0 ... .max)))
                case .pong: break
                case .close: return try session.result()
                }
            }
            guard !session.isFinished, let chunk = try await bytes.next() else { return try session.result() }
            parser.append(chunk)
        }
    }

    private func send(
        _ input: ByteBuffer, _ subprotocol: String, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) async throws {
        var message = ByteBuffer(bytes: [0])
        message.writeImmutableBuffer(input)
        let frame = WebSocketFrame(opcode: .binary, payload: message)
        try await outbound.write(frame.serialized(mask: .random(in: 0 ... .max)))
        // Only version 5 can close one direction.
        guard subprotocol.hasPrefix("v5.") else { return }
        let end = WebSocketFrame(opcode: .binary, payload: ByteBuffer(bytes: [255, 0]))
        try await outbound.write(end.serialized(mask: .random(in: 0 ... .max)))
    }

    /// - Parameter protocols: Subprotocols, the dearest first.
    func handshakeRequest(_ path: String, protocols: String) -> ByteBuffer {
        let key = Data((0..<16).map { _ in UInt8.random(in: 0...255) }).base64EncodedString()
        let host = configuration.server.split(separator: "/", maxSplits: 2).last.map(String.init) ?? ""
        var text = "GET \(path) HTTP/1.1\r\nHost: \(host)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        text += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \(key)\r\n"
        text += "Sec-WebSocket-Protocol: \(protocols)\r\n"
        if let token = token.current() { text += "Authorization: Bearer \(token)\r\n" }
        return ByteBuffer(string: text + "User-Agent: weft/\(WeftVersion.current)\r\n\r\n")
    }

    func connect() async throws -> RawChannel {
        guard let url = URL(string: configuration.server), let host = url.host() else {
            throw KubernetesConfigurationError("\(configuration.server) is no server address")
        }
        let isTLS = url.scheme == "https"
        let context = isTLS ? try NIOSSLContext(configuration: configuration.tls) : nil
        let name = host.contains { $0.isLetter } && !host.contains(":") ? host : nil
        return try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connectTimeout(.seconds(5))
            .connect(host: host, port: url.port ?? (isTLS ? 443 : 80)) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        let handler = try NIOSSLClientHandler(context: context, serverHostname: name)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    return try RawChannel(wrappingChannelSynchronously: channel)
                }
            }
    }
}
