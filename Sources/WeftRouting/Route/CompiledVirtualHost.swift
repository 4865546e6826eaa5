import NIOCore
import WeftHTTP
import WeftIR

/// A virtual host with its routes, ready to run. Immutable and shared: tables that follow each other have the same
/// object for a host that did not change.
final class CompiledVirtualHost: Sendable {
    let configuration: VirtualHost
    /// For plain requests to a host that wants TLS.
    let redirectToTLS: RouteDecision?
    private let matches: [CompiledMatch]
    private let decisions: [RouteDecision]
    private let index: PathIndex?
    /// Routes that cannot be compiled, one sentence each.
    let problems: [String]

    /// - Parameters:
    ///   - table: Without its hosts.
    ///   - isSameTable: The table says of all its routes what it said before.
    ///   - previous: The host of this name in the table before: routes that did not change keep their decisions, and
    ///     filters that did not change keep what they count.
    init(_ host: VirtualHost, table: RouteConfiguration, isSameTable: Bool, reusing previous: CompiledVirtualHost?) {
        configuration = host
        var bare = host
        bare.routes = []
        var before = previous?.configuration
        before?.routes = []
        let isSameHost = isSameTable && before == bare
        var decisions: [RouteDecision] = []
        decisions.reserveCapacity(host.routes.count)
        for (position, route) in host.routes.enumerated() {
            let known = previous.flatMap { position < $0.decisions.count ? $0.decisions[position] : nil }
            if isSameHost, let known, known.route == route {
                decisions.append(known)
            } else {
                decisions.append(
                    RouteDecision(virtualHost: bare, route: route, index: position, table: table, reusing: known))
            }
        }
        self.decisions = decisions
        matches = host.routes.indices.map { position in
            let match = host.routes[position].match
            let isRefused = decisions[position].isBroken
            if !isRefused, let known = previous?.match(like: match, at: position) { return known }
            return CompiledMatch(match, isRefused: isRefused)
        }
        redirectToTLS =
            host.requireTLS == .none ? nil : RouteDecision(virtualHost: bare, route: Self.redirectToTLS, index: 0)
        index = matches.count >= PathIndex.minimumCount ? PathIndex(matches) : nil
        var problems: [String] = []
        for (position, route) in host.routes.enumerated() {
            let broken = matches[position].hasBrokenPattern ? ["an invalid pattern"] : []
            for problem in broken + decisions[position].problems {
                problems.append("routes \(table.name), host \(host.name), route \(position) \(route.name): \(problem)")
            }
        }
        self.problems = problems
    }

    /// The conditions at `position`, if they are made of the same `match` and can be obeyed.
    private func match(like match: RouteMatch, at position: Int) -> CompiledMatch? {
        guard position < matches.count, !matches[position].isBroken, configuration.routes[position].match == match
        else {
            return nil
        }
        return matches[position]
    }

    /// The first route that takes the request.
    func route(_ head: RequestHead, context: RouteContext, random: UInt64) -> RouteDecision? {
        let target = PathAndQuery.path(head.path)
        func matches(_ index: Int) -> Bool {
            self.matches[index].matches(head, target: target, context: context, random: random)
        }
        let found = index.map { $0.first(target, where: matches) } ?? self.matches.indices.first(where: matches)
        return found.map { decisions[$0] }
    }

    /// What a host that wants TLS answers in plain text: the same address with `https`, whatever its routes are.
    private static let redirectToTLS: Route = {
        var redirect = Redirect()
        redirect.httpsRedirect = true
        return Route(match: RouteMatch(path: .prefix("/")), action: .redirect(redirect))
    }()
}
