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
    let services: [MeshService]
    let virtualServices: [Config<VirtualService>]
    let meshRules: HostIndex
    let ownershipDiagnostics: [Diagnostic]
    let egress: [EgressScope]
    let aliases: [String: [MeshService]]

    init(kind: ProxyIdentity.Kind, namespace: String, sidecar: Config<Sidecar>?, in snapshot: MeshSnapshot) {
        let visible = snapshot.services.filter { $0.isVisible(from: namespace) }
        let concrete = visible.filter { $0.externalName == nil }
        let permissions = HostPermissions(snapshot: snapshot, kind: kind, namespace: namespace)
        let candidates = Self.visibleVirtualServices(from: namespace, in: snapshot)
        let rules = candidates.compactMap { permissions.allowed($0) }
        ownershipDiagnostics = permissions.diagnostics(candidates)
        let entries = sidecar?.spec.egress ?? []
        let scopes = (entries.isEmpty ? [nil] : entries.map { $0 }).map { entry in
            EgressScope(entry: entry, services: concrete, virtualServices: rules, namespace: namespace)
        }
        egress = scopes.enumerated().sorted {
            ($0.element.port == nil ? 1 : 0, $0.offset) < ($1.element.port == nil ? 1 : 0, $1.offset)
        }.map(\.element)
        services =
            egress.count == 1
            ? egress[0].services
            : Scope.distinct(Array(Set(egress.flatMap(\.services))), namespace: namespace)
        virtualServices = Self.united(egress, all: rules)
        meshRules = Self.index(virtualServices)
        aliases = Self.aliases(visible, concrete: Set(concrete.map(\.host)))
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
    private static func aliases(_ visible: [MeshService], concrete: Set<String>) -> [String: [MeshService]] {
        let names = Dictionary(
            visible.compactMap { service in service.externalName.map { (service.host, $0) } },
            uniquingKeysWith: { first, _ in first })
        var result: [String: [MeshService]] = [:]
        for service in visible where service.externalName != nil {
            var target = service.externalName ?? ""
            for _ in 0..<8 where !concrete.contains(target) { target = names[target] ?? target }
            if concrete.contains(target) { result[target, default: []].append(service) }
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
/// Also what senders have in common, for which it looks at the snapshot before: where nothing differs, the very same
/// objects come back, so that comparing them costs nothing.
final class ScopeViews: Sendable {
    private let isKeeping: Bool
    private let former: [ScopeView.Key: SenderView]
    private let views = Mutex<[ScopeView.Key: ScopeView]>([:])
    private let senders = Mutex<[ScopeView.Key: SenderView]>([:])

    /// For snapshots that are looked at once (``MeshSnapshot/restricted(to:_:_:_:)``).
    static let unkept = ScopeViews(isKeeping: false, former: [:])

    private init(isKeeping: Bool, former: [ScopeView.Key: SenderView]) {
        self.isKeeping = isKeeping
        self.former = former
    }

    /// - Parameter other: those of the snapshot before.
    convenience init(after other: ScopeViews? = nil) {
        self.init(isKeeping: true, former: other?.senders.withLock { $0 } ?? [:])
    }

    func view(for proxy: ProxyClass, _ sidecar: Config<Sidecar>?, in snapshot: MeshSnapshot) -> ScopeView {
        func made() -> ScopeView {
            ScopeView(kind: proxy.kind, namespace: proxy.namespace, sidecar: sidecar, in: snapshot)
        }
        guard isKeeping else { return made() }
        let key = ScopeView.Key(kind: proxy.kind, namespace: proxy.namespace, sidecar: sidecar?.resource)
        if let known = views.withLock({ $0[key] }) { return known }
        // Two that ask at once make it twice, and none waits for the other.
        let view = made()
        views.withLock { $0[key] = view }
        return view
    }

    /// What all senders that see the same services and rules send by.
    func sender(_ scope: Scope) -> SenderView {
        let proxy = scope.proxy
        let key = ScopeView.Key(kind: proxy.kind, namespace: proxy.namespace, sidecar: scope.sidecar?.resource)
        if let known = senders.withLock({ $0[key] }) { return known }
        let view = SenderView(scope, replacing: former[key])
        if isKeeping { senders.withLock { $0[key] = view } }
        return view
    }
}
