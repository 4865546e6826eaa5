import Testing
import WeftIR
import WeftProto

@testable import WeftXDS

/// Whatever happens on a stream, a delta client ends up with what the snapshot has for it, and is sent nothing twice.
struct DeltaPropertyTests {
    typealias Request = Envoy_Service_Discovery_V3_DeltaDiscoveryRequest

    /// Does as the protocol says: keeps what it is sent, drops what is removed.
    private struct Client {
        var held: [ResourceType: [String: String]] = [:]
        var interest: [ResourceType: Set<String>] = [:]
        var sent = 0

        mutating func take(_ responses: [Envoy_Service_Discovery_V3_DeltaDiscoveryResponse]) throws {
            for response in responses {
                let type = try #require(ResourceType(typeURL: response.typeURL))
                for resource in response.resources { held[type, default: [:]][resource.name] = resource.version }
                for name in response.removedResources { held[type]?[name] = nil }
                sent += response.resources.count
            }
        }
    }

    private func snapshot(_ random: inout SplitMix, old: XDSSnapshot, shares: Int) throws -> XDSSnapshot {
        XDSSnapshot(
            shares: try (0..<shares).map { share in
                var configuration = ProxyConfiguration()
                for index in 0..<6 where random.next() % 3 != 0 {
                    let name = "\(share)-\(index)"
                    var cluster = Cluster(name: name, discovery: .eds(serviceName: ""))
                    cluster.connectTimeoutMilliseconds = random.next() % 3
                    configuration.clusters[name] = cluster
                    let port = UInt16(random.next() % 3 + 1)
                    configuration.endpoints[name] = ClusterLoadAssignment(
                        clusterName: name,
                        localities: [LocalityEndpoints(endpoints: [Endpoint(address: .ip("10.0.0.1", port: port))])])
                }
                // Half of the time as the push loop does it, half of the time unrelated to what was there.
                let before = random.next() % 2 == 0 && share < old.shares.count ? old.shares[share] : nil
                return try ResourceShare(configuration, target: .weft, replacing: before)
            })
    }

    @Test(arguments: 0..<40) func deltaAppliedEqualsTheWholeState(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        var server = ServerSubscription.Delta()
        var client = Client()
        var now = try snapshot(&random, old: .empty, shares: 2)
        for _ in 0..<60 {
            switch random.next() % 6 {
            case 0:  // The stream breaks; the client says what it has.
                server = ServerSubscription.Delta()
                now = try snapshot(&random, old: now, shares: 2)
                for (type, names) in client.interest {
                    var request = Request()
                    request.typeURL = type.typeURL
                    request.initialResourceVersions = client.held[type] ?? [:]
                    if type != .cluster { request.resourceNamesSubscribe = names.sorted() }
                    try client.take(server.receive(request, snapshot: now).responses)
                }
            case 1:
                let names = Set((0..<3).map { _ in "\(random.next() % 2)-\(random.next() % 8)" })
                var request = Request()
                request.typeURL = ResourceType.endpoint.typeURL
                request.resourceNamesSubscribe = names.sorted()
                client.interest[.endpoint, default: []].formUnion(names)
                try client.take(server.receive(request, snapshot: now).responses)
            case 2:
                guard let name = client.interest[.endpoint]?.sorted().first else { continue }
                var request = Request()
                request.typeURL = ResourceType.endpoint.typeURL
                request.resourceNamesUnsubscribe = [name]
                client.interest[.endpoint]?.remove(name)
                client.held[.endpoint]?[name] = nil
                try client.take(server.receive(request, snapshot: now).responses)
            case 3 where client.interest[.cluster] == nil:
                var request = Request()
                request.typeURL = ResourceType.cluster.typeURL
                client.interest[.cluster] = ["*"]
                try client.take(server.receive(request, snapshot: now).responses)
            default:
                now = try snapshot(&random, old: now, shares: 2)
                try client.take(server.push(now))
                // It need not ask for the endpoints of what is new.
                try client.take(server.release(now))
            }
            for (type, interest) in client.interest {
                let wanted = now[type].filter { interest.contains("*") || interest.contains($0.key) }
                #expect(client.held[type] ?? [:] == wanted.mapValues(\.version))
            }
            let before = client.sent
            try client.take(server.push(now))
            #expect(client.sent == before, "a push of the same snapshot sends nothing")
        }
    }

    /// A reconnect with the versions of everything costs an empty answer per type, not the configuration.
    @Test func aReturningClientIsNotSentEverything() throws {
        var random = SplitMix(state: 7)
        let now = try snapshot(&random, old: .empty, shares: 2)
        var server = ServerSubscription.Delta()
        for type in [ResourceType.cluster, .endpoint] {
            var request = Request()
            request.typeURL = type.typeURL
            request.initialResourceVersions = now[type].mapValues(\.version)
            if type == .endpoint { request.resourceNamesSubscribe = now[type].keys.sorted() }
            let responses = server.receive(request, snapshot: now).responses
            #expect(responses.count == 1)
            #expect(responses.allSatisfy { $0.resources.isEmpty && $0.removedResources.isEmpty })
        }
        #expect(server.push(now).isEmpty)
    }

    /// Under a wildcard, a name that is unsubscribed from is answered for: the client keeps it, or hears that it is gone.
    @Test func unsubscribingUnderAWildcardIsAnswered() throws {
        var configuration = ProxyConfiguration()
        configuration.clusters["a"] = Cluster(name: "a", discovery: .static)
        let now = try XDSSnapshot(configuration, target: .weft)
        var server = ServerSubscription.Delta()
        var request = Request()
        request.typeURL = ResourceType.cluster.typeURL
        request.resourceNamesSubscribe = ["*", "a", "b"]
        #expect(server.receive(request, snapshot: now).responses.map(\.removedResources) == [["b"]])
        request = Request()
        request.typeURL = ResourceType.cluster.typeURL
        request.resourceNamesUnsubscribe = ["a", "b"]
        let answer = server.receive(request, snapshot: now).responses
        #expect(answer.map { $0.resources.map(\.name) } == [["a"]])
        #expect(answer.map(\.removedResources) == [["b"]])
    }

    /// However a configuration is divided, its version for state of the world is the same.
    @Test func versionsDoNotDependOnShares() throws {
        var random = SplitMix(state: 3)
        let divided = try snapshot(&random, old: .empty, shares: 3)
        let whole = XDSSnapshot(resources: [.cluster: divided[.cluster], .endpoint: divided[.endpoint]])
        #expect(whole.version(of: .cluster) == divided.version(of: .cluster))
        #expect(whole.version(of: .endpoint) != whole.version(of: .cluster))
    }
}

/// Numbers by chance that are the same in each run.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
