import Testing
import WeftIR
import WeftProto

@testable import WeftXDS

/// Tables of event and answer for both sides of a stream.
struct SubscriptionTests {
    private func snapshot(_ clusters: [String: UInt64], endpoints: [String: UInt16] = [:]) throws -> XDSSnapshot {
        var configuration = ProxyConfiguration()
        for (name, timeout) in clusters {
            configuration.clusters[name] = Cluster(name: name, discovery: .eds(serviceName: ""))
            configuration.clusters[name]?.connectTimeoutMilliseconds = timeout
        }
        for (name, port) in endpoints {
            let endpoint = Endpoint(address: .ip("10.0.0.1", port: port))
            configuration.endpoints[name] = ClusterLoadAssignment(
                clusterName: name, localities: [LocalityEndpoints(endpoints: [endpoint])])
        }
        return try XDSSnapshot(configuration, target: .weft)
    }

    private func request(_ type: ResourceType, subscribe: [String] = [], nonce: String = "", error: String? = nil)
        -> Envoy_Service_Discovery_V3_DeltaDiscoveryRequest
    {
        var request = Envoy_Service_Discovery_V3_DeltaDiscoveryRequest()
        request.typeURL = type.typeURL
        request.resourceNamesSubscribe = subscribe
        request.responseNonce = nonce
        if let error { request.errorDetail.message = error }
        return request
    }

    @Test func deltaSendsWhatChangedAndWarmsEndpoints() throws {
        var server = ServerSubscription.Delta()
        let first = try snapshot(["a": 1, "b": 1], endpoints: ["a": 80])
        let opened = server.receive(request(.cluster), snapshot: first)
        #expect(opened.responses.map { $0.resources.map(\.name) } == [["a", "b"]])
        let endpoints = server.receive(request(.endpoint, subscribe: ["a", "b"]), snapshot: first)
        #expect(endpoints.responses.map { $0.resources.map(\.name) } == [["a"]])
        #expect(endpoints.responses.map(\.removedResources) == [["b"]])
        let answer = server.receive(request(.cluster, nonce: "1"), snapshot: first)
        #expect(answer.responses.isEmpty)
        #expect(server.status[.cluster]?.sync == .synced)
        #expect(server.push(first).isEmpty)
        // Cluster a changed: its endpoints are sent again. Cluster b is gone: that comes last.
        let pushed = server.push(try snapshot(["a": 2], endpoints: ["a": 80]))
        #expect(pushed.map { ResourceType(typeURL: $0.typeURL) } == [.cluster, .endpoint, .cluster])
        #expect(pushed.map { $0.resources.map(\.name) } == [["a"], ["a"], []])
        #expect(pushed.last?.removedResources == ["b"])
    }

    @Test func deltaReportsRejections() throws {
        var server = ServerSubscription.Delta()
        let first = try snapshot(["a": 1])
        _ = server.receive(request(.cluster), snapshot: first)
        let reaction = server.receive(request(.cluster, nonce: "1", error: "no"), snapshot: first)
        #expect(reaction.events == [.rejected(.cluster, version: first.version(of: .cluster), reason: "no")])
        #expect(reaction.responses.isEmpty)
        #expect(server.status[.cluster]?.sync == .rejected)
    }

    @Test func reconnectSendsOnlyWhatIsNew() throws {
        var server = ServerSubscription.Delta()
        let first = try snapshot(["a": 1, "b": 1])
        var opening = request(.cluster)
        opening.initialResourceVersions = ["a": first[.cluster]["a"]?.version ?? "", "gone": "1"]
        let reaction = server.receive(opening, snapshot: first)
        #expect(reaction.responses.map { $0.resources.map(\.name) } == [["b"]])
        #expect(reaction.responses.map(\.removedResources) == [["gone"]])
    }

