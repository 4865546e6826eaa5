import WeftConfig
import WeftCore

/// StatefulSet → Pods `NAME-0…`, one after the other unless `podManagementPolicy: Parallel`.
package enum StatefulSetController {
    package static func reconcile(_ state: ClusterState, _ context: ControllerContext) -> [DesiredWrite] {
        state.all("StatefulSet").flatMap { object -> [DesiredWrite] in
            guard object.deletionTimestamp == nil, let set = try? object.decode(StatefulSet.self) else { return [] }
            let wanted = set.spec.replicas ?? 1
            let owned = PodFactory.decoded(state.controlled("Pod", by: object.uid, in: object.namespace))
            var writes: [DesiredWrite] = []
            for ordinal in 0..<wanted {
                let name = "\(object.name)-\(ordinal)"
                if let existing = owned.first(where: { $0.object.name == name }) {
                    if existing.pod.isFinished, !existing.pod.isTerminating { writes.append(.delete(existing.object)) }
                    if !existing.pod.isReady, set.spec.podManagementPolicy != "Parallel" { break }
                    continue
                }
                var pod = PodFactory.pod(of: object, name: name, labels: ["statefulset.kubernetes.io/pod-name": name])
                pod.json[path: "spec", "hostname"] = .string(name)
                pod.json[path: "spec", "subdomain"] = set.spec.serviceName.map { .string($0) }
                writes.append(.create(pod))
                if set.spec.podManagementPolicy != "Parallel" { break }
            }
            let keep = Set((0..<wanted).map { "\(object.name)-\($0)" })
            writes += owned.filter { !keep.contains($0.object.name) && !$0.pod.isTerminating }.map {
                .delete($0.object)
            }
            let ready = owned.filter { $0.pod.isReady }.count
            let total = owned.filter { $0.pod.isActive }.count
            return writes
                + statusWrite(
                    object,
                    [
                        "observedGeneration": object.generation, "replicas": total, "readyReplicas": ready,
                        "currentReplicas": total, "updatedReplicas": total, "availableReplicas": ready,
                    ])
        }
    }
}

/// DaemonSet → one pod, because there is one node.
package enum DaemonSetController {
    package static func reconcile(_ state: ClusterState, _ context: ControllerContext) -> [DesiredWrite] {
        state.all("DaemonSet").flatMap { object -> [DesiredWrite] in
            guard object.deletionTimestamp == nil, (try? object.decode(DaemonSet.self)) != nil else { return [] }
            let pods = PodFactory.decoded(state.controlled("Pod", by: object.uid, in: object.namespace))
            let active = pods.filter { $0.pod.isActive }
            let ready = active.filter { $0.pod.isReady }.count
            let create: [DesiredWrite] = active.isEmpty ? [.create(PodFactory.pod(of: object))] : []
            return create
                + statusWrite(
                    object,
                    [
                        "observedGeneration": object.generation, "desiredNumberScheduled": 1,
                        "currentNumberScheduled": active.count, "numberReady": ready, "numberAvailable": ready,
                        "updatedNumberScheduled": active.count, "numberMisscheduled": 0,
                    ])
        }
    }
}

/// Job → pods until enough of them succeeded, or too many failed.
package enum JobController {
    package static func reconcile(_ state: ClusterState, _ context: ControllerContext) -> [DesiredWrite] {
        state.all("Job").flatMap { object -> [DesiredWrite] in
            guard object.deletionTimestamp == nil, let job = try? object.decode(Job.self) else { return [] }
            let pods = PodFactory.decoded(state.controlled("Pod", by: object.uid, in: object.namespace))
            let succeeded = pods.filter { $0.pod.status?.phase == "Succeeded" }.count
            let failed = pods.filter { $0.pod.status?.phase == "Failed" }.count
            let active = pods.filter { $0.pod.isActive }.count
            let finished = job.status?.conditions?.contains { $0.type == "Complete" || $0.type == "Failed" } ?? false
            if finished { return [] }
            let completions = job.spec.completions ?? 1
            let done = succeeded >= completions
            let lost = failed > (job.spec.backoffLimit ?? 6)
            var writes: [DesiredWrite] = []
            if !done, !lost, job.spec.suspend != true {
                let missing = min(job.spec.parallelism ?? 1, completions - succeeded) - active
                let labels = ["job-name": object.name, "batch.kubernetes.io/job-name": object.name]
                if missing > 0 {
                    writes += (0..<missing).map { _ in .create(PodFactory.pod(of: object, labels: labels)) }
                }
            }
            var status: JSONValue = [
                "startTime": object.json[path: "status", "startTime"] ?? .string(context.now),
                "active": .number(active),
                "ready": .number(pods.filter { $0.pod.isReady }.count), "succeeded": .number(succeeded),
                "failed": .number(failed),
            ]
            if done || lost {
                var conditions: [JSONValue] = []
                setCondition(
                    &conditions, type: done ? "Complete" : "Failed", true,
                    reason: done ? "CompletionsReached" : "BackoffLimitExceeded",
                    message: done
                        ? "Reached expected number of succeeded pods" : "Job has reached the specified backoff limit",
                    now: context.now)
                status["conditions"] = .array(conditions)
                if done { status["completionTime"] = .string(context.now) }
            }
            if status != object.json["status"] {
                var json = object.json
                json["status"] = status
                writes.append(.updateStatus(KubernetesObject(json)))
            }
            return writes
        }
    }
}

private func statusWrite(_ object: KubernetesObject, _ counts: [String: Int]) -> [DesiredWrite] {
    let status = JSONValue.object(counts.mapValues { .number($0) })
    guard status != object.json["status"] else { return [] }
    var json = object.json
    json["status"] = status
    return [.updateStatus(KubernetesObject(json))]
}
