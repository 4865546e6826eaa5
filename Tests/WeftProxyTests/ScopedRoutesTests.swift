import Testing
import WeftHTTP
import WeftIR
import WeftRouting
import WeftXDS

@testable import WeftProxy

/// Which table a request gets when scopes come by SRDS, by name and inline, and when they change.
@Suite struct ScopedRoutesTests {
    private func table(_ name: String) -> RouteConfiguration {
        let route = Route(match: RouteMatch(path: .prefix("/")), action: .directResponse(DirectResponse(status: 200)))
        return RouteConfiguration(
            name: name, virtualHosts: [VirtualHost(name: name, domains: ["*"], routes: [route])])
    }

    private var configuration: ProxyConfiguration {
        let scoped = ScopedRoutes(name: "s", key: [.init(header: "x-scope")])
        let manager = HTTPConnectionManager(
            statPrefix: "s", routes: .scoped(scoped), filters: [HTTPFilter(name: "router", kind: .router)])
        var listener = Listener(name: "l", address: .ip("127.0.0.1", port: 0))
        listener.filterChains = [FilterChain(name: "c", filters: [.httpConnectionManager(manager)])]
        var configuration = ProxyConfiguration()
        configuration.listeners["l"] = listener
        configuration.scopes["one"] = RouteScope(name: "one", key: ["1"], table: .rds("named"))
        configuration.scopes["two"] = RouteScope(name: "two", key: ["2"], table: .inline(table("inline")))
        configuration.scopes["lost"] = RouteScope(name: "lost", key: ["3"], table: .rds("nowhere"))
        configuration.routes["named"] = table("named")
        return configuration
    }

    private func tables(_ snapshot: Snapshot, _ scopes: [String]) throws -> [RouteTable?] {
        let chain = try #require(snapshot.listeners["l"]?.chains.first)
        guard case .http(let manager) = chain.terminal else { return [] }
        return scopes.map { scope in
            let headers = scope.isEmpty ? [] : [("x-scope", scope)]
            return manager.scopes?.table(of: RequestHead(.get, "/", authority: "h", headers: headers), in: snapshot)
        }
    }

    @Test func scopesOfTheSnapshotAreFound() throws {
        var builder = SnapshotBuilder()
        let (snapshot, problems) = builder.build(configuration, workload: [:])
        #expect(problems.isEmpty)
        let found = try tables(snapshot, ["1", "2", "3", "4", ""]).map { $0?.configuration.name }
        #expect(found == ["named", "inline", nil, nil, nil])
    }

    /// A scope that stays keeps its compiled table; one whose key changes is found by the new one alone.
    @Test func changesOfScopes() throws {
        var builder = SnapshotBuilder()
        let (first, _) = builder.build(configuration, workload: [:])
        var next = configuration
        next.scopes["one"]?.key = ["9"]
        let (second, _) = builder.build(next, workload: [:])
        #expect(try tables(first, ["2"])[0] === tables(second, ["2"])[0])
        #expect(try tables(second, ["1", "9"]).map { $0?.configuration.name } == [nil, "named"])
    }

    @Test func badTablesOfScopesAreRefused() {
        let twice = RouteConfiguration(
            name: "t",
            virtualHosts: ["a", "b"].map { VirtualHost(name: $0, domains: ["same.example"], routes: []) })
        let scope = RouteScope(name: "bad", key: ["1"], table: .inline(twice))
        #expect(ResourceCheck.problem(.scope(scope))?.contains("scope bad: domain \"same.example\"") == true)
        var listener = configuration.listeners["l"]
        let scoped = ScopedRoutes(name: "s", key: [.init(header: "x")], scopes: [scope])
        listener?.filterChains[0].filters = [
            .httpConnectionManager(HTTPConnectionManager(statPrefix: "s", routes: .scoped(scoped), filters: []))
        ]
        #expect(listener.flatMap { ResourceCheck.problem(.listener($0)) }?.contains("scope bad") == true)
    }
}