    @Test func stateOfTheWorldMakesBeforeItBreaks() throws {
        var server = ServerSubscription.StateOfTheWorld()
        var opening = Envoy_Service_Discovery_V3_DiscoveryRequest()
        opening.typeURL = ResourceType.cluster.typeURL
        let first = try snapshot(["a": 1])
        #expect(server.receive(opening, snapshot: first).responses.map(\.resources.count) == [1])
        let second = try snapshot(["b": 1])
        let pushed = server.push(second)
        #expect(pushed.map(\.resources.count) == [2])
        // The old one goes when the client has asked for the new one's endpoints.
        var question = Envoy_Service_Discovery_V3_DiscoveryRequest()
        question.typeURL = ResourceType.endpoint.typeURL
        question.resourceNames = ["b"]
        let rest = server.receive(question, snapshot: second).responses
        #expect(rest.map { ResourceType(typeURL: $0.typeURL) } == [.endpoint, .cluster, .endpoint])
        #expect(rest.map(\.resources.count) == [0, 1, 0])
        opening.responseNonce = "1"
        #expect(server.receive(opening, snapshot: first).responses.isEmpty)
        #expect(server.status[.cluster]?.sync == .stale)
        opening.responseNonce = "4"
        _ = server.receive(opening, snapshot: first)
        #expect(server.status[.cluster]?.sync == .synced)
    }

    @Test func clientFollowsReferencesAndRefusesByName() throws {
        var server = ServerSubscription.Delta()
        var client = ClientSubscription(node: .init())
        let first = try snapshot(["a": 1, "b": 1], endpoints: ["a": 80, "b": 81])
        var queue = client.connect()
        #expect(queue.map(\.typeURL) == [ResourceType.cluster.typeURL, ResourceType.listener.typeURL])
        var errors: [String] = []
        while !queue.isEmpty {
            for response in server.receive(queue.removeFirst(), snapshot: first).responses {
                let reaction = client.receive(response) { $0.name == "b" && $0.type == .endpoint ? "refused" : nil }
                errors += reaction.errors
                queue += reaction.requests
            }
        }
        #expect(errors == ["b: refused"])
        #expect(Set(client.configuration.clusters.keys) == ["a", "b"])
        #expect(Set(client.configuration.endpoints.keys) == ["a"])
        #expect(server.status[.endpoint]?.sync == .rejected)
        let again = client.connect()
        #expect(again.map(\.typeURL).contains(ResourceType.endpoint.typeURL))
        #expect(again[0].initialResourceVersions.keys.sorted() == ["a", "b"])
    }

    /// A listener that wants scopes makes the client ask for them, and for the route tables that they name.
    @Test func clientAsksForScopesAndTheirRoutes() throws {
        var configuration = ProxyConfiguration()
        let scoped = ScopedRoutes(name: "s", key: [.init(header: "x-scope")])
        let manager = HTTPConnectionManager(
            statPrefix: "s", routes: .scoped(scoped), filters: [HTTPFilter(name: "router", kind: .router)])
        var listener = Listener(name: "l", address: .ip("0.0.0.0", port: 80))
        listener.filterChains = [FilterChain(name: "c", filters: [.httpConnectionManager(manager)])]
        configuration.listeners["l"] = listener
        configuration.scopes["one"] = RouteScope(name: "one", key: ["1"], table: .rds("r1"))
        configuration.routes["r1"] = RouteConfiguration(name: "r1", virtualHosts: [])
        configuration.routes["r2"] = RouteConfiguration(name: "r2", virtualHosts: [])
        var server = ServerSubscription.Delta()
        var client = ClientSubscription(node: .init())
        var current = try XDSSnapshot(configuration, target: .weft)
        func run(_ opening: [ClientSubscription.Request]) {
            var queue = opening
            while !queue.isEmpty {
                for response in server.receive(queue.removeFirst(), snapshot: current).responses {
                    queue += client.receive(response).requests
                }
            }
        }
        run(client.connect())
        #expect(client.configuration.scopes == configuration.scopes)
        #expect(Set(client.configuration.routes.keys) == ["r1"])
        // A scope that goes takes its route table with it; the new one brings another.
        configuration.scopes = ["two": RouteScope(name: "two", key: ["2"], table: .rds("r2"))]
        current = try XDSSnapshot(configuration, target: .weft)
        for response in server.push(current) { run(client.receive(response).requests) }
        #expect(client.configuration.scopes == configuration.scopes)
        #expect(Set(client.configuration.routes.keys) == ["r2"])
        #expect(client.connect().map(\.typeURL).contains(ResourceType.scope.typeURL))
    }

