import WeftCore

/// OpenAPI documents: enough for `kubectl explain` and for clients to see that the server validates fields.
enum OpenAPI {
    static func answer(_ request: APIRequest, _ registry: Registry) throws -> JSONValue {
        let path = request.path
        if path.count >= 2, path[1] == "v2" {
            return ["swagger": "2.0", "info": info, "paths": [:], "definitions": [:]]
        }
        guard path.count >= 2, path[1] == "v3" else { throw APIError.noSuchPath }
        if path.count == 2 { return index(registry) }
        let group = path[2] == "api" ? "" : path.count > 3 ? path[3] : ""
        guard let version = path.last else { throw APIError.noSuchPath }
        return document(registry.all.filter { $0.group == group && $0.versions.contains(version) }, group, version)
    }

    static let protobufType = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

    /// The version 2 document as protobuf, which kubectl asks for when version 3 does not have a kind: it has none either.
    static let protobufDocument: [UInt8] = {
        func text(_ number: UInt8, _ text: String) -> [UInt8] {
            [number << 3 | 2, UInt8(text.utf8.count)] + Array(text.utf8)
        }
        let info = text(1, "Weft") + text(2, "v1.32.0+weft")
        return text(1, "2.0") + [2 << 3 | 2, UInt8(info.count)] + info + [8 << 3 | 2, 0, 9 << 3 | 2, 0]
    }()

    private static let info: JSONValue = ["title": "Weft", "version": "v1.32.0+weft"]

    private static func index(_ registry: Registry) -> JSONValue {
        var paths: [String: JSONValue] = [:]
        for resource in registry.all {
            for version in resource.versions {
                let path = resource.group.isEmpty ? "api/\(version)" : "apis/\(resource.group)/\(version)"
                paths[path] = ["serverRelativeURL": .string("/openapi/v3/\(path)")]
            }
        }
        return ["paths": .object(paths)]
    }

    private static func schemaName(_ group: String, _ version: String, _ kind: String) -> String {
        "\(group.isEmpty ? "core" : group).\(version).\(kind)"
    }

    private static func document(_ infos: [ResourceInfo], _ group: String, _ version: String) -> JSONValue {
        var paths: [String: JSONValue] = [:]
        var schemas: [String: JSONValue] = [:]
        let parameter: JSONValue = ["name": "fieldValidation", "in": "query", "schema": ["type": "string"]]
        for info in infos {
            let gvk: JSONValue = ["group": .string(group), "version": .string(version), "kind": .string(info.kind)]
            let base =
                (group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)")
                + (info.namespaced ? "/namespaces/{namespace}" : "") + "/\(info.plural)"
            func operation(_ action: JSONValue) -> JSONValue {
                [
                    "parameters": [parameter], "responses": ["200": ["description": "OK"]],
                    "x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk,
                ]
            }
            paths["\(base)/{name}"] = [
                "get": operation("get"), "patch": operation("patch"), "put": operation("put"),
                "delete": operation("delete"),
            ]
            paths[base] = ["get": operation("list"), "post": operation("post")]
            var schema = document(of: info, version, &schemas)
            schema["x-kubernetes-group-version-kind"] = [gvk]
            schemas[schemaName(group, version, info.kind)] = schema
        }
        return [
            "openapi": "3.0.0", "info": info, "paths": .object(paths), "components": ["schemas": .object(schemas)],
        ]
    }

    private static func document(of info: ResourceInfo, _ version: String, _ schemas: inout [String: JSONValue])
        -> JSONValue
    {
        switch info.schemas[version] {
        case .custom(let schema)?:
            var document = schema.document
            let texts: [(String, JSONValue)] = [
                ("apiVersion", ["type": "string"]), ("kind", ["type": "string"]),
                ("metadata", ["allOf": [["$ref": "#/components/schemas/weft.ObjectMeta"]]]),
            ]
            for (name, value) in texts { document[path: "properties", name] = value }
            add("ObjectMeta", &schemas)
            return document
        case .named(let name)?: return object(name, &schemas)
        default: return ["type": "object"]
        }
    }

    private static func add(_ name: String, _ schemas: inout [String: JSONValue]) {
        let key = "weft.\(name)"
        if schemas[key] != nil { return }
        schemas[key] = [:]
        schemas[key] = object(name, &schemas)
    }

    private static func object(_ name: String, _ schemas: inout [String: JSONValue]) -> JSONValue {
        let type = BuiltInTypes.all[name] ?? BuiltInType(fields: [:], required: [])
        var properties: [String: JSONValue] = [:]
        for (field, member) in type.fields { properties[field] = schema(member, &schemas) }
        var result: JSONValue = ["type": "object", "properties": .object(properties)]
        if !type.required.isEmpty { result["required"] = .array(type.required.sorted().map { .string($0) }) }
        return result
    }

    private static func schema(_ type: SchemaType, _ schemas: inout [String: JSONValue]) -> JSONValue {
        switch type {
        case .any: return ["type": "object"]
        case .string, .quantity: return ["type": "string"]
        case .time: return ["type": "string", "format": "date-time"]
        case .integer: return ["type": "integer", "format": "int32"]
        case .number: return ["type": "number"]
        case .boolean: return ["type": "boolean"]
        case .intOrString: return ["oneOf": [["type": "integer"], ["type": "string"]]]
        case .map(let element): return ["type": "object", "additionalProperties": schema(element, &schemas)]
        case .list(let element, _): return ["type": "array", "items": schema(element, &schemas)]
        case .custom(let schema): return schema.document
        case .named(let name):
            add(name, &schemas)
            return ["allOf": [["$ref": .string("#/components/schemas/weft.\(name)")]]]
        }
    }
}
