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
        didSet { meshRules = ScopeView.index(virtualServices) }
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
        let view = snapshot.views.view(for: proxy, sidecar, in: snapshot)
        self.sidecar = sidecar
        services = view.services
        virtualServices = view.virtualServices
        meshRules = view.meshRules
        ownershipDiagnostics = view.ownershipDiagnostics
        egress = view.egress
        aliases = view.aliases
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

    /// Of some services' places in a list one per host, by host: a namespace's own first, then Kubernetes', then the oldest.
    static func distinct(_ places: [Int], of services: [MeshService], namespace: String) -> [Int] {
        // A snapshot's are in the order of their hosts, and mostly one for each.
        if zip(places, places.dropFirst()).allSatisfy({ services[$0].host < services[$1].host }) { return places }
        var chosen: [String: Int] = [:]
        for place in places {
            let service = services[place]
            guard let other = chosen[service.host].map({ services[$0] }) else {
                chosen[service.host] = place
                continue
            }
            let (mine, theirs) = (rank(service, namespace), rank(other, namespace))
            if mine < theirs
                || (mine == theirs && (service.created, service.namespace) < (other.created, other.namespace))
            {
                chosen[service.host] = place
            }
        }
        return chosen.values.sorted { services[$0].host < services[$1].host }
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
