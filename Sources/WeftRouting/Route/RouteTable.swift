import NIOCore
package import WeftHTTP
package import WeftIR

/// A compiled route table. Immutable: shared by all workers. First match wins inside the most specific virtual host.
package struct RouteTable: Sendable {
    /// A virtual host with its routes, ready to run.
    private struct Host: Sendable {
        let matches: [CompiledMatch]
        let decisions: [RouteDecision]
        let index: PathIndex?
    }
    package let configuration: RouteConfiguration
    private let domains: DomainIndex
    private let hosts: [Host]
    /// Routes that cannot be compiled, one sentence each. Such a route matches no request.
    package let problems: [String]

    package init(_ configuration: RouteConfiguration) {
        self.configuration = configuration
        domains = DomainIndex(configuration.virtualHosts, ignoresPort: configuration.ignorePortInHostMatching)
        hosts = configuration.virtualHosts.map { host in
            let matches = host.routes.map { CompiledMatch($0.match) }
            let decisions = host.routes.enumerated().map { RouteDecision(virtualHost: host, route: $1, index: $0) }
            return Host(
                matches: matches, decisions: decisions,
                index: matches.count >= PathIndex.minimumCount ? PathIndex(matches) : nil)
        }
        problems = zip(configuration.virtualHosts, hosts).flatMap { host, compiled in
            host.routes.indices.flatMap { index -> [String] in
                let place =
                    "routes \(configuration.name), host \(host.name), route \(index) \(host.routes[index].name): "
                let broken = compiled.matches[index].isBroken ? ["an invalid pattern"] : []
                return (broken + compiled.decisions[index].problems).map { place + $0 }
            }
        }
    }

    /// - Parameter random: for routes that take a share of requests.
    /// - Returns: `nil` when no virtual host or no route matches (404 NR).
    package func route(_ head: RequestHead, context: RouteContext = RouteContext(), random: UInt64) -> RouteDecision? {
        guard let place = domains.host(head.authority.readableBytesView) else { return nil }
        let host = hosts[place]
        let target = PathAndQuery.path(head.path)
        func matches(_ index: Int) -> Bool {
            host.matches[index].matches(head, target: target, context: context, random: random)
        }
        let found = host.index.map { $0.first(target, where: matches) } ?? host.matches.indices.first(where: matches)
        return found.map { host.decisions[$0] }
    }
}
