import NIOCore
import Testing

@testable import WeftHTTP

/// Two connections, each the other's peer, driven by a random schedule. A receiver fails the connection when a window is
/// exceeded, so a run without failure in which everything arrives shows both: windows hold, and nothing locks up.
@Suite struct HTTP2FlowControlTests {
    private final class Side {
        let connection: HTTP2Connection
        var wire = ByteBuffer()
        var received: [UInt32: [UInt8]] = [:]
        var ended: Set<UInt32> = []
        var paused: Set<HTTP2StreamRef> = []
        var failure: HTTP2Reason?
        var answer: ((HTTP2StreamRef) -> Void)?

        init(_ role: HTTP2Connection.Role, _ options: HTTP2Options) {
            connection = HTTP2Connection(role: role, options: options)
            connection.start()
        }

        func take() {
            connection.output.take { wire.writeImmutableBuffer($0) }
            connection.output.recycle()
            connection.outputDrained()
        }

        func drain() {
            while let event = connection.next() {
                switch event {
                case .request(let ref, _, let end): if end { finish(ref) }
                case .response(let ref, _, let end): if end { finish(ref) }
                case .data(let ref, let bytes, let end):
                    received[ref.id, default: []] += Array(bytes.readableBytesView)
                    if end { finish(ref) }
                case .trailers(let ref, _): finish(ref)
                case .failed(let reason): failure = reason
                default: break
                }
            }
            take()
        }

        private func finish(_ ref: HTTP2StreamRef) {
            ended.insert(ref.id)
            answer?(ref)
        }
    }

    private static let pattern = (0..<150_100).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    private static func body(_ id: UInt32, _ count: Int) -> [UInt8] {
        Array(pattern[Int(id)..<(Int(id) + count)])
    }

    /// How many bytes each stream carries, each way.
    private final class Plan { var sizes: [UInt32: Int] = [:] }

    @Test(arguments: 0..<25) func randomSchedules(seed: Int) throws {
        var random = SeededGenerator(UInt64(seed))
        var options = HTTP2Options()
        options.streamWindow = UInt32.random(in: 1...100_000, using: &random)
        options.connectionWindow = UInt32.random(in: 1...200_000, using: &random)
        options.maximumWindowUpdatesPerDataFrame = 1_000_000
        options.maximumPingFrames = 1_000_000
        let client = Side(.client, options)
        let server = Side(.server, options)
        let plan = Plan()
        server.answer = { ref in
            server.connection.send(ResponseHead(status: 200), on: ref, endStream: false)
            server.connection.send(ByteBuffer(bytes: Self.body(ref.id, plan.sizes[ref.id] ?? 0)), on: ref)
            server.connection.sendEnd(
                on: ref, trailers: ref.id % 4 == 1 ? HeaderBlock([("grpc-status", "0")]) : nil)
        }
        client.take()
        server.take()
        for _ in 0..<400 {
            step(client, server, plan, &random)
            #expect(client.failure == nil && server.failure == nil)
        }
        settle(client, server)
        #expect(client.ended.count == plan.sizes.count)
        for (id, size) in plan.sizes {
            #expect(server.received[id, default: []] == Self.body(id, size))
            #expect(client.received[id, default: []] == Self.body(id, size))
        }
        #expect(client.connection.streamCount == 0)
        #expect(server.connection.streamCount == 0)
    }

    private func step(
        _ client: Side, _ server: Side, _ plan: Plan, _ random: inout SeededGenerator
    ) {
        let side = Bool.random(using: &random) ? client : server
        let other = side === client ? server : client
        switch Int.random(in: 0..<8, using: &random) {
        case 0 where plan.sizes.count < 40:
            guard let ref = client.connection.open() else { return }
            let size = Int.random(in: 0...150_000, using: &random)
            plan.sizes[ref.id] = size
            client.connection.send(RequestHead(.post, "/", authority: "a"), on: ref, endStream: false)
            client.connection.send(ByteBuffer(bytes: Self.body(ref.id, size)), on: ref)
            client.connection.sendEnd(on: ref, trailers: nil)
        case 1:
            let open = (0..<side.connection.slotCount).compactMap { side.connection.stream(at: $0) }
            guard let ref = open.randomElement(using: &random) else { return }
            let pauses = side.paused.remove(ref) == nil
            if pauses { side.paused.insert(ref) }
            side.connection.setReading(ref, !pauses)
        case 2: side.connection.isTransportWritable.toggle()
        default:
            let count = min(other.wire.readableBytes, Int.random(in: 1...40_000, using: &random))
            if let bytes = other.wire.readSlice(length: count), count > 0 { side.connection.receive(bytes, now: 0) }
        }
        side.drain()
    }

    /// Everybody reads and writes; runs until nothing moves.
    private func settle(_ client: Side, _ server: Side) {
        for side in [client, server] {
            side.connection.isTransportWritable = true
            for ref in side.paused { side.connection.setReading(ref, true) }
            side.drain()
        }
        while client.wire.readableBytes + server.wire.readableBytes > 0 {
            let toServer = client.wire
            let toClient = server.wire
            client.wire = ByteBuffer()
            server.wire = ByteBuffer()
            server.connection.receive(toServer, now: 0)
            client.connection.receive(toClient, now: 0)
            server.drain()
            client.drain()
        }
    }

    @Test func aPausedStreamStopsItsSenderAfterOneWindow() {
        var options = HTTP2Options()
        options.streamWindow = 65_535
        let peer = WirePeer(.server, options)
        peer.feed([.post(1)])
        peer.connection.setReading(peer.references[0], false)
        peer.clear()
        peer.feed((0..<6).map { _ in .data(1, 10_000) })
        #expect(!peer.frames.contains { $0.type == 8 && $0.id == 1 })
        peer.connection.setReading(peer.references.first ?? HTTP2StreamRef(id: 1, slot: 0), true)
        peer.collect()
        #expect(peer.frames.contains(.windowUpdate(1, 60_000)))
        // More than the window is the sender's fault.
        peer.clear()
        peer.connection.setReading(HTTP2StreamRef(id: 1, slot: 0), false)
        peer.feed((0..<7).map { _ in .data(1, 10_000) })
        #expect(peer.verdict == "stream 1 3")
    }

    @Test func endOfStreamRidesOnTheLastFrame() throws {
        let peer = WirePeer()
        peer.feed([.get(1), .get(3)])
        let refs = peer.references
        peer.clear()
        for ref in refs {
            peer.connection.send(ResponseHead(status: 200), on: ref, endStream: false)
            peer.connection.send(ByteBuffer(string: "ok"), on: ref)
            peer.connection.sendEnd(on: ref, trailers: nil)
        }
        peer.collect()
        #expect(peer.frames.map(\.flags) == [4, 1, 4, 1])
    }

    @Test func splitsALongHeadOverContinuations() {
        let peer = WirePeer()
        peer.feed([.get(1)])
        let long = String(repeating: "v", count: 40_000)
        peer.connection.send(
            ResponseHead(status: 200, headers: HeaderBlock([("x", long)])), on: peer.references[0], endStream: true)
        peer.collect()
        #expect(peer.frames.map(\.type) == [1, 9, 9])
        #expect(peer.frames.map(\.flags) == [1, 0, 4])
    }
}
