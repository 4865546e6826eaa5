import Logging
import Synchronization
import Testing
import WeftIR
import WeftProto
import WeftXDS

@testable import WeftADS

/// A push waits for a client that has to ask for the endpoints of new clusters first, and not for ever.
@Suite(.timeLimit(.minutes(2))) struct HeldPushTests {
    private typealias Request = Envoy_Service_Discovery_V3_DeltaDiscoveryRequest
    private typealias Response = Envoy_Service_Discovery_V3_DeltaDiscoveryResponse
    private let plane = RecordingControlPlane()

    private final class Wire: Sendable {
        let types = Mutex<[ResourceType]>([])
        func write(_ response: Response) {
            guard let type = ResourceType(typeURL: response.typeURL) else { return }
            types.withLock { $0.append(type) }
        }
    }
    private let wire = Wire()

    private func loop(patience: Duration) -> StreamLoop<ServerSubscription.Delta> {
        let session = ADSSession(node: ADSNode(id: "sidecar~10.0.0.1~a.dev~dev.svc.cluster.local"), peer: nil)
        return StreamLoop(
            ServerSubscription.Delta(), session: session, delegate: plane, gate: PushGate(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, patience: patience,
            write: { [wire] in wire.write($0) })
    }

    private func request(_ type: ResourceType, _ names: String...) -> Request {
        var request = Request()
        request.typeURL = type.typeURL
        request.resourceNamesSubscribe = names
        return request
    }

    private func publication(_ number: UInt64, _ clusters: String...) throws -> Publication {
        var configuration = ProxyConfiguration()
        for name in clusters {
            configuration.clusters[name] = Cluster(name: name, discovery: .eds(serviceName: ""))
            configuration.endpoints[name] = ClusterLoadAssignment(clusterName: name, localities: [])
        }
        let host = VirtualHost(name: clusters.joined(), domains: ["*"])
        configuration.routes["r"] = RouteConfiguration(name: "r", virtualHosts: [host])
        return Publication(snapshot: try XDSSnapshot(configuration, target: .envoy), number: number)
    }

    private var delivered: [String] { plane.state.withLock { $0.log.filter { $0.hasPrefix("delivered") } } }

    private func opened(patience: Duration) async throws -> StreamLoop<ServerSubscription.Delta> {
        let loop = loop(patience: patience)
        try await loop.receive(request(.cluster))
        try await loop.receive(request(.route, "r"))
        try await loop.publish(publication(1, "a"))
        try await loop.receive(request(.endpoint, "a"))
        #expect(delivered == ["delivered 1"])
        wire.types.withLock { $0 = [] }
        return loop
    }

    @Test func theRestFollowsTheQuestion() async throws {
        let loop = try await opened(patience: .seconds(60))
        try await loop.publish(publication(2, "a", "b"))
        #expect(wire.types.withLock { $0 } == [.cluster])
        #expect(delivered == ["delivered 1"], "the rest is still to come")
        try await loop.receive(request(.endpoint, "b"))
        #expect(wire.types.withLock { $0 } == [.cluster, .endpoint, .route])
        #expect(delivered == ["delivered 1", "delivered 2"])
        await loop.close()
    }

    @Test func aNewerPushTakesThePlaceOfOneThatWaits() async throws {
        let loop = try await opened(patience: .seconds(60))
        try await loop.publish(publication(2, "a", "b"))
        try await loop.publish(publication(3, "a"))
        #expect(wire.types.withLock { $0 } == [.cluster, .cluster])
        #expect(delivered == ["delivered 1", "delivered 3"])
        await loop.close()
    }

    @Test func whoNeverAsksIsSentTheRest() async throws {
        let loop = try await opened(patience: .milliseconds(30))
        try await loop.publish(publication(2, "a", "b"))
        for _ in 0..<2_000 where delivered.count < 2 { try await Task.sleep(for: .milliseconds(5)) }
        #expect(delivered == ["delivered 1", "delivered 2"])
        #expect(wire.types.withLock { $0 } == [.cluster, .route])
        await loop.close()
    }
}
