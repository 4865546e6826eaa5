import NIOCore
package import WeftHTTP
package import WeftIR

/// A compiled route table. Immutable: shared by all workers. First match wins inside the most specific virtual host.
package final class RouteTable: Sendable {
    /// A virtual host with its routes, ready to run.
    private final class Host: Sendable {
        /// For plain requests to a host that wants TLS.
        let redirectToTLS: RouteDecision?
        let matches: [CompiledMatch]
        let decisions: [RouteDecision]
        let index: PathIndex?

        init(redirectToTLS: RouteDecision?, matches: [CompiledMatch], decisions: [RouteDecision], index: PathIndex?) {
            self.redirectToTLS = redirectToTLS
            self.matches = matches
            self.decisions = decisions
            self.index = index
        }
    }
    package let configuration: RouteConfiguration
    private let domains: DomainIndex
    private let hosts: [Host]
    /// Routes that cannot be compiled, one sentence each. Such a route matches no request.
    package let problems: [String]

    /// Taken from requests of strangers.
    package let internalOnlyHeaders: [HeaderName]

    package init(_ configuration: RouteConfiguration) {
        self.configuration = configuration
        internalOnlyHeaders = configuration.internalOnlyHeaders.map { HeaderName($0) }
        domains = DomainIndex(configuration.virtualHosts, ignoresPort: configuration.ignorePortInHostMatching)
        hosts = configuration.virtualHosts.map { host in
            let decisions = host.routes.enumerated().map {
                RouteDecision(virtualHost: host, route: $1, index: $0, table: configuration)
            }
            let matches = zip(host.routes, decisions).map { CompiledMatch($0.match, isRefused: $1.isBroken) }
            let redirect = RouteDecision(virtualHost: host, route: RouteTable.redirectToTLS, index: 0)
            return Host(
                redirectToTLS: host.requireTLS == .none ? nil : redirect,
                matches: matches, decisions: decisions,
                index: matches.count >= PathIndex.minimumCount ? PathIndex(matches) : nil)
        }
        problems = zip(configuration.virtualHosts, hosts).flatMap { host, compiled in
            host.routes.indices.flatMap { index -> [String] in
                let place =
                    "routes \(configuration.name), host \(host.name), route \(index) \(host.routes[index].name): "
                let broken = compiled.matches[index].hasBrokenPattern ? ["an invalid pattern"] : []
                return (broken + compiled.decisions[index].problems).map { place + $0 }
            }
        }
    }

    /// - Parameter random: for routes that take a share of requests.
    /// - Returns: `nil` when no virtual host or no route matches (404 NR).
    package func route(_ head: RequestHead, context: RouteContext = RouteContext(), random: UInt64) -> RouteDecision? {
        guard let place = domains.host(head.authority.readableBytesView) else { return nil }
        let host = hosts[place]
        if let redirect = host.redirectToTLS, RouteTable.isPlain(head, for: redirect.virtualHost.requireTLS) {
            return redirect
        }
        let target = PathAndQuery.path(head.path)
        func matches(_ index: Int) -> Bool {
            host.matches[index].matches(head, target: target, context: context, random: random)
        }
        let found = host.index.map { $0.first(target, where: matches) } ?? host.matches.indices.first(where: matches)
        return found.map { host.decisions[$0] }
    }

    /// What a host that wants TLS answers in plain text: the same address with `https`, whatever its routes are.
    private static let redirectToTLS: Route = {
        var redirect = Redirect()
        redirect.httpsRedirect = true
        return Route(match: RouteMatch(path: .prefix("/")), action: .redirect(redirect))
    }()

    /// Whether the request came to the edge without TLS (`x-forwarded-proto`), as far as `requirement` cares.
    private static func isPlain(_ head: RequestHead, for requirement: VirtualHost.RequireTLS) -> Bool {
        if head.headers.string(.forwardedProto) == "https" { return false }
        return requirement == .all || head.headers.string(isInternal) != "true"
    }

    private static let isInternal: HeaderName = "x-envoy-internal"

    /// Where the routes come from that a request was tried against and that did not take it.
    package func refusing(_ head: RequestHead) -> Provenance? {
        domains.host(head.authority.readableBytesView).flatMap { index in
            configuration.virtualHosts[index].routes.lazy.compactMap(\.provenance).first.map { Provenance($0.resource) }
        }
    }
}
