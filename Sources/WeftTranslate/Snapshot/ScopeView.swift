import Synchronization
import WeftConfig
import WeftCore

/// What a snapshot looks like to all proxies of one kind, namespace and Sidecar: made once for them, from nothing else.
struct ScopeView: Sendable {
    struct Key: Sendable, Hashable {
        var kind: ProxyIdentity.Kind
        var namespace: String
        var sidecar: ResourceReference?
    }
    /// Where in the snapshot's list the services are that are seen. Says nothing of endpoints.
    private struct Places: Sendable {
        var services: [Int]
        /// For each entry of the Sidecar.
        var egress: [[Int]]
        /// ExternalName Services, by the host that they stand for.
        var aliases: [String: [Int]]

        init(_ namespace: String, _ entries: [Sidecar.Egress?], of services: [MeshService]) {
            let visible = services.indices.filter { services[$0].isVisible(from: namespace) }
            let concrete = visible.filter { services[$0].externalName == nil }
            egress = entries.map { EgressScope.places($0, concrete, of: services, namespace: namespace) }
            self.services =
                egress.count == 1
                ? egress[0]
                : Scope.distinct(Set(egress.joined()).sorted(), of: services, namespace: namespace)
            aliases =
                visible.count == concrete.count
                ? [:]
                : ScopeView.aliases(visible, concrete: Set(concrete.map { services[$0].host }), of: services)
        }
    }
    let services: [MeshService]
    let virtualServices: [Config<VirtualService>]
    let meshRules: HostIndex
    let ownershipDiagnostics: [Diagnostic]
    let egress: [EgressScope]
    let aliases: [String: [MeshService]]
    private let places: Places
    private let outline: ServiceIndex.Outline?
    private let sidecar: Config<Sidecar>?

    /// - Parameter old: of the snapshot before, for the same proxies.
    init(
        kind: ProxyIdentity.Kind, namespace: String, sidecar: Config<Sidecar>?, in snapshot: MeshSnapshot,
        replacing old: ScopeView?
    ) {
        self.sidecar = sidecar
        outline = snapshot.serviceIndex?.outline
        let all = sidecar?.spec.egress ?? []
        // Those for a port come first.
        let entries =
            all.isEmpty ? [nil] : (all.filter { $0.port?.number != nil } + all.filter { $0.port?.number == nil })
        let list = snapshot.services
        let places =
            if let old, outline != nil, old.outline === outline, old.sidecar == sidecar { old.places } else {
                Places(namespace, entries, of: list)
            }
        self.places = places
        services = places.services.map { list[$0] }
        aliases = places.aliases.mapValues { $0.map { list[$0] } }
        let permissions = HostPermissions(snapshot: snapshot, kind: kind, namespace: namespace)
        let candidates = Self.visibleVirtualServices(from: namespace, in: snapshot)
        let rules = candidates.compactMap { permissions.allowed($0) }
        ownershipDiagnostics = permissions.diagnostics(candidates)
        egress = zip(entries, places.egress).map { entry, places in
            EgressScope(
                entry: entry, services: places.map { list[$0] }, virtualServices: rules, namespace: namespace)
        }
        virtualServices = Self.united(egress, all: rules)
        meshRules = Self.index(virtualServices)
    }

    static func index(_ rules: [Config<VirtualService>]) -> HostIndex {
        var index = HostIndex()
        for (position, config) in rules.enumerated() where GatewayName.names(of: config).contains(GatewayName.mesh) {
            for name in config.spec.hosts ?? [] {
                index.add(MeshSnapshot.resolve(host: name, namespace: config.namespace), position: position)
            }
        }
        return index
    }

    private static func united(_ egress: [EgressScope], all: [Config<VirtualService>]) -> [Config<VirtualService>] {
        if egress.count == 1 { return egress[0].virtualServices }
        let reached = Set(egress.flatMap { $0.virtualServices.map(\.resource) })
        return all.filter { reached.contains($0.resource) }
    }

    /// Follows ExternalName Services to services that are there; names outside the mesh lead nowhere.
    private static func aliases(_ visible: [Int], concrete: Set<String>, of services: [MeshService]) -> [String: [Int]]
    {
        let names = Dictionary(
            visible.compactMap { place in services[place].externalName.map { (services[place].host, $0) } },
            uniquingKeysWith: { first, _ in first })
        var result: [String: [Int]] = [:]
        for place in visible {
            guard var target = services[place].externalName else { continue }
            for _ in 0..<8 where !concrete.contains(target) { target = names[target] ?? target }
            if concrete.contains(target) { result[target, default: []].append(place) }
        }
        return result
    }

    /// Istio's order: private to the proxy's namespace, exported to it, public; the oldest first in each.
    private static func visibleVirtualServices(from namespace: String, in snapshot: MeshSnapshot) -> [Config<
        VirtualService
    >] {
        func rank(_ config: Config<VirtualService>) -> Int? {
            let exportTo = config.spec.exportTo ?? snapshot.meshConfig.defaultVirtualServiceExportTo ?? []
            if exportTo.isEmpty || exportTo.contains("*") { return 2 }
            if config.namespace == namespace, exportTo.contains(".") { return 0 }
            return exportTo.contains(namespace) ? 1 : nil
        }
        let ranked = snapshot.virtualServices.enumerated().compactMap { index, config in
            rank(config).map { (rank: $0, index: index, config: config) }
        }
        return ranked.sorted { ($0.rank, $0.index) < ($1.rank, $1.index) }.map(\.config)
    }
}

/// The views of one snapshot, made when they are asked for first. Safe to ask from anywhere.
///
/// Of the snapshot before is kept what did not change: where nothing differs in what senders send by, the very same
/// objects come back, so that comparing them costs nothing.
final class ScopeViews: Sendable {
    private struct Made {
        var views: [ScopeView.Key: ScopeView] = [:]
        var senders: [ScopeView.Key: SenderView] = [:]
    }
    private let isKeeping: Bool
    private let former: Made
    private let made = Mutex(Made())

    /// For snapshots that are looked at once (``MeshSnapshot/restricted(to:_:_:_:)``).
    static let unkept = ScopeViews(isKeeping: false, former: Made())

    private init(isKeeping: Bool, former: Made) {
        self.isKeeping = isKeeping
        self.former = former
    }

    /// - Parameter other: those of the snapshot before.
    convenience init(after other: ScopeViews? = nil) {
        self.init(isKeeping: true, former: other?.made.withLock { $0 } ?? Made())
    }

    func view(for proxy: ProxyClass, _ sidecar: Config<Sidecar>?, in snapshot: MeshSnapshot) -> ScopeView {
        let key = ScopeView.Key(kind: proxy.kind, namespace: proxy.namespace, sidecar: sidecar?.resource)
        if isKeeping, let known = made.withLock({ $0.views[key] }) { return known }
        // Two that ask at once make it twice, and none waits for the other.
        let view = ScopeView(
            kind: proxy.kind, namespace: proxy.namespace, sidecar: sidecar, in: snapshot,
            replacing: former.views[key])
        if isKeeping { made.withLock { $0.views[key] = view } }
        return view
    }

    /// What all senders that see the same services and rules send by.
    func sender(_ scope: Scope) -> SenderView {
        let proxy = scope.proxy
        let key = ScopeView.Key(kind: proxy.kind, namespace: proxy.namespace, sidecar: scope.sidecar?.resource)
        if let known = made.withLock({ $0.senders[key] }) { return known }
        let view = SenderView(scope, replacing: former.senders[key])
        if isKeeping { made.withLock { $0.senders[key] = view } }
        return view
    }
}
