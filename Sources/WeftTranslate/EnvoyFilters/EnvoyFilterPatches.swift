import WeftConfig
import WeftCore
import WeftIR

/// The patches of EnvoyFilters that are for one proxy, in the order in which they are applied: those of the root namespace
/// first, and in each namespace by priority, then by age.
struct EnvoyFilterPatches {
    let scope: Scope

    /// Which half of a configuration patches are for. A patch on what exists goes to both, one that adds a resource of its
    /// own and does not say where goes to the first.
    enum Part { case outbound, inbound, gateway }

    func patches(for part: Part) -> [ResourcePatch] {
        let filters = filters
        let extensions = ExtensionConfigs(
            filters.flatMap { $0.spec.configPatches ?? [] }.filter { suits($0.match?.proxy) })
        return filters.flatMap { config in
            (config.spec.configPatches ?? []).enumerated().compactMap {
                patch($1, index: $0, of: config, part, extensions)
            }
        }
    }

    /// What can never be done, whatever the proxy.
    var diagnostics: [Diagnostic] {
        let filters = filters
        let values = filters.flatMap { $0.spec.configPatches ?? [] }.compactMap(\.patch?.value)
        return filters.flatMap { config in
            (config.spec.configPatches ?? []).enumerated().compactMap { index, entry in
                let path = "spec.configPatches[\(index)]"
                // Told when the object was read.
                if config.refusedParts[index] != nil { return nil }
                if let reason = Self.refusal(of: entry) {
                    return Diagnostic(
                        .error, code: "IST0106", resource: config.resource, path: path, message: reason,
                        hint: "the patch is left out; the others of the object are applied")
                }
                return unused(entry, among: values).map { name in
                    Diagnostic(
                        .warning, code: "IST0133", resource: config.resource, path: path,
                        message: "no filter refers to the extension \(name) by config_discovery: it is used nowhere",
                        hint: "add an HTTP_FILTER of that name with config_discovery, for the same proxies")
                }
            }
        }
    }

    /// The name of an extension that no filter takes.
    private func unused(_ entry: EnvoyFilter.ConfigPatch, among values: [JSONValue]) -> String? {
        guard entry.applyTo == .extensionConfig, suits(entry.match?.proxy) else { return nil }
        let name = entry.patch?.value?["name"]?.stringValue ?? ""
        return values.contains { ExtensionConfigs.refers($0, to: name) } ? nil : name
    }

    private var filters: [Config<EnvoyFilter>] {
        let root = scope.mesh.effectiveRootNamespace
        let mine = scope.snapshot.envoyFilters.filter { config in
            (config.namespace == root || config.namespace == scope.proxy.namespace) && selects(config)
        }
        return mine.enumerated().sorted { left, right in
            func rank(_ item: (offset: Int, element: Config<EnvoyFilter>)) -> (Int, Int, Int) {
                (item.element.namespace == root ? 0 : 1, item.element.spec.priority ?? 0, item.offset)
            }
            return rank(left) < rank(right)
        }.map(\.element)
    }

    private func selects(_ config: Config<EnvoyFilter>) -> Bool {
        if let references = config.spec.targetRefs, !references.isEmpty {
            return PolicyAttachment(scope: scope).holds(
                namespace: config.namespace, selector: nil, targets: references)
        }
        return config.spec.workloadSelector?.matches(scope.proxy.labels) ?? true
    }

    /// Why a patch is impossible here.
    private static func refusal(of entry: EnvoyFilter.ConfigPatch) -> String? {
        switch entry.applyTo ?? .invalid {
        case .invalid: return "applyTo is missing"
        case .bootstrap:
            return "applyTo BOOTSTRAP cannot be done: a proxy makes its bootstrap itself, before it reads configuration"
        case .extensionConfig where entry.patch?.operation != .add:
            return "applyTo EXTENSION_CONFIG can only ADD: extensions are put into the filters that refer to them"
        default: break
        }
        if entry.match?.context == .waypoint { return "context WAYPOINT is for waypoint proxies, which there are not" }
        guard let operation = entry.patch?.operation, operation != .invalid else { return "patch.operation is missing" }
        if let pattern = entry.match?.proxy?.proxyVersion, (try? Regex(anywhere: pattern)) == nil {
            return "match.proxy.proxyVersion: \(pattern) is no regular expression"
        }
        return operation != .remove && entry.patch?.value == nil ? "patch.value is missing" : nil
    }

