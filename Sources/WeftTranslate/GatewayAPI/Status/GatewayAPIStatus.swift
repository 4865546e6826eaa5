import WeftConfig
import WeftCore

extension GatewayAPIModel {
    /// The status of every object of the Gateway API that is ours to write.
    package var statuses: [GatewayStatusEntry] {
        classStatuses + gateways.map(status) + listenerSets.map(status) + routeStatuses + policyStatuses
    }

    // MARK: - Classes

    private var classStatuses: [GatewayStatusEntry] {
        objects.classes.filter { GatewayAPI.Controller.isOurs($0.spec.controllerName) }.map { config in
            let problem = config.spec.parametersRef.map { _ in
                ReferenceProblem(
                    reason: "InvalidParameters",
                    message:
                        "parametersRef of a GatewayClass is not supported: use infrastructure.parametersRef of the Gateway"
                )
            }
            let features = GatewayFeature.supported.map { JSONValue.object(["name": .string($0.name)]) }
            let conditions = [GatewayCondition("Accepted", good: "Accepted", problem)] + versionCondition
            return GatewayStatusEntry(
                resource: config.resource, generation: config.generation,
                status: [
                    "conditions": .array(conditions.map(\.json)), "supportedFeatures": .array(features),
                ], controllers: [])
        }
    }

    /// Whether the cluster's definitions are of a release that is known here. Those of others work as far as both know the
    /// same fields ("best effort").
    private var versionCondition: [GatewayCondition] {
        guard let definition = objects.definition else { return [] }
        let found = definition.annotations[GatewayAPI.versionAnnotation]
        let known = GatewayAPI.version.prefix(
            upTo: GatewayAPI.version.lastIndex(of: ".") ?? GatewayAPI.version.endIndex)
        guard let found, found.hasPrefix("\(known).") else {
            return [
                GatewayCondition(
                    "SupportedVersion", false, "UnsupportedVersion",
                    "the Gateway API's definitions are of release \(found ?? "(not told)"), known here is \(known); what both releases have works"
                )
            ]
        }
        return [GatewayCondition("SupportedVersion", true, "SupportedVersion")]
    }

    // MARK: - Gateways

    private func status(_ gateway: BoundGateway) -> GatewayStatusEntry {
        let own = gateway.listeners.filter { $0.owner == gateway.config.resource }
        let accepted = accepted(own, refusal: gateway.refusal)
        let addresses = GatewayAddresses(gateway: gateway, objects: objects)
        var programmed = GatewayCondition("Programmed", good: "Programmed", addresses.problem)
        if !accepted.status { programmed = GatewayCondition("Programmed", false, "Invalid", accepted.message) }
        var conditions = [accepted, programmed, resolved(gateway, own)]
        let insecure = own.filter { $0.clientAuthority != nil && $0.clientMode == .allowInsecureFallback }
        if !insecure.isEmpty {
            conditions.append(
                GatewayCondition(
                    "InsecureFrontendValidationMode", true, "ConfigurationChanged",
                    "listeners \(insecure.map(\.spec.name).joined(separator: ", ")) take clients without a valid certificate"
                ))
        }
        var status: JSONValue = [
            "conditions": .array(conditions.map(\.json)),
            "listeners": .array(own.map { listener($0, isParentProgrammed: accepted.status) }),
        ]
        let attached = listenerSets.filter { set in
            gateway.listenerSets.contains(set.config.resource) && setAcceptance(set, gateway).status
        }
        status["attachedListenerSets"] = .int(Int64(attached.count))
        if !addresses.found.isEmpty {
            status["addresses"] = .array(
                addresses.found.map { ["type": .string($0.effectiveType), "value": .string($0.value ?? "")] })
        }
        return GatewayStatusEntry(
            resource: gateway.config.resource, generation: gateway.config.generation, status: status,
            controllers: [gateway.controller])
    }

    private func accepted(_ listeners: [GatewayListenerState], refusal: ReferenceProblem?) -> GatewayCondition {
        if let refusal { return GatewayCondition("Accepted", false, refusal.reason, refusal.message) }
        let bad = listeners.filter { !$0.isAccepted }
        guard !bad.isEmpty else { return GatewayCondition("Accepted", true, "Accepted") }
        let sentences = bad.map { "listener \($0.spec.name): \(($0.conflict ?? $0.refusal)?.message ?? "")" }
        return GatewayCondition(
            "Accepted", bad.count < listeners.count, "ListenersNotValid", sentences.joined(separator: "; "))
    }

