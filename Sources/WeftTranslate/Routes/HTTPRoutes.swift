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
    /// A gateway puts the routes of several rules in one table, where the order of catch-all routes matters.
    var isGateway = false

    /// In order; stops at the first route that takes every request.
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

    /// Conditions that the control plane decides: port, gateways, labels and namespace of the caller.
    private func applies(_ match: VirtualService.HTTPMatch?, namespace: String) -> Bool {
        guard let match else { return true }
        if let port = match.port, port != listenerPort { return false }
        if let names = match.gateways, !names.isEmpty {
            guard names.contains(where: { gateways.contains(GatewayName.resolve($0, namespace: namespace)) }) else {
                return false
            }
        }
        if isGateway { return true }
        if let required = match.sourceLabels, !required.allSatisfy({ scope.proxy.labels[$0.key] == $0.value }) {
            return false
        }
        return match.sourceNamespace.map { $0.isEmpty || $0 == scope.proxy.namespace } ?? true
    }

    private func route(
        _ rule: VirtualService.HTTPRoute, match: VirtualService.HTTPMatch?, index: Int, config: Config<VirtualService>
    ) -> Route? {
        let provenance = Provenance(config.resource, rule: index, ruleName: rule.name)
        var host: String?
        let requestHeaders = RouteFeatures.mutations(rule.headers?.request, host: &host)
        guard let action = action(rule, match: match, config: config, host: host) else { return nil }
        var route = Route(match: RouteMatches.build(match), action: action)
        route.name = [rule.name, match?.name].compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: ".")
        route.provenance = provenance
        route.requestHeaders = requestHeaders
        route.responseHeaders = RouteFeatures.mutations(rule.headers?.response)
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
        if let redirect = rule.redirect { return .redirect(Self.redirect(redirect)) }
        if let response = rule.directResponse {
            return .directResponse(
                DirectResponse(status: UInt16(clamping: response.status ?? 200), body: body(response.body)))
        }
        let destinations = (rule.route ?? []).filter { $0.destination?.host != nil }
        guard let cluster = cluster(destinations, namespace: config.namespace) else { return nil }
        var action = RouteAction(cluster: cluster)
        action.timeoutMilliseconds = rule.timeout?.milliseconds ?? 0
        action.grpcTimeoutHeaderMaxMilliseconds = action.timeoutMilliseconds
        if let first = destinations.first?.destination, let name = first.host {
            let host = MeshSnapshot.resolve(host: name, namespace: config.namespace)
            if let service = scope.service(host: host) {
                action.hashPolicies = hashPolicies(service, port: port(of: first, host: host), subset: first.subset)
            }
        }
        action.retryPolicy = RetryPolicies.build(rule.retries, mesh: scope.mesh, hashed: !action.hashPolicies.isEmpty)
        if let authority = rule.rewrite?.authority ?? host, !authority.isEmpty {
            action.hostRewrite = .literal(authority)
        }
        action.pathRewrite = pathRewrite(rule.rewrite, match: match)
        action.mirrors = mirrors(rule, namespace: config.namespace)
        return .forward(action)
    }

    // MARK: - Destinations

    /// Destinations of weight 0 are dropped if there are several. `nil` if nothing is left.
    private func cluster(_ destinations: [VirtualService.HTTPDestination], namespace: String) -> ClusterSelector? {
        guard destinations.count > 1 else {
            guard let only = destinations.first, let destination = only.destination else { return nil }
            guard only.headers != nil else { return .cluster(name(of: destination, namespace: namespace)) }
            return .weighted([weighted(only, destination, namespace: namespace, weight: 100)])
        }
        let clusters = destinations.compactMap { entry -> WeightedCluster? in
            guard let destination = entry.destination, let weight = entry.weight, weight > 0 else { return nil }
            return weighted(entry, destination, namespace: namespace, weight: weight)
        }
        return clusters.isEmpty ? nil : .weighted(clusters)
    }

    private func weighted(
        _ entry: VirtualService.HTTPDestination, _ destination: Destination, namespace: String, weight: Int
    ) -> WeightedCluster {
        var cluster = WeightedCluster(
            name: name(of: destination, namespace: namespace), weight: UInt32(clamping: weight))
        cluster.requestHeaders = RouteFeatures.mutations(entry.headers?.request)
        cluster.responseHeaders = RouteFeatures.mutations(entry.headers?.response)
        return cluster
    }

    func name(of destination: Destination, namespace: String) -> String {
        let host = MeshSnapshot.resolve(host: destination.host ?? "", namespace: namespace)
        return ClusterName.outbound(
            port: port(of: destination, host: host), subset: destination.subset ?? "", host: host)
    }

    /// The port that is named, else the service's only one, else the listener's.
    private func port(of destination: Destination, host: String) -> Int {
        if let number = destination.port?.number { return number }
        if let ports = scope.service(host: host)?.ports, ports.count == 1 { return ports[0].number }
        return listenerPort
    }

    func hashPolicies(_ service: MeshService, port: Int, subset: String?) -> [HashPolicy] {
        guard let destination = scope.destinationPolicy(for: service) else { return [] }
        let chosen = destination.subsets.first { $0.name == subset && subset != nil }
        guard let hash = destination.policy(subset: chosen, port: port).loadBalancer?.consistentHash else { return [] }
        if let header = hash.httpHeaderName { return [.header(header.lowercased(), terminal: false)] }
        if let cookie = hash.httpCookie {
            return [
                .cookie(
                    name: cookie.name ?? "", ttlMilliseconds: cookie.ttl?.milliseconds, path: cookie.path ?? "",
                    terminal: false)
            ]
        }
        if hash.useSourceIp == true { return [.sourceIP(terminal: false)] }
        return hash.httpQueryParameterName.map { [.queryParameter($0, terminal: false)] } ?? []
    }

    private func mirrors(_ rule: VirtualService.HTTPRoute, namespace: String) -> [WeftIR.Mirror] {
        if let mirror = rule.mirror {
            let fraction = rule.mirrorPercentage?.value ?? rule.mirrorPercent.map(Double.init) ?? 100
            return fraction == 0
                ? []
                : [
                    Mirror(
                        cluster: name(of: mirror, namespace: namespace), fraction: FractionalPercent(percent: fraction))
                ]
        }
        return (rule.mirrors ?? []).compactMap { mirror in
            guard let destination = mirror.destination, mirror.percentage?.value != 0 else { return nil }
            return Mirror(
                cluster: name(of: destination, namespace: namespace),
                fraction: FractionalPercent(percent: mirror.percentage?.value ?? 100))
        }
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

    private static func redirect(_ source: VirtualService.HTTPRedirect) -> Redirect {
        var redirect = Redirect()
        redirect.status = UInt16(clamping: source.redirectCode.flatMap { $0 == 0 ? nil : $0 } ?? 301)
        redirect.host = source.authority.flatMap { $0.isEmpty ? nil : $0 }
        redirect.scheme = source.scheme.flatMap { $0.isEmpty ? nil : $0 }
        if let uri = source.uri, !uri.isEmpty {
            redirect.path = .full(uri)
        } else if let prefix = source.prefixRewrite, !prefix.isEmpty {
            redirect.path = .prefix(prefix)
        }
        let implied = redirect.scheme == "https" ? 443 : 80
        if let port = source.port, port > 0, port != implied || redirect.scheme == nil {
            redirect.port = UInt16(clamping: port)
        } else if source.derivePort == .fromProtocolDefault {
            redirect.port = UInt16(implied)
        }
        return redirect
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
