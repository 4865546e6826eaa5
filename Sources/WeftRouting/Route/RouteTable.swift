import NIOCore
import Synchronization
package import WeftHTTP
package import WeftIR

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A compiled route table. Immutable: shared by all workers. First match wins inside the most specific virtual host.
package final class RouteTable: Sendable {
    package let configuration: RouteConfiguration
    /// The same without its virtual hosts.
    private let bare: RouteConfiguration
    private let domains: DomainIndex
    private let hosts: [CompiledVirtualHost]
    /// Routes that cannot be compiled, one sentence each. Such a route matches no request.
    package let problems: [String]

    /// Different for every table of this process.
    private let number = RouteTable.count.wrappingAdd(1, ordering: .relaxed).newValue
    private static let count = Atomic<Int>(0)

    /// Taken from requests of strangers.
    package let internalOnlyHeaders: [HeaderName]

    /// - Parameter previous: The table of this name that was served before: what did not change is taken from it, with
    ///   what its filters count.
    package init(_ configuration: RouteConfiguration, reusing previous: RouteTable? = nil) {
        self.configuration = configuration
        internalOnlyHeaders = configuration.internalOnlyHeaders.map { HeaderName($0) }
        var bare = configuration
        bare.virtualHosts = []
        let previous = previous?.configuration.name == configuration.name ? previous : nil
        // What a table says of all its routes is part of each.
        let isSameTable = previous.map { $0.bare == bare } ?? false
        self.bare = bare
        var known = KnownHosts(previous?.hosts ?? [])
        var hosts: [CompiledVirtualHost] = []
        hosts.reserveCapacity(configuration.virtualHosts.count)
        for (position, host) in configuration.virtualHosts.enumerated() {
            let before = known.host(host.name, near: position)
            if isSameTable, let before, before.configuration == host {
                hosts.append(before)
            } else {
                hosts.append(
                    CompiledVirtualHost(host, table: bare, isSameTable: isSameTable, reusing: before))
            }
        }
        self.hosts = hosts
        if let previous, Self.haveSameDomains(previous, hosts, configuration) {
            domains = previous.domains
        } else {
            domains = DomainIndex(configuration.virtualHosts, ignoresPort: configuration.ignorePortInHostMatching)
        }
        problems = hosts.flatMap(\.problems)
    }

    private static func haveSameDomains(
        _ previous: RouteTable, _ hosts: [CompiledVirtualHost], _ configuration: RouteConfiguration
    ) -> Bool {
        previous.configuration.ignorePortInHostMatching == configuration.ignorePortInHostMatching
            && previous.hosts.count == hosts.count
            && zip(previous.hosts, hosts).allSatisfy {
                $0 === $1 || $0.configuration.domains == $1.configuration.domains
            }
    }

    /// What is wrong when a domain is served twice, in words: the first host would take all its requests.
    package var repeatedDomain: String? {
        domains.repeated.map { domain, hosts in
            let names = (configuration.virtualHosts[hosts.0].name, configuration.virtualHosts[hosts.1].name)
            return "domain \"\(domain)\" is in virtual host \(names.0) and in \(names.1)"
        }
    }

    /// - Parameter random: for routes that take a share of requests.
    /// - Returns: `nil` when no virtual host or no route matches (404 NR).
    package func route(_ head: RequestHead, context: RouteContext = RouteContext(), random: UInt64) -> RouteDecision? {
        var head = head
        var recent: RecentHost?
        return route(inPlace: &head, context: context, random: random, recent: &recent)
    }

    /// Where a connection's last request went: the next one most often has the same authority.
    package struct RecentHost {
        /// Not the table: an idle connection must not keep an old one.
        fileprivate let table: Int
        fileprivate let authority: [UInt8]
        fileprivate let place: Int
        /// Longer names are looked up each time.
        fileprivate static let longest = 255

        fileprivate func isOf(_ table: RouteTable, _ name: ByteBuffer) -> Bool {
            guard self.table == table.number, authority.count == name.readableBytes else { return false }
            return authority.withUnsafeBytes { one in
                name.withUnsafeReadableBytes { other in
                    guard let left = one.baseAddress, let right = other.baseAddress else { return true }
                    return memcmp(left, right, one.count) == 0
                }
            }
        }
    }

    /// - Parameters:
    ///   - head: Stays as it is; `inout`, so that what lies in an object is not copied out of it.
    ///   - recent: The connection's; spares the look-up of a name that was asked for the last time.
    package func route(
        inPlace head: inout RequestHead, context: RouteContext, random: UInt64, recent: inout RecentHost?
    ) -> RouteDecision? {
        let host: CompiledVirtualHost
        if let recent, recent.isOf(self, head.authority) {
            host = hosts[recent.place]
        } else {
            guard let place = domains.host(head.authority.readableBytesView) else { return nil }
            host = hosts[place]
            let name = head.authority.readableBytesView
            if name.count <= RecentHost.longest {
                recent = RecentHost(table: number, authority: Array(name), place: place)
            }
        }
        if let redirect = host.redirectToTLS, RouteTable.isPlain(head, for: redirect.virtualHost.requireTLS) {
            return redirect
        }
        return host.route(head, context: context, random: random)
    }

    /// Whether the request came to the edge without TLS (`x-forwarded-proto`), as far as `requirement` cares.
    private static func isPlain(_ head: RequestHead, for requirement: VirtualHost.RequireTLS) -> Bool {
        if head.headers.string(.forwardedProto) == "https" { return false }
        return requirement == .all || head.headers.string(isInternal) != "true"
    }

    private static var isInternal: HeaderName { "x-envoy-internal" }

    /// Where the routes come from that a request was tried against and that did not take it.
    package func refusing(_ head: RequestHead) -> Provenance? {
        domains.host(head.authority.readableBytesView).flatMap { index in
            configuration.virtualHosts[index].routes.lazy.compactMap(\.provenance).first.map { Provenance($0.resource) }
        }
    }
}

/// Finds hosts by name; most stand where they stood before, so the index by name is made only when one does not.
private struct KnownHosts {
    private let hosts: [CompiledVirtualHost]
    private lazy var byName = Dictionary(hosts.map { ($0.configuration.name, $0) }) { first, _ in first }

    init(_ hosts: [CompiledVirtualHost]) { self.hosts = hosts }

    mutating func host(_ name: String, near position: Int) -> CompiledVirtualHost? {
        if position < hosts.count, hosts[position].configuration.name == name { return hosts[position] }
        return hosts.isEmpty ? nil : byName[name]
    }
}
