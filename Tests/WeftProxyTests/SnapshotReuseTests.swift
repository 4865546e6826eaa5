import Testing
import WeftIR
import WeftRouting
import WeftXDS

@testable import WeftProxy

/// What a snapshot takes from the one before it.
@Suite struct SnapshotReuseTests {
    private func limit(_ tokens: UInt32) -> HTTPFilter {
        var settings = LocalRateLimit()
        settings.bucket = LocalRateLimit.Bucket(maxTokens: tokens, fillIntervalMilliseconds: 3_600_000)
        settings.enabled = .all
        settings.enforced = .all
        return HTTPFilter(name: "limit", kind: .localRateLimit(settings))
    }

    private func chain(_ name: String, _ manager: HTTPConnectionManager) -> FilterChain {
        FilterChain(name: name, filters: [.httpConnectionManager(manager)])
    }

    private func manager(_ prefix: String, cluster: String = "c", tokens: UInt32 = 1) -> HTTPConnectionManager {
        let route = Route(
            match: RouteMatch(path: .prefix("/")), action: .forward(RouteAction(cluster: .cluster(cluster))))
        let table = RouteConfiguration(
            name: "r",
            virtualHosts: [
                VirtualHost(name: "all", domains: ["*"], routes: [route]),
                VirtualHost(name: "same", domains: ["same.example"], routes: [route]),
            ])
        return HTTPConnectionManager(
            statPrefix: prefix, routes: .inline(table),
            filters: [limit(tokens), HTTPFilter(name: "router", kind: .router)])
    }

    private func configuration(_ chains: [FilterChain]) -> ProxyConfiguration {
        var listener = Listener(name: "l", address: .ip("127.0.0.1", port: 1))
        listener.filterChains = chains
        var configuration = ProxyConfiguration()
        configuration.listeners["l"] = listener
        configuration.clusters["c"] = Cluster(name: "c", discovery: .static)
        configuration.routes["t"] = RouteConfiguration(
            name: "t", virtualHosts: (0..<3).map { VirtualHost(name: "h\($0)", domains: ["h\($0)"]) })
        return configuration
    }

    private func compiled(_ snapshot: Snapshot, _ index: Int = 0) throws -> CompiledManager {
        guard case .http(let manager) = try #require(snapshot.listeners["l"]).chains[index].terminal else {
            throw CancellationError()
        }
        return manager
    }

    private func limiter(_ manager: CompiledManager) throws -> LocalRateLimiter {
        guard case .localRateLimit(let limiter, _) = manager.filters[0] else { throw CancellationError() }
        return limiter
    }

    @Test func theSameAgainIsTheSameObjects() {
        var builder = SnapshotBuilder()
        let wanted = configuration([chain("a", manager("a"))])
        let first = builder.build(wanted, workload: [:]).0
        let second = builder.build(wanted, workload: [:]).0
        #expect(first.listeners["l"] === second.listeners["l"])
        #expect(first.routes["t"] === second.routes["t"])
        #expect(first.clusters["c"] === second.clusters["c"])
        #expect(first.listenerLineage === second.listenerLineage)
        #expect(first.clusterLineage === second.clusterLineage)
    }

    /// A change of routes leaves nothing else to do, whatever else there is.
    @Test func aRouteChangeTouchesNoListenerAndNoCluster() {
        var builder = SnapshotBuilder()
        var wanted = configuration([chain("a", manager("a"))])
        let first = builder.build(wanted, workload: [:]).0
        wanted.routes["t"]?.virtualHosts[1].includeRequestAttemptCount = true
        let second = builder.build(wanted, workload: [:]).0
        #expect(first.routes["t"] !== second.routes["t"])
        #expect(first.listenerLineage === second.listenerLineage)
        #expect(first.clusterLineage === second.clusterLineage)
    }

    @Test func chainsThatStayCarryTheirConnections() throws {
        var builder = SnapshotBuilder()
        let first = builder.build(configuration([chain("a", manager("a")), chain("b", manager("b"))]), workload: [:]).0
        let next = configuration([
            chain("b", manager("b")), chain("a", manager("a", cluster: "d")), chain("n", manager("n")),
        ])
        let second = builder.build(next, workload: [:]).0
        let (before, after) = (try #require(first.listeners["l"]), try #require(second.listeners["l"]))
        #expect(!after.carries(before.chains[0]), "its routes changed")
        #expect(after.carries(before.chains[1]))
        #expect(after.chains[0] === before.chains[1])
        #expect(first.listenerLineage !== second.listenerLineage)
        var moved = next
        moved.listeners["l"]?.listenerFilters = [.tlsInspector]
        let third = builder.build(moved, workload: [:]).0
        #expect(try #require(third.listeners["l"]).carries(after.chains[0]) == false, "another listener to them")
        #expect(try compiled(third, 0) === compiled(second, 0), "but filters keep what they count")
    }

    @Test func filtersOfAChangedChainKeepWhatTheyCount() throws {
        var builder = SnapshotBuilder()
        func build(_ manager: HTTPConnectionManager) throws -> CompiledManager {
            try compiled(builder.build(configuration([chain("a", manager)]), workload: [:]).0)
        }
        let first = try build(manager("a"))
        let second = try build(manager("a", cluster: "d"))
        #expect(first !== second)
        #expect(try limiter(first).buckets === limiter(second).buckets)
        let third = try build(manager("a", cluster: "d", tokens: 2))
        #expect(try limiter(third).buckets !== limiter(second).buckets)
        #expect(third.table === second.table)
    }

    @Test func aTableIsCompiledOnceToBeCheckedAndServed() {
        let tables = RouteTables()
        let table = RouteConfiguration(name: "t", virtualHosts: [VirtualHost(name: "h", domains: ["*"])])
        let checked = tables.check(table)
        #expect(tables.serve(["t": table])["t"] === checked)
        #expect(tables.serve(["t": table])["t"] === checked)
        var refused = table
        refused.virtualHosts.append(VirtualHost(name: "twin", domains: ["*"]))
        #expect(ResourceCheck.problem(.route(refused), tables) == "domain \"*\" is in virtual host h and in twin")
        #expect(tables.serve(["t": table])["t"] === checked, "what was refused leaves no trace")
    }

    @Test func aClusterWithAProblemIsTriedAgain() {
        var builder = SnapshotBuilder()
        var wanted = configuration([])
        var tls = UpstreamTLS()
        tls.common.validation = SecretReference(name: "missing", source: .ads)
        wanted.clusters["c"]?.tls = tls
        var assignment = ClusterLoadAssignment(clusterName: "c")
        assignment.localities = [LocalityEndpoints(endpoints: [Endpoint(address: .ip("127.0.0.1", port: 1))])]
        wanted.clusters["c"]?.endpoints = assignment
        let (_, first) = builder.build(wanted, workload: [:])
        let (_, second) = builder.build(wanted, workload: [:])
        #expect(first.count == 1)
        #expect(first == second)
    }
}
