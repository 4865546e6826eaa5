import WeftCore

/// The schema of a custom resource: the `openAPIV3Schema` of its definition, read once.
///
/// Immutable. Depth is bounded by the document it was read from.
final class StructuralSchema: Sendable, Hashable {
    let document: JSONValue
    let type: String?
    let properties: [String: StructuralSchema]
    let additional: StructuralSchema?
    let allowsAdditional: Bool
    let items: StructuralSchema?
    let required: [String]
    let preservesUnknown: Bool
    let intOrString: Bool
    let embeddedResource: Bool
    let nullable: Bool
    let defaultValue: JSONValue?
    let pattern: PatternBox?
    let listMerge: ListMerge
    let alternatives: [(word: String, schemas: [StructuralSchema])]

    init(_ document: JSONValue) {
        self.document = document
        type = document["type"]?.stringValue
        properties = (document["properties"]?.objectValue ?? [:]).mapValues { StructuralSchema($0) }
        let more = document["additionalProperties"]
        additional = more?.objectValue == nil ? nil : more.map { StructuralSchema($0) }
        allowsAdditional = more.map { $0 != false } ?? false
        items = document["items"].map { StructuralSchema($0) }
        required = document["required"]?.arrayValue?.compactMap(\.stringValue) ?? []
        preservesUnknown = document["x-kubernetes-preserve-unknown-fields"] == true
        intOrString = document["x-kubernetes-int-or-string"] == true
        embeddedResource = document["x-kubernetes-embedded-resource"] == true
        nullable = document["nullable"] == true
        defaultValue = document["default"]
        pattern = document["pattern"]?.stringValue.flatMap { PatternBox($0) }
        let keys = document["x-kubernetes-list-map-keys"]?.arrayValue?.compactMap(\.stringValue) ?? []
        listMerge =
            switch document["x-kubernetes-list-type"]?.stringValue {
            case "map" where !keys.isEmpty: .byKeys(keys)
            case "set": .set
            default: .atomic
            }
        alternatives = ["allOf", "anyOf", "oneOf", "not"].compactMap { word in
            guard let value = document[word] else { return nil }
            let schemas = word == "not" ? [value] : value.arrayValue ?? []
            return (word, schemas.map { StructuralSchema($0) })
        }
    }

    static func == (left: StructuralSchema, right: StructuralSchema) -> Bool { left.document == right.document }
    func hash(into hasher: inout Hasher) { hasher.combine(document) }

    func member(_ key: String) -> SchemaType? {
        if let property = properties[key] { return .custom(property) }
        if let additional { return .custom(additional) }
        return preservesUnknown || allowsAdditional ? .any : nil
    }

    /// Removes what the schema does not know, and names what it removed.
    func prune(_ value: JSONValue, path: String, root: Bool, unknown: inout [String]) -> JSONValue {
        switch value {
        case .object(let members):
            var result: [String: JSONValue] = [:]
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                let full = path.isEmpty ? key : "\(path).\(key)"
                if root || embeddedResource, ["apiVersion", "kind", "metadata"].contains(key) {
                    result[key] = member
                } else if let schema = properties[key] ?? additional {
                    result[key] = schema.prune(member, path: full, root: false, unknown: &unknown)
                } else if preservesUnknown || allowsAdditional || (type == nil && properties.isEmpty && intOrString) {
                    result[key] = member
                } else {
                    unknown.append(full)
                }
            }
            return .object(result)
        case .array(let elements):
            guard let items else { return value }
            return .array(
                elements.enumerated().map {
                    items.prune($1, path: "\(path)[\($0)]", root: false, unknown: &unknown)
                })
        default: return value
        }
    }

    /// Fills in defaults of absent members; nulls that may not be null count as absent when there is a default.
    func defaulted(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(var members):
            for (key, schema) in properties {
                let member = members[key]
                if member == nil || (member?.isNull == true && !schema.nullable), let fallback = schema.defaultValue {
                    members[key] = fallback
                }
                if let member = members[key] { members[key] = schema.defaulted(member) }
            }
            if let additional {
                for (key, member) in members where properties[key] == nil {
                    members[key] = additional.defaulted(member)
                }
            }
            return .object(members)
        case .array(let elements): return items.map { items in .array(elements.map { items.defaulted($0) }) } ?? value
        default: return value
        }
    }
}
