import WeftConfig
package import WeftCore
package import WeftIR

/// All that the listeners and routes of one class of senders are made from: services without their endpoints, rules.
package struct TrafficInputs: Sendable, Hashable {
    private let common: SenderInputs
    private let facts: TrafficFacts

    init(_ common: SenderInputs, _ facts: TrafficFacts) {
        self.common = common
        self.facts = facts
    }

    /// Listeners, routes, the clusters that are there for everybody, those that routes name in vain, names for DNS,
    /// and users' patches.
    /// - Parameter defined: Names of the services' clusters.
    package func configuration(defined: some Sequence<String>) -> (ProxyConfiguration, [Diagnostic]) {
        var draft = draft()
        draft.makeHosts()
        return draft.finished(defined: defined, naming: NamedClusters())
    }

    /// The same, up to the virtual hosts that have inputs of their own.
    package func draft() -> TrafficDraft {
        let view = common.scope(of: facts.services, facts.virtualServices, facts.destinationRules)
        guard let scope = view?.readingTelemetry() else { return TrafficDraft(scope: nil) }
        var draft = TrafficDraft(scope: scope)
        FixedClusters.add(
            to: &draft.configuration, mesh: scope.mesh, inbound: true,
            dynamicDNS: scope.outboundMode == .allowAnyDynamicDNS)
        let deferred = DeferredHosts(common)
        draft.diagnostics = OutboundListeners(scope: scope.deferring(to: deferred)).build(into: &draft.configuration)
        GatewayMeshRoutes(scope: scope).addListeners(to: &draft.configuration)
        draft.hosts = deferred.inputs.filter { draft.configuration.routes[$0.key] != nil }
        let filters = EnvoyFilterPatches(scope: scope)
        draft.configuration.patches = filters.patches(for: .outbound)
        draft.diagnostics += filters.diagnostics + (scope.telemetry?.diagnostics ?? [])
        return draft
    }
}

/// Listeners and routes of a class of senders with some virtual hosts left out, which somebody may have from before.
package struct TrafficDraft {
    /// Virtual hosts to be made have no domains here.
    package internal(set) var configuration = ProxyConfiguration()
    /// What is left out: by table, and by the place in the table.
    package fileprivate(set) var hosts: [String: [Int: VirtualHostInputs]] = [:]
    fileprivate(set) var diagnostics: [Diagnostic] = []
    private let scope: Scope?

    fileprivate init(scope: Scope?) { self.scope = scope }

    /// Whether users' patches look into route tables; then these have to be whole.
    package var patchesRoutes: Bool {
        configuration.patches.contains { [.routeConfiguration, .virtualHost, .httpRoute].contains($0.target) }
    }

    /// Makes everything that was left out.
    package mutating func makeHosts() {
        for (table, inputs) in hosts {
            for (index, input) in inputs { configuration.routes[table]?.virtualHosts[index] = input.host() }
        }
        hosts = [:]
    }

    /// The configuration, with clusters for what routes name in vain.
    /// - Parameters:
    ///   - defined: Names of the services' clusters.
    ///   - named: What the virtual hosts that are left out name.
    package func finished(defined: some Sequence<String>, naming named: NamedClusters) -> (
        ProxyConfiguration, [Diagnostic]
    ) {
        guard let scope else { return (configuration, diagnostics) }
        var configuration = configuration
        // Stands for clusters that come by their services.
        let known = Cluster(name: "", discovery: .static)
        for name in defined where configuration.clusters[name] == nil { configuration.clusters[name] = known }
        MissingClusters(scope: scope).complete(&configuration, naming: named)
        configuration.clusters = configuration.clusters.filter { !$0.value.name.isEmpty }
        configuration.names = NameTables(scope: scope).table()
        return (configuration, diagnostics)
    }
}
