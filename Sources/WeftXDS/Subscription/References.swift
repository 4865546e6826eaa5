package import WeftIR

/// A resource of any type, decoded.
package enum DecodedResource: Sendable, Hashable {
    case listener(Listener)
    case scope(RouteScope)
    case route(RouteConfiguration)
    case cluster(Cluster)
    case endpoints(ClusterLoadAssignment)
    case secret(Secret)
    case names(NameTable)

    package var type: ResourceType {
        switch self {
        case .listener: .listener
        case .scope: .scope
        case .route: .route
        case .cluster: .cluster
        case .endpoints: .endpoint
        case .secret: .secret
        case .names: .names
        }
    }
    package var name: String {
        switch self {
        case .listener(let value): value.name
        case .scope(let value): value.name
        case .route(let value): value.name
        case .cluster(let value): value.name
        case .endpoints(let value): value.clusterName
        case .secret(let value): value.name
        case .names: NameTable.resourceName
        }
    }
}

extension ProxyConfiguration {
    package mutating func set(_ resource: DecodedResource) {
        switch resource {
        case .listener(let value): listeners[value.name] = value
        case .scope(let value): scopes[value.name] = value
        case .route(let value): routes[value.name] = value
        case .cluster(let value): clusters[value.name] = value
        case .endpoints(let value): endpoints[value.clusterName] = value
        case .secret(let value): secrets[value.name] = value
        case .names(let value): names = value
        }
    }

    package mutating func remove(_ type: ResourceType, _ name: String) {
        switch type {
        case .listener: listeners[name] = nil
        case .scope: scopes[name] = nil
        case .route: routes[name] = nil
        case .cluster: clusters[name] = nil
        case .endpoint: endpoints[name] = nil
        case .secret: secrets[name] = nil
        case .names: names = nil
        }
    }

    /// Names of endpoints, routes and secrets (those that come by ADS) that listeners and clusters use; `*` for scopes.
    package var references: [ResourceType: Set<String>] {
        var secrets: Set<String> = []
        var routes: Set<String> = []
        func add(_ tls: CommonTLS?, _ more: SecretReference? = nil) {
            for reference in (tls?.certificates ?? []) + [tls?.validation, more].compactMap({ $0 })
            where reference.source == .ads {
                secrets.insert(reference.name)
            }
        }
        for cluster in clusters.values {
            add(cluster.tls?.common)
            for match in cluster.transportSocketMatches { add(match.tls?.common) }
        }
        for listener in listeners.values {
            for chain in listener.filterChains + [listener.defaultFilterChain].compactMap({ $0 }) {
                add(chain.tls?.common, chain.tls?.ticketKeys)
            }
            for manager in listener.managers where manager.routesFile == nil {
                routes.formUnion(manager.namedRoutes)
                if manager.usesScopeDiscovery { routes.formUnion(scopes.values.compactMap(\.namedRoutes)) }
            }
        }
        let streamed = clusters.values.filter { $0.endpointsFile == nil }.compactMap(\.assignmentName)
        var all: [ResourceType: Set<String>] = [.endpoint: Set(streamed), .route: routes, .secret: secrets]
        // Asked for as a whole.
        if usesScopeDiscovery { all[.scope] = ["*"] }
        return all
    }
}
