import SwiftProtobuf
import Testing
import WeftIR
import WeftProto

@testable import WeftXDS

/// No route ever names a cluster that the client cannot send to, whatever changes and however late its questions come.
///
/// The client is Envoy, which holds nothing back by itself: it takes each response at once and asks for the endpoints of
/// a cluster only when it has been told of it. Its requests arrive after everything that was sent before them.
struct MakeBeforeBreakTests {
    /// What a client holds, and what it asks.
    private struct Client {
        var clusters: Set<String> = []
        var endpoints: Set<String> = []
        /// Clusters that the route table sends to.
        var targets: Set<String> = []
        /// Names of clusters whose endpoints it follows.
        var followed: Set<String> = []

        /// Targets that a request would get 503 from.
        var unusable: Set<String> { targets.subtracting(clusters.intersection(endpoints)) }

        mutating func take(table any: Google_Protobuf_Any) throws {
            guard case .route(let table) = try XDSDecoder().decode(any).value else { return }
            targets = []
            for case .forward(let action) in table.virtualHosts.flatMap(\.routes).map(\.action) {
                if case .weighted(let shares) = action.cluster { targets.formUnion(shares.map(\.name)) }
            }
        }
    }

    private func snapshot(_ random: inout SplitMix) throws -> XDSSnapshot {
        var configuration = ProxyConfiguration()
        for index in 0..<6 where random.next() % 2 == 0 {
            let name = "c\(index)"
            configuration.clusters[name] = Cluster(name: name, discovery: .eds(serviceName: ""))
            configuration.clusters[name]?.connectTimeoutMilliseconds = random.next() % 2
            configuration.endpoints[name] = ClusterLoadAssignment(
                clusterName: name,
                localities: [LocalityEndpoints(endpoints: [Endpoint(address: .ip("10.0.0.1", port: 80))])])
        }
        let shares = configuration.clusters.keys.sorted().filter { _ in random.next() % 2 == 0 }.map {
            WeightedCluster(name: $0, weight: 1)
        }
        var host = VirtualHost(name: "h", domains: ["*"])
        if !shares.isEmpty {
            host.routes = [
                Route(match: RouteMatch(path: .prefix("/")), action: .forward(RouteAction(cluster: .weighted(shares))))
            ]
        }
        configuration.routes["r"] = RouteConfiguration(name: "r", virtualHosts: [host])
        return try XDSSnapshot(configuration, target: .envoy)
    }

    @Test(arguments: 0..<30) func deltaClientsNeverLackAnEndpoint(_ seed: UInt64) throws {
        #expect(try lacks(seed, isHeld: true) == 0)
    }

    /// The same client is in trouble when nothing waits for its questions.
    @Test func withoutWaitingTheyDo() throws {
        #expect(try (0..<30).reduce(0) { try $0 + lacks($1, isHeld: false) } > 30)
    }

    /// After how many responses a delta client has had a route to a cluster without endpoints.
    private func lacks(_ seed: UInt64, isHeld: Bool) throws -> Int {
        var lacks = 0
        var random = SplitMix(state: seed)
        var server = ServerSubscription.Delta()
        var client = Client()
        var now = try snapshot(&random)
        func request(_ type: ResourceType, _ names: [String] = [], nonce: String = "")
            -> ServerSubscription.Delta.Request
        {
            var request = ServerSubscription.Delta.Request()
            request.typeURL = type.typeURL
            request.resourceNamesSubscribe = names
            request.responseNonce = nonce
            return request
        }
        func exchange(_ first: [ServerSubscription.Delta.Response]) throws {
            var responses = first
            while !responses.isEmpty {
                var questions: [ServerSubscription.Delta.Request] = []
                for response in responses {
                    let type = try #require(ResourceType(typeURL: response.typeURL))
                    questions.append(request(type, nonce: response.nonce))
                    let names = Set(response.resources.map(\.name))
                    switch type {
                    case .cluster:
                        client.clusters = client.clusters.union(names).subtracting(response.removedResources)
                        let new = names.subtracting(client.followed).sorted()
                        client.followed.formUnion(new)
                        if !new.isEmpty { questions.append(request(.endpoint, new)) }
                        let gone = client.followed.subtracting(client.clusters)
                        client.followed.subtract(gone)
                        client.endpoints.subtract(gone)
                        var farewell = request(.endpoint)
                        farewell.resourceNamesUnsubscribe = gone.sorted()
                        if !gone.isEmpty { questions.append(farewell) }
                    case .endpoint:
                        client.endpoints = client.endpoints.union(names).subtracting(response.removedResources)
                    default: for resource in response.resources { try client.take(table: resource.resource) }
                    }
                    if !client.unusable.isEmpty { lacks += 1 }
                }
                responses = []
                for question in questions { responses += server.receive(question, snapshot: now).responses }
            }
        }
        try exchange(server.receive(request(.cluster), snapshot: now).responses)
        try exchange(server.receive(request(.route, ["r"]), snapshot: now).responses)
        for _ in 0..<40 {
            now = try snapshot(&random)
            let pushed = server.push(now) + (isHeld ? [] : server.release(now))
            // Sometimes the next change comes before the client has said anything.
            if random.next() % 3 == 0 {
                now = try snapshot(&random)
                try exchange(pushed + server.push(now) + (isHeld ? [] : server.release(now)))
            } else {
                try exchange(pushed)
            }
            #expect(!server.isHolding)
            #expect(client.clusters == Set(now[.cluster].keys))
            #expect(client.endpoints == Set(now[.endpoint].keys))
        }
        return lacks
    }

