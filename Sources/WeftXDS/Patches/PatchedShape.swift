import WeftIR

/// What Envoy refuses a resource for although every field of it can be read and ``XDSDecoder`` takes it: filters behind the
/// one that ends a chain, and two virtual hosts of one name. What the control plane makes is right in this; a user's patch
/// may break it. Pure.
enum PatchedShape {
    /// Why a proxy would refuse the resource, in words.
    static func problem(_ resource: DecodedResource) -> String? {
        switch resource {
        case .listener(let listener):
            let chains = listener.filterChains + [listener.defaultFilterChain].compactMap(\.self)
            return chains.lazy.compactMap { problem($0) }.first
        case .route(let table): return problem(table)
        case .scope, .cluster, .endpoints, .secret, .names: return nil
        }
    }

    private static func problem(_ chain: FilterChain) -> String? {
        for (index, filter) in chain.filters.enumerated() {
            let isLast = index == chain.filters.count - 1
            guard isTerminal(filter) == isLast else {
                return isLast
                    ? "filter chain \"\(chain.name)\" has no filter at its end that forwards, such as tcp_proxy"
                    : "filter chain \"\(chain.name)\" has a filter behind the one that forwards: nothing reaches it"
            }
            if case .httpConnectionManager(let manager) = filter, let found = problem(manager) { return found }
        }
        return nil
    }

    private static func isTerminal(_ filter: NetworkFilter) -> Bool {
        switch filter {
        case .tcpProxy, .httpConnectionManager: true
        case .rbac, .stats, .connectionLimit, .externalAuthorization, .connectionRateLimit, .connectionQuota,
            .sniCluster:
            false
        }
    }

    private static func problem(_ manager: HTTPConnectionManager) -> String? {
        if let place = manager.filters.dropLast().firstIndex(where: { $0.kind == .router }) {
            return "HTTP filter \"\(manager.filters[place + 1].name)\" is behind the router: nothing reaches it"
        }
        guard case .inline(let table) = manager.routes else { return nil }
        return problem(table)
    }

    private static func problem(_ table: RouteConfiguration) -> String? {
        var names: Set<String> = []
        let repeated = table.virtualHosts.first { !names.insert($0.name).inserted }
        return repeated.map { "there are two virtual hosts called \"\($0.name)\"" }
    }
}
