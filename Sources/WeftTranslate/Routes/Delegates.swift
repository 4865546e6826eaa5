import WeftConfig
import WeftCore

/// Puts the routes of delegates in the place of the routes that name them (`http[].delegate`).
///
/// One level only. A delegate has neither hosts nor gateways, and every match of it must lie within a match of the root:
/// a route that asks for something else is left out, and a diagnostic says so.
struct Delegates {
    private let delegates: [String: Config<VirtualService>]
    private let mesh: MeshConfig
    private(set) var diagnostics: [Diagnostic] = []

    /// The objects that have hosts, with their routes in full, and what could not be merged. Keeps the order.
    static func resolve(_ configs: [Config<VirtualService>], mesh: MeshConfig) -> (
        configs: [Config<VirtualService>], diagnostics: [Diagnostic]
    ) {
        let hosted = configs.filter { $0.spec.hosts?.isEmpty == false }
        guard hosted.contains(where: { $0.spec.http?.contains { $0.delegate != nil } == true }) else {
            return (hosted, [])
        }
        var delegates = Delegates(configs, mesh: mesh)
        return (hosted.map { delegates.resolve($0) }, delegates.diagnostics)
    }

    private init(_ configs: [Config<VirtualService>], mesh: MeshConfig) {
        self.mesh = mesh
        delegates = Dictionary(
            configs.filter { $0.spec.hosts?.isEmpty != false }.map { ("\($0.namespace)/\($0.name)", $0) },
            uniquingKeysWith: { first, _ in first })
    }

    private mutating func resolve(_ root: Config<VirtualService>) -> Config<VirtualService> {
        var result = root
        var routes: [VirtualService.HTTPRoute] = []
        for (index, route) in (root.spec.http ?? []).enumerated() {
            guard let reference = route.delegate else {
                var own = route
                own.origin = VirtualService.Origin(resource: root.resource, index: index)
                routes.append(own)
                continue
            }
            routes += merge(route, at: index, of: root, reference)
            let namespace = reference.namespace.flatMap { $0.isEmpty ? nil : $0 } ?? root.namespace
            result.destinations.formUnion(delegates["\(namespace)/\(reference.name ?? "")"]?.destinations ?? [])
        }
        result.spec.http = routes
        return result
    }

    private mutating func merge(
        _ route: VirtualService.HTTPRoute, at index: Int, of root: Config<VirtualService>,
        _ reference: VirtualService.Delegate
    ) -> [VirtualService.HTTPRoute] {
        let path = "spec.http[\(index)].delegate"
        let namespace = reference.namespace.flatMap { $0.isEmpty ? nil : $0 } ?? root.namespace
        let name = reference.name ?? ""
        guard let delegate = delegates["\(namespace)/\(name)"] else {
            report(
                root.resource, path, "Referenced delegate not found: \"\(namespace)/\(name)\"",
                "create a VirtualService without hosts and gateways by this name; until then the route is left out")
            return []
        }
        let exportTo = delegate.spec.exportTo ?? mesh.defaultVirtualServiceExportTo ?? []
        guard Visibility.allows(exportTo, owner: namespace, viewer: root.namespace) else {
            report(
                root.resource, path, "\(delegate.resource) is not exported to namespace \(root.namespace)",
                "add \(root.namespace) to its exportTo; until then the route is left out")
            return []
        }
        return (delegate.spec.http ?? []).enumerated().compactMap { number, sub in
            guard sub.delegate == nil else {
                report(
                    delegate.resource, "spec.http[\(number)].delegate", "a delegate cannot delegate in its turn",
                    "name the last VirtualService in \(root.resource) itself; the route is left out")
                return nil
            }
            let outer = DelegateMatches.resolvingGateways(route.match ?? [], namespace: root.namespace)
            let inner = DelegateMatches.resolvingGateways(sub.match ?? [], namespace: namespace)
            guard let matches = DelegateMatches.merge(outer, inner) else {
                report(
                    delegate.resource, "spec.http[\(number)].match",
                    "matches nothing that \(root.resource) hands over in spec.http[\(index)]",
                    "make the match narrower than the root's; the route is left out")
                return nil
            }
            return merge(
                route, sub, matches: matches, origin: .init(resource: delegate.resource, index: number),
                namespace: namespace)
        }
    }

    /// What the delegate says counts; what it leaves open comes from the root.
    private func merge(
        _ root: VirtualService.HTTPRoute, _ sub: VirtualService.HTTPRoute, matches: [VirtualService.HTTPMatch],
        origin: VirtualService.Origin, namespace: String
    ) -> VirtualService.HTTPRoute {
        var route = sub
        route.match = matches.isEmpty ? nil : matches
        route.name = DelegateMatches.joined(root.name, sub.name)
        route.rewrite = sub.rewrite ?? root.rewrite
        route.directResponse = sub.directResponse ?? root.directResponse
        route.timeout = sub.timeout ?? root.timeout
        route.retries = sub.retries ?? root.retries
        route.fault = sub.fault ?? root.fault
        route.corsPolicy = sub.corsPolicy ?? root.corsPolicy
        route.headers = sub.headers ?? root.headers
        route.origin = origin
        route.route = sub.route?.map { entry in
            var entry = entry
            entry.destination = entry.destination.map { resolve($0, namespace: namespace) }
            return entry
        }
        if sub.mirror == nil, sub.mirrors?.isEmpty != false {
            // The root's own hosts are short for its own namespace, which is the one that the route is read in.
            route.mirror = root.mirror
            route.mirrors = root.mirrors
        } else {
            route.mirror = sub.mirror.map { resolve($0, namespace: namespace) }
            route.mirrors = sub.mirrors?.map { mirror in
                var mirror = mirror
                mirror.destination = mirror.destination.map { resolve($0, namespace: namespace) }
                return mirror
            }
        }
        route.mirrorPercentage = sub.mirrorPercentage ?? root.mirrorPercentage
        route.mirrorPercent = sub.mirrorPercent ?? root.mirrorPercent
        return route
    }