    @Test(arguments: 0..<30) func stateOfTheWorldClientsNeverLackAnEndpoint(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        var server = ServerSubscription.StateOfTheWorld()
        var client = Client()
        var now = try snapshot(&random)
        var nonces: [ResourceType: String] = [:]
        func request(_ type: ResourceType, _ names: [String]) -> ServerSubscription.StateOfTheWorld.Request {
            var request = ServerSubscription.StateOfTheWorld.Request()
            request.typeURL = type.typeURL
            request.resourceNames = names
            request.responseNonce = nonces[type] ?? ""
            return request
        }
        func exchange(_ first: [ServerSubscription.StateOfTheWorld.Response]) throws {
            var responses = first
            while !responses.isEmpty {
                var answered: Set<ResourceType> = []
                for response in responses {
                    let type = try #require(ResourceType(typeURL: response.typeURL))
                    nonces[type] = response.nonce
                    answered.insert(type)
                    let names = Set(response.resources.compactMap(ResourceName.of))
                    switch type {
                    case .cluster:
                        client.clusters = names
                        if client.followed != names { answered.insert(.endpoint) }
                        client.followed = names
                        client.endpoints.formIntersection(names)
                    // What a response leaves out is not gone.
                    case .endpoint: client.endpoints.formUnion(names.intersection(client.followed))
                    default: for resource in response.resources { try client.take(table: resource) }
                    }
                    #expect(client.unusable.isEmpty, "after \(type.shortName)")
                }
                responses = []
                for type in answered.sorted() {
                    let names = type == .endpoint ? client.followed.sorted() : type == .route ? ["r"] : []
                    responses += server.receive(request(type, names), snapshot: now).responses
                }
            }
        }
        try exchange(server.receive(request(.cluster, []), snapshot: now).responses)
        try exchange(server.receive(request(.route, ["r"]), snapshot: now).responses)
        for _ in 0..<40 {
            now = try snapshot(&random)
            try exchange(server.push(now))
            #expect(!server.isHolding)
            #expect(client.clusters == Set(now[.cluster].keys))
        }
    }

    /// A client that refuses the clusters, or never asks, is sent the rest all the same.
    @Test func theWaitEnds() throws {
        var random = SplitMix(state: 1)
        var first = try snapshot(&random)
        while first.count(of: .cluster) == 6 { first = try snapshot(&random) }
        var configuration = ProxyConfiguration()
        for index in 0..<6 {
            configuration.clusters["c\(index)"] = Cluster(name: "c\(index)", discovery: .eds(serviceName: ""))
        }
        configuration.routes["r"] = RouteConfiguration(name: "r", virtualHosts: [])
        let second = try XDSSnapshot(configuration, target: .envoy)
        for isRefused in [true, false] {
            var server = ServerSubscription.Delta()
            for (type, names) in [(ResourceType.cluster, []), (.route, ["r"])] {
                var request = ServerSubscription.Delta.Request()
                request.typeURL = type.typeURL
                request.resourceNamesSubscribe = names
                _ = server.receive(request, snapshot: first)
            }
            #expect(server.push(second).map(\.typeURL) == [ResourceType.cluster.typeURL])
            #expect(server.isHolding)
            #expect(server.push(second).isEmpty, "waiting sends nothing twice")
            var refusal = ServerSubscription.Delta.Request()
            refusal.typeURL = ResourceType.cluster.typeURL
            refusal.responseNonce = "3"
            refusal.errorDetail.message = "no"
            let rest = isRefused ? server.receive(refusal, snapshot: second).responses : server.release(second)
            #expect(rest.contains { $0.typeURL == ResourceType.route.typeURL })
            #expect(!server.isHolding)
            #expect(server.release(second).isEmpty)
        }
    }
}
