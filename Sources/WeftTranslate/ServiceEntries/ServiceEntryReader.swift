import WeftConfig
import WeftCore
import WeftIR

/// Makes services of ServiceEntries: one for each host, with the endpoints that the entry lists or selects.
struct ServiceEntryReader {
    private let workloads: WorkloadList
    private let meshConfig: MeshConfig
    /// Addresses in the status of entries, by entry and host.
    private let allocated: [ResourceReference: [String: [String]]]
    private let annotated: [ResourceReference: MeshService.Distribution]

    init(objects: [KubernetesObject], workloads: WorkloadList, meshConfig: MeshConfig) {
        self.workloads = workloads
        self.meshConfig = meshConfig
        let entries = objects.filter { $0.isKind(ServiceEntry.self) }
        allocated = Dictionary(
            entries.map { ($0.reference, AddressAllocation.recorded(in: $0)) }, uniquingKeysWith: { first, _ in first })
        annotated = Dictionary(
            entries.compactMap { entry in
                MeshService.Distribution(annotationOf: entry).map { (entry.reference, $0) }
            }, uniquingKeysWith: { first, _ in first })
    }

    func services(of entry: Config<ServiceEntry>) -> [MeshService] {
        let spec = entry.spec
        let ports = (spec.ports ?? []).compactMap { port -> MeshService.Port? in
            guard let number = port.number else { return nil }
            return MeshService.Port(
                number: number, name: port.name ?? "", protocol: protocolOf(port), targetPort: port.targetPort ?? number
            )
        }
        var seen: Set<String> = []
        return (spec.hosts ?? []).filter { seen.insert($0.smallLetters).inserted }.map { host in
            let name = host.smallLetters
            var service = MeshService(
                host: name, name: name, namespace: entry.namespace, addresses: spec.addresses ?? [], ports: ports,
                resolution: resolution(spec, host: name), resource: entry.resource)
            service.isExternal = (spec.location ?? .meshExternal) == .meshExternal
            service.exportTo = spec.exportTo ?? meshConfig.defaultServiceExportTo ?? []
            service.created = entry.created
            service.subjectAltNames = spec.subjectAltNames ?? []
            service.selector = spec.workloadSelector?.labels
            service.distribution = annotated[entry.resource]
            if service.addresses.isEmpty { service.allocatedAddresses = allocated[entry.resource]?[host] ?? [] }
            service.endpoints = endpoints(of: spec, host: name, ports: ports, namespace: entry.namespace)
            return service
        }
    }

    /// Declared by `protocol`; an entry that declares none has TCP, as in Istio.
    private func protocolOf(_ port: ServiceEntry.Port) -> PortProtocol {
        guard let text = port.protocol, !text.isEmpty else { return .tcp }
        return PortProtocol.parse(text) ?? .sniffed
    }

    private func resolution(_ spec: ServiceEntry, host: String) -> MeshService.Resolution {
        switch spec.resolution ?? .none {
        case .none: return .passthrough
        case .static: return .endpoints
        case .dns, .dnsRoundRobin:
            // A wildcard without endpoints has no name to resolve: the connection's own address is all there is.
            if host.hasPrefix("*"), (spec.endpoints ?? []).isEmpty, spec.workloadSelector == nil { return .passthrough }
            return spec.resolution == .dns ? .dns : .dnsRoundRobin
        case .dynamicDNS: return .dynamicDNS
        }
    }

    private func endpoints(
        of spec: ServiceEntry, host: String, ports: [MeshService.Port], namespace: String
    ) -> [MeshEndpoint] {
        if let selector = spec.workloadSelector {
            return workloads.all.filter { $0.namespace == namespace && selector.matches($0.labels) }.map { workload in
                MeshEndpoint(workload, ports: ports) { port in
                    (workload.entry == nil ? nil : workload.namedPorts[port.name]) ?? port.targetPort ?? port.number
                }
            }
        }
        let entries = spec.endpoints ?? []
        if entries.isEmpty, !host.hasPrefix("*"), spec.resolution == .dns || spec.resolution == .dnsRoundRobin {
            let own = Dictionary(ports.map { ($0.number, $0.targetPort ?? $0.number) }) { first, _ in first }
            return [MeshEndpoint(address: host, isReady: true, ports: own, labels: [:], workload: nil)]
        }
        return entries.compactMap { endpoint(of: $0, ports: ports, namespace: namespace) }
    }

    private func endpoint(of entry: WorkloadEntry, ports: [MeshService.Port], namespace: String) -> MeshEndpoint? {
        guard let address = entry.endpointAddress else { return nil }
        let own = ports.map { ($0.number, entry.ports?[$0.name] ?? $0.targetPort ?? $0.number) }
        var workload = workloads.byAddress[address]
        if workload == nil, let account = entry.serviceAccount, !account.isEmpty {
            // The account is the identity that callers expect, as with a WorkloadEntry of its own.
            let name = entry.labels?["app"] ?? address
            workload = Workload(
                name: name, namespace: namespace, address: address, labels: entry.labels ?? [:],
                serviceAccount: account, workloadName: name, namedPorts: entry.ports ?? [:])
            workload?.entry = .init(weight: entry.effectiveWeight, isHealthy: true)
        }
        var endpoint = MeshEndpoint(
            address: address, isReady: true, ports: Dictionary(own) { first, _ in first }, labels: entry.labels ?? [:],
            workload: workload, weight: entry.effectiveWeight)
        endpoint.locality = entry.locality.map(Locality.init(path:)) ?? workload?.locality ?? Locality()
        endpoint.network = entry.network ?? entry.labels?["topology.istio.io/network"] ?? workload?.network ?? ""
        endpoint.nodeName = workload?.nodeName ?? ""
        return endpoint
    }
}

extension [MeshService] {
    /// A ServiceEntry with the host and namespace of a Service adds its endpoints to it, and is otherwise left out.
    func joiningEntriesToServices() -> [MeshService] {
        guard contains(where: { $0.resource.kind != "Service" }) else { return self }
        var result = filter { $0.resource.kind == "Service" }
        let index = Dictionary(
            result.indices.map { ("\(result[$0].namespace)/\(result[$0].host)", $0) },
            uniquingKeysWith: { first, _ in first })
        for entry in self where entry.resource.kind != "Service" {
            guard let position = index["\(entry.namespace)/\(entry.host)"] else {
                result.append(entry)
                continue
            }
            guard entry.resolution == .endpoints, result[position].resolution == .endpoints else { continue }
            let known = Set(result[position].endpoints.map(\.address))
            result[position].endpoints += entry.endpoints.filter { !known.contains($0.address) }
        }
        return result
    }
}
