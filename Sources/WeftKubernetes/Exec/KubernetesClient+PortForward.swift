import NIOCore
import NIOPosix
import WeftCore

extension KubernetesClient {
    /// Listens on this machine's loopback and carries each connection to a port of a pod, as `kubectl port-forward` does,
    /// until the task is cancelled. Each takes a WebSocket of its own to the API server (`v4.channel.k8s.io`, channel 0
    /// the bytes, channel 1 what went wrong): what clients without SPDY speak (ADR 0096).
    ///
    /// - Parameters:
    ///   - local: The port to listen on; 0 for any that is free.
    ///   - listening: Called once, with the port.
    ///   - failed: Called when a connection could not be carried; the others go on.
    /// - Throws: ``KubernetesError`` when the API server does not carry connections to the pod, before anything listens;
    ///   the transport's error when the port cannot be had.
    @concurrent package func forward(
        namespace: String, pod: String, port: Int, from local: Int,
        listening: @Sendable (Int) -> Void, failed: @escaping @Sendable (any Error) -> Void
    ) async throws {
        let path =
            APIResource.pods.path(namespace: namespace, name: pod, subresource: "portforward")
            + Self.encoded([("ports", "\(port)")])
        try await connect().executeThenClose { fromPod, toPod in
            var bytes = fromPod.makeAsyncIterator()
            _ = try await upgrade(path, &bytes, toPod)
        }
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: local) { channel in
                channel.eventLoop.makeCompletedFuture { try RawChannel(wrappingChannelSynchronously: channel) }
            }
        listening(listener.channel.localAddress?.port ?? local)
        try await listener.executeThenClose { connections in
            try await withThrowingDiscardingTaskGroup { group in
                for try await connection in connections {
                    group.addTask { await self.carry(connection, path, failed) }
                }
            }
        }
    }

    /// Carries one connection until either side ends it.
    @concurrent private func carry(
        _ connection: RawChannel, _ path: String, _ failed: @Sendable (any Error) -> Void
    ) async {
        // What the other end of a connection that is over says no longer matters.
        try? await connection.executeThenClose { fromUser, toUser in
            do {
                try await pump(fromUser, toUser, path)
            } catch {
                if !Task.isCancelled { failed(error) }
            }
        }
    }

    @concurrent private func pump(
        _ fromUser: NIOAsyncChannelInboundStream<ByteBuffer>, _ toUser: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        _ path: String
    ) async throws {
        try await connect().executeThenClose { fromPod, toPod in
            var bytes = fromPod.makeAsyncIterator()
            let accepted = try await upgrade(path, &bytes, toPod)
            // It ends with this scope at the latest.
            async let _: Void = Self.send(fromUser, toPod)
            var messages = PortMessages(accepted.rest)
            repeat {
                for chunk in try messages.read() { try await toUser.write(chunk) }
                guard !messages.isClosed, let chunk = try await bytes.next() else { break }
                messages.append(chunk)
            } while true
        }
    }

    @concurrent private func upgrade(
        _ path: String, _ bytes: inout NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
        _ toPod: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) async throws -> WebSocketHandshake.Accepted {
        try await toPod.write(handshakeRequest(path, protocols: "v4.channel.k8s.io"))
        var handshake = WebSocketHandshake()
        while handshake.result == nil {
            guard let chunk = try await bytes.next() else { break }
            handshake.receive(chunk)
        }
        return try handshake.finish()
    }

    /// Sends on what the user says; then the pod's connection ends, since the protocol cannot close one direction.
    @concurrent private static func send(
        _ fromUser: NIOAsyncChannelInboundStream<ByteBuffer>, _ toPod: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) async {
        do {
            for try await chunk in fromUser { try await write(chunk, toPod) }
        } catch {
            // Whoever breaks off ends it too; what cannot be sent any more is told by the other direction.
        }
        toPod.finish()
    }

    @concurrent private static func write(_ chunk: ByteBuffer, _ toPod: NIOAsyncChannelOutboundWriter<ByteBuffer>)
        async throws
    {
        var message = ByteBuffer(bytes: [0])
        message.writeImmutableBuffer(chunk)
        let frame = WebSocketFrame(opcode: .binary, payload: message)
        try await toPod.write(frame.serialized(mask: .random(in: 0 ... .max)))
    }
}

/// What comes back from a forwarded port: frames in, the connection's bytes out. Pure.
struct PortMessages {
    private var parser = WebSocketFrameParser()
    private var message = ByteBuffer()
    /// Channels whose first message has come: it is the port's number.
    private var begun: Set<UInt8> = []
    /// Whether the other side has said that this is all.
    private(set) var isClosed = false

    init(_ first: ByteBuffer) { parser.append(first) }

    mutating func append(_ chunk: ByteBuffer) { parser.append(chunk) }

    /// - Throws: ``KubernetesError`` with what the kubelet says of a port that nobody listens on.
    mutating func read() throws -> [ByteBuffer] {
        var chunks: [ByteBuffer] = []
        while !isClosed, let frame = try parser.next() {
            switch frame.opcode {
            case .ping, .pong: continue
            case .close: isClosed = true
            case .binary, .text, .continuation:
                message.writeImmutableBuffer(frame.payload)
                guard frame.isFinal else { continue }
                if let chunk = try take(message) { chunks.append(chunk) }
                message = ByteBuffer()
            }
        }
        return chunks
    }

    private mutating func take(_ whole: ByteBuffer) throws -> ByteBuffer? {
        var rest = whole
        guard let channel: UInt8 = rest.readInteger() else { return nil }
        if begun.insert(channel).inserted { rest.moveReaderIndex(forwardBy: min(2, rest.readableBytes)) }
        guard rest.readableBytes > 0 else { return nil }
        if channel == 0 { return rest.slice() }
        throw KubernetesError(
            code: 502, reason: "BadGateway",
            message: String(decoding: rest.readableBytesView.drop { $0 <= 32 }, as: UTF8.self))
    }
}
