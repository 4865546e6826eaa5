import WeftConfig
import WeftCore

/// `/api/config` of the dashboard: the mesh's objects, each with what is known to be wrong with it. Pure.
///
/// No kind of these holds a secret: Secrets and ConfigMaps are never among them.
struct ConfigurationDocument {
    private let objects: [KubernetesObject]
    private let messages: [ResourceReference: [Diagnostic]]

    init(objects: [KubernetesObject], findings: [Diagnostic]) {
        self.objects = objects
        messages = Dictionary(
            grouping: findings.filter { $0.resource != nil },
            by: { $0.resource ?? ResourceReference(kind: "", name: "") })
    }

    /// Kind, place, age, `spec` and messages of all.
    var list: JSONValue {
        let sorted = objects.sorted { ($0.kind, $0.namespace, $0.name) < ($1.kind, $1.namespace, $1.name) }
        return .array(
            sorted.map { object in
                [
                    "group": .string(object.group), "kind": .string(object.kind),
                    "namespace": .string(object.namespace), "name": .string(object.name),
                    "created": object.json[path: "metadata", "creationTimestamp"] ?? "",
                    "spec": object.json["spec"] ?? [:], "messages": messages(about: reference(object)),
                ]
            })
    }

    /// One object without the book-keeping of the API server, its messages, and the version that the editor sends back.
    /// - Parameter group: of the object's API; `nil` takes the first of this kind and name.
    func document(of wanted: ResourceReference, group: String?) -> JSONValue? {
        let found = objects.first { object in
            reference(object) == wanted && (group ?? object.group) == object.group
        }
        guard let object = found else { return nil }
        var json = object.json
        var metadata = json["metadata"]?.objectValue ?? [:]
        metadata["managedFields"] = nil
        json["metadata"] = .object(metadata)
        return [
            "object": json, "messages": messages(about: wanted),
            "version": .string(ConfigurationEditor.version(of: object)),
        ]
    }

    private func reference(_ object: KubernetesObject) -> ResourceReference {
        ResourceReference(kind: object.kind, namespace: object.namespace, name: object.name)
    }

    private func messages(about object: ResourceReference) -> JSONValue {
        .array(
            (messages[object] ?? []).map { finding in
                var message: JSONValue = [
                    "severity": .string(finding.severity.rawValue.lowercased()), "code": .string(finding.code),
                    "text": .string(finding.message),
                ]
                if let path = finding.path { message["path"] = .string(path) }
                if let hint = finding.hint { message["hint"] = .string(hint) }
                return message
            })
    }
}

/// `/api/proxy` of the dashboard: the parts of one proxy's configuration by name. Pure.
enum ProxyDocument {
    static func make(_ configuration: JSONValue) -> JSONValue {
        let parts = (configuration.objectValue ?? [:]).filter { $0.key != "secrets" }
        return .object(
            parts.mapValues { part in
                let sorted = (part.objectValue ?? [:]).sorted { $0.key < $1.key }
                return .array(sorted.map { ["name": .string($0.key), "value": $0.value] })
            })
    }
}
