import NIOCore
package import WeftHTTP
package import WeftIR

/// Which route a request takes, and why: the virtual host and the route, with its provenance.
package struct RouteDecision: Sendable {
    package let virtualHost: VirtualHost
    package let route: Route
    /// Position of the route in its virtual host.
    package let index: Int
    /// The compiled form of the pattern with which the route rewrites paths or redirects; `nil` if it has none.
    package let pathReplacement: RegexReplacement?
}

/// A compiled route table. Immutable: shared by all workers. First match wins inside the most specific virtual host.
package struct RouteTable: Sendable {
    package let configuration: RouteConfiguration
    private let exact: [[UInt8]: Int]
    /// `*.suffix`, longest first.
    private let suffixes: [(text: [UInt8], host: Int)]
    /// `prefix.*`, longest first.
    private let prefixes: [(text: [UInt8], host: Int)]
    private let fallback: Int?
    private let routes: [[CompiledRoute]]
    /// Routes that cannot be compiled, one sentence each. Such a route matches no request.
    package let problems: [String]

    package init(_ configuration: RouteConfiguration) {
        self.configuration = configuration
        var exact: [[UInt8]: Int] = [:]
        var suffixes: [(text: [UInt8], host: Int)] = []
        var prefixes: [(text: [UInt8], host: Int)] = []
        var fallback: Int?
        for (index, host) in configuration.virtualHosts.enumerated() {
            for domain in host.domains {
                let bytes = domain.utf8.map(ASCII.lowercased)
                if bytes == [42] {
                    fallback = fallback ?? index
                } else if bytes.first == 42 {
                    suffixes.append((Array(bytes.dropFirst()), index))
                } else if bytes.last == 42 {
                    prefixes.append((Array(bytes.dropLast()), index))
                } else if exact[bytes] == nil {
                    exact[bytes] = index
                }
            }
        }
        self.exact = exact
        self.suffixes = suffixes.sorted { $0.text.count > $1.text.count }
        self.prefixes = prefixes.sorted { $0.text.count > $1.text.count }
        self.fallback = fallback
        let routes = configuration.virtualHosts.map { $0.routes.map { CompiledRoute($0) } }
        self.routes = routes
        problems = zip(configuration.virtualHosts, routes).flatMap { host, compiled in
            zip(host.routes, compiled).enumerated().filter(\.element.1.isBroken).map { index, pair in
                "routes \(configuration.name), host \(host.name), route \(index) \(pair.0.name): an invalid pattern"
            }
        }
    }

    /// - Parameter random: for routes that take a share of requests.
    /// - Returns: `nil` when no virtual host or no route matches (404 NR).
    package func route(_ head: RequestHead, random: UInt64) -> RouteDecision? {
        guard let host = virtualHost(head.authority.readableBytesView) else { return nil }
        let virtualHost = configuration.virtualHosts[host]
        if virtualHost.requireTLS != .none, RouteTable.isPlain(head, for: virtualHost.requireTLS) {
            return RouteDecision(
                virtualHost: virtualHost, route: RouteTable.redirectToTLS, index: 0, pathReplacement: nil)
        }
        guard let index = routes[host].firstIndex(where: { $0.matches(head, random: random) }) else { return nil }
        return RouteDecision(
            virtualHost: virtualHost, route: virtualHost.routes[index], index: index,
            pathReplacement: routes[host][index].replacement)
    }

    /// What a host that wants TLS answers in plain text: the same address with `https`, whatever its routes are.
    private static let redirectToTLS: Route = {
        var redirect = Redirect()
        redirect.httpsRedirect = true
        return Route(name: "https-redirect", match: RouteMatch(path: .prefix("/")), action: .redirect(redirect))
    }()

    /// Whether the request came to the edge without TLS (`x-forwarded-proto`), as far as `requirement` cares.
    private static func isPlain(_ head: RequestHead, for requirement: VirtualHost.RequireTLS) -> Bool {
        if head.headers.string(HeaderName("x-forwarded-proto")) == "https" { return false }
        return requirement == .all || head.headers.string(HeaderName("x-envoy-internal")) != "true"
    }

    /// Where the routes come from that a request was tried against and that did not take it.
    package func refusing(_ head: RequestHead) -> Provenance? {
        virtualHost(head.authority.readableBytesView).flatMap { index in
            configuration.virtualHosts[index].routes.lazy.compactMap(\.provenance).first.map { Provenance($0.resource) }
        }
    }

    /// Exact, then longest suffix, then longest prefix, then `*` (Envoy's order).
    private func virtualHost(_ authority: ByteBufferView) -> Int? {
        var name = authority.map(ASCII.lowercased)
        if configuration.ignorePortInHostMatching { name = RouteTable.withoutPort(name) }
        if let host = exact[name] { return host }
        if let found = suffixes.first(where: {
            name.count > $0.text.count && name.suffix($0.text.count).elementsEqual($0.text)
        }) {
            return found.host
        }
        if let found = prefixes.first(where: { name.count > $0.text.count && name.starts(with: $0.text) }) {
            return found.host
        }
        return fallback
    }

    private static func withoutPort(_ name: [UInt8]) -> [UInt8] {
        guard let colon = name.lastIndex(of: 58), name[(colon + 1)...].allSatisfy({ $0 >= 48 && $0 <= 57 }) else {
            return name
        }
        return Array(name[..<colon])
    }
}

