import WeftConfig
import WeftCore
import WeftIR

/// The addresses behind one port of a service or of a subset, and, where there are none, the reason.
struct EndpointAssignments {
    let scope: Scope

    func assignment(
        name: String, service: MeshService, port: MeshService.Port, subset: DestinationRule.Subset?,
        destination: DestinationPolicy?, localities: LocalityBalancing
    ) -> ClusterLoadAssignment {
        var assignment = ClusterLoadAssignment(clusterName: name)
        let selected = service.endpoints.filter { endpoint in
            (subset?.labels ?? [:]).allSatisfy { endpoint.labels[$0.key] == $0.value }
        }
        let endpoints = selected.filter(\.isReady).compactMap { source in
            endpoint(of: source, service: service, port: port).map { (source: source, endpoint: $0) }
        }
        assignment.localities = localities.localities(of: endpoints)
        if subset != nil, let destination {
            assignment.provenance = Provenance(destination.resource, ruleName: subset?.name)
        } else {
            assignment.provenance = Provenance(service.resource)
        }
        if endpoints.isEmpty { assignment.emptyReason = reason(service, port, subset, destination, selected: selected) }
        return assignment
    }

    private func endpoint(of source: MeshEndpoint, service: MeshService, port: MeshService.Port) -> Endpoint? {
        guard let number = source.ports[port.number], let target = UInt16(exactly: number) else { return nil }
        let isName = service.resolution == .dns || service.resolution == .dnsRoundRobin
        let address: Address =
            source.isUnixSocket
            ? .unix(path: source.address)
            : isName ? .hostname(source.address, port: target) : .ip(source.address, port: target)
        var endpoint = Endpoint(address: address)
        endpoint.weight = source.weight
        if isName, !source.isUnixSocket { endpoint.hostname = source.address }
        guard let workload = source.workload else { return endpoint }
        if PeerModes(snapshot: scope.snapshot).endpointMode(source, port: port.number) {
            endpoint.transportSocketMatch = ["tlsMode": "istio"]
        }
        var metadata = WorkloadMetadata()
        metadata.name = workload.workloadName
        metadata.namespace = workload.namespace
        metadata.canonicalName = workload.canonicalName
        metadata.canonicalRevision = workload.canonicalRevision
        metadata.cluster = "Kubernetes"
        endpoint.workload = metadata
        return endpoint
    }

    private func reason(
        _ service: MeshService, _ port: MeshService.Port, _ subset: DestinationRule.Subset?,
        _ destination: DestinationPolicy?,
        selected: [MeshEndpoint]
    ) -> String {
        if let subset, let destination, selected.isEmpty {
            let labels = (subset.labels ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(
                separator: ",")
            let change = "label the pods or change \(destination.resource)"
            return "subset \(subset.name ?? "") of host \(service.host) selects no pod (labels \(labels)); \(change)"
        }
        let what = subset.map { "subset \($0.name ?? "") of host \(service.host)" } ?? "host \(service.host)"
        if service.resource.kind != "Service" { return "\(what) has no endpoint; see \(service.resource)" }
        if service.endpoints.isEmpty {
            let selector = (service.selector ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(
                separator: ",")
            return selector.isEmpty
                ? "\(what) has no endpoint: \(service.resource) has no selector and no EndpointSlice"
                : "\(what) has no pod: none matches the selector \(selector) of \(service.resource)"
        }
        if selected.contains(where: \.isReady) {
            return "\(what): no pod has a port for service port \(port.number); see targetPort in \(service.resource)"
        }
        return "\(what) has no ready pod (\(selected.count) not ready)"
    }
}
