import WeftConfig
import WeftCore

/// ReplicaSet → Pods: adopts those it selects, makes the missing, removes the superfluous, counts.
package enum ReplicaSetController {
    package static func reconcile(_ state: ClusterState, _ context: ControllerContext) -> [DesiredWrite] {
        state.all("ReplicaSet").flatMap { object -> [DesiredWrite] in
            guard object.deletionTimestamp == nil, let set = try? object.decode(ReplicaSet.self) else { return [] }
            return reconcile(object, set, state, context)
        }
    }

    private static func reconcile(
        _ object: KubernetesObject, _ set: ReplicaSet, _ state: ClusterState, _ context: ControllerContext
    ) -> [DesiredWrite] {
        var writes: [DesiredWrite] = []
        var mine: [KubernetesObject] = []
        for pod in state.all("Pod") where pod.namespace == object.namespace {
            let selected = set.spec.selector.matches(pod.labels)
            let controller = pod.ownerReferences.first { $0.controller == true }
            if controller?.uid == object.uid, selected { mine.append(pod) }
            if controller?.uid == object.uid, !selected { writes.append(.update(released(pod, from: object))) }
            if controller == nil, selected, pod.deletionTimestamp == nil {
                writes.append(.update(adopted(pod, by: object)))
                mine.append(pod)
            }
        }
        let pods = PodFactory.decoded(mine).filter { $0.pod.isActive }
        let wanted = set.spec.replicas ?? 1
        if pods.count < wanted {
            writes += (pods.count..<wanted).map { _ in .create(PodFactory.pod(of: object)) }
        } else if pods.count > wanted {
            writes += PodFactory.deletionOrder(pods).prefix(pods.count - wanted).map { .delete($0) }
        }
        return writes + status(object, set, pods.map(\.pod))
    }

    private static func adopted(_ pod: KubernetesObject, by owner: KubernetesObject) -> KubernetesObject {
        var json = pod.json
        let references = json[path: "metadata", "ownerReferences"]?.arrayValue ?? []
        json[path: "metadata", "ownerReferences"] = .array(references + [PodFactory.controllerReference(owner)])
        return KubernetesObject(json)
    }

    private static func released(_ pod: KubernetesObject, from owner: KubernetesObject) -> KubernetesObject {
        var json = pod.json
        let references = json[path: "metadata", "ownerReferences"]?.arrayValue ?? []
        json[path: "metadata", "ownerReferences"] = .array(references.filter { $0["uid"]?.stringValue != owner.uid })
        return KubernetesObject(json)
    }

    private static func status(_ object: KubernetesObject, _ set: ReplicaSet, _ pods: [Pod]) -> [DesiredWrite] {
        let ready = pods.filter(\.isReady).count
        let template = set.spec.template?.metadata?.labels ?? [:]
        let labelled = pods.filter { pod in template.allSatisfy { pod.metadata.labels?[$0.key] == $0.value } }.count
        var status: JSONValue = ["observedGeneration": .number(object.generation), "replicas": .number(pods.count)]
        for (key, count) in ["readyReplicas": ready, "availableReplicas": ready, "fullyLabeledReplicas": labelled]
        where count > 0 { status[key] = .number(count) }
        guard status != object.json["status"] else { return [] }
        var json = object.json
        json["status"] = status
        return [.updateStatus(KubernetesObject(json))]
    }
}
