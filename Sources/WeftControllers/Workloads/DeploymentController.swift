import WeftConfig
import WeftCore

/// Deployment → ReplicaSets: one per pod template, scaled over step by step.
package enum DeploymentController {
    static let hashLabel = "pod-template-hash"
    static let revision = "deployment.kubernetes.io/revision"

    package static func reconcile(_ state: ClusterState, _ context: ControllerContext) -> [DesiredWrite] {
        state.all("Deployment").flatMap { object -> [DesiredWrite] in
            guard object.deletionTimestamp == nil, let deployment = try? object.decode(Deployment.self) else {
                return []
            }
            return reconcile(object, deployment, state, context)
        }
    }

    private static func reconcile(
        _ object: KubernetesObject, _ deployment: Deployment, _ state: ClusterState, _ context: ControllerContext
    ) -> [DesiredWrite] {
        let hash = stableHash(object.json[path: "spec", "template"] ?? [:])
        let sets = state.controlled("ReplicaSet", by: object.uid, in: object.namespace)
            .filter { $0.deletionTimestamp == nil }
            .compactMap { set in (try? set.decode(ReplicaSet.self)).map { OwnedSet(object: set, replicaSet: $0) } }
        let current = sets.first { $0.object.labels[hashLabel] == hash }
        let old = sets.filter { $0.object.labels[hashLabel] != hash }
        let newest = sets.map(\.revision).max() ?? 0
        var writes: [DesiredWrite] = []
        guard let current else {
            let plan = RolloutPlan(deployment, current: nil, old: old)
            let revision = newest + 1
            writes.append(.create(newSet(object, hash: hash, replicas: plan.newReplicas, revision: revision)))
            return writes + revisionAnnotation(object, revision) + status(object, deployment, nil, old, context)
        }
        let plan = RolloutPlan(deployment, current: current, old: old)
        let revision = current.revision < newest ? newest + 1 : max(current.revision, 1)
        writes += scaled(current, to: plan.newReplicas, revision: revision, desired: plan.desired)
        for (set, replicas) in zip(old, plan.oldReplicas) {
            writes += scaled(set, to: replicas, revision: nil, desired: plan.desired)
        }
        writes += revisionAnnotation(object, revision)
        writes += status(object, deployment, current, old, context)
        return writes + history(deployment, old)
    }

    private static func newSet(_ owner: KubernetesObject, hash: String, replicas: Int, revision: Int)
        -> KubernetesObject
    {
        var template = owner.json[path: "spec", "template"] ?? [:]
        template[path: "metadata", "labels", hashLabel] = .string(hash)
        var selector = owner.json[path: "spec", "selector"] ?? [:]
        selector[path: "matchLabels", hashLabel] = .string(hash)
        var spec: JSONValue = ["replicas": .number(replicas), "selector": selector, "template": template]
        spec["minReadySeconds"] = owner.json[path: "spec", "minReadySeconds"]
        return KubernetesObject([
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": [
                "name": .string("\(owner.name)-\(hash)"), "namespace": .string(owner.namespace),
                "labels": template[path: "metadata", "labels"] ?? [:],
                "annotations": [
                    revisionKey: .string(String(revision)),
                    "deployment.kubernetes.io/desired-replicas": .string("\(replicas)"),
                ],
                "ownerReferences": [PodFactory.controllerReference(owner)],
            ], "spec": spec,
        ])
    }

    private static var revisionKey: String { revision }

    private static func scaled(_ owned: OwnedSet, to replicas: Int, revision number: Int?, desired: Int)
        -> [DesiredWrite]
    {
        var json = owned.object.json
        json[path: "spec", "replicas"] = .number(replicas)
        if let number { json[path: "metadata", "annotations", revision] = .string(String(number)) }
        return json == owned.object.json ? [] : [.update(KubernetesObject(json))]
    }

    private static func revisionAnnotation(_ object: KubernetesObject, _ number: Int) -> [DesiredWrite] {
        guard object.annotations[revision] != String(number) else { return [] }
        var json = object.json
        json[path: "metadata", "annotations", revision] = .string(String(number))
        return [.update(KubernetesObject(json))]
    }

    private static func history(_ deployment: Deployment, _ old: [OwnedSet]) -> [DesiredWrite] {
        let empty = old.filter { $0.wanted == 0 && ($0.replicaSet.status?.replicas ?? 0) == 0 }.sorted {
            $0.revision < $1.revision
        }
        let excess = empty.count - (deployment.spec.revisionHistoryLimit ?? 10)
        return empty.prefix(max(0, excess)).map { .delete($0.object) }
    }

    private static func status(
        _ object: KubernetesObject, _ deployment: Deployment, _ current: OwnedSet?, _ old: [OwnedSet],
        _ context: ControllerContext
    ) -> [DesiredWrite] {
        let sets = old + (current.map { [$0] } ?? [])
        let desired = deployment.spec.replicas ?? 1
        let total = sets.reduce(0) { $0 + ($1.replicaSet.status?.replicas ?? 0) }
        let ready = sets.reduce(0) { $0 + ($1.replicaSet.status?.readyReplicas ?? 0) }
        let available = sets.reduce(0) { $0 + $1.available }
        let updated = current?.replicaSet.status?.replicas ?? 0
        let limits = RolloutPlan.limits(deployment)
        var conditions = object.json[path: "status", "conditions"]?.arrayValue ?? []
        let enough = available >= desired - limits.unavailable
        setCondition(
            &conditions, type: "Available", enough,
            reason: enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
            message: "Deployment \(enough ? "has" : "does not have") minimum availability.", now: context.now)
        let complete = updated == desired && total == desired && available >= desired
        let name = current?.object.name ?? object.name
        setCondition(
            &conditions, type: "Progressing", true, reason: complete ? "NewReplicaSetAvailable" : "ReplicaSetUpdated",
            message: "ReplicaSet \"\(name)\" \(complete ? "has successfully progressed." : "is progressing.")",
            now: context.now)
        var status: JSONValue = ["observedGeneration": .number(object.generation), "conditions": .array(conditions)]
        let counts = [
            "replicas": total, "updatedReplicas": updated, "readyReplicas": ready, "availableReplicas": available,
            "unavailableReplicas": max(0, max(desired, total) - available),
        ]
        for (key, count) in counts where count > 0 { status[key] = .number(count) }
        guard status != object.json["status"] else { return [] }
        var json = object.json
        json["status"] = status
        return [.updateStatus(KubernetesObject(json))]
    }
}

