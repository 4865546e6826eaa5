package import WeftCore
package import WeftIR

/// Which route a request takes, and why: the virtual host and the route, with all that it needs compiled once.
///
/// Immutable and shared: handing one out costs a reference.
package final class RouteDecision: Sendable {
    /// Without its routes.
    package let virtualHost: VirtualHost
    package let route: Route
    /// Position of the route in its virtual host.
    package let index: Int
    /// Header mutations of the route, its virtual host and the table, in the order in which they are made; without
    /// those that are empty.
    package let requestMutations: [HeaderMutations]
    package let responseMutations: [HeaderMutations]
    /// For routes that forward.
    package let forward: CompiledForward?
    /// Policies of `typed_per_filter_config`, by filter name; `nil` turns the filter off on this route.
    package let accessPolicies: [String: RBACEngine?]
    /// Other configurations of filters, compiled, by filter name.
    package let filters: [String: CompiledRouteFilter]
    /// By the position of the weighted cluster that was chosen; empty when none has any.
    package let clusterFilters: [[String: CompiledRouteFilter]]
    /// What requests are counted under; `nil` is nothing.
    package let rateLimits: RouteRateLimits?
    package let countsAttemptsInRequest: Bool
    package let countsAttemptsInResponse: Bool
    /// The regex of a redirect.
    package let redirectRewrite: RegexReplacement?
    /// `typed_per_filter_config` of the table, the virtual host and the route.
    fileprivate let levels: [[String: PerRouteFilter]]
    /// What of it cannot be compiled.
    let problems: [String]
    /// A rewrite cannot be compiled: the route must not be taken, as it would send the wrong path.
    let isBroken: Bool

    /// - Parameters:
    ///   - table: Whose headers are added too.
    ///   - previous: The decision that this one takes the place of: filters that did not change keep what they count.
    init(
        virtualHost: VirtualHost, route: Route, index: Int, table: RouteConfiguration? = nil,
        reusing previous: RouteDecision? = nil
    ) {
        func inOrder(_ mutations: [HeaderMutations?]) -> [HeaderMutations] {
            let all = mutations.compactMap { $0 }.filter { !$0.isEmpty }
            return table?.mostSpecificMutationsWin == true ? all.reversed() : all
        }
        requestMutations = inOrder([route.requestHeaders, virtualHost.requestHeaders, table?.requestHeaders])
        responseMutations = inOrder([route.responseHeaders, virtualHost.responseHeaders, table?.responseHeaders])
        self.virtualHost = virtualHost
        self.route = route
        self.index = index
        let levels = [table?.perFilter ?? [:], virtualHost.perFilter, route.perFilter]
        self.levels = levels
        clusterFilters = Self.clusterFilters(route, levels)
        rateLimits = Self.rateLimits(route, virtualHost)
        countsAttemptsInRequest = virtualHost.includeRequestAttemptCount
        countsAttemptsInResponse = virtualHost.includeAttemptCountInResponse
        let filters = RouteFilters(levels, reusing: previous)
        accessPolicies = filters.accessPolicies
        self.filters = filters.others
        var problems = filters.problems
        var redirect: RegexReplacement?
        if case .redirect(let target) = route.action, case .regex(let pattern, let substitution)? = target.path {
            do { redirect = try RegexReplacement(pattern, substitution: substitution) } catch {
                problems.append("the redirect's pattern: \(error.message)")
            }
        }
        redirectRewrite = redirect
        if case .forward(let action) = route.action {
            let compiled = CompiledForward(
                action, match: route.match, virtualHost: virtualHost, tableMirrors: table?.mirrors ?? [],
                reusing: previous?.forward)
            problems += compiled.problems
            forward = compiled
        } else {
            forward = nil
        }
        self.problems = problems
        let lacksRedirect =
            if case .redirect(let target) = route.action, case .regex? = target.path { redirect == nil } else { false }
        isBroken = lacksRedirect || forward?.problems.isEmpty == false
    }

    private static func clusterFilters(
        _ route: Route, _ levels: [[String: PerRouteFilter]]
    ) -> [[String: CompiledRouteFilter]] {
        guard case .forward(let action) = route.action, case .weighted(let clusters) = action.cluster,
            clusters.contains(where: { !$0.perFilter.isEmpty })
        else { return [] }
        return clusters.map { cluster in
            var filters: [String: CompiledRouteFilter] = [:]
            for (name, filter) in cluster.perFilter {
                filters[name] = CompiledRouteFilter(
                    filter, levels: (levels + [cluster.perFilter]).compactMap { $0[name] })
            }
            return filters
        }
    }

    private static func rateLimits(_ route: Route, _ host: VirtualHost) -> RouteRateLimits? {
        guard case .forward(let action) = route.action, !action.rateLimits.isEmpty || !host.rateLimits.isEmpty else {
            return nil
        }
        return RouteRateLimits(
            route: action.rateLimits, host: host.rateLimits, includesHost: action.includesHostRateLimits)
    }
}

