import WeftConfig
import WeftCore

/// Why a reference cannot be followed: a reason as the Gateway API names it, and a sentence.
struct ReferenceProblem: Sendable, Hashable {
    var reason: String
    var message: String
}

/// A backend of a route, found or not.
enum GatewayBackend: Sendable, Hashable {
    case service(host: String, port: Int)
    case invalid(ReferenceProblem)
}

extension GatewayAPIObjects {
    /// Finds the Service (or Istio host) behind a reference of a route.
    func resolve(_ backend: GatewayAPI.BackendReference, from route: AnyRoute) -> GatewayBackend {
        let namespace = backend.namespace ?? route.namespace
        let target = (
            group: backend.effectiveGroup, kind: backend.effectiveKind, namespace: namespace, name: backend.name
        )
        let shown = "\(backend.effectiveKind) \(namespace)/\(backend.name)"
        func invalid(_ reason: String, _ message: String) -> GatewayBackend {
            .invalid(ReferenceProblem(reason: reason, message: message))
        }
        switch (backend.effectiveGroup, backend.effectiveKind) {
        case ("", "Service"), ("networking.istio.io", "Hostname"): break
        default:
            return invalid(
                "InvalidKind",
                "backend \(backend.effectiveGroup.isEmpty ? "" : backend.effectiveGroup + "/")\(shown) is not of a kind that can be routed to: use a Service"
            )
        }
        // In the mesh whoever writes the route could call the Service himself: Istio asks for no grant there, and neither do we.
        guard route.isForMeshAlone || permits(route.kind, in: route.namespace, to: target) else {
            return invalid(
                "RefNotPermitted",
                "\(shown) is in another namespace and no ReferenceGrant there allows \(route.kind)s of namespace \(route.namespace)"
            )
        }
        guard let port = backend.port else {
            return invalid("BackendNotFound", "backend \(shown) names no port; set backendRefs[].port")
        }
        if backend.effectiveKind == "Hostname" {
            guard entries[backend.name] != nil || services[backend.name] != nil else {
                return invalid("BackendNotFound", "no service has the host \(backend.name)")
            }
            return .service(host: backend.name, port: port)
        }
        guard let service = service(backend.name, in: namespace) else {
            return invalid("BackendNotFound", "\(shown) does not exist")
        }
        guard let found = service.port(port) else {
            let ports = service.ports.map { String($0.number) }.joined(separator: ", ")
            return invalid("BackendNotFound", "\(shown) has no port \(port) (it has \(ports))")
        }
        guard found.protocol != .udp else {
            return invalid("UnsupportedProtocol", "port \(port) of \(shown) is UDP")
        }
        return .service(host: service.host, port: port)
    }

    /// The first thing that is wrong with a route's references, with all sentences together.
    func referenceProblem(of route: AnyRoute) -> ReferenceProblem? {
        var problems = route.backends.joined().compactMap { backend -> ReferenceProblem? in
            guard case .invalid(let problem) = resolve(backend.reference, from: route) else { return nil }
            return problem
        }
        for filter in route.filters.flatMap({ $0.rule + $0.backends }) {
            guard let mirror = filter.requestMirror, filter.type == "RequestMirror",
                case .invalid(let problem) = resolve(mirror.backendRef, from: route)
            else { continue }
            problems.append(problem)
        }
        guard let first = problems.first else { return nil }
        var seen: Set<String> = []
        let sentences = problems.map(\.message).filter { seen.insert($0).inserted }
        return ReferenceProblem(reason: first.reason, message: sentences.joined(separator: "; "))
    }
}
