import WeftConfig
package import WeftCore
package import WeftIR

/// All that what a class of sidecars receives by is made from: the services that it stands behind, the access rules of
/// its namespace and the mesh's, the services that rules may ask, and the mesh's globals.
///
/// Like ``ServiceInputs``: ``configuration()`` is a function of this value alone. Endpoints are no part of it, but for
/// the proxy's peers where it asks for them; which ports of the proxy serve which service is in the class.
package struct InboundInputs: Sendable, Hashable {
    private let proxies: ProxyClass
    private let services: [MeshService]
    private let policies: [Config<AuthorizationPolicy>]
    private let globals: MeshGlobals
    /// What host ownership says of rules that the proxy sees; of nothing else here.
    private let ownership: [Diagnostic]
    private let localCluster: LocalCluster?

    init(_ proxies: ProxyClass, in snapshot: MeshSnapshot) {
        self.proxies = proxies
        let root = snapshot.meshConfig.effectiveRootNamespace
        policies = snapshot.authorizationPolicies.filter {
            $0.namespace == proxies.namespace || $0.namespace == root
        }
        globals = snapshot.globals
        let behind = snapshot.services(behind: proxies)
        localCluster = LocalCluster(of: proxies, behind: behind)
        services = behind.map { service in
            var service = service
            service.endpoints = []
            return service
        }
        let isStrict = snapshot.meshConfig.hostOwnership?.mode == .strict
        ownership = isStrict ? Scope(snapshot: snapshot, proxy: proxies).ownershipDiagnostics : []
    }

    /// The inbound listeners and their clusters, and users' patches on them.
    package func configuration() -> (ProxyConfiguration, [Diagnostic]) {
        var configuration = ProxyConfiguration()
        guard let snapshot = globals.snapshot?.restricted(to: services, [], [], policies) else {
            return (configuration, [])
        }
        let scope = Scope(snapshot: snapshot, proxy: proxies).readingTelemetry()
        let diagnostics = InboundListener(scope: scope).build(into: &configuration)
        localCluster?.add(to: &configuration)
        let security = SecurityFilters(scope: scope)
        security.addClusters(to: &configuration)
        configuration.patches = EnvoyFilterPatches(scope: scope).patches(for: .inbound)
        return (configuration, diagnostics + security.diagnostics + ownership)
    }

    /// For a gRPC server without a proxy: the listeners that it may ask for, by its pod's address.
    package func proxylessListeners(at address: String) -> ([Listener], [Diagnostic]) {
        guard let snapshot = globals.snapshot?.restricted(to: services, [], [], policies) else { return ([], []) }
        let scope = Scope(snapshot: snapshot, proxy: proxies)
        return (ProxylessServers(scope: scope).listeners(at: address), SecurityFilters(scope: scope).diagnostics)
    }
}

extension MeshSnapshot {
    /// The services of a proxy's namespace that may stand for it, and those of any that its rules may ask.
    func services(behind proxy: ProxyClass) -> [MeshService] {
        let behind = proxy.endpointPorts.keys.flatMap { places.hosts[$0] ?? [] }.filter {
            services[$0].namespace == proxy.namespace
        }
        let own = behind + (serviceIndex?.selecting(proxy.labels, in: proxy.namespace) ?? [])
        let asked = globals.askedHosts.flatMap { places.hosts[$0] ?? [] }.filter {
            services[$0].isVisible(from: proxy.namespace)
        }
        return Set(own + asked).sorted().map { services[$0] }
    }
}

extension MeshService {
    /// Whether the proxy is one of those behind the service, or would be once it is ready.
    func standsFor(_ proxy: ProxyClass) -> Bool {
        if proxy.endpointPorts[host] != nil { return true }
        return selector?.allSatisfy { proxy.labels[$0.key] == $0.value } ?? false
    }
}

extension Translator {
    /// What a class of sidecars receives by is made from.
    package func inboundInputs(for proxies: ProxyClass) -> InboundInputs { InboundInputs(proxies, in: snapshot) }
}
