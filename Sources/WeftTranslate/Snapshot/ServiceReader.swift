import WeftConfig
import WeftCore
import WeftIR

/// Reads Services with their EndpointSlices and the WorkloadEntries that their selectors meet.
struct ServiceReader {
    let workloads: WorkloadList
    /// Who sees a Service that does not say (`defaultServiceExportTo`).
    private let defaultExportTo: [String]
    /// Traffic distribution that a namespace's annotation gives to its Services.
    let distributions: [String: MeshService.Distribution]

    init(
        _ workloads: WorkloadList, defaultExportTo: [String], distributions: [String: MeshService.Distribution]
    ) {
        self.workloads = workloads
        self.defaultExportTo = defaultExportTo
        self.distributions = distributions
    }

    /// - Parameter slices: in the order of their names.
    func service(_ object: KubernetesObject, _ slices: [KubernetesObject]) -> MeshService {
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
        service.exportTo =
            object.annotations["networking.istio.io/exportTo"].map {
                $0.split(separator: ",").map { String($0.filter { $0 != " " }) }
            } ?? defaultExportTo
        service.distribution =
            spec["trafficDistribution"]?.stringValue.flatMap(MeshService.Distribution.init(rawValue:))
            ?? MeshService.Distribution(annotationOf: object) ?? distributions[object.namespace]
        service.externalName = externalName
        if let externalName {
            service.endpoints = [
                MeshEndpoint(
                    address: externalName, isReady: true,
                    ports: Dictionary(ports.map { ($0.number, $0.number) }) { first, _ in first },
                    labels: [:], workload: nil)
            ]
        } else {
            let publishesAll = spec["publishNotReadyAddresses"]?.boolValue == true
            service.endpoints = endpoints(of: service, slices, publishesAll: publishesAll) + machines(of: service)
        }
        return service
    }

    /// WorkloadEntries count as pods do for the selector of a Service.
    private func machines(of service: MeshService) -> [MeshEndpoint] {
        guard let selector = service.selector, !selector.isEmpty else { return [] }
        return (workloads.machines[service.namespace] ?? []).filter { workload in
            selector.allSatisfy { workload.labels[$0.key] == $0.value }
        }.map { workload in
            MeshEndpoint(workload, ports: service.ports) { port in
                workload.namedPorts[port.name] ?? port.targetPortName.flatMap { workload.namedPorts[$0] }
                    ?? port.targetPort
            }
        }
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

    /// - Parameter publishesAll: addresses of pods that are not ready count too (`publishNotReadyAddresses`).
    private func endpoints(of service: MeshService, _ slices: [KubernetesObject], publishesAll: Bool)
        -> [MeshEndpoint]
    {
        var result: [String: MeshEndpoint] = [:]
        for slice in slices {
            let ports = targetPorts(of: slice, service: service)
            for entry in slice.json["endpoints"]?.arrayValue ?? [] {
                let target = entry["targetRef"]?["name"]?.stringValue
                for address in entry["addresses"]?.arrayValue?.compactMap(\.stringValue) ?? [] {
                    let workload = workloads.byAddress[address].flatMap {
                        target == nil || $0.name == target ? $0 : nil
                    }
                    var endpoint =
                        result[address]
                        ?? MeshEndpoint(
                            address: address,
                            isReady: publishesAll || entry[path: "conditions", "ready"]?.boolValue ?? true,
                            ports: [:],
                            labels: workload?.labels ?? [:], workload: workload)
                    endpoint.ports.merge(ports) { _, new in new }
                    endpoint.place(entry)
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
}

extension MeshEndpoint {
    /// - Parameter target: the workload's port behind a service port; `nil` when it has none.
    init(_ workload: Workload, ports: [MeshService.Port], target: (MeshService.Port) -> Int?) {
        self.init(
            address: workload.address, isReady: workload.entry?.isHealthy ?? true,
            ports: Dictionary(ports.compactMap { port in target(port).map { (port.number, $0) } }) { first, _ in first
            },
            labels: workload.labels, workload: workload, weight: workload.entry?.weight ?? 1)
        locality = workload.locality
        network = workload.network
        nodeName = workload.nodeName
    }

    /// Where the pod is: its own locality, else the zone that the slice gives.
    fileprivate mutating func place(_ entry: JSONValue) {
        nodeName = entry["nodeName"]?.stringValue ?? workload?.nodeName ?? ""
        hostname = entry["hostname"]?.stringValue ?? ""
        network = workload?.network ?? ""
        locality = workload?.locality ?? locality
        if locality.zone.isEmpty { locality.zone = entry["zone"]?.stringValue ?? "" }
    }
}

extension MeshService.Distribution {
    init?(annotationOf object: KubernetesObject) {
        guard let text = object.annotations["networking.istio.io/traffic-distribution"] else { return nil }
        self.init(rawValue: text)
    }
}
