import WeftConfig
import WeftCore
import WeftIR

/// Routes of one VirtualService as one listener of one proxy needs them.
struct HTTPRoutes {
    let scope: Scope
    /// The port that requests come in on.
    let listenerPort: Int
    /// `mesh`, or the gateways (`namespace/name`) that the listener serves.
    let gateways: Set<String>
    /// Whether requests come in over TLS that ends here: decides which port a redirect need not name.
    var isTLS = false

    /// In order; stops at the first route that takes every request. Empty if no rule is for this proxy and port.
    func routes(of config: Config<VirtualService>) -> [Route] {
        var routes: [Route] = []
        for (index, rule) in (config.spec.http ?? []).enumerated() {
            let matches: [VirtualService.HTTPMatch?] = rule.match.map { $0.isEmpty ? [nil] : $0.map { $0 } } ?? [nil]
            for match in matches where applies(match, namespace: config.namespace) {
                guard let route = route(rule, match: match, index: index, config: config) else { continue }
                routes.append(route)
                if RouteMatches.isCatchAll(route.match) { return routes }
            }
        }
        return routes
    }

    /// The route of a service that no VirtualService names.
    func standardRoute(to service: MeshService, port: Int) -> Route {
        var action = RouteAction(cluster: .cluster(ClusterName.outbound(port: port, host: service.host)))
        action.timeoutMilliseconds = 0
        action.grpcTimeoutHeaderMaxMilliseconds = 0
        action.hashPolicies = hashPolicies(service, port: port, subset: nil)
        action.retryPolicy = RetryPolicies.build(nil, mesh: scope.mesh, hashed: !action.hashPolicies.isEmpty)
        var route = Route(name: "default", match: RouteMatch(path: .prefix("/")), action: .forward(action))
        route.operation = "\(service.host):\(port)/*"
        return route
    }

    /// Conditions that the control plane decides: port, gateways, labels and namespace of the caller. A match that names
    /// gateways asks nothing of the caller, as in Istio.
    private func applies(_ match: VirtualService.HTTPMatch?, namespace: String) -> Bool {
        guard let match else { return true }
        if let port = match.port, port != 0, port != listenerPort { return false }
        if let names = match.gateways, !names.isEmpty {
            return names.contains { gateways.contains(GatewayName.resolve($0, namespace: namespace)) }
        }
        return scope.isSource(labels: match.sourceLabels, namespace: match.sourceNamespace)
    }