/// The filters of one route while they are compiled: those of `previous` stay when their configuration did.
private struct RouteFilters {
    private(set) var accessPolicies: [String: RBACEngine?] = [:]
    private(set) var others: [String: CompiledRouteFilter] = [:]
    private(set) var problems: [String] = []

    /// - Parameter levels: Of the table, the virtual host and the route; the most specific one is obeyed.
    init(_ levels: [[String: PerRouteFilter]], reusing previous: RouteDecision?) {
        var merged = levels[0]
        for level in levels.dropFirst() where !level.isEmpty { merged.merge(level) { $1 } }
        for (name, filter) in merged {
            let own = levels.map { $0[name] }
            let known = previous.flatMap { old in old.levels.map { $0[name] } == own ? old : nil }
            switch filter {
            case .rbac(let rules):
                let engine = known.flatMap { $0.accessPolicies[name] ?? nil } ?? rules.map(RBACEngine.init)
                problems += engine?.problems ?? []
                accessPolicies[name] = .some(engine)
            case .disabled: accessPolicies[name] = .some(nil)
            default: break
            }
            others[name] = known?.filters[name] ?? CompiledRouteFilter(filter, levels: own.compactMap { $0 })
        }
    }
}

/// A forwarding action with its patterns, hash policies and subsets compiled.
package final class CompiledForward: Sendable {
    package let action: RouteAction
    /// Sum of the weights of the clusters.
    package let totalWeight: UInt64
    package let retry: CompiledRetryPolicy?
    package let hashPolicies: [CompiledHashPolicy]
    /// The route's own, or else its virtual host's, or else the table's.
    package let mirrors: [Mirror]
    /// The route's own hedging, or else its virtual host's.
    package let hedgesOnPerTryTimeout: Bool
    /// Whether it says something about the path, or about the host.
    package let rewritesPath: Bool
    package let rewritesHost: Bool
    private let subset: SubsetKey
    private let weightedSubsets: [SubsetKey]
    private let pathRewrite: RegexReplacement?
    private let hostRewrite: RegexReplacement?
    private let template: PathTemplate?
    let problems: [String]

    /// - Parameter previous: What this takes the place of: an equal retry policy is taken from it.
    init(
        _ action: RouteAction, match: RouteMatch, virtualHost: VirtualHost, tableMirrors: [Mirror] = [],
        reusing previous: CompiledForward? = nil
    ) {
        self.action = action
        hedgesOnPerTryTimeout = (action.hedge ?? virtualHost.hedge)?.onPerTryTimeout ?? false
        mirrors = [action.mirrors, virtualHost.mirrors, tableMirrors].first { !$0.isEmpty } ?? []
        var problems: [String] = []
        func compile(_ what: String, _ pattern: String, _ substitution: String) -> RegexReplacement? {
            do { return try RegexReplacement(pattern, substitution: substitution) } catch {
                problems.append("the \(what)'s pattern: \(error.message)")
                return nil
            }
        }
        if case .regex(let pattern, let substitution)? = action.pathRewrite {
            pathRewrite = compile("path rewrite", pattern, substitution)
        } else {
            pathRewrite = nil
        }
        if case .pathRegex(let pattern, let substitution)? = action.hostRewrite {
            hostRewrite = compile("host rewrite", pattern, substitution)
        } else {
            hostRewrite = nil
        }
        if case .template(let pattern) = match.path { template = try? PathTemplate(pattern) } else { template = nil }
        if case .template(let target)? = action.pathRewrite {
            if let template {
                problems += template.problem(rewriting: target).map { ["the path rewrite: \($0)"] } ?? []
            } else {
                problems.append("a path template rewrite needs a path template match")
            }
        }
        var weightedSubsets: [SubsetKey] = []
        var total: UInt64 = 0
        if case .weighted(let clusters) = action.cluster {
            weightedSubsets = clusters.map { SubsetKey(action.metadataMatch.merging($0.metadataMatch) { $1 }) }
            total = clusters.reduce(0) { $0 + UInt64($1.weight) }
        }
        totalWeight = total
        rewritesPath = action.pathRewrite != nil
        if case .weighted(let clusters) = action.cluster {
            rewritesHost = action.hostRewrite != nil || clusters.contains { $0.hostRewrite != nil }
        } else {
            rewritesHost = action.hostRewrite != nil
        }
        self.weightedSubsets = weightedSubsets
        subset = SubsetKey(action.metadataMatch)
        let policy = action.retryPolicy ?? virtualHost.retryPolicy
        if let known = previous?.retry, known.policy == policy {
            retry = known
        } else {
            retry = policy.map(CompiledRetryPolicy.init)
        }
        problems += retry?.problems ?? []
        hashPolicies = action.hashPolicies.map(CompiledHashPolicy.init)
        problems += hashPolicies.compactMap(\.problem)
        self.problems = problems
    }

    /// - Returns: The position of one of the weighted clusters; `nil` when the route has none or all weigh nothing.
    package func weightedChoice(_ random: UInt64) -> Int? {
        guard case .weighted(let clusters) = action.cluster, totalWeight > 0 else { return nil }
        var rest = random % totalWeight
        for (index, cluster) in clusters.enumerated() {
            if rest < UInt64(cluster.weight) { return index }
            rest -= UInt64(cluster.weight)
        }
        return nil
    }

    /// The subset that the route asks for, with what the chosen weighted cluster adds.
    package func subset(weighted: Int?) -> SubsetKey { weighted.map { weightedSubsets[$0] } ?? subset }

    /// The path and query to send upstream, or `nil` when the route rewrites nothing.
    package func rewrittenPath(_ target: String, matched: RouteMatch) -> String? {
        guard let rewrite = action.pathRewrite else { return nil }
        let cut = target.firstIndex { $0 == "?" || $0 == "#" } ?? target.endIndex
        switch rewrite {
        case .prefix(let new): return PathRewriter.replacePrefix(of: target, matched: matched, by: new)
        case .regex:
            guard let pathRewrite else { return nil }
            return String(decoding: pathRewrite.apply(to: Array(target[..<cut].utf8)), as: UTF8.self) + target[cut...]
        case .template(let pattern):
            guard let path = template?.rewrite(target[..<cut].utf8, by: pattern) else { return nil }
            return String(decoding: path, as: UTF8.self) + target[cut...]
        }
    }

    /// The host that a path regex makes of the path, or `nil` when it does not match.
    package func hostFromPath(_ target: String) -> String? {
        let path = target[..<(target.firstIndex { $0 == "?" || $0 == "#" } ?? target.endIndex)]
        return hostRewrite.map { String(decoding: $0.apply(to: Array(path.utf8)), as: UTF8.self) }
    }
}