    private func resolved(_ gateway: BoundGateway, _ own: [GatewayListenerState]) -> GatewayCondition {
        if let problem = gateway.backendCertificateProblem {
            return GatewayCondition("ResolvedRefs", false, problem.reason, problem.message)
        }
        let bad = own.compactMap { state in state.unresolved.map { "listener \(state.spec.name): \($0.message)" } }
        guard !bad.isEmpty else { return GatewayCondition("ResolvedRefs", true, "ResolvedRefs") }
        return GatewayCondition("ResolvedRefs", false, "ListenersNotResolved", bad.joined(separator: "; "))
    }

    private func listener(_ state: GatewayListenerState, isParentProgrammed: Bool) -> JSONValue {
        let refusal = state.conflict ?? state.refusal
        var accepted = GatewayCondition("Accepted", good: "Accepted", refusal)
        if refusal == nil, !state.unknownOptions.isEmpty {
            accepted = GatewayCondition(
                "Accepted", true, "Accepted",
                "tls.options \(state.unknownOptions.joined(separator: ", ")) are not known and have no effect")
        }
        var problem = refusal
        if problem == nil, !state.isServed {
            problem = ReferenceProblem(reason: "Invalid", message: state.unresolved?.message ?? "no certificate")
        }
        if problem == nil, !isParentProgrammed {
            problem = ReferenceProblem(reason: "Invalid", message: "the Gateway is not accepted")
        }
        var conditions = [
            accepted, GatewayCondition("Programmed", good: "Programmed", problem),
            GatewayCondition("ResolvedRefs", good: "ResolvedRefs", state.unresolved),
            GatewayCondition(
                "Conflicted", state.conflict != nil, state.conflict?.reason ?? "NoConflicts",
                state.conflict?.message ?? ""),
        ]
        // Only ever told when it is true.
        if !state.overlaps.isEmpty {
            conditions.append(
                GatewayCondition(
                    "OverlappingTLSConfig", true, "OverlappingHostnames",
                    "listeners \(state.overlaps.joined(separator: ", ")) of port \(state.spec.port) serve some of the same hosts"
                ))
        }
        let kinds = state.supportedKinds.map { kind -> JSONValue in
            ["group": .string(GatewayAPI.group), "kind": .string(kind)]
        }
        return [
            "name": .string(state.spec.name), "attachedRoutes": .int(Int64(Set(state.routes.map(\.route)).count)),
            "supportedKinds": .array(kinds), "conditions": .array(conditions.map(\.json)),
        ]
    }

    // MARK: - ListenerSets

    private typealias BoundSet = (config: Config<GatewayAPI.ListenerSet>, gateway: Int, refusal: ReferenceProblem?)

    private func setAcceptance(_ set: BoundSet, _ gateway: BoundGateway) -> GatewayCondition {
        if let refusal = set.refusal { return GatewayCondition("Accepted", false, refusal.reason, refusal.message) }
        if let refusal = gateway.refusal {
            return GatewayCondition("Accepted", false, "ParentNotAccepted", refusal.message)
        }
        return accepted(gateway.listeners.filter { $0.owner == set.config.resource }, refusal: nil)
    }

    private func status(_ set: BoundSet) -> GatewayStatusEntry {
        let gateway = gateways[set.gateway]
        let accepted = setAcceptance(set, gateway)
        let addresses = GatewayAddresses(gateway: gateway, objects: objects)
        var programmed = GatewayCondition("Programmed", true, "Programmed")
        if !accepted.status {
            programmed = GatewayCondition("Programmed", false, accepted.reason, accepted.message)
        } else if let problem = addresses.problem {
            programmed = GatewayCondition("Programmed", false, "ParentNotProgrammed", problem.message)
        }
        let own = gateway.listeners.filter { $0.owner == set.config.resource }
        return GatewayStatusEntry(
            resource: set.config.resource, generation: set.config.generation,
            status: [
                "conditions": [accepted.json, programmed.json],
                "listeners": .array(own.map { listener($0, isParentProgrammed: accepted.status) }),
            ], controllers: [gateway.controller])
    }

    // MARK: - Routes

    static let controllers = GatewayAPI.Controller.managed.union([
        GatewayAPI.Controller.unmanaged, GatewayAPI.Controller.mesh,
    ])

