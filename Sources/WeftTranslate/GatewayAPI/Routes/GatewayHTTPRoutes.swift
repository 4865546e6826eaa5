import WeftConfig
import WeftCore
import WeftIR

/// A route with its place among others for the same host.
struct RankedRoute {
    let rank: GatewayRouteMatches.Rank
    /// Position of the object by age, of the rule and of the match.
    let order: [Int]
    let route: Route

    /// The order of the Gateway API: the most specific match, then the oldest route, then as written.
    static func sorted(_ routes: [RankedRoute]) -> [Route] {
        routes.sorted { left, right in
            if left.rank != right.rank { return right.rank.lexicographicallyPrecedes(left.rank) }
            return left.order.lexicographicallyPrecedes(right.order)
        }.map(\.route)
    }
}

/// Routes of HTTPRoutes and GRPCRoutes, for one port of a gateway or of a service.
struct GatewayHTTPRoutes {
    let scope: Scope
    /// As clients see it: redirects without a port of their own name it.
    let listenerPort: Int
    var isTLS = false

    private var model: GatewayAPIModel { scope.snapshot.gatewayAPI }

    /// - Parameter index: of the route in the model.
    func routes(of index: Int) -> [RankedRoute] {
        let route = model.objects.routes[index]
        let problems = model.invalidity[index].rules
        var result: [RankedRoute] = []
        func add(
            _ match: RouteMatch, _ rank: GatewayRouteMatches.Rank, _ rule: Int, _ position: Int, _ parts: RuleParts
        ) {
            // A condition that cannot be read is met by nothing.
            if route.unmatchableRules.contains(rule) { return }
            let built = build(
                match, parts, route: route, rule: rule, problem: rule < problems.count ? problems[rule] : nil)
            result.append(RankedRoute(rank: rank, order: [index, rule, position], route: built))
        }
        switch route.body {
        case .http(let spec):
            for (rule, content) in (spec.rules ?? [GatewayAPI.HTTPRule()]).enumerated() {
                let matches: [GatewayAPI.HTTPMatch?] =
                    content.matches.map { $0.isEmpty ? [nil] : $0.map(Optional.some) } ?? [nil]
                for (position, match) in matches.enumerated() {
                    let (built, rank) = GatewayRouteMatches.http(match)
                    add(built, rank, rule, position, RuleParts(content))
                }
            }
        case .grpc(let spec):
            for (rule, content) in (spec.rules ?? [GatewayAPI.GRPCRule()]).enumerated() {
                let matches: [GatewayAPI.GRPCMatch?] =
                    content.matches.map { $0.isEmpty ? [nil] : $0.map(Optional.some) } ?? [nil]
                for (position, match) in matches.enumerated() {
                    let (built, rank) = GatewayRouteMatches.grpc(match)
                    add(built, rank, rule, position, RuleParts(content))
                }
            }
        case .tls, .tcp: break
        }
        return result
    }

    // MARK: - One route

    private func build(
        _ match: RouteMatch, _ parts: RuleParts, route source: AnyRoute, rule: Int, problem: ReferenceProblem?
    ) -> Route {
        var host: String?
        var route = Route(match: match, action: .directResponse(DirectResponse(status: parts.failure)))
        route.name = parts.name ?? "\(source.namespace).\(source.resource.name).\(rule)"
        route.provenance = Provenance(source.resource, rule: rule, ruleName: parts.name)
        if let problem {
            route.action = .directResponse(DirectResponse(status: 500, body: problem.message))
            return route
        }
        route.requestHeaders = GatewayRouteFilters.mutations(
            parts.first("RequestHeaderModifier")?.requestHeaderModifier, host: &host)
        route.responseHeaders = GatewayRouteFilters.mutations(
            parts.first("ResponseHeaderModifier")?.responseHeaderModifier)
        if let cors = parts.first("CORS")?.cors {
            route.perFilter[RouteFeatures.corsFilter] = .cors(GatewayRouteFilters.cors(cors))
        }
        if let redirect = parts.first("RequestRedirect")?.requestRedirect {
            route.action = .redirect(
                GatewayRouteFilters.redirect(redirect, match: match, listenerPort: listenerPort, isTLS: isTLS))
            return route
        }
        guard let (cluster, first) = cluster(parts, source) else { return route }
        var action = RouteAction(cluster: cluster)
        action.clusterNotFoundStatus = parts.failure
        finish(&action, parts, source, match: match, first: first, host: host)
        route.action = .forward(action)
        if let first { route.operation = "\(first.host):\(first.port)/*" }
        return route
    }

