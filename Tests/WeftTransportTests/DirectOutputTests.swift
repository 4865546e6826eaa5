import NIOCore
import NIOPosix
import Testing

@testable import WeftTransport

/// What goes past NIO's queue to the socket arrives whole and in order, also when the socket is full in between.
@Suite(.timeLimit(.minutes(2))) struct DirectOutputTests {
    /// Takes what comes until the end, and reads nothing before it is told to.
    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        var all: [UInt8] = []
        let done: EventLoopPromise<[UInt8]>
        init(_ done: EventLoopPromise<[UInt8]>) { self.done = done }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            all += unwrapInboundIn(data).readableBytesView
        }
        func channelInactive(context: ChannelHandlerContext) { done.succeed(all) }
    }

    /// Numbers, so that a piece at the wrong place shows; in messages of very different sizes.
    private static let messages: [[UInt8]] = {
        var number: UInt32 = 0
        return (0..<400).map { index in
            let words = [1, 7, 300, 4_000, 5_000, 40][index % 6]
            return (0..<words).flatMap { _ -> [UInt8] in
                number += 1
                return withUnsafeBytes(of: number.bigEndian, Array.init)
            }
        }
    }()
    private static let expected = messages.flatMap { $0 }

    /// One connection between two channels of one loop; the far end does not read until `body` has run.
    /// - Parameter near: Its handlers, socket first.
    private func received(
        _ near: @escaping @Sendable (any Channel) throws -> [any ChannelHandler],
        _ body: @escaping @Sendable (any Channel) throws -> Void
    ) async throws -> [UInt8] {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let done = loop.makePromise(of: [UInt8].self)
        let far = loop.makePromise(of: (any Channel).self)
        let server = try await ServerBootstrap(group: loop)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(done))
                    far.succeed(channel)
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        let address = try #require(server.localAddress)
        let channel = try await ClientBootstrap(group: loop)
            .channelOption(.socketOption(.so_sndbuf), value: 32 << 10)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(near(channel))
                }
            }.connect(to: address).get()
        try await loop.submit { try body(channel) }.get()
        let reader = try await far.futureResult.get()
        try await loop.submit {
            // Who has heard of the end has read what came before it.
            guard reader.isActive else { return }
            try reader.syncOptions?.setOption(.autoRead, value: true)
            reader.read()
        }.get()
        let all = try await done.futureResult.get()
        try await server.close()
        return all
    }

    @Test func encryptedOutputKeepsItsOrder() async throws {
        let all = try await received({ _ in [TLSOutputHandler()] }) { channel in
            let written = channel.eventLoop.makePromise(of: Void.self)
            for (index, message) in Self.messages.enumerated() {
                let bytes = ByteBuffer(bytes: message)
                switch index % 5 {
                // Two writes with one flush, and a write that somebody waits for.
                case 3: channel.write(bytes, promise: nil)
                case 4: channel.writeAndFlush(bytes, promise: index == 4 ? written : nil)
                default: channel.writeAndFlush(bytes, promise: nil)
                }
            }
            channel.flush()
            let last = channel.eventLoop.makePromise(of: Void.self)
            channel.writeAndFlush(ByteBuffer(), promise: last)
            last.futureResult.assumeIsolated().whenComplete { _ in channel.close(promise: nil) }
            written.futureResult.assumeIsolated().whenFailure { Issue.record("the awaited write failed: \($0)") }
        }
        #expect(all == Self.expected)
    }

    @Test(arguments: [true, false]) func relaysKeepTheirOrder(isPlain: Bool) async throws {
        let all = try await received({ _ in [RelayHandler(isPlain: isPlain)] }) { channel in
            let relay = try channel.pipeline.syncOperations.handler(type: RelayHandler.self)
            for (index, message) in Self.messages.enumerated() {
                relay.send(ByteBuffer(bytes: message))
                if index % 3 != 1 { relay.flush() }
            }
            relay.flush()
            // The other end is gone: what is on its way goes out first.
            relay.partnerGone()
        }
        #expect(all == Self.expected)
    }

    @Test func aClosedRelayWritesNothing() async throws {
        let all = try await received({ _ in [RelayHandler(isPlain: true)] }) { channel in
            let relay = try channel.pipeline.syncOperations.handler(type: RelayHandler.self)
            relay.send(ByteBuffer(string: "before"))
            relay.flush()
            relay.closeAll()
            relay.send(ByteBuffer(string: "after"))
            relay.flush()
        }
        #expect(String(decoding: all, as: UTF8.self) == "before")
    }
}