    private func patch(
        _ entry: EnvoyFilter.ConfigPatch, index: Int, of config: Config<EnvoyFilter>, _ part: Part,
        _ extensions: ExtensionConfigs
    ) -> ResourcePatch? {
        guard config.refusedParts[index] == nil, Self.refusal(of: entry) == nil,
            let target = entry.applyTo.flatMap(ResourcePatch.Target.init),
            let operation = entry.patch?.operation.flatMap(ResourcePatch.Operation.init)
        else { return nil }
        var patch = ResourcePatch(
            target: target, operation: operation, provenance: Provenance(config.resource, rule: index))
        patch.context = ResourcePatch.Context(entry.match?.context)
        guard belongs(patch, to: part), suits(entry.match?.proxy) else { return nil }
        patch.value = entry.patch?.value.map(extensions.inlined)
        patch.filterClass = entry.patch?.filterClass.flatMap(ResourcePatch.FilterClass.init)
        patch.listener = entry.match?.listener.map(ResourcePatch.ListenerMatch.init)
        patch.cluster = entry.match?.cluster.map(ResourcePatch.ClusterMatch.init)
        patch.route = entry.match?.routeConfiguration.map { match in
            var route = ResourcePatch.RouteMatch(match)
            if let port = match.portNumber { route.ports = ports(of: port) }
            return route
        }
        return patch
    }

    /// The port of a gateway's server is written as its Service has it; its table is named after the pod's.
    private func ports(of port: Int) -> [Int] {
        guard scope.proxy.kind == .router else { return [port] }
        return [port] + scope.gatewayServers.filter { $0.port == port && $0.listenPort != port }.map(\.listenPort)
    }

    private func belongs(_ patch: ResourcePatch, to part: Part) -> Bool {
        switch (patch.context, part) {
        case (.any, .inbound): !(patch.operation == .add && [.listener, .cluster].contains(patch.target))
        case (.any, _), (.inbound, .inbound), (.outbound, .outbound), (.gateway, .gateway): true
        default: false
        }
    }

    private func suits(_ match: EnvoyFilter.ProxyMatch?) -> Bool {
        guard let match else { return true }
        if let pattern = match.proxyVersion, !pattern.isEmpty {
            let version = scope.proxy.metadata["ISTIO_VERSION"]?.stringValue ?? ""
            guard let regex = try? Regex(anywhere: pattern), regex.matches(version.utf8) else { return false }
        }
        return (match.metadata ?? [:]).allSatisfy { scope.proxy.metadata[$0.key]?.stringValue == $0.value }
    }
}

extension ResourcePatch.Target {
    fileprivate init?(_ target: EnvoyFilter.ApplyTo) {
        switch target {
        case .listener: self = .listener
        case .filterChain: self = .filterChain
        case .networkFilter: self = .networkFilter
        case .httpFilter: self = .httpFilter
        case .listenerFilter: self = .listenerFilter
        case .routeConfiguration: self = .routeConfiguration
        case .virtualHost: self = .virtualHost
        case .httpRoute: self = .httpRoute
        case .cluster: self = .cluster
        case .invalid, .extensionConfig, .bootstrap: return nil
        }
    }
}

extension ResourcePatch.Operation {
    fileprivate init?(_ operation: EnvoyFilter.Operation) {
        switch operation {
        case .merge: self = .merge
        case .add: self = .add
        case .remove: self = .remove
        case .insertBefore: self = .insertBefore
        case .insertAfter: self = .insertAfter
        case .insertFirst: self = .insertFirst
        case .replace: self = .replace
        case .mergeAndReplaceList: self = .mergeReplacingLists
        case .invalid: return nil
        }
    }
}

extension ResourcePatch.Context {
    fileprivate init(_ context: EnvoyFilter.Context?) {
        switch context {
        case .sidecarInbound: self = .inbound
        case .sidecarOutbound: self = .outbound
        case .gateway: self = .gateway
        case .any, .waypoint, nil: self = .any
        }
    }
}

extension ResourcePatch.FilterClass {
    fileprivate init?(_ value: EnvoyFilter.FilterClass) {
        switch value {
        case .authentication: self = .authentication
        case .authorization: self = .authorization
        case .stats: self = .stats
        case .unspecified: return nil
        }
    }
}

extension ResourcePatch.ListenerMatch {
    fileprivate init(_ match: EnvoyFilter.ListenerMatch) {
        self.init()
        name = match.name
        port = match.portNumber.flatMap { UInt16(exactly: $0) }
        listenerFilter = match.listenerFilter
        guard let chain = match.filterChain else { return }
        chainName = chain.name
        serverName = chain.sni
        transportProtocol = chain.transportProtocol
        applicationProtocols = (chain.applicationProtocols ?? "").split(separator: ",").map {
            String($0.filter { $0 != " " })
        }
        destinationPort = chain.destinationPort.flatMap { UInt16(exactly: $0) }
        filter = chain.filter?.name
        subFilter = chain.filter?.subFilter?.name
    }
}

extension ResourcePatch.RouteMatch {
    fileprivate init(_ match: EnvoyFilter.RouteMatch) {
        self.init()
        name = match.name
        portName = match.portName
        gateway = match.gateway
        virtualHost = match.vhost?.name
        domain = match.vhost?.domainName
        route = match.vhost?.route?.name
        switch match.vhost?.route?.action ?? .any {
        case .any: action = .any
        case .route: action = .route
        case .redirect: action = .redirect
        case .directResponse: action = .directResponse
        }
    }
}

extension ResourcePatch.ClusterMatch {
    fileprivate init(_ match: EnvoyFilter.ClusterMatch) {
        self.init()
        name = match.name
        service = match.service
        subset = match.subset
        port = match.portNumber
    }
}
