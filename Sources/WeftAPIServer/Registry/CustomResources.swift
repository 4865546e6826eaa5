import WeftConfig
import WeftCore

/// Reads a CustomResourceDefinition into a row of the registry.
enum CustomResources {
    static func info(_ definition: JSONValue) -> ResourceInfo? {
        let spec = definition["spec"] ?? [:]
        let served = (spec["versions"]?.arrayValue ?? []).filter { $0["served"] == true }
        guard let plural = spec[path: "names", "plural"]?.stringValue,
            let kind = spec[path: "names", "kind"]?.stringValue,
            let group = spec["group"]?.stringValue, !served.isEmpty,
            let storage = spec["versions"]?.arrayValue?.first(where: { $0["storage"] == true })?["name"]?.stringValue
        else { return nil }
        let versions = served.compactMap { $0["name"]?.stringValue }.sorted { VersionOrder.precedes($0, $1) }
        var info = ResourceInfo(
            group: group, versions: versions, plural: plural,
            singular: spec[path: "names", "singular"]?.stringValue ?? kind.lowercased(), kind: kind,
            storageVersion: storage)
        info.shortNames = spec[path: "names", "shortNames"]?.arrayValue?.compactMap(\.stringValue) ?? []
        info.categories = spec[path: "names", "categories"]?.arrayValue?.compactMap(\.stringValue) ?? []
        info.namespaced = spec["scope"] != "Cluster"
        info.isCustom = true
        info.definitionUID = definition.string("metadata", "uid")
        for version in served {
            guard let name = version["name"]?.stringValue else { continue }
            if let document = version[path: "schema", "openAPIV3Schema"] {
                info.schemas[name] = .custom(StructuralSchema(document))
            }
            info.columns[name] = columns(version)
            if version[path: "subresources", "status"] != nil { info.hasStatus = true }
            if let scale = version[path: "subresources", "scale"] { info.scale = scalePaths(scale) }
        }
        return info
    }

    private static func scalePaths(_ scale: JSONValue) -> ScalePaths {
        func path(_ key: String) -> [String]? {
            scale[key]?.stringValue.map { $0.split(separator: ".").map(String.init) }
        }
        return ScalePaths(
            specReplicas: path("specReplicasPath") ?? ["spec", "replicas"],
            statusReplicas: path("statusReplicasPath") ?? ["status", "replicas"], selector: path("labelSelectorPath"))
    }

    private static func columns(_ version: JSONValue) -> [PrinterColumn] {
        guard let extra = version["additionalPrinterColumns"]?.arrayValue, !extra.isEmpty else {
            return [BuiltInColumns.name, BuiltInColumns.age]
        }
        return [BuiltInColumns.name]
            + extra.map { column in
                let path = JSONPath(column.string("jsonPath"))
                let type = column.string("type")
                var result = PrinterColumn(name: column.string("name"), type: type) {
                    cell(path.evaluate($0), type: type)
                }
                result.format = column.string("format")
                result.description = column.string("description")
                result.priority = column.int("priority")
                return result
            }
    }

    private static func cell(_ values: [JSONValue], type: String) -> JSONValue {
        guard let first = values.first, !first.isNull else { return .null }
        switch type {
        case "date": return .string(KubernetesTime.age(since: first.stringValue))
        case "integer", "number", "boolean": return first
        default: return .string(values.compactMap(\.plain).joined(separator: ","))
        }
    }

    /// What the server adds to a definition when it is written: defaults and the conditions clients wait for.
    static func complete(_ definition: inout JSONValue) {
        let kind = definition.string("spec", "names", "kind")
        if definition[path: "spec", "names", "listKind"] == nil {
            definition[path: "spec", "names", "listKind"] = .string(kind + "List")
        }
        if definition[path: "spec", "names", "singular"] == nil {
            definition[path: "spec", "names", "singular"] = .string(kind.lowercased())
        }
        if definition[path: "spec", "conversion"] == nil {
            definition[path: "spec", "conversion"] = ["strategy": "None"]
        }
        guard definition[path: "status", "conditions"] == nil else { return }
        let now = JSONValue.string(KubernetesTime.now())
        func condition(_ type: String, _ reason: String, _ message: String) -> JSONValue {
            [
                "type": .string(type), "status": "True", "lastTransitionTime": now, "reason": .string(reason),
                "message": .string(message),
            ]
        }
        let stored = definition[path: "spec", "versions"]?.arrayValue?.first { $0["storage"] == true }?["name"] ?? "v1"
        definition["status"] = [
            "acceptedNames": definition[path: "spec", "names"] ?? [:], "storedVersions": [stored],
            "conditions": [
                condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            ],
        ]
    }

    static func problems(_ definition: JSONValue) -> [FieldProblem] {
        let name = definition.string("metadata", "name")
        let wanted = "\(definition.string("spec", "names", "plural")).\(definition.string("spec", "group"))"
        var found: [FieldProblem] = []
        if name != wanted {
            found.append(.invalid("metadata.name", .string(name), "must be spec.names.plural+\".\"+spec.group"))
        }
        let versions = definition[path: "spec", "versions"]?.arrayValue ?? []
        if versions.count(where: { $0["storage"] == true }) != 1 {
            found.append(
                .invalid(
                    "spec.versions", .array(versions.map { $0["name"] ?? "" }),
                    "must have exactly one version marked as storage version"))
        }
        for (index, version) in versions.enumerated() where version[path: "schema", "openAPIV3Schema"] == nil {
            found.append(.required("spec.versions[\(index)].schema.openAPIV3Schema", "schemas are required"))
        }
        let scope = definition[path: "spec", "scope"]
        if scope != "Namespaced", scope != "Cluster" {
            found.append(
                FieldProblem(
                    kind: .notSupported(scope ?? "", ["Cluster", "Namespaced"]), path: "spec.scope", detail: ""))
        }
        return found
    }
}

/// The order of API versions: `v2`, `v1`, `v1beta2`, `v1beta1`, `v1alpha1`, then the rest by name.
enum VersionOrder {
    static func precedes(_ left: String, _ right: String) -> Bool { (rank(right), left) < (rank(left), right) }

    private static func rank(_ version: String) -> VersionRank {
        guard let match = version.wholeMatch(of: /v(\d+)(?:(alpha|beta)(\d+))?/) else {
            return .init(stage: 0, major: 0, minor: 0)
        }
        let stage = match.2.map { $0 == "beta" ? 2 : 1 } ?? 3
        return .init(stage: stage, major: Int(match.1) ?? 0, minor: match.3.flatMap { Int($0) } ?? 0)
    }
}

/// A version's place: stability first, then numbers.
private struct VersionRank: Comparable {
    var stage: Int
    var major: Int
    var minor: Int
    static func < (left: VersionRank, right: VersionRank) -> Bool {
        (left.stage, left.major, left.minor) < (right.stage, right.major, right.minor)
    }
}
