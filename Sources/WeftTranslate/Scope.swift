import WeftConfig
import WeftCore
import WeftIR

/// One proxy's view of a snapshot: the services it sees and the rules that apply to it.
struct Scope {
    let snapshot: MeshSnapshot
    let proxy: ProxyClass
    /// One per host; without the ExternalName Services.
    private(set) var services: [MeshService]
    /// Virtual services that this proxy may use, the ones that win first.
    private(set) var virtualServices: [Config<VirtualService>] {
        didSet { meshRules = Self.index(virtualServices) }
    }
    /// Those of ``virtualServices`` that are for the mesh, by host.
    private(set) var meshRules: HostIndex
    let sidecar: Config<Sidecar>?
    /// Hosts that rules may not route (``HostPermissions``).
    let ownershipDiagnostics: [Diagnostic]
    /// False for listeners that applications connect to themselves: what is for nobody there has nowhere to go on to.
    private(set) var knowsOriginalDestination = true
    /// Logs, metrics and spans; see ``readingTelemetry()``.
    private(set) var telemetry: TelemetrySettings?
    /// Takes virtual hosts of outbound tables that are to be made by themselves; see ``deferring(to:)``.
    private(set) var deferred: DeferredHosts?

    var mesh: MeshConfig { snapshot.meshConfig }

    /// What each entry of the Sidecar's `egress` covers, the ones with a port first; one that covers all without a Sidecar.
    let egress: [EgressScope]
    /// ExternalName Services, by the host of the service that they stand for.
    let aliases: [String: [MeshService]]

    init(snapshot: MeshSnapshot, proxy: ProxyClass) {
        self.snapshot = snapshot
        self.proxy = proxy
        let sidecar = proxy.kind == .sidecar ? Self.sidecar(for: proxy, in: snapshot) : nil
        self.sidecar = sidecar
        let visible = snapshot.services.filter { $0.isVisible(from: proxy.namespace) }
        let concrete = visible.filter { $0.externalName == nil }
        let permissions = HostPermissions(snapshot: snapshot, proxy: proxy)
        let candidates = Self.visibleVirtualServices(for: proxy, in: snapshot)
        let rules = candidates.compactMap { permissions.allowed($0) }
        ownershipDiagnostics = permissions.diagnostics(candidates)
        let entries = sidecar?.spec.egress ?? []
        let scopes = (entries.isEmpty ? [nil] : entries.map { $0 }).map { entry in
            EgressScope(
                entry: entry, services: concrete, virtualServices: rules, namespace: proxy.namespace)
        }
        egress = scopes.enumerated().sorted {
            ($0.element.port == nil ? 1 : 0, $0.offset) < ($1.element.port == nil ? 1 : 0, $1.offset)
        }.map(\.element)
        services =
            egress.count == 1
            ? egress[0].services
            : Self.distinct(Array(Set(egress.flatMap(\.services))), namespace: proxy.namespace)
        virtualServices = Self.united(egress, all: rules)
        meshRules = Self.index(virtualServices)
        aliases = Self.aliases(visible, concrete: Set(concrete.map(\.host)))
    }

    func service(host: String) -> MeshService? { snapshot.service(host: host, from: proxy.namespace) }

    /// The same, its telemetry worked out once for all listeners.
    func readingTelemetry() -> Scope {
        var view = self
        view.telemetry = TelemetrySettings(scope: self)
        return view
    }

    /// The same, but virtual hosts are left to be made from inputs of their own.
    func deferring(to hosts: DeferredHosts) -> Scope {
        var view = self
        view.deferred = hosts
        return view
    }

    /// The same proxy, with only what one egress entry covers.
    func limited(to entry: EgressScope) -> Scope {
        var view = self
        view.services = entry.services
        view.virtualServices = entry.virtualServices
        view.knowsOriginalDestination = !entry.isBound
        return view
    }

    /// True if the proxy answers its workload's DNS questions, so that allocated addresses lead here.
    var capturesDNS: Bool {
        let value = proxy.metadata["DNS_CAPTURE"]
        return value?.stringValue?.lowercased() == "true" || value?.boolValue == true
    }

    /// The addresses under which this proxy's workload reaches a service.
    func addresses(of service: MeshService) -> [String] {
        guard service.addresses.isEmpty, capturesDNS else { return service.addresses }
        return service.allocatedAddresses
    }

    private static func index(_ rules: [Config<VirtualService>]) -> HostIndex {
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
    private static func visibleVirtualServices(for proxy: ProxyClass, in snapshot: MeshSnapshot) -> [Config<
        VirtualService
    >] {
        func rank(_ config: Config<VirtualService>) -> Int? {
            let exportTo = config.spec.exportTo ?? snapshot.meshConfig.defaultVirtualServiceExportTo ?? []
            if exportTo.isEmpty || exportTo.contains("*") { return 2 }
            if config.namespace == proxy.namespace, exportTo.contains(".") { return 0 }
            return exportTo.contains(proxy.namespace) ? 1 : nil
        }
        let ranked = snapshot.virtualServices.enumerated().compactMap { index, config in
            rank(config).map { (rank: $0, index: index, config: config) }
        }
        return ranked.sorted { ($0.rank, $0.index) < ($1.rank, $1.index) }.map(\.config)
    }

    /// One service per host: the proxy's own namespace first, then Kubernetes', then the oldest.
    static func distinct(_ services: [MeshService], namespace: String) -> [MeshService] {
        // A snapshot's are in the order of their hosts, and mostly one for each.
        if zip(services, services.dropFirst()).allSatisfy({ $0.host < $1.host }) { return services }
        var chosen: [String: MeshService] = [:]
        for service in services {
            guard let other = chosen[service.host] else {
                chosen[service.host] = service
                continue
            }
            let (mine, theirs) = (rank(service, namespace), rank(other, namespace))
            if mine < theirs
                || (mine == theirs && (service.created, service.namespace) < (other.created, other.namespace))
            {
                chosen[service.host] = service
            }
        }
        return chosen.values.sorted { $0.host < $1.host }
    }

    private static func rank(_ service: MeshService, _ namespace: String) -> Int {
        service.namespace == namespace ? 0 : (service.resource.kind == "Service" ? 1 : 2)
    }

    /// The Sidecar in force: the namespace's own with a selector, then without, then the root namespace's.
    static func sidecar(for proxy: ProxyClass, in snapshot: MeshSnapshot) -> Config<Sidecar>? {
        let own = snapshot.sidecars.filter { $0.namespace == proxy.namespace }
        return own.first {
            !($0.spec.workloadSelector?.labels ?? [:]).isEmpty
                && $0.spec.workloadSelector?.matches(proxy.labels) == true
        }
            ?? own.first { ($0.spec.workloadSelector?.labels ?? [:]).isEmpty }
            ?? snapshot.sidecars.first {
                $0.namespace == snapshot.meshConfig.effectiveRootNamespace
                    && ($0.spec.workloadSelector?.labels ?? [:]).isEmpty
            }
    }
}

/// Host names with a leading wildcard.
enum HostPattern {
    /// True if `host` is the pattern, or lies under its wildcard.
    static func matches(_ pattern: String, _ host: String) -> Bool {
        if pattern == "*" || pattern == host { return true }
        return pattern.hasPrefix("*") && host.hasSuffix(pattern.dropFirst())
    }

    /// The narrower one of two hosts if one covers the other.
    static func intersection(_ left: String, _ right: String) -> String? {
        if matches(left, right) { return right }
        return matches(right, left) ? left : nil
    }
}
