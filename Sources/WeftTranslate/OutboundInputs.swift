import WeftConfig
package import WeftCore
package import WeftIR

/// All that the clusters of one service are made from, for one class of senders.
///
/// ``clusters()`` is a function of this value alone, so equal inputs have equal clusters: the proof that a cache by
/// these inputs is right is that there is nothing else in reach.
package struct ServiceInputs: Sendable, Hashable {
    package let host: String
    private let proxies: OutboundClass
    private let service: MeshService
    private let rules: [Config<DestinationRule>]
    private let globals: MeshGlobals

    fileprivate init(
        _ proxies: OutboundClass, _ service: MeshService, _ rules: [Config<DestinationRule>], _ globals: MeshGlobals
    ) {
        host = service.host
        self.proxies = proxies
        self.service = service
        self.rules = rules
        self.globals = globals
    }

    /// Clusters of every port and subset, with their endpoints and secrets.
    package func clusters() -> (ProxyConfiguration, [Diagnostic]) {
        var configuration = ProxyConfiguration()
        guard let snapshot = globals.snapshot?.restricted(to: [service], [], rules) else { return (configuration, []) }
        let diagnostics = OutboundClusters(scope: Scope(snapshot: snapshot, proxy: proxies.proxy))
            .build(into: &configuration)
        return (configuration, diagnostics)
    }

    /// Users' patches on what ``clusters()`` makes; those that add clusters of their own are with the traffic.
    package var patches: [ResourcePatch] {
        guard let snapshot = globals.snapshot?.restricted(to: [], [], []) else { return [] }
        return EnvoyFilterPatches(scope: Scope(snapshot: snapshot, proxy: proxies.proxy)).patches(for: .outbound)
            .filter { $0.target == .cluster && $0.operation != .add }
    }
}

/// All that the listeners and routes of one class of senders are made from: services without their endpoints, rules.
package struct TrafficInputs: Sendable, Hashable {
    private let proxies: OutboundClass
    private let services: [MeshService]
    private let virtualServices: [Config<VirtualService>]
    private let destinationRules: [Config<DestinationRule>]
    private let globals: MeshGlobals

    fileprivate init(_ proxies: OutboundClass, _ scope: Scope) {
        self.proxies = proxies
        virtualServices = scope.virtualServices
        globals = scope.snapshot.globals
        destinationRules = scope.snapshot.destinationRules
        let visible = Set(scope.services.map(\.host))
        var named = scope.virtualServices.reduce(into: scope.snapshot.gatewayAPI.meshDestinations) {
            $0.formUnion($1.destinations)
        }
        if let sidecar = scope.sidecar, let proxy = sidecar.spec.outboundTrafficPolicy?.egressProxy?.host {
            named.insert(MeshSnapshot.resolve(host: proxy, namespace: sidecar.namespace))
        }
        services = scope.snapshot.services.compactMap { service in
            let isHidden = !visible.contains(service.host)
            guard !isHidden || named.contains(service.host) || service.externalName != nil else { return nil }
            // Headless services have listeners by endpoint, and a hidden destination gets its cluster from here.
            if isHidden || service.resolution == .headless { return service }
            var service = service
            service.endpoints = []
            return service
        }
    }

    /// Listeners, routes, the clusters that are there for everybody, those that routes name in vain, names for DNS,
    /// and users' patches.
    /// - Parameter defined: Names of the services' clusters.
    package func configuration(defined: some Sequence<String>) -> (ProxyConfiguration, [Diagnostic]) {
        var configuration = ProxyConfiguration()
        guard let snapshot = globals.snapshot?.restricted(to: services, virtualServices, destinationRules) else {
            return (configuration, [])
        }
        let scope = Scope(snapshot: snapshot, proxy: proxies.proxy).readingTelemetry()
        FixedClusters.add(to: &configuration, inbound: true, dynamicDNS: scope.outboundMode == .allowAnyDynamicDNS)
        let diagnostics = OutboundListeners(scope: scope).build(into: &configuration)
        GatewayMeshRoutes(scope: scope).addListeners(to: &configuration)
        // Stands for clusters that come by their services.
        let known = Cluster(name: "", discovery: .static)
        for name in defined where configuration.clusters[name] == nil { configuration.clusters[name] = known }
        MissingClusters(scope: scope).complete(&configuration)
        configuration.clusters = configuration.clusters.filter { !$0.value.name.isEmpty }
        configuration.names = NameTables(scope: scope).table()
        let filters = EnvoyFilterPatches(scope: scope)
        configuration.patches = filters.patches(for: .outbound)
        return (configuration, diagnostics + filters.diagnostics + (scope.telemetry?.diagnostics ?? []))
    }
}

extension Translator {
    /// What the clusters of each service that a class of senders sees are made from.
    package func serviceInputs(for proxies: OutboundClass) -> [ServiceInputs] {
        let scope = Scope(snapshot: snapshot, proxy: proxies.proxy)
        return scope.services.map {
            ServiceInputs(proxies, $0, snapshot.destinationRules(covering: $0.host), snapshot.globals)
        }
    }

    /// What the listeners and routes of a class of senders are made from.
    package func trafficInputs(for proxies: OutboundClass) -> TrafficInputs {
        TrafficInputs(proxies, Scope(snapshot: snapshot, proxy: proxies.proxy))
    }
}
