import WeftCore

/// One column of a table: a title and where its cells come from.
struct PrinterColumn: Sendable {
    var name: String
    var type = "string"
    var format = ""
    var description = ""
    /// 0 always shows; above, only with `-o wide`.
    var priority = 0
    var cell: @Sendable (JSONValue) -> JSONValue
}

/// Everything the server knows about one resource. Built-in ones are rows of ``BuiltInResources``; custom ones come from
/// their definitions.
struct ResourceInfo: Sendable {
    var group: String
    /// Served versions, the preferred one first.
    var versions: [String]
    var plural: String
    var singular: String
    var kind: String
    var shortNames: [String] = []
    var categories: [String] = []
    var namespaced = true
    var hasStatus = false
    /// Where a custom resource keeps what `scale` shows; built-in workloads have Kubernetes' places.
    var scale: ScalePaths?
    var verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    /// Versions' schemas; absent for kinds of which only the metadata is known.
    var schemas: [String: SchemaType] = [:]
    var columns: [String: [PrinterColumn]] = [:]
    var storageVersion: String
    var isCustom = false
    /// The definition's uid, so that a replaced definition is seen as another.
    var definitionUID = ""

    var storage: StorageID { StorageID(group: group, resource: plural) }
    func id(_ version: String? = nil) -> ResourceID {
        ResourceID(group: group, version: version ?? versions.first ?? storageVersion, resource: plural)
    }
    func apiVersion(_ version: String) -> String { group.isEmpty ? version : "\(group)/\(version)" }
}

/// JSON paths of a scale subresource.
struct ScalePaths: Sendable, Hashable {
    var specReplicas: [String]
    var statusReplicas: [String]
    var selector: [String]?
}