    private func route(
        _ rule: VirtualService.HTTPRoute, match: VirtualService.HTTPMatch?, index: Int, config: Config<VirtualService>
    ) -> Route? {
        let provenance = Provenance(
            rule.origin?.resource ?? config.resource, rule: rule.origin?.index ?? index, ruleName: rule.name)
        var host: String?
        var requestHeaders = RouteFeatures.mutations(rule.headers?.request, host: &host)
        var responseHeaders = RouteFeatures.mutations(rule.headers?.response)
        if let only = rule.onlyDestination?.headers {
            // Of one destination they are the route's, after its own; of several each has its own.
            var other: String?
            requestHeaders.add(RouteFeatures.mutations(only.request, host: &other))
            responseHeaders.add(RouteFeatures.mutations(only.response))
            host = host ?? other
        }
        guard let action = action(rule, match: match, config: config, host: host) else { return nil }
        var route = Route(match: RouteMatches.build(match), action: action)
        route.name = [rule.name, match?.name].compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: ".")
        route.provenance = provenance
        route.requestHeaders = requestHeaders
        route.responseHeaders = responseHeaders
        route.statPrefix = match?.statPrefix ?? ""
        if let fault = rule.fault {
            route.perFilter[RouteFeatures.faultFilter] = .fault(RouteFeatures.fault(fault, provenance: provenance))
        }
        if let cors = rule.corsPolicy { route.perFilter[RouteFeatures.corsFilter] = .cors(RouteFeatures.cors(cors)) }
        if let first = rule.route?.first?.destination, let name = first.host {
            let host = MeshSnapshot.resolve(host: name, namespace: config.namespace)
            route.operation = "\(host):\(port(of: first, host: host))/*"
        }
        return route
    }

    private func action(
        _ rule: VirtualService.HTTPRoute, match: VirtualService.HTTPMatch?, config: Config<VirtualService>,
        host: String?
    ) -> Route.Action? {
        if let redirect = rule.redirect { return .redirect(self.redirect(redirect)) }
        if let response = rule.directResponse {
            return .directResponse(
                DirectResponse(status: UInt16(clamping: response.status ?? 200), body: body(response.body)))
        }
        let destinations = (rule.route ?? []).filter { $0.destination?.host != nil }
        guard let cluster = cluster(destinations, namespace: config.namespace) else { return nil }
        var action = RouteAction(cluster: cluster)
        action.timeoutMilliseconds = rule.timeout?.milliseconds ?? 0
        action.grpcTimeoutHeaderMaxMilliseconds = action.timeoutMilliseconds
        action.hashPolicies = hashPolicies(of: destinations.compactMap(\.destination), namespace: config.namespace)
        let isHashed = destinations.count == 1 && !action.hashPolicies.isEmpty
        action.retryPolicy = RetryPolicies.build(rule.retries, mesh: scope.mesh, hashed: isHashed)
        if let authority = rule.rewrite?.authority ?? host, !authority.isEmpty {
            action.hostRewrite = .literal(authority)
        }
        action.pathRewrite = pathRewrite(rule.rewrite, match: match)
        action.mirrors = mirrors(rule, namespace: config.namespace)
        return .forward(action)
    }

    // MARK: - Rewrites and replies

    private func pathRewrite(_ rewrite: VirtualService.HTTPRewrite?, match: VirtualService.HTTPMatch?) -> RouteAction
        .PathRewrite?
    {
        if let regex = rewrite?.uriRegexRewrite, let pattern = regex.match {
            return .regex(pattern: pattern, substitution: regex.rewrite ?? "")
        }
        guard let uri = rewrite?.uri, !uri.isEmpty else { return nil }
        if let pattern = match?.uri?.regex { return .regex(pattern: pattern, substitution: uri) }
        // Without a condition on the path every path matches the prefix "/", and the rewrite puts its own in front of the rest.
        return .prefix(uri)
    }

    private func body(_ body: VirtualService.DirectResponse.Body?) -> String {
        if let string = body?.string { return string }
        return body?.bytes.flatMap(Base64.decode).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    private func redirect(_ source: VirtualService.HTTPRedirect) -> Redirect {
        var redirect = Redirect()
        redirect.status = UInt16(clamping: source.redirectCode.flatMap { $0 == 0 ? nil : $0 } ?? 301)
        redirect.host = source.authority.flatMap { $0.isEmpty ? nil : $0 }
        redirect.scheme = source.scheme.flatMap { $0.isEmpty ? nil : $0 }
        if let uri = source.uri, !uri.isEmpty {
            redirect.path = .full(uri)
        } else if let prefix = source.prefixRewrite, !prefix.isEmpty {
            redirect.path = .prefix(prefix)
        }
        // A route is made for one port, so that "the request's port" is known.
        let port = source.port ?? (source.derivePort == .fromRequestPort ? listenerPort : nil)
        let implied = (redirect.scheme ?? (isTLS ? "https" : "http")) == "https" ? 443 : 80
        if let port, port > 0, port != implied { redirect.port = UInt16(clamping: port) }
        return redirect
    }
}

extension VirtualService.HTTPRoute {
    /// The destination of a route that has one.
    fileprivate var onlyDestination: VirtualService.HTTPDestination? {
        guard redirect == nil, directResponse == nil, let route, route.count == 1 else { return nil }
        return route[0]
    }
}

extension HeaderMutations {
    fileprivate mutating func add(_ other: HeaderMutations) {
        append += other.append
        remove += other.remove
    }
}

extension Scope {
    /// Whether this proxy has the labels and the namespace that a rule asks of callers.
    func isSource(labels: [String: String]?, namespace: String?) -> Bool {
        guard (labels ?? [:]).allSatisfy({ proxy.labels[$0.key] == $0.value }) else { return false }
        return namespace.map { $0.isEmpty || $0 == proxy.namespace } ?? true
    }
}

/// How rules name gateways.
enum GatewayName {
    static let mesh = "mesh"

    /// `name` is in the rule's own namespace, `./name` as well.
    static func resolve(_ name: String, namespace: String) -> String {
        if name == mesh { return mesh }
        let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return "\(namespace)/\(name)" }
        return "\(parts[0] == "." ? namespace : parts[0])/\(parts[1])"
    }

    static func names(of config: Config<VirtualService>) -> [String] {
        guard let names = config.spec.gateways, !names.isEmpty else { return [mesh] }
        return names.map { resolve($0, namespace: config.namespace) }
    }
}
