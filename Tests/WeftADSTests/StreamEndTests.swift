import GRPCCore
import Logging
import Synchronization
import Testing
import WeftCore
import WeftIR
import WeftIdentity
import WeftProto
import WeftXDS

@testable import WeftADS

/// How streams end, and who may take their places: the service itself, without a network.
@Suite(.timeLimit(.minutes(2))) struct StreamEndTests {
    private typealias Request = Envoy_Service_Discovery_V3_DeltaDiscoveryRequest
    private typealias Response = Envoy_Service_Discovery_V3_DeltaDiscoveryResponse
    private let plane = RecordingControlPlane()
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Takes some responses and then fails, as a connection does that is lost.
    private final class FailingWriter: RPCWriterProtocol {
        struct Lost: Error {}
        let left: Mutex<Int>
        init(after count: Int) { left = Mutex(count) }
        func write(_ element: Response) async throws {
            try left.withLock { left in
                guard left > 0 else { throw Lost() }
                left -= 1
            }
        }
        func write(contentsOf elements: some Sequence<Response>) async throws {
            for element in elements { try await write(element) }
        }
    }

    private func configuration(_ names: String...) -> ProxyConfiguration {
        var configuration = ProxyConfiguration()
        for name in names { configuration.clusters[name] = Cluster(name: name, discovery: .static) }
        return configuration
    }

    private var subscription: Request {
        var request = Request()
        request.node.id = "sidecar~10.0.0.1~a.dev~dev.svc.cluster.local"
        request.typeURL = ResourceType.cluster.typeURL
        return request
    }

    private func call(
        _ server: ADSServer, _ messages: RPCAsyncSequence<Request, any Error>, token: String? = nil
    ) async throws -> StreamingServerResponse<Response> {
        var metadata = Metadata()
        if let token { metadata.addString("Bearer \(token)", forKey: "authorization") }
        let request = StreamingServerRequest(metadata: metadata, messages: messages)
        return try await withServerContextRPCCancellationHandle { handle in
            try await server.deltaAggregatedResources(
                request: request,
                context: ServerContext(
                    descriptor: MethodDescriptor(fullyQualifiedService: "ads", method: "delta"), remotePeer: "test",
                    localPeer: "test", cancellation: handle))
        }
    }

    /// The proxy keeps its side open and says nothing more; the push after the lost connection ends the stream all the same.
    @Test(arguments: [0, 1]) func aFailedWriteEndsTheStream(_ writes: Int) async throws {
        try plane.publish(configuration("a"))
        let server = ADSServer(authentication: .none, delegate: plane, logger: logger)
        let (requests, sending) = AsyncThrowingStream.makeStream(of: Request.self)
        sending.yield(subscription)
        let response = try await call(server, RPCAsyncSequence(wrapping: requests))
        let producer = try response.accepted.get().producer
        let writer = FailingWriter(after: writes)
        async let end: Void = {
            await #expect {
                _ = try await producer(RPCWriter(wrapping: writer))
            } throws: {
                ($0 as? RPCError)?.code == .unavailable
            }
        }()
        if writes > 0 {
            while writer.left.withLock({ $0 }) > 0 { try await Task.sleep(for: .milliseconds(2)) }
            try plane.publish(configuration("a", "b"))
        }
        await end
        #expect(plane.state.withLock { $0.everConnected } == 1)
        #expect(plane.state.withLock { $0.sessions.isEmpty }, "the control plane knows that it is over")
        sending.finish()
    }

    /// The proxy's own end is a good one, also with a push under way.
    @Test func theProxyEndsItsStream() async throws {
        try plane.publish(configuration("a"))
        let server = ADSServer(authentication: .none, delegate: plane, logger: logger)
        let (requests, sending) = AsyncThrowingStream.makeStream(of: Request.self)
        sending.yield(subscription)
        sending.finish()
        let response = try await call(server, RPCAsyncSequence(wrapping: requests))
        _ = try await response.accepted.get().producer(RPCWriter(wrapping: FailingWriter(after: 10)))
        #expect(plane.state.withLock { $0.everConnected == 1 && $0.sessions.isEmpty })
    }

    /// Callers without a good token are refused without costing a place.
    @Test func onlyThoseWhoProveThemselvesTakePlaces() async throws {
        let identity = try SPIFFEIdentity(uri: "spiffe://cluster.local/ns/dev/sa/default")
        // A burst of one second, which is two streams at this rate, and nobody waits.
        let server = ADSServer(
            authentication: .token { $0 == "good" ? identity : nil }, delegate: plane,
            admission: StreamAdmission(rate: 1, patience: .zero), logger: logger)
        let none = RPCAsyncSequence<Request, any Error>(
            wrapping: AsyncThrowingStream<Request, any Error> { $0.finish() })
        func code(_ token: String?) async throws -> RPCError.Code? {
            do {
                _ = try await call(server, none, token: token)
                return nil
            } catch let error as RPCError {
                return error.code
            }
        }
        for token in [String](repeating: "bad", count: 50) { #expect(try await code(token) == .unauthenticated) }
        for _ in 0..<50 { #expect(try await code(nil) == .unauthenticated) }
        #expect(try await code("good") == nil, "the places are all free")
        var refused = false
        // Each takes one; a second brings one back, so that on a slow machine it takes more than two.
        for _ in 0..<1_000 where !refused { refused = try await code("good") == .unavailable }
        #expect(refused, "and they are counted for those who may have them")
    }
}