/// The conditions of one route over bytes.
private struct CompiledRoute: Sendable {
    enum Path: Sendable {
        case prefix([UInt8])
        case separated([UInt8])
        case exact([UInt8])
        case regex(Regex?)
        case connect
    }
    let path: Path
    let caseSensitive: Bool
    let headers: [CompiledHeaderMatcher]
    let parameters: [(name: [UInt8], present: Bool?, value: CompiledStringMatcher?)]
    let grpcOnly: Bool
    let fraction: FractionalPercent?
    let replacement: RegexReplacement?
    private let hasBrokenReplacement: Bool
    private(set) var broken = false

    init(_ route: Route) {
        let match = route.match
        (replacement, hasBrokenReplacement) = CompiledRoute.replacement(route.action)
        let fold = !match.caseSensitive
        func bytes(_ text: String) -> [UInt8] { fold ? text.utf8.map(ASCII.lowercased) : Array(text.utf8) }
        path =
            switch match.path {
            case .prefix(let text): .prefix(bytes(text))
            case .pathSeparatedPrefix(let text): .separated(bytes(text))
            case .exact(let text): .exact(bytes(text))
            case .regex(let text): .regex(try? Regex(text))
            case .template: .regex(nil)
            case .connect: .connect
            }
        caseSensitive = match.caseSensitive
        headers = match.headers.map(CompiledHeaderMatcher.init)
        parameters = match.queryParameters.map { parameter in
            switch parameter.test {
            case .present(let wanted): (Array(parameter.name.utf8), wanted, nil)
            case .string(let matcher): (Array(parameter.name.utf8), nil, CompiledStringMatcher(matcher))
            }
        }
        grpcOnly = match.grpcOnly
        fraction = match.runtimeFraction
        broken = isBroken
    }

    private static func replacement(_ action: Route.Action) -> (RegexReplacement?, isBroken: Bool) {
        let (pattern, substitution): (String, String)
        switch action {
        case .forward(let forward):
            guard case .regex(let text, let new)? = forward.pathRewrite else { return (nil, false) }
            (pattern, substitution) = (text, new)
        case .redirect(let redirect):
            guard case .regex(let text, let new)? = redirect.path else { return (nil, false) }
            (pattern, substitution) = (text, new)
        case .directResponse: return (nil, false)
        }
        let compiled = try? RegexReplacement(pattern, substitution: substitution)
        return (compiled, compiled == nil)
    }

    /// Whether one of its patterns does not compile.
    var isBroken: Bool {
        if hasBrokenReplacement { return true }
        if case .regex(nil) = path { return true }
        return headers.contains(where: \.isBroken) || parameters.contains { $0.value?.isBroken == true }
    }

    func matches(_ head: RequestHead, random: UInt64) -> Bool {
        guard !broken, matchesPath(head) else { return false }
        if grpcOnly, !head.isGRPC { return false }
        guard headers.allSatisfy({ $0.matches(head) }) else { return false }
        for parameter in parameters {
            let value = PathAndQuery.parameter(parameter.name, in: head.path)
            if let present = parameter.present, (value != nil) != present { return false }
            if let matcher = parameter.value, value.map({ matcher.matches($0) }) != true { return false }
        }
        return fraction.map { random % 1_000_000 < UInt64($0.partsPerMillion) } ?? true
    }

    private func matchesPath(_ head: RequestHead) -> Bool {
        if case .connect = path { return head.method == .connect }
        let target = PathAndQuery.path(head.path)
        guard caseSensitive else { return matches(target.map(ASCII.lowercased)) }
        return matches(target)
    }

    private func matches(_ target: some BidirectionalCollection<UInt8>) -> Bool {
        switch path {
        case .prefix(let text): target.starts(with: text)
        case .separated(let text):
            target.starts(with: text) && (target.count == text.count || target.dropFirst(text.count).first == 47)
        case .exact(let text): target.elementsEqual(text)
        case .regex(let regex): regex?.matches(target) ?? false
        case .connect: false
        }
    }
}
