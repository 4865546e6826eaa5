import WeftConfig
import WeftCore

/// How one `parentRef` of a route fared.
struct RouteParent: Sendable {
    let reference: GatewayAPI.ParentReference
    let controller: String
    /// `nil` is accepted.
    var refusal: ReferenceProblem?
}

/// What the Gateway API's objects come to: which listener serves which routes, and what is wrong with whom.
///
/// A pure function of the snapshot. Translation takes routes from it, and status is written from the same values, so the two
/// cannot tell different stories.
package struct GatewayAPIModel: Sendable {
    let objects: GatewayAPIObjects
    /// Gateways of our classes, the oldest first.
    private(set) var gateways: [BoundGateway] = []
    /// ListenerSets whose parent is ours, and why one is refused.
    private(set) var listenerSets:
        [(config: Config<GatewayAPI.ListenerSet>, gateway: Int, refusal: ReferenceProblem?)] = []
    /// By route: every parent that is ours to answer for.
    private(set) var parents: [[RouteParent]]
    /// By route: why it cannot be obeyed at all, or in part.
    let invalidity: [RouteInvalidity]
    /// TLS to backends, the oldest policy first.
    let backendTLS: [BackendTLSState]
    /// By the host of a Service: routes attached to it, the oldest first, with the port if one is named.
    private(set) var meshRoutes: [String: [(route: Int, port: Int?)]] = [:]

    init(objects: GatewayAPIObjects) {
        self.objects = objects
        parents = Array(repeating: [], count: objects.routes.count)
        invalidity = objects.routes.map(RouteInvalidity.init)
        backendTLS = objects.backendTLSStates()
        bindGateways()
        for index in objects.routes.indices { attach(index) }
    }

    // MARK: - Gateways

    /// Classes that every installation has, whether an object declares them or not.
    package static let builtInClasses = [
        "istio": "istio.io/gateway-controller", "weft": "weft.dev/gateway-controller",
        "istio-remote": GatewayAPI.Controller.unmanaged,
    ]

    private func controller(of gateway: Config<GatewayAPI.Gateway>) -> String? {
        let name = gateway.spec.gatewayClassName
        let declared = objects.classes.first { $0.name == name }?.spec.controllerName
        return (declared ?? Self.builtInClasses[name]).flatMap { GatewayAPI.Controller.isOurs($0) ? $0 : nil }
    }

    private mutating func bindGateways() {
        let reader = GatewayListenerReader(objects: objects)
        for config in objects.gateways {
            guard let controller = controller(of: config) else { continue }
            let place = gateways.count
            let sets = attachedSets(of: config, place: place)
            var gateway = BoundGateway(
                config: config, controller: controller, listeners: reader.listeners(of: config, sets: sets),
                listenerSets: sets.map(\.resource))
            gateway.refusal = refusal(of: config)
            if let reference = config.spec.tls?.backend?.clientCertificateRef {
                switch reader.certificate(reference, from: config.resource, invalid: "InvalidClientCertificateRef") {
                case .success(let secret): gateway.backendCertificate = secret
                case .failure(let error): gateway.backendCertificateProblem = error.problem
                }
            }
            gateways.append(gateway)
        }
    }

    /// ListenerSets that name the Gateway and that it lets in.
    private mutating func attachedSets(of gateway: Config<GatewayAPI.Gateway>, place: Int) -> [Config<
        GatewayAPI.ListenerSet
    >] {
        var attached: [Config<GatewayAPI.ListenerSet>] = []
        for set in objects.listenerSets {
            let reference = set.spec.parentRef
            guard reference.name == gateway.name, (reference.namespace ?? set.namespace) == gateway.namespace,
                (reference.group ?? GatewayAPI.group) == GatewayAPI.group, (reference.kind ?? "Gateway") == "Gateway"
            else { continue }
            let allowed = gateway.spec.allowedListeners?.namespaces
            let isAllowed =
                allowed?.allows(
                    set.namespace, labels: objects.labels(of: set.namespace), owner: gateway.namespace, fallback: .none)
                ?? false
            let refusal =
                isAllowed
                ? nil
                : ReferenceProblem(
                    reason: "NotAllowed",
                    message:
                        "spec.allowedListeners of \(gateway.resource) lets no ListenerSet of namespace \(set.namespace) in"
                )
            listenerSets.append((set, place, refusal))
            if isAllowed { attached.append(set) }
        }
        return attached.sorted { ($0.created, $0.namespace, $0.name) < ($1.created, $1.namespace, $1.name) }
    }

    private func refusal(of gateway: Config<GatewayAPI.Gateway>) -> ReferenceProblem? {
        let supported: Set<String> = ["IPAddress", "Hostname"]
        if let address = (gateway.spec.addresses ?? []).first(where: { !supported.contains($0.effectiveType) }) {
            return ReferenceProblem(
                reason: "UnsupportedAddress",
                message: "addresses of type \(address.effectiveType) are not supported: use IPAddress or Hostname")
        }
        guard let parameters = gateway.spec.infrastructure?.parametersRef else { return nil }
        guard (parameters.group ?? "").isEmpty, parameters.kind == "ConfigMap" else {
            return ReferenceProblem(
                reason: "InvalidParameters",
                message: "infrastructure.parametersRef is of kind \(parameters.kind ?? ""): use a ConfigMap")
        }
        guard let map = objects.configMaps["\(gateway.namespace)/\(parameters.name)"] else {
            return ReferenceProblem(
                reason: "InvalidParameters",
                message:
                    "ConfigMap \(gateway.namespace)/\(parameters.name) of infrastructure.parametersRef does not exist")
        }
        return GatewayParameters.problem(in: map).map { ReferenceProblem(reason: "InvalidParameters", message: $0) }
    }

    // MARK: - Routes

    private mutating func attach(_ index: Int) {
        let route = objects.routes[index]
        for reference in route.parentRefs {
            if reference.isService {
                attachToService(index, reference)
            } else if reference.isGateway || reference.isListenerSet {
                attachToGateway(index, reference)
            }
        }
    }

    private mutating func attachToGateway(_ index: Int, _ reference: GatewayAPI.ParentReference) {
        let route = objects.routes[index]
        let namespace = reference.namespace ?? route.namespace
        guard let place = gateway(of: reference, namespace: namespace) else { return }
        var parent = RouteParent(reference: reference, controller: gateways[place].controller)
        switch select(route, reference, namespace: namespace, of: gateways[place]) {
        case .failure(let error): parent.refusal = error.problem
        case .success(let listeners):
            parent.refusal = invalidity[index].refusal
            if parent.refusal == nil {
                for (listener, hosts) in listeners { gateways[place].listeners[listener].routes.append((index, hosts)) }
            }
        }
        parents[index].append(parent)
    }

    private func gateway(of reference: GatewayAPI.ParentReference, namespace: String) -> Int? {
        if reference.isGateway {
            return gateways.firstIndex { $0.namespace == namespace && $0.name == reference.name }
        }
        return listenerSets.first { $0.config.namespace == namespace && $0.config.name == reference.name }?.gateway
    }

    /// The listeners that take a route, with the hosts in common; or why none does.
    private func select(
        _ route: AnyRoute, _ reference: GatewayAPI.ParentReference, namespace: String, of gateway: BoundGateway
    ) -> Result<[(Int, [String])], GatewayListenerReader.ReferenceError> {
        func failure(_ reason: String, _ message: String) -> Result<
            [(Int, [String])], GatewayListenerReader.ReferenceError
        > {
            .failure(.init(problem: ReferenceProblem(reason: reason, message: message)))
        }
        let owner = ResourceReference(kind: reference.effectiveKind, namespace: namespace, name: reference.name)
        let named = gateway.listeners.indices.filter { index in
            let listener = gateway.listeners[index]
            return listener.owner == owner && (reference.sectionName.map { $0 == listener.spec.name } ?? true)
                && (reference.port.map { $0 == listener.spec.port } ?? true)
        }
        guard !named.isEmpty else {
            let wanted = [reference.sectionName.map { "name \($0)" }, reference.port.map { "port \($0)" }]
            return failure(
                "NoMatchingParent",
                "\(owner) has no listener with \(wanted.compactMap { $0 }.joined(separator: " and "))")
        }
        let allowed = named.filter { takes(route, gateway.listeners[$0]) }
        guard !allowed.isEmpty else {
            return failure(
                "NotAllowedByListeners",
                "no listener of \(owner) takes \(route.kind)s of namespace \(route.namespace): see allowedRoutes")
        }
        var matching: [(Int, [String])] = []
        for index in allowed {
            let hosts = GatewayHostname.intersection(
                listener: gateway.listeners[index].spec.effectiveHostname, route: route.hostnames)
            if !hosts.isEmpty { matching.append((index, hosts)) }
        }
        guard !matching.isEmpty else {
            return failure(
                "NoMatchingListenerHostname",
                "hostnames \(route.hostnames.joined(separator: ", ")) have nothing in common with those of the listeners of \(owner)"
            )
        }
        let free = matching.filter { rival(of: route, hosts: $0.1, at: gateway.listeners[$0.0]) == nil }
        if free.isEmpty, let (index, hosts) = matching.first,
            let rival = rival(of: route, hosts: hosts, at: gateway.listeners[index])
        {
            return failure("Conflicted", rival)
        }
        return .success(free)
    }

    private func takes(_ route: AnyRoute, _ listener: GatewayListenerState) -> Bool {
        let namespaces = listener.spec.allowedRoutes?.namespaces ?? GatewayAPI.AllowedNamespaces()
        return listener.supportedKinds.contains(route.kind)
            && namespaces.allows(
                route.namespace, labels: objects.labels(of: route.namespace), owner: listener.owner.namespace,
                fallback: .same)
    }

    /// An older route that leaves no place for this one: of the other kind for the same host, or for the same connections.
    private func rival(of route: AnyRoute, hosts: [String], at listener: GatewayListenerState) -> String? {
        for (index, others) in listener.routes {
            let other = objects.routes[index]
            switch (route.kind, other.kind) {
            case ("HTTPRoute", "GRPCRoute"), ("GRPCRoute", "HTTPRoute"):
                let common = hosts.first { host in others.contains { GatewayHostname.intersection($0, host) != nil } }
                if let common { return "\(other.resource), which is older, has the host \(common) at this listener" }
            case ("TCPRoute", "TCPRoute"): return "\(other.resource), which is older, has this listener"
            case ("TLSRoute", "TLSRoute"):
                if let common = hosts.first(where: others.contains) {
                    return "\(other.resource), which is older, has the host \(common) at this listener"
                }
            default: break
            }
        }
        return nil
    }

    // MARK: - Mesh

    private mutating func attachToService(_ index: Int, _ reference: GatewayAPI.ParentReference) {
        let route = objects.routes[index]
        var parent = RouteParent(reference: reference, controller: GatewayAPI.Controller.mesh)
        defer { parents[index].append(parent) }
        let namespace = reference.namespace ?? route.namespace
        func refuse(_ reason: String, _ message: String) {
            parent.refusal = ReferenceProblem(reason: reason, message: message)
        }
        guard let service = objects.service(reference.name, in: namespace) else {
            return refuse("NoMatchingParent", "Service \(namespace)/\(reference.name) does not exist")
        }
        if let port = reference.port, service.port(port) == nil {
            return refuse("NoMatchingParent", "Service \(namespace)/\(reference.name) has no port \(port)")
        }
        if let name = reference.sectionName, !service.ports.contains(where: { $0.name == name }) {
            return refuse("NoMatchingParent", "Service \(namespace)/\(reference.name) has no port named \(name)")
        }
        if let refusal = invalidity[index].refusal {
            parent.refusal = refusal
            return
        }
        let named = reference.sectionName.flatMap { name in service.ports.first { $0.name == name }?.number }
        meshRoutes[service.host, default: []].append((index, reference.port ?? named))
    }
}

extension GatewayAPIModel {
    /// Services that routes of the mesh are attached to, and those that they send requests to.
    var meshDestinations: Set<String> {
        var hosts = Set(meshRoutes.keys)
        for route in Set(meshRoutes.values.joined().map(\.route)).map({ objects.routes[$0] }) {
            for backend in route.backends.joined() {
                if case .service(let host, _) = objects.resolve(backend.reference, from: route) { hosts.insert(host) }
            }
        }
        return hosts
    }
}