    /// Short names belong to the delegate's namespace.
    private func resolve(_ destination: Destination, namespace: String) -> Destination {
        var full = destination
        full.host = destination.host.map { MeshSnapshot.resolve(host: $0, namespace: namespace) }
        return full
    }

    private mutating func report(_ resource: ResourceReference, _ path: String, _ message: String, _ hint: String) {
        diagnostics.append(
            Diagnostic(.error, code: "IST0101", resource: resource, path: path, message: message, hint: hint))
    }
}

/// Joins the conditions of a root's route and of a delegate's.
enum DelegateMatches {
    /// Every match of the delegate with each match of the root that it fits into; `nil` if one of them fits nowhere.
    /// An empty list takes everything.
    static func merge(_ roots: [VirtualService.HTTPMatch], _ leaves: [VirtualService.HTTPMatch])
        -> [VirtualService.HTTPMatch]?
    {
        if leaves.isEmpty { return roots }
        if roots.isEmpty { return leaves }
        var result: [VirtualService.HTTPMatch] = []
        for leaf in leaves {
            let fitting = roots.filter { !conflict($0, leaf) }
            if fitting.isEmpty { return nil }
            result += fitting.map { merge($0, leaf) }
        }
        return result
    }

    /// Gateways by their full names, so that they mean the same wherever the match ends up.
    static func resolvingGateways(_ matches: [VirtualService.HTTPMatch], namespace: String)
        -> [VirtualService.HTTPMatch]
    {
        matches.map { match in
            var match = match
            match.gateways = match.gateways?.map { GatewayName.resolve($0, namespace: namespace) }
            return match
        }
    }

    static func joined(_ root: String?, _ leaf: String?) -> String? {
        let parts = [root, leaf].compactMap { $0 }.filter { !$0.isEmpty }
        return parts.isEmpty ? nil : parts.joined(separator: "-")
    }

    private static func merge(_ root: VirtualService.HTTPMatch, _ leaf: VirtualService.HTTPMatch)
        -> VirtualService.HTTPMatch
    {
        func union<Value>(_ root: [String: Value]?, _ leaf: [String: Value]?) -> [String: Value]? {
            guard let root else { return leaf }
            return root.merging(leaf ?? [:]) { $1 }
        }
        var match = leaf
        match.name = joined(root.name, leaf.name)
        match.uri = leaf.uri ?? root.uri
        match.ignoreUriCase = leaf.uri == nil ? root.ignoreUriCase : leaf.ignoreUriCase
        match.scheme = leaf.scheme ?? root.scheme
        match.method = leaf.method ?? root.method
        match.authority = leaf.authority ?? root.authority
        match.headers = union(root.headers, leaf.headers)
        match.withoutHeaders = union(root.withoutHeaders, leaf.withoutHeaders)
        match.queryParams = union(root.queryParams, leaf.queryParams)
        match.port = leaf.port ?? root.port
        match.sourceLabels = union(root.sourceLabels, leaf.sourceLabels)
        match.sourceNamespace = leaf.sourceNamespace ?? root.sourceNamespace
        if leaf.gateways?.isEmpty != false { match.gateways = root.gateways }
        match.statPrefix = leaf.statPrefix ?? root.statPrefix
        return match
    }

    private static func conflict(_ root: VirtualService.HTTPMatch, _ leaf: VirtualService.HTTPMatch) -> Bool {
        func clash<Value: Equatable>(_ root: Value?, _ leaf: Value?) -> Bool {
            root != nil && leaf != nil && root != leaf
        }
        func clash(_ root: [String: StringMatch]?, _ leaf: [String: StringMatch]?) -> Bool {
            (leaf ?? [:]).contains { conflict(root?[$0.key], $0.value) }
        }
        if conflict(root.uri, leaf.uri) || conflict(root.scheme, leaf.scheme) || conflict(root.method, leaf.method)
            || conflict(root.authority, leaf.authority)
        {
            return true
        }
        if clash(root.headers, leaf.headers) || clash(root.withoutHeaders, leaf.withoutHeaders)
            || clash(root.queryParams, leaf.queryParams)
        {
            return true
        }
        if root.uri != nil, leaf.uri != nil, (root.ignoreUriCase ?? false) != (leaf.ignoreUriCase ?? false) {
            return true
        }
        if clash(root.port, leaf.port) || clash(root.sourceNamespace, leaf.sourceNamespace) { return true }
        if (leaf.sourceLabels ?? [:]).contains(where: { clash(root.sourceLabels?[$0.key], $0.value) }) { return true }
        guard let outer = root.gateways, let inner = leaf.gateways, !outer.isEmpty else { return false }
        return !Set(inner).isSubset(of: outer)
    }

    /// Whether something may match the delegate's condition that the root's does not take. Two patterns cannot be compared.
    private static func conflict(_ root: StringMatch?, _ leaf: StringMatch?) -> Bool {
        guard let root, let leaf, !root.isEmpty, !leaf.isEmpty else { return false }
        if root.regex != nil || leaf.regex != nil { return true }
        if let exact = root.exact { return leaf.exact != exact }
        guard let prefix = root.prefix, let narrow = leaf.exact ?? leaf.prefix else { return true }
        return !narrow.utf8.starts(with: prefix.utf8)
    }
}
