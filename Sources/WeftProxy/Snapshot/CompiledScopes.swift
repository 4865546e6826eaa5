import WeftHTTP
import WeftIR
import WeftRouting

/// The route table of a scope.
enum CompiledScope: Sendable {
    case table(RouteTable)
    /// By RDS, in the snapshot.
    case named(String)

    typealias Index = [ScopeKeyBuilder.Key: (name: String, scope: CompiledScope)]

    /// - Parameter previous: Tables of scopes that keep their names take from here what did not change.
    static func index(_ scopes: some Sequence<RouteScope>, reusing previous: Index) -> Index {
        let known = Dictionary(previous.values.map { ($0.name, $0.scope) }) { first, _ in first }
        var index: Index = [:]
        for scope in scopes {
            let compiled: CompiledScope =
                switch scope.table {
                case .rds(let name): .named(name)
                case .inline(let configuration): .table(Self.table(configuration, known[scope.name]))
                }
            index[ScopeKeyBuilder.key(of: scope)] = (scope.name, compiled)
        }
        return index
    }

    private static func table(_ configuration: RouteConfiguration, _ known: CompiledScope?) -> RouteTable {
        guard case .table(let table)? = known else { return RouteTable(configuration) }
        return table.configuration == configuration ? table : RouteTable(configuration, reusing: table)
    }
}

/// `scoped_routes` of a connection manager: finds the route table of a request by its scope key. Immutable.
final class CompiledScopes: Sendable {
    private let builder: ScopeKeyBuilder
    /// `nil`: they come by SRDS, in the snapshot.
    private let listed: CompiledScope.Index?

    /// - Parameter previous: The scopes that these take the place of.
    init(_ routes: ScopedRoutes, reusing previous: CompiledScopes?) {
        builder = ScopeKeyBuilder(routes.key)
        listed = routes.scopes.map { CompiledScope.index($0, reusing: previous?.listed ?? [:]) }
    }

    /// - Returns: `nil` for a request without a key, or whose scope is not there (404 NR).
    func table(of head: RequestHead, in snapshot: Snapshot) -> RouteTable? {
        guard let key = builder.key(of: head) else { return nil }
        switch (listed ?? snapshot.scopes)[key]?.scope {
        case nil: return nil
        case .table(let table)?: return table
        case .named(let name)?: return snapshot.routes[name]
        }
    }

    /// What is wrong with the tables that stand in the listener.
    var problems: [String] {
        (listed ?? [:]).values.flatMap { entry -> [String] in
            guard case .table(let table) = entry.scope else { return [] }
            return table.problems.map { "scope \(entry.name): \($0)" }
        }
    }
}
