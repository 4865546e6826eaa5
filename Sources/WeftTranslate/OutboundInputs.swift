import WeftConfig
package import WeftCore
package import WeftIR

/// All that the clusters of one service are made from, for one class of senders.
///
/// ``clusters()`` is a function of this value alone, so equal inputs have equal clusters: the proof that a cache by
/// these inputs is right is that there is nothing else in reach.
package struct ServiceInputs: Sendable, Hashable {
    package var host: String { service.host }
    private let common: SenderInputs
    private let service: MeshService
    private let rules: [Config<DestinationRule>]

    fileprivate init(_ common: SenderInputs, _ service: MeshService, _ rules: [Config<DestinationRule>]) {
        self.common = common
        self.service = service
        self.rules = rules
    }

    /// Clusters of every port and subset, with their endpoints and secrets.
    package func clusters() -> (ProxyConfiguration, [Diagnostic]) {
        var configuration = ProxyConfiguration()
        guard let scope = common.scope(of: [service], [], rules) else { return (configuration, []) }
        let diagnostics = OutboundClusters(scope: scope).build(into: &configuration)
        return (configuration, diagnostics)
    }

    /// Users' patches on what ``clusters()`` makes; those that add clusters of their own are with the traffic.
    package var patches: [ResourcePatch] {
        guard let scope = common.scope(of: [], [], []) else { return [] }
        return EnvoyFilterPatches(scope: scope).patches(for: .outbound)
            .filter { $0.target == .cluster && $0.operation != .add }
    }
}

/// What everything made for one class of senders is made from; one for all of its services.
final class SenderInputs: Sendable, Hashable {
    private let proxies: OutboundClass
    private let globals: MeshGlobals

    init(_ proxies: OutboundClass, _ globals: MeshGlobals) {
        self.proxies = proxies
        self.globals = globals
    }

    /// A view of nothing but these objects and the globals; `nil` while a snapshot is being made.
    func scope(
        of services: [MeshService], _ virtualServices: [Config<VirtualService>],
        _ destinationRules: [Config<DestinationRule>]
    ) -> Scope? {
        globals.snapshot.map {
            Scope(snapshot: $0.restricted(to: services, virtualServices, destinationRules), proxy: proxies.proxy)
        }
    }

    static func == (left: SenderInputs, right: SenderInputs) -> Bool {
        left === right || left.globals == right.globals && left.proxies == right.proxies
    }

    func hash(into hasher: inout Hasher) { hasher.combine(proxies) }
}

/// All that the listeners and routes of one class of senders are made from: services without their endpoints, rules.
package struct TrafficInputs: Sendable, Hashable {
    private let common: SenderInputs
    private let services: [MeshService]
    private let virtualServices: [Config<VirtualService>]
    private let destinationRules: [Config<DestinationRule>]

    fileprivate init(_ proxies: OutboundClass, _ scope: Scope) {
        common = SenderInputs(proxies, scope.snapshot.globals)
        virtualServices = scope.virtualServices
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
        guard let scope = common.scope(of: services, virtualServices, destinationRules)?.readingTelemetry() else {
            return (configuration, [])
        }
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
        let common = SenderInputs(proxies, snapshot.globals)
        return Scope(snapshot: snapshot, proxy: proxies.proxy).services.map {
            ServiceInputs(common, $0, snapshot.destinationRules(covering: $0.host))
        }
    }

    /// What the listeners and routes of a class of senders are made from.
    package func trafficInputs(for proxies: OutboundClass) -> TrafficInputs {
        TrafficInputs(proxies, Scope(snapshot: snapshot, proxy: proxies.proxy))
    }
}
