import WeftConfig
package import WeftCore
package import WeftIR

/// Makes a proxy's configuration from a snapshot. Pure: the same snapshot and proxy give equal values.
package struct Translator: Sendable {
    private let snapshot: MeshSnapshot

    package init(_ snapshot: MeshSnapshot) { self.snapshot = snapshot }

    package func configuration(for proxy: ProxyIdentity) -> (ProxyConfiguration, [Diagnostic]) {
        let scope = Scope(snapshot: snapshot, proxy: proxy)
        var configuration = ProxyConfiguration()
        var diagnostics = snapshot.diagnostics
        FixedClusters.add(
            to: &configuration, inbound: proxy.kind == .sidecar,
            dynamicDNS: proxy.kind == .sidecar && scope.outboundMode == .allowAnyDynamicDNS)
        OutboundClusters(scope: scope).build(into: &configuration)
        switch proxy.kind {
        case .sidecar:
            diagnostics += OutboundListeners(scope: scope).build(into: &configuration)
            diagnostics += InboundListener(scope: scope).build(into: &configuration)
        case .router:
            diagnostics += GatewayListeners(scope: scope).build(into: &configuration)
        }
        MissingClusters(scope: scope).complete(&configuration)
        configuration.names = NameTables(scope: scope).table()
        let filters = EnvoyFilterPatches(scope: scope)
        configuration.patches =
            proxy.kind == .router
            ? filters.patches(for: .gateway) : (filters.patches(for: .outbound) + filters.patches(for: .inbound)).unique
        diagnostics += filters.diagnostics
        diagnostics += AuthorizationFilters(scope: scope).diagnostics
        return (configuration, diagnostics)
    }
}

extension [ResourcePatch] {
    /// Each patch once, in the order of the first time.
    fileprivate var unique: [ResourcePatch] {
        var seen: Set<Provenance> = []
        return filter { seen.insert($0.provenance).inserted }
    }
}
