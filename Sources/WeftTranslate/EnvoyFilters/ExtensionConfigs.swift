import WeftConfig
import WeftCore

/// Extensions that EnvoyFilters name once (`applyTo: EXTENSION_CONFIG`) for filters that refer to them
/// (`config_discovery`).
///
/// In Istio they travel by ECDS. Here each is put into the filters that refer to it, in place of the reference: a
/// listener comes whole or not at all, and never waits for a part.
struct ExtensionConfigs {
    private var byName: [String: JSONValue] = [:]
    private static let references = ["config_discovery", "configDiscovery"]

    /// - Parameter entries: Patches for one proxy in their order; of two with one name the later one counts.
    init(_ entries: some Sequence<EnvoyFilter.ConfigPatch>) {
        for entry in entries where entry.applyTo == .extensionConfig && entry.patch?.operation == .add {
            guard let value = entry.patch?.value, let name = value["name"]?.stringValue else { continue }
            byName[name] = value["typed_config"] ?? value["typedConfig"] ?? value
        }
    }

    /// The value of a patch with extensions in place of references, at any depth. A reference to none becomes its default;
    /// without one it stays as it is, and the patcher refuses it.
    func inlined(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let elements): return .array(elements.map(inlined))
        case .object(var members):
            if let key = Self.references.first(where: { members[$0] != nil }), let reference = members[key],
                let found = members["name"]?.stringValue.flatMap({ byName[$0] }) ?? Self.standard(reference)
            {
                members[key] = nil
                members["typed_config"] = found
                return .object(members)
            }
            return .object(members.mapValues(inlined))
        default: return value
        }
    }

    /// Whether some filter in the value refers to the name.
    static func refers(_ value: JSONValue, to name: String) -> Bool {
        switch value {
        case .array(let elements): elements.contains { refers($0, to: name) }
        case .object(let members):
            members["name"]?.stringValue == name && references.contains { members[$0] != nil }
                || members.values.contains { refers($0, to: name) }
        default: false
        }
    }

    private static func standard(_ reference: JSONValue) -> JSONValue? {
        reference["default_config"] ?? reference["defaultConfig"]
    }
}
