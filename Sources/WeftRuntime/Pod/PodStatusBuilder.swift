import WeftConfig
import WeftCore

/// What the node knows of one container.
struct ContainerState: Sendable {
    enum Phase: Sendable, Equatable {
        case waiting(reason: String, message: String?)
        case running(since: String)
        case terminated(Termination)
    }
    struct Termination: Sendable, Equatable {
        var code: Int
        var reason: String
        var message: String?
        var started: String?
        var finished: String
    }
    var container: Container
    /// Runs before the application's containers.
    var isInit: Bool
    var isSidecar: Bool { isInit && container.restartPolicy == "Always" }
    var phase: Phase = .waiting(reason: "PodInitializing", message: nil)
    var last: Termination?
    var restarts = 0
    var ready = false
    var started = false
    var id: String?

    var isRunning: Bool { if case .running = phase { true } else { false } }
    var termination: Termination? { if case .terminated(let end) = phase { end } else { nil } }
}

/// The status of a pod as `kubectl` and the controllers expect it. Pure.
struct PodStatusBuilder {
    var spec: PodSpec
    var states: [ContainerState]
    var address: String
    var startTime: String
    var sandboxReady: Bool
    var failure: (reason: String, message: String)?
    var old: JSONValue?
    var now: String

    private var inits: [ContainerState] { states.filter(\.isInit) }
    private var apps: [ContainerState] { states.filter { !$0.isInit } }

    private var initialized: Bool { inits.allSatisfy { $0.isSidecar ? $0.started : $0.termination?.code == 0 } }

    var phase: String {
        if failure != nil { return "Failed" }
        let policy = spec.restartPolicy ?? "Always"
        if policy == "Never", inits.contains(where: { !$0.isSidecar && ($0.termination.map { $0.code != 0 } ?? false) })
        {
            return "Failed"
        }
        guard initialized else { return "Pending" }
        let ends = apps.compactMap(\.termination)
        if ends.count == apps.count, policy != "Always" {
            if ends.allSatisfy({ $0.code == 0 }) { return "Succeeded" }
            if policy == "Never" { return "Failed" }
        }
        let everStarted = apps.contains { $0.isRunning || $0.termination != nil || $0.last != nil }
        return everStarted && apps.allSatisfy { $0.isRunning || $0.termination != nil || $0.last != nil }
            ? "Running" : "Pending"
    }

    func status() -> JSONValue {
        let phase = phase
        let counted = apps + inits.filter(\.isSidecar)
        let unready = counted.filter { !$0.ready }.map(\.container.name)
        let ready = unready.isEmpty && phase == "Running"
        let why = phase == "Succeeded" ? "PodCompleted" : "ContainersNotReady"
        let message = "containers with unready status: [\(unready.joined(separator: " "))]"
        let incomplete = inits.filter { $0.isSidecar ? !$0.started : $0.termination?.code != 0 }.map(\.container.name)
        var conditions: [JSONValue] = []
        conditions.append(condition("PodReadyToStartContainers", sandboxReady))
        conditions.append(
            condition(
                "Initialized", initialized, "ContainersNotInitialized",
                "containers with incomplete status: [\(incomplete.joined(separator: " "))]"))
        conditions.append(condition("Ready", ready, why, message))
        conditions.append(condition("ContainersReady", ready, why, message))
        conditions.append(condition("PodScheduled", true))
        var status: JSONValue = [
            "phase": .string(phase), "conditions": .array(conditions), "hostIP": .string(NodeAddress.gateway),
            "hostIPs": [["ip": .string(NodeAddress.gateway)]], "startTime": .string(startTime),
            "qosClass": .string(qualityOfService), "containerStatuses": .array(apps.map(containerStatus)),
        ]
        if !inits.isEmpty { status["initContainerStatuses"] = .array(inits.map(containerStatus)) }
        if !address.isEmpty {
            status["podIP"] = .string(address)
            status["podIPs"] = [["ip": .string(address)]]
        }
        if let failure {
            status["reason"] = .string(failure.reason)
            status["message"] = .string(failure.message)
        }
        return status
    }

    private func condition(_ type: String, _ isTrue: Bool, _ reason: String? = nil, _ message: String? = nil)
        -> JSONValue
    {
        let status: JSONValue = isTrue ? "True" : "False"
        var json: JSONValue = [
            "type": .string(type), "status": status, "lastProbeTime": nil, "lastTransitionTime": .string(now),
        ]
        if !isTrue {
            json["reason"] = reason.map { .string($0) }
            json["message"] = message.map { .string($0) }
        }
        let known = old?["conditions"]?.arrayValue?.first { $0["type"]?.stringValue == type }
        if let known, known["status"] == status { json["lastTransitionTime"] = known["lastTransitionTime"] }
        return json
    }

    private var qualityOfService: String {
        let all = spec.containers + (spec.initContainers ?? [])
        let resources = all.map { ($0.resources?.requests ?? [:], $0.resources?.limits ?? [:]) }
        if resources.allSatisfy({ $0.0.isEmpty && $0.1.isEmpty }) { return "BestEffort" }
        let guaranteed = resources.allSatisfy { requests, limits in
            ["cpu", "memory"].allSatisfy { limits[$0] != nil && (requests[$0] == nil || requests[$0] == limits[$0]) }
        }
        return guaranteed ? "Guaranteed" : "Burstable"
    }

    private func containerStatus(_ state: ContainerState) -> JSONValue {
        let image = state.container.image ?? ""
        var json: JSONValue = [
            "name": .string(state.container.name), "image": .string(image),
            "imageID": .string(state.id == nil ? "" : "weft://\(image)"),
            "ready": .bool(state.ready), "started": .bool(state.started), "restartCount": .int(Int64(state.restarts)),
            "lastState": [:],
        ]
        if let id = state.id { json["containerID"] = .string("weft://\(id)") }
        switch state.phase {
        case .waiting(let reason, let message):
            var waiting: JSONValue = ["reason": .string(reason)]
            waiting["message"] = message.map { .string($0) }
            json["state"] = ["waiting": waiting]
        case .running(let since): json["state"] = ["running": ["startedAt": .string(since)]]
        case .terminated(let end): json["state"] = ["terminated": terminated(end, state.id)]
        }
        if let last = state.last { json["lastState"] = ["terminated": terminated(last, state.id)] }
        return json
    }

    private func terminated(_ end: ContainerState.Termination, _ id: String?) -> JSONValue {
        var json: JSONValue = [
            "exitCode": .int(Int64(end.code)), "reason": .string(end.reason), "finishedAt": .string(end.finished),
        ]
        json["startedAt"] = .string(end.started ?? end.finished)
        json["message"] = end.message.map { .string($0) }
        json["containerID"] = id.map { .string("weft://\($0)") }
        return json
    }
}
