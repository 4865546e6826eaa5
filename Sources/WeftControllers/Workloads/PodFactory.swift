import WeftConfig
import WeftCore

/// Makes pods from a workload's template.
enum PodFactory {
    static func controllerReference(_ owner: KubernetesObject) -> JSONValue {
        [
            "apiVersion": .string(owner.apiVersion), "kind": .string(owner.kind), "name": .string(owner.name),
            "uid": .string(owner.uid), "controller": true, "blockOwnerDeletion": true,
        ]
    }

    /// - Parameter name: a fixed name, or `nil` for a generated one.
    static func pod(of owner: KubernetesObject, name: String? = nil, labels: [String: String] = [:]) -> KubernetesObject
    {
        let template = owner.json[path: "spec", "template"] ?? [:]
        var metadata: JSONValue = [
            "namespace": .string(owner.namespace), "ownerReferences": [controllerReference(owner)],
        ]
        if let name { metadata["name"] = .string(name) } else { metadata["generateName"] = .string("\(owner.name)-") }
        var merged = template["metadata"]?["labels"]?.objectValue ?? [:]
        for (key, value) in labels { merged[key] = .string(value) }
        metadata["labels"] = .object(merged)
        metadata["annotations"] = template["metadata"]?["annotations"]
        return KubernetesObject([
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"] ?? [:],
        ])
    }

    /// The pods to remove first: unscheduled, not ready, then the youngest.
    static func deletionOrder(_ pods: [(object: KubernetesObject, pod: Pod)]) -> [KubernetesObject] {
        func rank(_ pod: Pod) -> Int {
            if (pod.spec.nodeName ?? "").isEmpty { return 0 }
            if pod.status?.phase == "Pending" { return 1 }
            return pod.isReady ? 3 : 2
        }
        return pods.sorted { left, right in
            let ranks = (rank(left.pod), rank(right.pod))
            if ranks.0 != ranks.1 { return ranks.0 < ranks.1 }
            return (left.object.creationTimestamp, left.object.name) > (
                right.object.creationTimestamp, right.object.name
            )
        }.map(\.object)
    }

    static func decoded(_ objects: [KubernetesObject]) -> [(object: KubernetesObject, pod: Pod)] {
        objects.compactMap { object in (try? object.decode(Pod.self)).map { (object, $0) } }
    }
}
