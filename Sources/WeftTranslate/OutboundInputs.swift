import WeftConfig
package import WeftCore
package import WeftIR

/// All that the clusters of one service are made from, for one class of senders.
///
/// ``clusters()`` is a function of this value alone, so equal inputs have equal clusters: the proof that a cache by
/// these inputs is right is that there is nothing else in reach.
package struct ServiceInputs: Sendable, Hashable {
    package var host: String { facts.service.host }
    private let common: SenderInputs
    private let facts: ServiceFacts

    fileprivate init(_ common: SenderInputs, _ facts: ServiceFacts) {
        self.common = common
        self.facts = facts
    }

    /// Clusters of every port and subset, with their endpoints and secrets.
    package func clusters() -> (ProxyConfiguration, [Diagnostic]) {
        var configuration = ProxyConfiguration()
        guard let scope = common.scope(of: [facts.service], [], facts.rules) else { return (configuration, []) }
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

/// All that a class of senders sends by is made from: the services that it sees, and its listeners and routes.
package struct OutboundInputs: Sendable {
    private let common: SenderInputs
    private let view: SenderView

    fileprivate init(_ common: SenderInputs, _ view: SenderView) {
        self.common = common
        self.view = view
    }

    /// What the clusters of each service are made from, by host.
    package var services: [ServiceInputs] { view.services.map { ServiceInputs(common, $0) } }
    package var traffic: TrafficInputs { TrafficInputs(common, view.traffic) }

    /// Whether the services are the same, and with the same inputs. What did not change is the same object mostly, so
    /// this takes no look at each of them.
    package func hasServices(of other: OutboundInputs) -> Bool {
        common == other.common && (view === other.view || view.services == other.view.services)
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
    /// What everything that a class of senders sends by is made from.
    package func inputs(for proxies: OutboundClass) -> OutboundInputs {
        let scope = Scope(snapshot: snapshot, proxy: proxies.proxy)
        return OutboundInputs(SenderInputs(proxies, snapshot.globals), snapshot.views.sender(scope))
    }
}
