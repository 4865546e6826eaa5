import WeftConfig
import WeftCore

extension GatewayAPIModel {
    /// How many ancestors a policy may tell of (`PolicyStatus.ancestors`).
    private static let ancestorLimit = 16

    /// A policy answers to every Gateway that sends requests to one of its targets. Where none does, it answers for its
    /// targets in the mesh: workloads call them without a Gateway.
    var policyStatuses: [GatewayStatusEntry] {
        backendTLS.map { state in
            let hosts = objects.hosts(of: state.config)
            let conditions = JSONValue.array(conditions(of: state).map(\.json))
            func entry(_ ancestor: JSONValue, _ controller: String) -> JSONValue {
                ["ancestorRef": ancestor, "controllerName": .string(controller), "conditions": conditions]
            }
            var entries = gateways.filter { sends($0, to: hosts) }.map { gateway in
                entry(Self.reference(gateway), gateway.controller)
            }
            if entries.isEmpty {
                entries = state.config.spec.targetRefs.map {
                    entry(Self.reference($0, in: state.config.namespace), GatewayAPI.Controller.mesh)
                }
            }
            return GatewayStatusEntry(
                resource: state.config.resource, generation: state.config.generation,
                status: ["ancestors": .array(Array(entries.prefix(Self.ancestorLimit)))],
                controllers: Self.controllers)
        }
    }

    private func sends(_ gateway: BoundGateway, to hosts: Set<String>) -> Bool {
        gateway.listeners.flatMap(\.routes).contains { entry in
            let route = objects.routes[entry.route]
            return route.backends.joined().contains {
                guard case .service(let host, _) = objects.resolve($0.reference, from: route) else { return false }
                return hosts.contains(host)
            }
        }
    }

    private static func reference(_ gateway: BoundGateway) -> JSONValue {
        [
            "group": .string(GatewayAPI.group), "kind": "Gateway", "name": .string(gateway.name),
            "namespace": .string(gateway.namespace),
        ]
    }

    private static func reference(_ target: GatewayAPI.BackendTLSPolicy.Target, in namespace: String) -> JSONValue {
        var reference: JSONValue = [
            "group": .string(target.group), "kind": .string(target.kind), "name": .string(target.name),
            "namespace": .string(namespace),
        ]
        if let section = target.section { reference["sectionName"] = .string(section) }
        return reference
    }

    private func conditions(of state: BackendTLSState) -> [GatewayCondition] {
        let targets = state.config.spec.targetRefs
        let problems = targets.compactMap { objects.problem(of: $0, state) }
        var accepted = GatewayCondition("Accepted", good: "Accepted", state.refusal)
        if let first = problems.first, problems.count == targets.count {
            accepted = GatewayCondition("Accepted", good: "Accepted", first)
        } else if state.refusal == nil, !problems.isEmpty {
            accepted = GatewayCondition(
                "Accepted", true, "Accepted", problems.map(\.message).joined(separator: "; "))
        }
        return [accepted, GatewayCondition("ResolvedRefs", good: "ResolvedRefs", state.unresolved)]
    }
}

extension GatewayAPIObjects {
    /// Services that a policy is for, by its targets.
    private func services(of target: GatewayAPI.BackendTLSPolicy.Target, in namespace: String) -> [MeshService] {
        if target.kind == "Service" { return service(target.name, in: namespace).map { [$0] } ?? [] }
        return entries.values.filter { target.covers($0, in: namespace) }
    }

    fileprivate func hosts(of policy: Config<GatewayAPI.BackendTLSPolicy>) -> Set<String> {
        Set(policy.spec.targetRefs.filter(\.isSupported).flatMap { services(of: $0, in: policy.namespace) }.map(\.host))
    }

    /// Why a policy has no effect at one of its targets.
    fileprivate func problem(of target: GatewayAPI.BackendTLSPolicy.Target, _ state: BackendTLSState)
        -> ReferenceProblem?
    {
        guard target.isSupported else {
            return ReferenceProblem(
                reason: "Invalid",
                message: "target \(target.kind) \(target.name) is neither a Service nor a ServiceEntry")
        }
        if let other = state.taken[target] {
            return ReferenceProblem(
                reason: "Conflicted", message: "\(other), which is older, has \(target.kind) \(target.name) already")
        }
        let found = services(of: target, in: state.config.namespace)
        if found.isEmpty {
            return ReferenceProblem(
                reason: "TargetNotFound",
                message: "\(target.kind) \(state.config.namespace)/\(target.name) does not exist")
        }
        guard let section = target.section, !found.contains(where: { $0.ports.contains { $0.name == section } }) else {
            return nil
        }
        return ReferenceProblem(
            reason: "TargetNotFound", message: "\(target.kind) \(target.name) has no port named \(section)")
    }
}