    private func finish(
        _ action: inout RouteAction, _ parts: RuleParts, _ source: AnyRoute, match: RouteMatch,
        first: (host: String, port: Int)?, host: String?
    ) {
        action.timeoutMilliseconds = parts.timeouts?.request?.milliseconds ?? 0
        action.grpcTimeoutHeaderMaxMilliseconds = action.timeoutMilliseconds
        if let first, let service = scope.service(host: first.host) {
            action.hashPolicies = HTTPRoutes(scope: scope, listenerPort: listenerPort, gateways: [])
                .hashPolicies(service, port: first.port, subset: nil)
        }
        action.retryPolicy = retries(parts, hashed: !action.hashPolicies.isEmpty)
        let rewrite = parts.first("URLRewrite")?.urlRewrite
        if let name = rewrite?.hostname ?? host { action.hostRewrite = .literal(name) }
        action.pathRewrite = GatewayRouteFilters.rewrite(rewrite?.path, match: match)
        for filter in parts.filters where filter.type == "RequestMirror" {
            guard let mirror = filter.requestMirror,
                case .service(let host, let port) = model.objects.resolve(mirror.backendRef, from: source)
            else { continue }
            let share = GatewayRouteFilters.share(mirror)
            guard share != .zero else { continue }
            action.mirrors.append(Mirror(cluster: ClusterName.outbound(port: port, host: host), fraction: share))
        }
    }

    /// Retries as the rule asks for them, else the mesh's; the limit of a single try holds in both cases.
    private func retries(_ parts: RuleParts, hashed: Bool) -> RetryPolicy? {
        var policy = RetryPolicies.build(nil, mesh: scope.mesh, hashed: hashed)
        if let retry = parts.retry {
            var own = RetryPolicy(retryOn: ["connect-failure", "refused-stream", "reset", "retriable-status-codes"])
            own.numRetries = UInt32(clamping: retry.attempts ?? 1)
            own.retriableStatusCodes = (retry.codes ?? []).map { UInt16(clamping: $0) }
            if let wait = retry.backoff, wait.nanoseconds > 0 {
                own.backOffBaseMilliseconds = wait.milliseconds
                own.backOffMaxMilliseconds = wait.milliseconds * 10
            }
            own.hostSelectionRetryMaxAttempts = 5
            own.avoidPreviousHosts = !hashed
            policy = own
        }
        if let limit = parts.timeouts?.backendRequest, limit.nanoseconds > 0 {
            if policy == nil {
                policy = RetryPolicy(retryOn: [])
                policy?.numRetries = 0
            }
            policy?.perTryTimeoutMilliseconds = limit.milliseconds
        }
        return policy
    }

    // MARK: - Backends

    /// `nil` when nothing has a weight. Backends that cannot be followed keep their share, which is answered with an error.
    private func cluster(_ parts: RuleParts, _ source: AnyRoute) -> (ClusterSelector, (host: String, port: Int)?)? {
        let backends = parts.backends.filter { ($0.weight ?? 1) > 0 }
        let resolved = backends.map { model.objects.resolve($0.reference, from: source) }
        let first = resolved.lazy.compactMap { backend -> (host: String, port: Int)? in
            guard case .service(let host, let port) = backend else { return nil }
            return (host, port)
        }.first
        guard first != nil else { return nil }
        if backends.count == 1, backends[0].filters?.isEmpty ?? true, let first {
            return (.cluster(ClusterName.outbound(port: first.port, host: first.host)), first)
        }
        let clusters = zip(backends, resolved).map { backend, resolved -> WeightedCluster in
            var name = ClusterName.invalidBackend
            if case .service(let host, let port) = resolved { name = ClusterName.outbound(port: port, host: host) }
            var cluster = WeightedCluster(name: name, weight: UInt32(clamping: backend.weight ?? 1))
            var host: String?
            for filter in backend.filters ?? [] {
                switch filter.type {
                case "RequestHeaderModifier":
                    cluster.requestHeaders = GatewayRouteFilters.mutations(filter.requestHeaderModifier, host: &host)
                case "ResponseHeaderModifier":
                    cluster.responseHeaders = GatewayRouteFilters.mutations(filter.responseHeaderModifier)
                case "URLRewrite": host = filter.urlRewrite?.hostname ?? host
                default: break
                }
            }
            cluster.hostRewrite = host
            return cluster
        }
        return (.weighted(clusters), first)
    }
}

/// What HTTP and gRPC rules have in common.
private struct RuleParts {
    let name: String?
    let filters: [GatewayAPI.HTTPFilter]
    let backends: [GatewayAPI.HTTPBackend]
    var timeouts: GatewayAPI.Timeouts?
    var retry: GatewayAPI.Retry?
    /// The status where there is no backend to ask: gRPC clients read 503 as UNAVAILABLE.
    let failure: UInt16

    init(_ rule: GatewayAPI.HTTPRule) {
        name = rule.name
        filters = rule.filters ?? []
        backends = rule.backendRefs ?? []
        timeouts = rule.timeouts
        retry = rule.retry
        failure = 500
    }

    init(_ rule: GatewayAPI.GRPCRule) {
        name = rule.name
        filters = rule.filters ?? []
        backends = rule.backendRefs ?? []
        failure = 503
    }

    func first(_ type: String) -> GatewayAPI.HTTPFilter? { filters.first { $0.type == type } }
}