    /// The client's state of the world against the server's: what is left out goes, names are whole lists, a rejection
    /// keeps the version.
    @Test func stateOfTheWorldClient() throws {
        var server = ServerSubscription.StateOfTheWorld()
        var client = ClientSubscription(node: .init())
        var adapter = StateOfTheWorldAdapter()
        var refused: Set<String> = []
        var sent: [StateOfTheWorldAdapter.Request] = []
        func run(
            _ requests: [ClientSubscription.Request], _ pushed: [StateOfTheWorldAdapter.Response], _ now: XDSSnapshot
        ) {
            var queue = requests.map { adapter.request($0) }
            var waiting = pushed
            while !queue.isEmpty || !waiting.isEmpty {
                if !queue.isEmpty {
                    let next = queue.removeFirst()
                    sent.append(next)
                    waiting += server.receive(next, snapshot: now).responses
                    continue
                }
                let held = client.versions.mapValues { Set($0.keys) }
                let reaction = client.receive(adapter.delta(waiting.removeFirst(), held: held)) {
                    refused.contains($0.name) ? "refused" : nil
                }
                queue += reaction.requests.map { adapter.request($0) }
            }
        }
        let first = try snapshot(["a": 1, "b": 1], endpoints: ["a": 80, "b": 81])
        run(client.connect(), [], first)
        #expect(Set(client.configuration.clusters.keys) == ["a", "b"])
        #expect(Set(client.configuration.endpoints.keys) == ["a", "b"])
        #expect(server.status.values.allSatisfy { $0.sync == .synced })
        let second = try snapshot(["b": 2, "c": 1], endpoints: ["b": 81, "c": 82])
        run([], server.push(second), second)
        #expect(Set(client.configuration.clusters.keys) == ["b", "c"])
        #expect(Set(client.configuration.endpoints.keys) == ["b", "c"])
        #expect(sent.last { $0.typeURL == ResourceType.endpoint.typeURL }?.resourceNames == ["b", "c"])
        let version = sent.last { $0.typeURL == ResourceType.cluster.typeURL }?.versionInfo
        refused = ["c"]
        let third = try snapshot(["b": 3, "c": 3], endpoints: ["b": 81, "c": 82])
        run([], server.push(third), third)
        let rejection = sent.last { $0.hasErrorDetail && $0.typeURL == ResourceType.cluster.typeURL }
        #expect(rejection?.versionInfo == version)
        #expect(rejection?.errorDetail.message == "c: refused")
        #expect(client.configuration.clusters["b"]?.connectTimeoutMilliseconds == 3)
        #expect(client.configuration.clusters["c"]?.connectTimeoutMilliseconds == 1)
    }

    /// What static resources name by ADS is subscribed to, also if nothing else comes by it.
    @Test func staticResourcesAreFollowed() throws {
        var base = ProxyConfiguration()
        base.clusters["a"] = Cluster(name: "a", discovery: .eds(serviceName: "service"))
        var filed = Cluster(name: "b", discovery: .eds(serviceName: ""))
        filed.endpointsFile = "/eds"
        base.clusters["b"] = filed
        var client = ClientSubscription(node: .init(), wildcards: [], base: base)
        let requests = client.connect()
        #expect(requests.map(\.typeURL) == [ResourceType.endpoint.typeURL])
        #expect(requests.map(\.resourceNamesSubscribe) == [["service"]])
    }
}
