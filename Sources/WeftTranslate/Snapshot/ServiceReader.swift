import WeftConfig
import WeftCore

/// Reads Services with their EndpointSlices, and ServiceEntries.
struct ServiceReader {
    private let services: [KubernetesObject]
    private let slices: [String: [KubernetesObject]]
    private let workloads: [Workload]
    private let byAddress: [String: Workload]

    init(objects: [KubernetesObject], workloads: [Workload]) {
        services = objects.filter { $0.kind == "Service" && $0.apiVersion == "v1" }
        slices = Dictionary(
            grouping: objects.filter { $0.kind == "EndpointSlice" },
            by: { "\($0.namespace)/\($0.labels["kubernetes.io/service-name"] ?? "")" })
        self.workloads = workloads
        byAddress = Dictionary(workloads.map { ($0.address, $0) }, uniquingKeysWith: { first, _ in first })
    }

    // MARK: - Kubernetes

    func kubernetesServices() -> [MeshService] { services.map(service) }

    private func service(_ object: KubernetesObject) -> MeshService {
        let spec = object.json["spec"] ?? .object([:])
        let ports = (spec["ports"]?.arrayValue ?? []).compactMap(port)
        let clusterIP = spec["clusterIP"]?.stringValue ?? ""
        let externalName = spec["type"]?.stringValue == "ExternalName" ? spec["externalName"]?.stringValue : nil
        let addresses = (spec["clusterIPs"]?.arrayValue?.compactMap(\.stringValue) ?? [clusterIP]).filter {
            !$0.isEmpty && $0 != "None"
        }
        var service = MeshService(
            host: "\(object.name).\(object.namespace).svc.\(MeshSnapshot.clusterDomain)", name: object.name,
            namespace: object.namespace,
            addresses: addresses, ports: ports,
            resolution: externalName != nil ? .dns : (clusterIP == "None" ? .headless : .endpoints),
            resource: object.reference)
        service.isExternal = externalName != nil
        service.selector = spec["selector"]?.objectValue?.compactMapValues(\.stringValue)
        service.created = object.creationTimestamp
        service.exportTo = (object.annotations["networking.istio.io/exportTo"] ?? "").split(separator: ",").map {
            String($0.filter { $0 != " " })
        }
        if let externalName {
            service.endpoints = [
                MeshEndpoint(
                    address: externalName, isReady: true,
                    ports: Dictionary(ports.map { ($0.number, $0.number) }) { first, _ in first },
                    labels: [:], workload: nil)
            ]
        } else {
            service.endpoints = endpoints(of: service)
        }
        return service
    }

    private func port(_ json: JSONValue) -> MeshService.Port? {
        guard let number = json["port"]?.intValue else { return nil }
        let name = json["name"]?.stringValue
        return MeshService.Port(
            number: number, name: name ?? "",
            protocol: .declared(
                name: name, appProtocol: json["appProtocol"]?.stringValue, transport: json["protocol"]?.stringValue,
                port: number),
            targetPort: json["targetPort"]?.intValue ?? (json["targetPort"]?.stringValue == nil ? number : nil),
            targetPortName: json["targetPort"]?.stringValue)
    }

    private func endpoints(of service: MeshService) -> [MeshEndpoint] {
        var result: [String: MeshEndpoint] = [:]
        for slice in (slices["\(service.namespace)/\(service.name)"] ?? []).sorted(by: { $0.name < $1.name }) {
            let ports = targetPorts(of: slice, service: service)
            for entry in slice.json["endpoints"]?.arrayValue ?? [] {
                let target = entry["targetRef"]?["name"]?.stringValue
                for address in entry["addresses"]?.arrayValue?.compactMap(\.stringValue) ?? [] {
                    let workload = byAddress[address].flatMap { target == nil || $0.name == target ? $0 : nil }
                    var endpoint =
                        result[address]
                        ?? MeshEndpoint(
                            address: address, isReady: entry[path: "conditions", "ready"]?.boolValue ?? true,
                            ports: [:],
                            labels: workload?.labels ?? [:], workload: workload)
                    endpoint.ports.merge(ports) { _, new in new }
                    result[address] = endpoint
                }
            }
        }
        return result.values.sorted { $0.address < $1.address }
    }

    private func targetPorts(of slice: KubernetesObject, service: MeshService) -> [Int: Int] {
        var ports: [Int: Int] = [:]
        for json in slice.json["ports"]?.arrayValue ?? [] {
            guard let number = json["port"]?.intValue else { continue }
            let name = json["name"]?.stringValue ?? ""
            for port in service.ports where port.name == name { ports[port.number] = number }
        }
        return ports
    }

    // MARK: - ServiceEntry

    func services(of entry: Config<ServiceEntry>) -> [MeshService] {
        let spec = entry.spec
        let ports = (spec.ports ?? []).compactMap { port -> MeshService.Port? in
            guard let number = port.number else { return nil }
            let declared = port.protocol.flatMap(PortProtocol.parse) ?? .tcp
            return MeshService.Port(
                number: number, name: port.name ?? "", protocol: declared, targetPort: port.targetPort ?? number)
        }
        return (spec.hosts ?? []).map { host in
            var service = MeshService(
                host: host, name: host, namespace: entry.namespace, addresses: spec.addresses ?? [], ports: ports,
                resolution: resolution(spec.resolution ?? .none), resource: entry.resource)
            service.isExternal = (spec.location ?? .meshExternal) == .meshExternal
            service.exportTo = spec.exportTo ?? []
            service.created = entry.created
            service.subjectAltNames = spec.subjectAltNames ?? []
            service.endpoints = endpoints(of: spec, host: host, ports: ports, namespace: entry.namespace)
            return service
        }
    }

    private func resolution(_ resolution: ServiceEntry.Resolution) -> MeshService.Resolution {
        switch resolution {
        case .static: .endpoints
        case .dns: .dns
        case .dnsRoundRobin: .dnsRoundRobin
        case .none, .dynamicDNS: .passthrough
        }
    }

    private func endpoints(
        of spec: ServiceEntry, host: String, ports: [MeshService.Port], namespace: String
    ) -> [MeshEndpoint] {
        if let selector = spec.workloadSelector {
            return workloads.filter { $0.namespace == namespace && selector.matches($0.labels) }.map {
                MeshEndpoint(
                    address: $0.address, isReady: true,
                    ports: Dictionary(ports.map { ($0.number, $0.targetPort ?? $0.number) }) { first, _ in first },
                    labels: $0.labels, workload: $0)
            }
        }
        let entries = spec.endpoints ?? []
        if entries.isEmpty, spec.resolution == .dns || spec.resolution == .dnsRoundRobin {
            let own = Dictionary(ports.map { ($0.number, $0.targetPort ?? $0.number) }) { first, _ in first }
            return [MeshEndpoint(address: host, isReady: true, ports: own, labels: [:], workload: nil)]
        }
        return entries.compactMap { entry in
            guard let address = entry.address else { return nil }
            let own = ports.map { ($0.number, entry.ports?[$0.name] ?? $0.targetPort ?? $0.number) }
            return MeshEndpoint(
                address: address, isReady: true, ports: Dictionary(own) { first, _ in first },
                labels: entry.labels ?? [:],
                workload: byAddress[address], weight: UInt32(clamping: max(1, entry.weight ?? 1)))
        }
    }
}
