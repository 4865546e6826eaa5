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

extension Translator {
    /// What everything that a class of senders sends by is made from: the clusters of each service that it sees, and
    /// its listeners and routes.
    package func inputs(for proxies: OutboundClass) -> (services: [ServiceInputs], traffic: TrafficInputs) {
        let common = SenderInputs(proxies, snapshot.globals)
        let scope = Scope(snapshot: snapshot, proxy: proxies.proxy)
        return (serviceInputs(common, scope), TrafficInputs(common, scope))
    }

    private func serviceInputs(_ common: SenderInputs, _ scope: Scope) -> [ServiceInputs] {
        scope.services.map { ServiceInputs(common, $0, snapshot.destinationRules(covering: $0.host)) }
    }

    /// What the clusters of each service that a class of senders sees are made from.
    package func serviceInputs(for proxies: OutboundClass) -> [ServiceInputs] {
        serviceInputs(SenderInputs(proxies, snapshot.globals), Scope(snapshot: snapshot, proxy: proxies.proxy))
    }

    /// What the listeners and routes of a class of senders are made from.
    package func trafficInputs(for proxies: OutboundClass) -> TrafficInputs {
        TrafficInputs(
            SenderInputs(proxies, snapshot.globals), Scope(snapshot: snapshot, proxy: proxies.proxy))
    }
}