    private var routeStatuses: [GatewayStatusEntry] {
        objects.routes.indices.map { index in
            let route = objects.routes[index]
            let resolved = GatewayCondition(
                "ResolvedRefs", good: "ResolvedRefs", objects.referenceProblem(of: route))
            let partial = invalidity[index].partial
            let entries = parents[index].map { parent -> JSONValue in
                var conditions = [GatewayCondition("Accepted", good: "Accepted", parent.refusal), resolved]
                if parent.refusal == nil, let partial {
                    conditions.append(GatewayCondition("PartiallyInvalid", true, partial.reason, partial.message))
                }
                return [
                    "parentRef": Self.json(parent.reference), "controllerName": .string(parent.controller),
                    "conditions": .array(conditions.map(\.json)),
                ]
            }
            return GatewayStatusEntry(
                resource: route.resource, generation: route.generation, status: ["parents": .array(entries)],
                controllers: Self.controllers)
        }
    }

    /// With its defaults, as the API server would store it.
    private static func json(_ reference: GatewayAPI.ParentReference) -> JSONValue {
        var json: JSONValue = [
            "group": .string(reference.effectiveGroup), "kind": .string(reference.effectiveKind),
            "name": .string(reference.name),
        ]
        if let namespace = reference.namespace { json["namespace"] = .string(namespace) }
        if let section = reference.sectionName { json["sectionName"] = .string(section) }
        if let port = reference.port { json["port"] = .int(Int64(port)) }
        return json
    }
}

/// Where a gateway can be reached, and why not.
struct GatewayAddresses {
    let found: [GatewayAPI.Address]
    let problem: ReferenceProblem?

    init(gateway: BoundGateway, objects: GatewayAPIObjects) {
        let manual = gateway.hasManualAddress
        let hosts =
            manual
            ? gateway.manualServices
            : ["\(gateway.deploymentName).\(gateway.namespace).svc.\(MeshSnapshot.clusterDomain)"]
        guard let host = hosts.first, let service = objects.services[host],
            let object = objects.serviceObjects["\(service.namespace)/\(service.name)"]
        else {
            found = []
            let name = hosts.first ?? gateway.deploymentName
            problem = ReferenceProblem(
                reason: manual ? "AddressNotUsable" : "AddressNotAssigned",
                message: manual
                    ? "address \(name) is not the host of a Service" : "the gateway's Service \(name) is not there yet")
            return
        }
        let given = Self.addresses(of: service, object)
        found = given
        let asked = (gateway.config.spec.addresses ?? []).filter {
            $0.effectiveType == "IPAddress" && !($0.value ?? "").isEmpty
        }.compactMap(\.value)
        let usable = Set(given.compactMap(\.value) + service.addresses)
        if let missing = asked.first(where: { !usable.contains($0) }) {
            problem = ReferenceProblem(
                reason: "AddressNotUsable",
                message:
                    "address \(missing) was not given to Service \(service.namespace)/\(service.name); it has \(usable.sorted().joined(separator: ", "))"
            )
        } else if given.isEmpty {
            problem = ReferenceProblem(
                reason: "AddressNotAssigned",
                message: "Service \(service.namespace)/\(service.name) has no address yet; a load balancer gives it one"
            )
        } else if !service.endpoints.contains(where: \.isReady) {
            problem = ReferenceProblem(
                reason: "Pending", message: "no pod behind Service \(service.namespace)/\(service.name) is ready yet")
        } else {
            problem = nil
        }
    }

    /// What a load balancer has given; the address inside the cluster where there is to be none.
    private static func addresses(of service: MeshService, _ object: KubernetesObject) -> [GatewayAPI.Address] {
        let ingress = object.json[path: "status", "loadBalancer", "ingress"]?.arrayValue ?? []
        let external = ingress.compactMap { entry -> GatewayAPI.Address? in
            if let ip = entry["ip"]?.stringValue { return .init(type: "IPAddress", value: ip) }
            return entry["hostname"]?.stringValue.map { .init(type: "Hostname", value: $0) }
        }
        let ips = (object.json[path: "spec", "externalIPs"]?.arrayValue ?? []).compactMap(\.stringValue)
        let all = external + ips.map { .init(type: "IPAddress", value: $0) }
        if !all.isEmpty { return all }
        if object.json[path: "spec", "type"]?.stringValue == "LoadBalancer" { return [] }
        return [.init(type: "Hostname", value: service.host)]
    }
}
