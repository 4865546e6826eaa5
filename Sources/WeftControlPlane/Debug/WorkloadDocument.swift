import WeftConfig
import WeftCore
import WeftTranslate

/// `/api/workloads`: pods grouped by what owns them, with the Services that select them and the TLS that they ask of
/// their callers. Pure.
enum WorkloadDocument {
    private struct Key: Hashable {
        var namespace: String
        var name: String
    }

    private struct Group {
        var kind = ""
        var pods: [KubernetesObject] = []
    }

    static func make(pods: [KubernetesObject], services: [KubernetesObject], modes: PeerModes) -> JSONValue {
        var groups: [Key: Group] = [:]
        for pod in pods where pod.deletionTimestamp == nil {
            let phase = pod.json[path: "status", "phase"]?.stringValue
            if phase == "Succeeded" || phase == "Failed" { continue }
            let key = Key(namespace: pod.namespace, name: workload(of: pod))
            groups[key, default: Group(kind: kind(of: pod))].pods.append(pod)
        }
        let sorted = groups.sorted { ($0.key.namespace, $0.key.name) < ($1.key.namespace, $1.key.name) }
        // Selectors are read once: there are as many services as workloads.
        let selectors = Dictionary(
            grouping: services.compactMap { service in
                selector(of: service).map { (namespace: service.namespace, name: service.name, labels: $0) }
            }, by: \.namespace)
        return .array(
            sorted.map { key, group in
                let labels = group.pods.map(\.labels)
                let selecting = (selectors[key.namespace] ?? []).filter { service in
                    labels.contains { own in service.labels.allSatisfy { own[$0.key] == $0.value } }
                }
                var document = document(key, group, selecting.map(\.name))
                document["mtls"] = mode(namespace: key.namespace, labels: labels.first ?? [:], modes)
                return document
            })
    }

    /// The mode for the workload's ports, the policy that sets it as `NAMESPACE/NAME` (none for Istio's default), and the
    /// ports that have another one.
    private static func mode(namespace: String, labels: [String: String], _ modes: PeerModes) -> JSONValue {
        let effective = modes.mode(namespace: namespace, labels: labels, port: nil)
        var ports: [String: JSONValue] = [:]
        for port in modes.ports(namespace: namespace, labels: labels) {
            let own = modes.mode(namespace: namespace, labels: labels, port: port).mode
            if own != effective.mode { ports[String(port)] = .string(own.rawValue) }
        }
        var document: JSONValue = ["mode": .string(effective.mode.rawValue)]
        if let source = effective.source { document["source"] = .string("\(source.namespace)/\(source.name)") }
        if !ports.isEmpty { document["ports"] = .object(ports) }
        return document
    }

    private static func document(_ key: Key, _ group: Group, _ services: [String]) -> JSONValue {
        let labels = group.pods.first?.labels ?? [:]
        var document: JSONValue = [
            "namespace": .string(key.namespace), "name": .string(key.name), "kind": .string(group.kind),
            "pods": .int(Int64(group.pods.count)), "ready": .int(Int64(group.pods.count(where: isReady))),
            "meshed": .int(Int64(group.pods.count(where: isMeshed))),
            "gateway": .bool(group.pods.contains(where: isGateway)),
            "labels": .object(labels.mapValues(JSONValue.string)),
            "services": .array(services.map { .string($0) }), "instances": .array(group.pods.map(instance)),
        ]
        let app = labels["service.istio.io/canonical-name"] ?? labels["app.kubernetes.io/name"] ?? labels["app"]
        if let app { document["app"] = .string(app) }
        return document
    }

    private static func instance(_ pod: KubernetesObject) -> JSONValue {
        let version =
            pod.labels["service.istio.io/canonical-revision"] ?? pod.labels["app.kubernetes.io/version"]
            ?? pod.labels["version"] ?? "latest"
        return [
            "name": .string(pod.name), "address": pod.json[path: "status", "podIP"] ?? "", "version": .string(version),
            "ready": .bool(isReady(pod)), "meshed": .bool(isMeshed(pod)),
            "containers": .array(containers(of: pod)),
        ]
    }

    /// Names of what runs as long as the pod does: init containers that are started for good are among it.
    private static func containers(of pod: KubernetesObject) -> [JSONValue] {
        let first = (pod.json[path: "spec", "initContainers"]?.arrayValue ?? []).filter {
            $0["restartPolicy"]?.stringValue == "Always"
        }
        return ((pod.json[path: "spec", "containers"]?.arrayValue ?? []) + first).compactMap { $0["name"] }
    }

    private static func kind(of pod: KubernetesObject) -> String {
        guard let owner = pod.ownerReferences.first(where: { $0.controller == true }) else { return "Pod" }
        return owner.kind == "ReplicaSet" ? "Deployment" : owner.kind
    }

    /// A proxy of its own, not beside an application.
    private static func isGateway(_ pod: KubernetesObject) -> Bool {
        let containers = pod.json[path: "spec", "containers"]?.arrayValue ?? []
        return containers.count == 1 && containers.first?["name"]?.stringValue == "istio-proxy"
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
