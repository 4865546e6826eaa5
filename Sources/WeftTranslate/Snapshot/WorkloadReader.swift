import WeftConfig
import WeftCore

/// Reads pods.
enum WorkloadReader {
    static func workloads(in objects: [KubernetesObject]) -> [Workload] {
        objects.filter { $0.kind == "Pod" && $0.apiVersion == "v1" }.compactMap(workload).sorted {
            ($0.namespace, $0.name) < ($1.namespace, $1.name)
        }
    }

    private static func workload(_ pod: KubernetesObject) -> Workload? {
        let phase = pod.json[path: "status", "phase"]?.stringValue
        guard let address = pod.json[path: "status", "podIP"]?.stringValue, !address.isEmpty, phase != "Succeeded",
            phase != "Failed",
            pod.json[path: "spec", "hostNetwork"]?.boolValue != true
        else { return nil }
        return Workload(
            name: pod.name, namespace: pod.namespace, address: address, labels: pod.labels,
            serviceAccount: pod.json[path: "spec", "serviceAccountName"]?.stringValue ?? "default",
            workloadName: workloadName(pod), namedPorts: namedPorts(pod))
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
