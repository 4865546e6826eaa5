import WeftCore

/// A structural OpenAPI v3 schema, written as Swift: what a field may hold.
///
/// Objects list every member that we know; with strict field validation the API server refuses all others.
indirect enum Schema: Sendable {
    case string
    case oneOf([String])
    case bool
    case int32
    case int64
    /// Protobuf's `uint32`: 0 to 4294967295.
    case uint32
    case number
    /// A number or a string, as Kubernetes ports are.
    case intOrString
    case list(Schema)
    case map(Schema)
    case object([Field])
    /// Any JSON at all (`Struct`, kinds that have no schema yet).
    case anything

    /// One member of an object.
    struct Field: Sendable {
        var name: String
        var schema: Schema
        var required: Bool
    }

    /// Durations are strings; their form is checked by the validation webhook, which can say what is wrong with them.
    static let duration = Schema.string
    static let strings = Schema.list(.string)

    var json: JSONValue {
        switch self {
        case .string: ["type": "string"]
        case .oneOf(let values): ["type": "string", "enum": .array(values.map { .string($0) })]
        case .bool: ["type": "boolean"]
        case .int32: ["type": "integer", "format": "int32"]
        case .int64: ["type": "integer", "format": "int64"]
        case .uint32: ["type": "integer", "minimum": 0, "maximum": 4_294_967_295]
        case .number: ["type": "number", "format": "double"]
        case .intOrString: ["x-kubernetes-int-or-string": true, "anyOf": [["type": "integer"], ["type": "string"]]]
        case .list(let element): ["type": "array", "items": element.json]
        case .map(let value): ["type": "object", "additionalProperties": value.json]
        case .anything: ["type": "object", "x-kubernetes-preserve-unknown-fields": true]
        case .object(let fields): Self.object(fields)
        }
    }

    private static func object(_ fields: [Field]) -> JSONValue {
        var properties: [String: JSONValue] = [:]
        for field in fields { properties[field.name] = field.schema.json }
        var json: JSONValue = ["type": "object", "properties": .object(properties)]
        let required = fields.filter(\.required).map { JSONValue.string($0.name) }
        if !required.isEmpty { json["required"] = .array(required) }
        return json
    }
}

infix operator ~> : AssignmentPrecedence
/// An optional member: `"host" ~> .string` reads as “the member host is a string”.
func ~> (name: String, schema: Schema) -> Schema.Field { Schema.Field(name: name, schema: schema, required: false) }

infix operator ~>! : AssignmentPrecedence
/// A member that must be there.
func ~>! (name: String, schema: Schema) -> Schema.Field { Schema.Field(name: name, schema: schema, required: true) }
