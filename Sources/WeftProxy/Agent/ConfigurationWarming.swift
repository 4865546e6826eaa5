import WeftIR

/// Holds back what is not complete yet, so that no request meets a half of a change. Pure.
///
/// A listener waits for the routes it names, scopes for theirs, everything waits for the endpoints of clusters that are new; what was
/// served before is served until then.
struct ConfigurationWarming {
    private(set) var served = ProxyConfiguration()
    private(set) var hasServed = false

    /// - Parameter isPatient: False serves what there is; the wait has been long enough.
    /// - Returns: What to serve, and whether something is still held back.
    mutating func serve(_ wanted: ProxyConfiguration, isPatient: Bool) -> (
        configuration: ProxyConfiguration, isWaiting: Bool
    ) {
        guard isPatient else { return commit(wanted, isWaiting: false) }
        var result = wanted
        var isWaiting = false
        var isIncomplete = false
        for (name, cluster) in wanted.clusters where Self.lacksEndpoints(cluster, wanted) {
            isWaiting = true
            guard let before = served.clusters[name], before.discovery == cluster.discovery else {
                isIncomplete = true
                // Left out, it is still new when the rest comes.
                result.clusters[name] = served.clusters[name]
                continue
            }
            for key in Self.service(cluster) { result.endpoints[key] = served.endpoints[key] }
        }
        if isWaiting, !hasServed {
            result.listeners = [:]
            return (result, true)
        }
        if isIncomplete { return commit(withServedTraffic(result), isWaiting: true) }
        for (name, listener) in wanted.listeners {
            let missing = Self.routes(of: listener).filter { wanted.routes[$0] == nil }
            guard !missing.isEmpty else { continue }
            isWaiting = true
            result.listeners[name] = served.listeners[name]
            for route in served.listeners[name].map(Self.routes) ?? [] where result.routes[route] == nil {
                result.routes[route] = served.routes[route]
            }
        }
        if wanted.usesScopeDiscovery, Self.lacksScopes(wanted) {
            isWaiting = true
            result.scopes = served.scopes
            for name in served.scopes.values.compactMap(\.namedRoutes) where result.routes[name] == nil {
                result.routes[name] = served.routes[name]
            }
        }
        if isWaiting, !hasServed {
            result.listeners = [:]
            return (result, true)
        }
        return commit(result, isWaiting: isWaiting)
    }

    /// New listeners and routes may name a cluster whose endpoints are on their way: the old ones stay, and everything
    /// that they name.
    private func withServedTraffic(_ wanted: ProxyConfiguration) -> ProxyConfiguration {
        var result = wanted
        result.listeners = served.listeners
        result.routes = served.routes
        result.scopes = served.scopes
        result.clusters.merge(served.clusters) { new, _ in new }
        result.endpoints.merge(served.endpoints) { new, _ in new }
        result.secrets.merge(served.secrets) { new, _ in new }
        return result
    }

    private mutating func commit(_ configuration: ProxyConfiguration, isWaiting: Bool) -> (ProxyConfiguration, Bool) {
        served = configuration
        hasServed = true
        return (configuration, isWaiting)
    }

    private static func service(_ cluster: Cluster) -> [String] {
        guard case .eds(let service) = cluster.discovery, cluster.endpointsFile == nil else { return [] }
        return [service.isEmpty ? cluster.name : service]
    }

    private static func lacksEndpoints(_ cluster: Cluster, _ all: ProxyConfiguration) -> Bool {
        service(cluster).contains { all.endpoints[$0] == nil }
    }

    /// Scopes have not come, or name routes that have not.
    private static func lacksScopes(_ all: ProxyConfiguration) -> Bool {
        all.scopes.isEmpty || all.scopes.values.compactMap(\.namedRoutes).contains { all.routes[$0] == nil }
    }

    /// The routes that a listener gets by name.
    private static func routes(of listener: Listener) -> Set<String> {
        var names: Set<String> = []
        for manager in listener.managers where manager.routesFile == nil { names.formUnion(manager.namedRoutes) }
        return names
    }
}
