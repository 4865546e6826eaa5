import WeftConfig
package import WeftCore
package import WeftIR

/// Makes a proxy's configuration from a snapshot. Pure: the same snapshot and class give equal values.
///
/// A sidecar's configuration has two parts with keys of their own, so that what many proxies send by is made once:
/// ``outbound(for:)`` and ``inbound(for:)``. No resource is in both.
package struct Translator: Sendable {
    let snapshot: MeshSnapshot

    package init(_ snapshot: MeshSnapshot) { self.snapshot = snapshot }

    /// Everything for one proxy.
    package func configuration(for proxy: ProxyIdentity) -> (ProxyConfiguration, [Diagnostic]) {
        configuration(for: ProxyClass(proxy, in: snapshot))
    }

    /// Everything for one class of proxies.
    package func configuration(for proxy: ProxyClass) -> (ProxyConfiguration, [Diagnostic]) {
        switch proxy.kind {
        case .sidecar:
            var (configuration, diagnostics) = outbound(for: OutboundClass(proxy, in: snapshot))
            let inbound = inbound(for: proxy)
            configuration.merge(inbound.0)
            diagnostics = snapshot.diagnostics + diagnostics + inbound.1
            return (configuration, diagnostics)
        case .router:
            let gateway = gateway(for: proxy)
            return (gateway.0, snapshot.diagnostics + gateway.1)
        }
    }

    /// What sidecars of a class send by: outbound listeners, their routes, clusters and endpoints.
    package func outbound(for proxies: OutboundClass) -> (ProxyConfiguration, [Diagnostic]) {
        var clusters = ProxyConfiguration()
        var diagnostics: [Diagnostic] = []
        let inputs = inputs(for: proxies)
        for service in inputs.services {
            let made = service.clusters()
            clusters.merge(made.0)
            for found in made.1 where !diagnostics.contains(found) { diagnostics.append(found) }
        }
        var (configuration, more) = inputs.traffic.configuration(defined: clusters.clusters.keys)
        configuration.merge(clusters)
        for found in more where !diagnostics.contains(found) { diagnostics.append(found) }
        return (configuration, diagnostics)
    }

    /// What sidecars of a class receive by: the inbound listener and its clusters.
    package func inbound(for proxy: ProxyClass) -> (ProxyConfiguration, [Diagnostic]) {
        inboundInputs(for: proxy).configuration()
    }

    /// Everything for gateways of a class.
    package func gateway(for proxy: ProxyClass) -> (ProxyConfiguration, [Diagnostic]) {
        let scope = Scope(snapshot: snapshot, proxy: proxy).readingTelemetry()
        var configuration = ProxyConfiguration()
        FixedClusters.add(to: &configuration, mesh: scope.mesh, inbound: false)
        var diagnostics = OutboundClusters(scope: scope).build(into: &configuration)
        diagnostics += GatewayListeners(scope: scope).build(into: &configuration)
        GatewayAPIListeners(scope: scope).build(into: &configuration)
        LocalCluster(of: proxy, behind: snapshot.services(behind: proxy))?.add(to: &configuration)
        MissingClusters(scope: scope).complete(&configuration)
        let security = SecurityFilters(scope: scope)
        security.addClusters(to: &configuration)
        let filters = EnvoyFilterPatches(scope: scope)
        configuration.patches = filters.patches(for: .gateway)
        diagnostics += security.diagnostics + scope.ownershipDiagnostics + filters.diagnostics
        return (configuration, diagnostics + (scope.telemetry?.diagnostics ?? []))
    }
}

extension ProxyConfiguration {
    /// Takes over everything of another that is not here already.
    package mutating func merge(_ other: ProxyConfiguration) {
        listeners.merge(other.listeners) { own, _ in own }
        routes.merge(other.routes) { own, _ in own }
        clusters.merge(other.clusters) { own, _ in own }
        endpoints.merge(other.endpoints) { own, _ in own }
        secrets.merge(other.secrets) { own, _ in own }
        patches += other.patches.filter { patch in !patches.contains { $0.provenance == patch.provenance } }
        names = names ?? other.names
    }
}
