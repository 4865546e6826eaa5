import FoundationEssentials
import WeftConfig
import WeftCore
import WeftKubernetes
import WeftTranslate

/// What the control plane writes into the WorkloadEntry of a machine's proxy, and when an entry is over. Pure.
///
/// Times stand in annotations, so that every replica sees them: `connectedAt` with the replica that has the connection,
/// or `disconnectedAt` since the last one ended.
enum MachineEntry {
    static let resource = APIResource(
        group: WorkloadEntry.group, kind: WorkloadEntry.kind, name: "workloadentries")
    static let groupResource = APIResource(
        group: WorkloadGroup.group, kind: WorkloadGroup.kind, name: "workloadgroups")

    /// A new entry for a proxy, from its group: what the node says goes before the group's metadata, that before the
    /// template.
    ///
    /// - Parameter account: the one that the proxy has proved; its callers expect it.
    static func make(
        _ key: ObjectKey, of proxy: ProxyIdentity, account: String, from group: KubernetesObject, controller: String,
        at now: Date
    ) -> KubernetesObject {
        let metadata = group.json[path: "spec", "metadata"]
        var spec = group.json[path: "spec", "template"] ?? [:]
        let labels = (spec["labels"]?.objectValue ?? [:]).merging(metadata?["labels"]?.objectValue ?? [:]) { $1 }
            .merging(proxy.labels.mapValues { .string($0) }) { $1 }
        if !labels.isEmpty { spec["labels"] = .object(labels) }
        spec["address"] = .string(proxy.address)
        spec["serviceAccount"] = .string(account)
        if let network = proxy.metadata["NETWORK"]?.stringValue, !network.isEmpty { spec["network"] = .string(network) }
        var annotations = metadata?["annotations"]?.objectValue ?? [:]
        annotations[MachineRegistration.groupAnnotation] = .string(group.name)
        annotations[MachineRegistration.controllerAnnotation] = .string(controller)
        annotations[MachineRegistration.connectedAnnotation] = .string(time(now))
        if proxy.metadata[path: "PROXY_CONFIG", "readinessProbe"]?.objectValue != nil {
            annotations[MachineRegistration.probedAnnotation] = "true"
        }
        return KubernetesObject([
            "apiVersion": .string(resource.apiVersion), "kind": .string(resource.kind),
            "metadata": [
                "name": .string(key.name), "namespace": .string(key.namespace), "labels": .object(labels),
                "annotations": .object(annotations),
                "ownerReferences": [
                    [
                        "apiVersion": .string(group.apiVersion), "kind": .string(group.kind),
                        "name": .string(group.name), "uid": .string(group.uid), "controller": true,
                    ]
                ],
            ],
            "spec": spec,
        ])
    }

    // MARK: - Who is connected

    /// The merge patch that says that `controller` has the connection; `nil` where a newer one is known.
    static func connecting(_ entry: KubernetesObject, controller: String, at now: Date) -> JSONValue? {
        if let other = entry.annotations[MachineRegistration.connectedAnnotation].flatMap(date), other > now {
            return nil
        }
        return patch(
            entry,
            [
                MachineRegistration.controllerAnnotation: .string(controller),
                MachineRegistration.connectedAnnotation: .string(time(now)),
                MachineRegistration.disconnectedAnnotation: .null,
            ])
    }

    /// The merge patch that says that the connection ended; `nil` where the entry tells of another one.
    static func disconnecting(_ entry: KubernetesObject, controller: String, connectedAt: String, at now: Date)
        -> JSONValue?
    {
        guard isConnected(entry, to: controller, at: connectedAt) else { return nil }
        return patch(
            entry,
            [
                MachineRegistration.connectedAnnotation: .null,
                MachineRegistration.disconnectedAnnotation: .string(time(now)),
            ])
    }

    static func isConnected(_ entry: KubernetesObject, to controller: String, at connectedAt: String) -> Bool {
        entry.annotations[MachineRegistration.controllerAnnotation] == controller
            && entry.annotations[MachineRegistration.connectedAnnotation] == connectedAt
    }

    /// Whether nobody has had a connection for the whole of `grace` (seconds).
    static func isOver(_ entry: KubernetesObject, grace: Double, at now: Date) -> Bool {
        guard entry.annotations[MachineRegistration.connectedAnnotation] == nil,
            let end = entry.annotations[MachineRegistration.disconnectedAnnotation].flatMap(date)
        else { return false }
        return now.timeIntervalSince(end) >= grace
    }

    static func isRegistered(_ entry: KubernetesObject) -> Bool {
        entry.annotations[MachineRegistration.groupAnnotation] != nil
    }

    /// Takes away what was known through the connection of an entry that somebody wrote by hand.
    static func forgetting(_ entry: KubernetesObject) -> JSONValue {
        patch(
            entry,
            [
                MachineRegistration.controllerAnnotation: .null, MachineRegistration.connectedAnnotation: .null,
                MachineRegistration.disconnectedAnnotation: .null,
            ])
    }

    /// The version makes the server refuse a patch for an entry that is newer than the one that was looked at.
    private static func patch(_ entry: KubernetesObject, _ annotations: [String: JSONValue]) -> JSONValue {
        [
            "metadata": [
                "resourceVersion": .string(entry.resourceVersion), "annotations": .object(annotations),
            ]
        ]
    }

    // MARK: - Health

    /// The merge patch of the status that brings the condition `Healthy`, or takes it away (`nil`); `nil` where the
    /// entry says so already.
    static func health(of entry: KubernetesObject, is health: (isHealthy: Bool, message: String)?, at now: Date)
        -> JSONValue?
    {
        let conditions = entry.json[path: "status", "conditions"]?.arrayValue ?? []
        let isOurs: (JSONValue) -> Bool = { $0["type"]?.stringValue == MachineRegistration.healthCondition }
        let old = conditions.first(where: isOurs)
        var others = conditions.filter { !isOurs($0) }
        if let health {
            let status = health.isHealthy ? "True" : "False"
            if old?["status"]?.stringValue == status, old?["message"]?.stringValue ?? "" == health.message {
                return nil
            }
            let since = old?["status"]?.stringValue == status ? old?["lastTransitionTime"] : nil
            var condition: JSONValue = [
                "type": .string(MachineRegistration.healthCondition), "status": .string(status),
                "lastProbeTime": .string(time(now)),
            ]
            condition["lastTransitionTime"] = since ?? .string(time(now))
            if !health.message.isEmpty { condition["message"] = .string(health.message) }
            others.append(condition)
        } else if old == nil {
            return nil
        }
        return [
            "metadata": ["resourceVersion": .string(entry.resourceVersion)],
            "status": ["conditions": .array(others)],
        ]
    }

    // MARK: - Time

    static func time(_ date: Date) -> String {
        date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    /// RFC 3339, with or without fractions of a second.
    static func date(_ text: String) -> Date? {
        if let date = try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)) {
            return date
        }
        return try? Date(text, strategy: .iso8601)
    }
}
