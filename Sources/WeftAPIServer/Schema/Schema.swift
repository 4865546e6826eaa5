import WeftCore

/// The shape of a value: what fields it has and how lists of it are merged.
///
/// Built-in kinds come from ``BuiltInTypes``; custom ones from their definition's `openAPIV3Schema`.
indirect enum SchemaType: Sendable, Hashable {
    case any, string, integer, number, boolean, quantity, intOrString, time
    case map(SchemaType)
    case list(SchemaType, ListMerge)
    /// A type of ``BuiltInTypes`` by name.
    case named(String)
    case custom(StructuralSchema)
}

/// How two lists become one.
enum ListMerge: Sendable, Hashable {
    case atomic
    case set
    /// Elements are the same when these members are equal; the first is the strategic merge key.
    case byKeys([String])
}

/// A named built-in type.
struct BuiltInType: Sendable, Hashable {
    var fields: [String: SchemaType]
    /// Fields whose strategic merge replaces all members that are not retained (unions).
    var required: Set<String>
}

extension SchemaType {
    /// The schema of a member, or `nil` when the type has no such member.
    func member(_ key: String) -> SchemaType? {
        switch self {
        case .any: .any
        case .map(let element): element
        case .named(let name): BuiltInTypes.all[name]?.fields[key]
        case .custom(let schema): schema.member(key)
        default: nil
        }
    }

    var element: (SchemaType, ListMerge)? {
        switch self {
        case .list(let element, let merge): (element, merge)
        case .any: (.any, .atomic)
        case .custom(let schema): schema.items.map { (.custom($0), schema.listMerge) }
        default: nil
        }
    }

    /// The word Go's decoder uses.
    var goName: String {
        switch self {
        case .string, .time: "string"
        case .integer: "int32"
        case .number: "float64"
        case .boolean: "bool"
        case .map: "map[string]string"
        case .list(.string, _): "[]string"
        case .list(.named(let name), _): "[]v1.\(name)"
        case .list: "[]interface {}"
        case .named(let name): "v1.\(name)"
        default: "string"
        }
    }
}

/// Checks a document of a built-in kind as Kubernetes' decoder does: unknown fields, wrong types.
struct BuiltInDecoder {
    private(set) var unknown: [String] = []

    /// - Returns: the value without unknown members and without nulls.
    mutating func decode(_ value: JSONValue, as type: SchemaType, path: String, owner: String) throws(DecodingProblem)
        -> JSONValue
    {
        switch (type, value) {
        case (.any, _), (.custom, _), (.quantity, .string), (.quantity, .int), (.quantity, .double): return value
        case (.string, .string), (.time, .string), (.boolean, .bool), (.integer, .int), (.number, .int),
            (.number, .double), (.intOrString, .int), (.intOrString, .string):
            return value
        case (_, .null): return .null
        case (.integer, .double(let number)) where Int64(exactly: number) != nil: return .int(Int64(number))
        case (.map(let element), .object(let members)):
            var result: [String: JSONValue] = [:]
            for (key, member) in members {
                result[key] = try decode(member, as: element, path: path + "." + key, owner: owner)
            }
            return .object(result)
        case (.list(let element, _), .array(let elements)):
            var result: [JSONValue] = []
            for (index, member) in elements.enumerated() {
                result.append(try decode(member, as: element, path: "\(path)[\(index)]", owner: owner))
            }
            return .array(result)
        case (.named(let name), .object(let members)):
            return try decodeMembers(members, name: name, path: path)
        default:
            throw DecodingProblem(value: value, type: type, owner: owner, path: path)
        }
    }

    private mutating func decodeMembers(_ members: [String: JSONValue], name: String, path: String)
        throws(DecodingProblem) -> JSONValue
    {
        guard let type = BuiltInTypes.all[name] else { return .object(members) }
        var result: [String: JSONValue] = [:]
        for (key, member) in members.sorted(by: { $0.key < $1.key }) {
            let full = path.isEmpty ? key : path + "." + key
            guard let field = type.fields[key] else {
                unknown.append(full)
                continue
            }
            let value = try decode(member, as: field, path: full, owner: name)
            // An empty map is no map, as in Kubernetes: two pod templates that differ in nothing else are equal.
            if case .map = field, value == [:] { continue }
            if !value.isNull { result[key] = value }
        }
        return .object(result)
    }
}

/// A value that does not fit its field.
struct DecodingProblem: Error {
    var value: JSONValue
    var type: SchemaType
    var owner: String
    var path: String

    /// The text Go's JSON decoder gives.
    var message: String {
        let plain = path.split(separator: "[").map { part in
            part.firstIndex(of: "]").map { String(part[part.index(after: $0)...]) } ?? String(part)
        }.joined()
        if case .quantity = type {
            return "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        }
        let word: String =
            switch value {
            case .bool: "bool"
            case .int, .double: "number"
            case .null, .string, .array, .object: value.typeName
            }
        return "json: cannot unmarshal \(word) into Go struct field \(owner).\(plain) of type \(type.goName)"
    }
}

extension SchemaType: StrategicMergeSchema {
    func strategicMember(_ key: String) -> SchemaType? { member(key) }
    var strategicElement: SchemaType? { element?.0 }
    var strategicMergeKey: String? {
        guard case .byKeys(let keys)? = element?.1 else { return nil }
        return keys.first
    }
    var strategicSet: Bool { element?.1 == .set }
}
