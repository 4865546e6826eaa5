import WeftConfig
import WeftCore

extension APIEngine {
    func getScale(_ resource: ResourceID, namespace: String, name: String) throws -> JSONValue {
        let info = try info(resource)
        let object = try get(resource, namespace: namespace, name: name)
        return try scaleView(object, info)
    }

    private func scaleView(_ object: JSONValue, _ info: ResourceInfo) throws -> JSONValue {
        guard let paths = info.scale else { throw APIError.noSuchPath }
        var metadata: JSONValue = [:]
        for key in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
            metadata[key] = object[path: "metadata", key]
        }
        var status: JSONValue = ["replicas": object[path: paths.statusReplicas[...]] ?? 0]
        let labels = object[path: "spec", "selector", "matchLabels"] ?? object[path: "spec", "selector"]
        let own = paths.selector.flatMap { object[path: $0[...]]?.stringValue }
        status["selector"] = .string(own ?? (labels?.objectValue == nil ? "" : BuiltInColumns.selector(labels)))
        return [
            "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
            "spec": ["replicas": object[path: paths.specReplicas[...]] ?? 0], "status": status,
        ]
    }

    func scale(
        _ resource: ResourceID, _ info: ResourceInfo, _ id: ObjectID, _ body: JSONValue, _ options: WriteOptions,
        kind: PatchKind? = nil
    ) async throws -> JSONValue {
        guard let paths = info.scale else { throw APIError.noSuchPath }
        guard let old = store.get(storage(info), id) else { throw APIError.notFound(resource, id.name) }
        var view = try scaleView(old, info)
        switch kind {
        case .json: view = try view.applying(jsonPatch: body)
        case nil: view = body
        default: view = view.merging(patch: body)
        }
        guard let replicas = view[path: "spec", "replicas"]?.intValue, replicas >= 0 else {
            throw APIError.invalid(
                kind: "Scale", group: "autoscaling", name: id.name,
                [.invalid("spec.replicas", view[path: "spec", "replicas"] ?? 0, "must be greater than or equal to 0")])
        }
        var object = served(old, info, resource.version)
        object[path: paths.specReplicas[...]] = .int(Int64(replicas))
        object[path: "metadata", "resourceVersion"] = view[path: "metadata", "resourceVersion"]
        var options = options
        options.subresource = ""
        return try scaleView(try await replace(old, with: object, info, resource, id, options), info)
    }
}
