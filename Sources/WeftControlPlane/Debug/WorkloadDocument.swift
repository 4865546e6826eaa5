import WeftConfig
import WeftCore

/// `/api/workloads`: pods grouped by what owns them, with the Services that select them. Pure.
enum WorkloadDocument {
    private struct Key: Hashable {
        var namespace: String
        var name: String
    }

    private struct Group {
        var pods = 0
        var ready = 0
        var meshed = 0
        var labels: [[String: String]] = []
    }

    static func make(pods: [KubernetesObject], services: [KubernetesObject]) -> JSONValue {
        var groups: [Key: Group] = [:]
        for pod in pods where pod.deletionTimestamp == nil {
            let phase = pod.json[path: "status", "phase"]?.stringValue
            if phase == "Succeeded" || phase == "Failed" { continue }
            var group = groups[Key(namespace: pod.namespace, name: workload(of: pod))] ?? Group()
            group.pods += 1
            if isReady(pod) { group.ready += 1 }
            if isMeshed(pod) { group.meshed += 1 }
            group.labels.append(pod.labels)
            groups[Key(namespace: pod.namespace, name: workload(of: pod))] = group
        }
        let sorted = groups.sorted { ($0.key.namespace, $0.key.name) < ($1.key.namespace, $1.key.name) }
        return .array(sorted.map { key, group in document(key, group, services) })
    }

    private static func document(_ key: Key, _ group: Group, _ services: [KubernetesObject]) -> JSONValue {
        let selecting = services.filter { service in
            guard service.namespace == key.namespace, let selector = selector(of: service) else { return false }
            return group.labels.contains { labels in selector.allSatisfy { labels[$0.key] == $0.value } }
        }
        return [
            "namespace": .string(key.namespace), "name": .string(key.name), "pods": .int(Int64(group.pods)),
            "ready": .int(Int64(group.ready)), "meshed": .int(Int64(group.meshed)),
            "services": .array(selecting.map { .string($0.name) }),
        ]
    }

    private static func selector(of service: KubernetesObject) -> [String: String]? {
        let selector = service.json[path: "spec", "selector"]?.objectValue?.compactMapValues(\.stringValue)
        return selector?.isEmpty == false ? selector : nil
    }

    /// A Deployment's pods belong to a ReplicaSet that is named after it plus a hash.
    static func workload(of pod: KubernetesObject) -> String {
        guard let owner = pod.ownerReferences.first(where: { $0.controller == true }) else { return pod.name }
        guard owner.kind == "ReplicaSet", let hash = pod.labels["pod-template-hash"], owner.name.hasSuffix("-\(hash)")
        else {
            return owner.name
        }
        return String(owner.name.dropLast(hash.count + 1))
    }

    private static func isReady(_ pod: KubernetesObject) -> Bool {
        let conditions = pod.json[path: "status", "conditions"]?.arrayValue ?? []
        return conditions.contains { $0["type"]?.stringValue == "Ready" && $0["status"]?.stringValue == "True" }
    }

    private static func isMeshed(_ pod: KubernetesObject) -> Bool {
        let containers = ["containers", "initContainers"].flatMap { pod.json[path: "spec", $0]?.arrayValue ?? [] }
        return containers.contains { $0["name"]?.stringValue == "istio-proxy" }
    }
}
