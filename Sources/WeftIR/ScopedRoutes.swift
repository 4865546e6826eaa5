/// Route tables of which each request finds its own by a key out of its headers
/// (`envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes`).
package struct ScopedRoutes: Sendable, Hashable, Codable {
    /// One part of a request's key: a piece of the first value of a header (`HeaderValueExtractor`).
    package struct KeyPart: Sendable, Hashable, Codable {
        package enum Piece: Sendable, Hashable, Codable {
            /// The element at this place, from 0.
            case index(UInt32)
            /// What follows the separator in the first element that has `key` before it.
            case element(separator: String, key: String)
        }
        package var header: String
        /// Between elements; empty takes the value as one.
        package var elementSeparator: String
        package var piece: Piece

        package init(header: String, elementSeparator: String = "", piece: Piece = .index(0)) {
            self.header = header
            self.elementSeparator = elementSeparator
            self.piece = piece
        }
    }
    package var name: String
    package var key: [KeyPart]
    /// `nil`: they come by SRDS, as ``ProxyConfiguration/scopes``.
    package var scopes: [RouteScope]?

    package init(name: String, key: [KeyPart], scopes: [RouteScope]? = nil) {
        self.name = name
        self.key = key
        self.scopes = scopes
    }
}

/// A key and the route table of the requests that have it (`envoy.config.route.v3.ScopedRouteConfiguration`).
package struct RouteScope: Sendable, Hashable, Codable {
    package enum Table: Sendable, Hashable, Codable {
        case inline(RouteConfiguration)
        /// Fetched by RDS under this name.
        case rds(String)
    }
    package var name: String
    package var key: [String]
    package var table: Table

    package init(name: String, key: [String], table: Table) {
        self.name = name
        self.key = key
        self.table = table
    }
}

extension HTTPConnectionManager {
    /// The route tables that this manager names, apart from those of scopes that come by SRDS.
    package var namedRoutes: [String] {
        switch routes {
        case .inline: []
        case .rds(let name): [name]
        case .scoped(let scoped): (scoped.scopes ?? []).compactMap(\.namedRoutes)
        }
    }

    /// Whether scopes come by SRDS.
    package var usesScopeDiscovery: Bool {
        if case .scoped(let scoped) = routes { scoped.scopes == nil } else { false }
    }
}

extension RouteScope {
    /// The route table that this scope names.
    package var namedRoutes: String? { if case .rds(let name) = table { name } else { nil } }

    /// What is wrong when two scopes have one key, in words.
    package static func repeatedKey(_ scopes: some Sequence<RouteScope>) -> String? {
        var known: [[String]: String] = [:]
        for scope in scopes.sorted(by: { $0.name < $1.name }) {
            if let other = known.updateValue(scope.name, forKey: scope.key) {
                return "scopes \(other) and \(scope.name) have the same key \(scope.key)"
            }
        }
        return nil
    }
}

extension ProxyConfiguration {
    /// The HTTP connection managers of all listeners.
    package var managers: [HTTPConnectionManager] { listeners.values.flatMap(\.managers) }

    /// Whether some listener finds its route tables by SRDS.
    package var usesScopeDiscovery: Bool { managers.contains(where: \.usesScopeDiscovery) }
}

extension Listener {
    /// The HTTP connection managers of all chains.
    package var managers: [HTTPConnectionManager] {
        (filterChains + [defaultFilterChain].compactMap { $0 }).flatMap(\.filters).compactMap {
            if case .httpConnectionManager(let manager) = $0 { manager } else { nil }
        }
    }
}

extension HTTPConnectionManager {
    /// The table that the manager brings itself.
    package var inlineRoutes: RouteConfiguration? { if case .inline(let table) = routes { table } else { nil } }
    package var scopedRoutes: ScopedRoutes? { if case .scoped(let scoped) = routes { scoped } else { nil } }
}
