import NIOHTTP1
package import WeftConfig
package import WeftCore

/// The ways in which a patch can be written.
package enum PatchKind: String, Sendable, Hashable {
    case json = "application/json-patch+json"
    case merge = "application/merge-patch+json"
    case strategic = "application/strategic-merge-patch+json"
    case apply = "application/apply-patch+yaml"
}

/// A list as the server gave it at one moment, all pages together.
package struct ObjectList: Sendable {
    package var items: [KubernetesObject]
    /// The version to start watching from.
    package var resourceVersion: String
}

/// Restricts lists and watches, in the syntax of Kubernetes selectors.
package struct ListOptions: Sendable, Hashable {
    package var labelSelector: String?
    package var fieldSelector: String?

    package init(labelSelector: String? = nil, fieldSelector: String? = nil) {
        self.labelSelector = labelSelector
        self.fieldSelector = fieldSelector
    }

    var query: [(String, String)] {
        [labelSelector.map { ("labelSelector", $0) }, fieldSelector.map { ("fieldSelector", $0) }].compactMap { $0 }
    }
}

extension KubernetesClient {
    package func get(_ resource: APIResource, namespace: String? = nil, name: String) async throws -> KubernetesObject {
        KubernetesObject(try await json(.GET, resource.path(namespace: namespace, name: name)))
    }

    /// Lists page by page, so that a huge collection never arrives in one answer.
    package func list(
        _ resource: APIResource, namespace: String? = nil, options: ListOptions = ListOptions(), pageSize: Int = 500
    ) async throws -> ObjectList {
        var items: [KubernetesObject] = []
        var page: String?
        while true {
            var query = options.query + [("limit", String(pageSize))]
            if let page { query.append(("continue", page)) }
            let answer = try await json(.GET, resource.path(namespace: namespace), query: query)
            items += (answer["items"]?.arrayValue ?? []).map { Self.item($0, of: resource) }
            page = answer[path: "metadata", "continue"]?.stringValue
            if page == nil || page == "" {
                let version = answer[path: "metadata", "resourceVersion"]?.stringValue ?? ""
                return ObjectList(items: items, resourceVersion: version)
            }
        }
    }

    /// Items of real lists carry neither kind nor version; ours always do.
    private static func item(_ json: JSONValue, of resource: APIResource) -> KubernetesObject {
        var json = json
        if json["kind"] == nil { json["kind"] = .string(resource.kind) }
        if json["apiVersion"] == nil { json["apiVersion"] = .string(resource.apiVersion) }
        return KubernetesObject(json)
    }

    package func create(
        _ resource: APIResource, _ object: KubernetesObject, namespace: String? = nil, dryRun: Bool = false
    ) async throws -> KubernetesObject {
        let query = dryRun ? [("dryRun", "All")] : []
        let path = resource.path(namespace: namespace ?? object.namespace)
        return KubernetesObject(try await json(.POST, path, query: query, body: object.json))
    }

    package func update(
        _ resource: APIResource, _ object: KubernetesObject, subresource: String? = nil, dryRun: Bool = false
    ) async throws -> KubernetesObject {
        let query = dryRun ? [("dryRun", "All")] : []
        let path = resource.path(namespace: object.namespace, name: object.name, subresource: subresource)
        return KubernetesObject(try await json(.PUT, path, query: query, body: object.json))
    }

    package func patch(
        _ resource: APIResource, namespace: String? = nil, name: String, kind: PatchKind = .merge, _ patch: JSONValue,
        subresource: String? = nil
    ) async throws -> KubernetesObject {
        let path = resource.path(namespace: namespace, name: name, subresource: subresource)
        return KubernetesObject(try await json(.PATCH, path, body: patch, contentType: kind.rawValue))
    }

    /// Server-side apply; JSON is YAML, so the body is sent as JSON.
    package func apply(
        _ resource: APIResource, _ object: KubernetesObject, fieldManager: String, force: Bool = true,
        subresource: String? = nil, dryRun: Bool = false
    ) async throws -> KubernetesObject {
        var query = [("fieldManager", fieldManager), ("force", force ? "true" : "false")]
        if dryRun { query.append(("dryRun", "All")) }
        let path = resource.path(namespace: object.namespace, name: object.name, subresource: subresource)
        return KubernetesObject(
            try await json(.PATCH, path, query: query, body: object.json, contentType: PatchKind.apply.rawValue))
    }

    /// Replaces the status alone; spec and metadata in `object` are ignored by the server.
    package func updateStatus(_ resource: APIResource, _ object: KubernetesObject) async throws -> KubernetesObject {
        try await update(resource, object, subresource: "status")
    }

    /// - Parameter resourceVersion: the version that may be deleted; a newer one is a conflict.
    package func delete(
        _ resource: APIResource, namespace: String? = nil, name: String, propagation: String = "Background",
        gracePeriodSeconds: Int? = nil, resourceVersion: String? = nil
    ) async throws {
        var options: JSONValue = ["kind": "DeleteOptions", "apiVersion": "v1"]
        options["propagationPolicy"] = .string(propagation)
        if let gracePeriodSeconds { options["gracePeriodSeconds"] = .int(Int64(gracePeriodSeconds)) }
        if let resourceVersion { options["preconditions"] = ["resourceVersion": .string(resourceVersion)] }
        _ = try await json(.DELETE, resource.path(namespace: namespace, name: name), body: options)
    }
}
