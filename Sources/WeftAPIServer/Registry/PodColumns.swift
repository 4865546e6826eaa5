import WeftCore

/// A pod's row: readiness, status and restarts, worked out as kubectl users expect (`2/2`, `Init:0/1`, `CrashLoopBackOff`).
enum PodColumns {
    static let columns: [PrinterColumn] = [
        column("Ready", ready), column("Status", status), column("Restarts", restarts), BuiltInColumns.age,
        column("IP", wide: true) { $0[path: "status", "podIP"]?.stringValue ?? "<none>" },
        column("Node", wide: true) { $0[path: "spec", "nodeName"]?.stringValue ?? "<none>" },
        column("Nominated Node", wide: true) { _ in "<none>" }, column("Readiness Gates", wide: true) { _ in "<none>" },
    ]

    private static func column(_ name: String, wide: Bool = false, _ cell: @escaping @Sendable (JSONValue) -> String)
        -> PrinterColumn
    {
        PrinterColumn(name: name, priority: wide ? 1 : 0) { .string(cell($0)) }
    }

    /// Names of init containers that keep running beside the others.
    private static func sidecars(_ pod: JSONValue) -> Set<String> {
        let all = pod[path: "spec", "initContainers"]?.arrayValue ?? []
        return Set(all.filter { $0["restartPolicy"] == "Always" }.map { $0.string("name") })
    }
    private static func statuses(_ pod: JSONValue, _ key: String) -> [JSONValue] {
        pod[path: "status", key]?.arrayValue ?? []
    }

    static func ready(_ pod: JSONValue) -> String {
        let sidecars = sidecars(pod)
        let running =
            statuses(pod, "containerStatuses")
            + statuses(pod, "initContainerStatuses").filter { sidecars.contains($0.string("name")) }
        let count = running.count { $0["ready"] == true && $0[path: "state", "running"] != nil }
        return "\(count)/\((pod[path: "spec", "containers"]?.arrayValue?.count ?? 0) + sidecars.count)"
    }

    static func restarts(_ pod: JSONValue) -> String {
        let all = statuses(pod, "containerStatuses") + statuses(pod, "initContainerStatuses")
        let count = all.reduce(0) { $0 + $1.int("restartCount") }
        let last = all.compactMap { $0[path: "lastState", "terminated", "finishedAt"]?.stringValue }.max()
        guard count > 0, let last else { return String(count) }
        return "\(count) (\(KubernetesTime.age(since: last)) ago)"
    }

    static func status(_ pod: JSONValue) -> String {
        if pod[path: "metadata", "deletionTimestamp"] != nil {
            return pod[path: "status", "reason"] == "NodeLost" ? "Unknown" : "Terminating"
        }
        if let starting = initStatus(pod) { return starting }
        var reason =
            pod[path: "status", "reason"]?.stringValue ?? pod[path: "status", "phase"]?.stringValue ?? "Unknown"
        var running = false
        for container in statuses(pod, "containerStatuses").reversed() {
            if let waiting = container[path: "state", "waiting", "reason"]?.stringValue, !waiting.isEmpty {
                reason = waiting
            } else if let ended = container[path: "state", "terminated"] {
                reason = terminated(ended)
            } else if container["ready"] == true, container[path: "state", "running"] != nil {
                running = true
            }
        }
        if reason == "Completed", running {
            let ready = pod[path: "status", "conditions"]?.arrayValue?.contains {
                $0["type"] == "Ready" && $0["status"] == "True"
            }
            return ready == true ? "Running" : "NotReady"
        }
        return reason
    }

    private static func terminated(_ state: JSONValue) -> String {
        if let reason = state["reason"]?.stringValue, !reason.isEmpty { return reason }
        if let signal = state["signal"]?.intValue, signal != 0 { return "Signal:\(signal)" }
        return "ExitCode:\(state.int("exitCode"))"
    }

    private static func initStatus(_ pod: JSONValue) -> String? {
        let sidecars = sidecars(pod)
        let total = pod[path: "spec", "initContainers"]?.arrayValue?.count ?? 0
        for (index, container) in statuses(pod, "initContainerStatuses").enumerated() {
            if let ended = container[path: "state", "terminated"] {
                if ended.int("exitCode") == 0 { continue }
                return "Init:\(terminated(ended))"
            }
            if sidecars.contains(container.string("name")), container["started"] == true { continue }
            if let waiting = container[path: "state", "waiting", "reason"]?.stringValue, !waiting.isEmpty,
                waiting != "PodInitializing"
            {
                return "Init:\(waiting)"
            }
            return "Init:\(index)/\(total)"
        }
        return nil
    }
}
