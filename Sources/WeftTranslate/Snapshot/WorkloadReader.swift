import WeftConfig
import WeftCore
import WeftIR

/// Reads pods, and the WorkloadEntries that stand beside them.
enum WorkloadReader {
    /// Pods first, each sort in order of namespace and name.
    /// - Parameter pod: what a pod is read into; nothing for one that traffic does not reach.
    static func workloads(
        in objects: [KubernetesObject], entries: [Config<WorkloadEntry>], pod: (KubernetesObject) -> Workload?
    ) -> [Workload] {
        let nodes = Dictionary(
            objects.filter { $0.kind == "Node" && $0.apiVersion == "v1" }.map { ($0.name, $0) },
            uniquingKeysWith: { first, _ in first })
        let pods = objects.filter { $0.kind == "Pod" && $0.apiVersion == "v1" }.compactMap { object in
            pod(object).map { placed($0, nodes) }
        }
        let written = Dictionary(
            objects.filter { $0.isKind(WorkloadEntry.self) }.map { ($0.reference, $0) },
            uniquingKeysWith: { first, _ in first })
        let machines = entries.compactMap { workload($0, written[$0.resource]) }
        return [pods, machines].flatMap { list in
            list.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
        }
    }

    /// As the condition `Healthy` says. Without one a machine is well, unless its proxy probes it and has not said so yet.
    private static func isHealthy(_ entry: KubernetesObject) -> Bool {
        let condition = (entry.json[path: "status", "conditions"]?.arrayValue ?? []).first {
            $0["type"]?.stringValue == MachineRegistration.healthCondition
        }
        if let status = condition?["status"]?.stringValue { return status == "True" }
        return entry.annotations[MachineRegistration.probedAnnotation] != "true"
    }

    /// - Parameter object: the entry as it was written: labels of its metadata count too, before those of its spec.
    private static func workload(_ config: Config<WorkloadEntry>, _ object: KubernetesObject?) -> Workload? {
        guard let address = config.spec.endpointAddress else { return nil }
        let labels = (config.spec.labels ?? [:]).merging(object?.labels ?? [:]) { $1 }
        var workload = Workload(
            name: config.name, namespace: config.namespace, address: address, labels: labels,
            serviceAccount: config.spec.serviceAccount ?? "",
            workloadName: labels["service.istio.io/workload-name"] ?? labels["app"] ?? config.name,
            namedPorts: config.spec.ports ?? [:])
        workload.locality = config.spec.locality.map(Locality.init(path:)) ?? Locality()
        workload.network = config.spec.network ?? labels["topology.istio.io/network"] ?? ""
        workload.entry = .init(weight: config.spec.effectiveWeight, isHealthy: object.map(isHealthy) ?? true)
        return workload
    }

    /// `nil` for a pod that traffic does not reach.
    static func workload(_ pod: KubernetesObject) -> Workload? {
        let phase = pod.json[path: "status", "phase"]?.stringValue
        guard let address = pod.json[path: "status", "podIP"]?.stringValue, !address.isEmpty, phase != "Succeeded",
            phase != "Failed",
            pod.json[path: "spec", "hostNetwork"]?.boolValue != true
        else { return nil }
        var workload = Workload(
            name: pod.name, namespace: pod.namespace, address: address, labels: pod.labels,
            serviceAccount: pod.json[path: "spec", "serviceAccountName"]?.stringValue ?? "default",
            workloadName: workloadName(pod), namedPorts: namedPorts(pod))
        workload.nodeName = pod.json[path: "spec", "nodeName"]?.stringValue ?? ""
        workload.network = workload.labels["topology.istio.io/network"] ?? ""
        return workload
    }

    private static func placed(_ workload: Workload, _ nodes: [String: KubernetesObject]) -> Workload {
        var workload = workload
        workload.locality = locality(of: workload, node: nodes[workload.nodeName])
        return workload
    }

    /// The pod's label `istio-locality` (`region.zone.subzone`), else what its node's labels say.
    private static func locality(of workload: Workload, node: KubernetesObject?) -> Locality {
        if let own = workload.labels["istio-locality"], !own.isEmpty {
            return Locality(path: own.contains("/") ? own : own.replacing(".", with: "/"))
        }
        guard let labels = node?.labels else { return Locality() }
        return Locality(
            region: labels["topology.kubernetes.io/region"] ?? labels["failure-domain.beta.kubernetes.io/region"] ?? "",
            zone: labels["topology.kubernetes.io/zone"] ?? labels["failure-domain.beta.kubernetes.io/zone"] ?? "",
            subZone: labels["topology.istio.io/subzone"] ?? "")
    }

    /// The Deployment's name: the ReplicaSet's without the template's hash; else the controller's own name.
    private static func workloadName(_ pod: KubernetesObject) -> String {
        guard let owner = pod.ownerReferences.first(where: { $0.controller == true }) ?? pod.ownerReferences.first
        else { return pod.name }
        guard owner.kind == "ReplicaSet", let dash = owner.name.lastIndex(of: "-") else { return owner.name }
        return String(owner.name[..<dash])
    }

    private static func namedPorts(_ pod: KubernetesObject) -> [String: Int] {
        let containers =
            (pod.json[path: "spec", "containers"]?.arrayValue ?? [])
            + (pod.json[path: "spec", "initContainers"]?.arrayValue ?? [])
        var ports: [String: Int] = [:]
        for port in containers.flatMap({ $0["ports"]?.arrayValue ?? [] }) {
            if let name = port["name"]?.stringValue, let number = port["containerPort"]?.intValue {
                ports[name] = number
            }
        }
        return ports
    }
}

extension Locality {
    /// `region/zone/subzone`, as WorkloadEntries and DestinationRules write it.
    init(path: String) {
        let parts = path.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        self.init(
            region: parts.first ?? "", zone: parts.count > 1 ? parts[1] : "", subZone: parts.count > 2 ? parts[2] : "")
    }
}

extension WorkloadEntry {
    /// The address without the scheme of a Unix socket; `nil` when there is none.
    var endpointAddress: String? {
        guard let address, !address.isEmpty else { return nil }
        return address.hasPrefix("unix://") ? String(address.dropFirst("unix://".count)) : address
    }
    /// Weight 0 and none mean 1.
    var effectiveWeight: UInt32 { UInt32(clamping: max(1, weight ?? 1)) }
}
