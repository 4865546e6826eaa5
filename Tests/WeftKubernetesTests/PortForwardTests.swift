import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import WeftKubernetes

/// Connections that are carried to a pod's port, against a server that answers as a kubelet does.
@Suite(.timeLimit(.minutes(2))) struct PortForwardTests {
    private typealias RawChannel = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    /// What a connection meets.
    enum Kubelet: Sendable {
        /// Sends back what it gets, behind `pod:`.
        case echoes
        /// The kubelet's words for a port that nobody listens on.
        case says(String)
        /// An API server that does not carry connections.
        case refuses(String)
    }

    /// The heads of the requests that came.
    private final class Heads: Sendable {
        let all = Mutex<[String]>([])
    }

    private static func frame(_ payload: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer(bytes: [0x82])
        if payload.count < 126 {
            buffer.writeInteger(UInt8(payload.count))
        } else {
            buffer.writeInteger(UInt8(126))
            buffer.writeInteger(UInt16(payload.count))
        }
        buffer.writeBytes(payload)
        return buffer
    }

    private static func serve(_ connection: RawChannel, _ kubelet: Kubelet, _ heads: Heads) async throws {
        try await connection.executeThenClose { inbound, outbound in
            var bytes = inbound.makeAsyncIterator()
            var head = ""
            while !head.hasSuffix("\r\n\r\n") {
                guard let chunk = try await bytes.next() else { return }
                head += String(buffer: chunk)
            }
            heads.all.withLock { $0.append(head) }
            if case .refuses(let words) = kubelet {
                let body = #"{"kind":"Status","code":403,"reason":"Forbidden","message":"\#(words)"}"#
                try await outbound.write(
                    ByteBuffer(
                        string: "HTTP/1.1 403 Forbidden\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"))
                return
            }
            var answer = ByteBuffer(
                string: "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n")
            for channel: UInt8 in [0, 1] { answer.writeImmutableBuffer(frame([channel, 0xb8, 0x0b])) }
            try await outbound.write(answer)
            if case .says(let words) = kubelet {
                try await outbound.write(frame([1] + words.utf8))
                return
            }
            var parser = WebSocketFrameParser()
            while let chunk = try await bytes.next() {
                parser.append(chunk)
                while let frame = try parser.next() {
                    guard frame.opcode == .binary else { return }
                    #expect(frame.payload.getInteger(at: 0, as: UInt8.self) == 0)
                    try await outbound.write(
                        Self.frame([0] + "pod:".utf8 + frame.payload.readableBytesView.dropFirst()))
                }
            }
        }
    }

    /// Runs `body` with the local port, while a client forwards it to such a kubelet.
    private static func forwarding(
        _ kubelet: Kubelet, failed: @escaping @Sendable (any Error) -> Void = { Issue.record("\($0)") },
        _ body: @escaping @Sendable (Int, Heads) async throws -> Void
    ) async throws {
        let heads = Heads()
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture { try RawChannel(wrappingChannelSynchronously: channel) }
            }
        let serving = Task {
            try await server.executeThenClose { connections in
                try await withThrowingDiscardingTaskGroup { group in
                    for try await connection in connections {
                        // A client that goes away in the middle is no fault of the server's.
                        group.addTask { try? await serve(connection, kubelet, heads) }
                    }
                }
            }
        }
        defer { serving.cancel() }
        let client = KubernetesClient(
            configuration: KubernetesConfiguration(
                server: "http://127.0.0.1:\(server.channel.localAddress?.port ?? 0)"))
        let (ports, told) = AsyncStream.makeStream(of: Int.self)
        let forwarding = Task {
            defer { told.finish() }
            try await client.forward(
                namespace: "tools", pod: "grafana-1", port: 3000, from: 0, listening: { told.yield($0) },
                failed: failed)
        }
        do {
            var known = ports.makeAsyncIterator()
            if let port = await known.next() {
                try await body(port, heads)
                forwarding.cancel()
                _ = await forwarding.result
            } else {
                try await forwarding.value
            }
        } catch {
            forwarding.cancel()
            try? await client.shutdown()
            throw error
        }
        try await client.shutdown()
    }

    private static func exchange(_ port: Int, _ texts: [String]) async throws -> String {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture { try RawChannel(wrappingChannelSynchronously: channel) }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var answer = ""
            var bytes = inbound.makeAsyncIterator()
            for text in texts {
                try await outbound.write(ByteBuffer(string: text))
                let wanted = answer.utf8.count + text.utf8.count
                while answer.utf8.count < wanted {
                    guard let chunk = try await bytes.next() else { return answer }
                    answer += String(buffer: chunk)
                }
            }
            return answer
        }
    }

    @Test func connectionsReachThePodAndComeBack() async throws {
        try await Self.forwarding(.echoes) { port, heads in
            #expect(try await Self.exchange(port, ["GET /"]) == "pod:GET /")
            // Several at a time, and messages longer than a short frame.
            let long = String(repeating: "x", count: 40_000)
            let answers = try await withThrowingTaskGroup(of: String.self) { group in
                for number in 0..<5 { group.addTask { try await Self.exchange(port, ["\(number)", long]) } }
                return try await group.reduce(into: Set<String>()) { $0.insert(String($1.prefix(5))) }
            }
            #expect(answers == Set((0..<5).map { "pod:\($0)" }))
            let all = heads.all.withLock { $0 }
            // One asked whether it is possible at all.
            #expect(all.count == 7)
            for head in all {
                #expect(
                    head.hasPrefix("GET /api/v1/namespaces/tools/pods/grafana-1/portforward?ports=3000 HTTP/1.1\r\n"))
                #expect(head.contains("Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n"))
            }
        }
    }

    @Test func aPortThatNobodyListensOnIsTold() async throws {
        let told = Heads()
        try await Self.forwarding(
            .says("connection refused"), failed: { error in told.all.withLock { $0.append("\(error)") } }
        ) { port, _ in
            let answer = try await Self.exchange(port, ["hello"])
            #expect(answer == "")
            // The connection ends behind its failure's telling.
            let words = told.all.withLock { $0 }
            #expect(words.count == 1 && words[0].contains("connection refused"), "\(words)")
        }
    }

    @Test func aServerThatRefusesIsToldBeforeAnythingListens() async throws {
        await #expect {
            try await Self.forwarding(.refuses("may not")) { _, _ in Issue.record("it listens") }
        } throws: { error in
            (error as? KubernetesError)?.code == 403 && (error as? KubernetesError)?.message == "may not"
        }
    }
}
