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
        FixedClusters.add(to: &configuration, inbound: proxy.kind == .sidecar)
        OutboundClusters(scope: scope).build(into: &configuration)
        switch proxy.kind {
        case .sidecar:
            OutboundListeners(scope: scope).build(into: &configuration)
            GatewayMeshRoutes(scope: scope).addListeners(to: &configuration)
            InboundListener(scope: scope).build(into: &configuration)
        case .router:
            diagnostics += GatewayListeners(scope: scope).build(into: &configuration)
            GatewayAPIListeners(scope: scope).build(into: &configuration)
        }
        MissingClusters(scope: scope).complete(&configuration)
        if proxy.kind == .router { GatewayBackendTLS(scope: scope).apply(to: &configuration) }
        diagnostics += AuthorizationFilters(scope: scope).diagnostics
        return (configuration, diagnostics)
    }
}
