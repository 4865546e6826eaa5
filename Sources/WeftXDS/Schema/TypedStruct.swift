import WeftCore

/// `xds.type.v3.TypedStruct` (`udpa.type.v1.TypedStruct` of old): the name of a message, and its fields as a struct. Many
/// EnvoyFilters write extensions so; Envoy reads both as the message itself.
enum TypedStruct {
    static let name = "xds.type.v3.TypedStruct"
    private static let names: Set = [name, "udpa.type.v1.TypedStruct"]

    /// An `Any` in JSON form, with the message that a typed struct stands for in its place.
    static func unwrapped(_ any: JSONValue) -> JSONValue {
        guard isOne(any), let type = (any["type_url"] ?? any["typeUrl"])?.stringValue, !type.isEmpty,
            case .object(var members) = any["value"] ?? .object([:])
        else { return any }
        members["@type"] = .string(type)
        return .object(members)
    }

    static func isOne(_ any: JSONValue) -> Bool {
        guard let url = any["@type"]?.stringValue else { return false }
        return names.contains(url.split(separator: "/").last.map(String.init) ?? url)
    }
}