/// A replica set of a deployment.
struct OwnedSet {
    var object: KubernetesObject
    var replicaSet: ReplicaSet
    var wanted: Int { replicaSet.spec.replicas ?? 1 }
    var available: Int { replicaSet.status?.availableReplicas ?? 0 }
    var revision: Int { Int(object.annotations[DeploymentController.revision] ?? "") ?? 0 }
}

/// How many replicas each set of a deployment is to have now.
struct RolloutPlan: Equatable {
    var desired: Int
    var newReplicas: Int
    var oldReplicas: [Int]

    static func limits(_ deployment: Deployment) -> (surge: Int, unavailable: Int) {
        let desired = deployment.spec.replicas ?? 1
        let rolling = deployment.spec.strategy?.rollingUpdate
        if deployment.spec.strategy?.type == "Recreate" { return (0, desired) }
        let surge = (rolling?.maxSurge ?? .string("25%")).scaled(of: desired, roundUp: true)
        let unavailable = (rolling?.maxUnavailable ?? .string("25%")).scaled(of: desired, roundUp: false)
        return surge == 0 && unavailable == 0 ? (0, 1) : (surge, min(unavailable, desired))
    }

    init(_ deployment: Deployment, current: OwnedSet?, old: [OwnedSet]) {
        desired = deployment.spec.replicas ?? 1
        let limits = Self.limits(deployment)
        let had = current?.wanted ?? 0
        let oldTotal = old.reduce(0) { $0 + $1.wanted }
        oldReplicas = old.map(\.wanted)
        newReplicas = had
        if deployment.spec.paused == true { return }
        if deployment.spec.strategy?.type == "Recreate" {
            let gone = old.allSatisfy { ($0.replicaSet.status?.replicas ?? 0) == 0 }
            oldReplicas = old.map { _ in 0 }
            newReplicas = gone ? desired : had
            return
        }
        newReplicas = oldTotal == 0 ? desired : min(desired, had + max(0, desired + limits.surge - had - oldTotal))
        if had > desired { newReplicas = desired }
        let unavailableNew = had - min(had, current?.available ?? 0)
        var removable = max(0, had + oldTotal - (desired - limits.unavailable) - unavailableNew)
        for index in old.indices {
            let unhealthy = min(removable, max(0, old[index].wanted - old[index].available))
            oldReplicas[index] -= unhealthy
            removable -= unhealthy
        }
        let available = old.reduce(0) { $0 + min($1.wanted, $1.available) } + (current?.available ?? 0)
        removable = min(removable, max(0, available - (desired - limits.unavailable)))
        for index in old.indices {
            let taken = min(removable, oldReplicas[index])
            oldReplicas[index] -= taken
            removable -= taken
        }
    }
}
