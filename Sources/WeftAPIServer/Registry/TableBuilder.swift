import WeftCore

/// Turns objects into a `meta.k8s.io/v1` Table, the form kubectl prints.
struct TableBuilder {
    var columns: [PrinterColumn]
    /// `None`, `Metadata` or `Object`: what of each object goes along with its row.
    var includeObject: String

    func table(_ objects: [JSONValue], resourceVersion: String, next: String? = nil, remaining: Int? = nil) -> JSONValue
    {
        var metadata: JSONValue = ["resourceVersion": .string(resourceVersion)]
        if let next { metadata["continue"] = .string(next) }
        if let remaining { metadata["remainingItemCount"] = .int(Int64(remaining)) }
        return [
            "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            "columnDefinitions": .array(
                columns.map {
                    [
                        "name": .string($0.name), "type": .string($0.type), "format": .string($0.format),
                        "description": .string($0.description), "priority": .int(Int64($0.priority)),
                    ]
                }),
            "rows": .array(objects.map(row)),
        ]
    }

    private func row(_ object: JSONValue) -> JSONValue {
        var row: JSONValue = ["cells": .array(columns.map { $0.cell(object) })]
        switch includeObject {
        case "None": break
        case "Object": row["object"] = object
        default:
            row["object"] = [
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"] ?? [:],
            ]
        }
        return row
    }
}
