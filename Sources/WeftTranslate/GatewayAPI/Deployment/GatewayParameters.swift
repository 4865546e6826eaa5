import WeftConfig
import WeftCore

/// Changes to the objects of a deployed gateway, from the ConfigMap that `infrastructure.parametersRef` names: one partial
/// object under each key.
enum GatewayParameters {
    static let keys = ["deployment", "service", "serviceAccount", "horizontalPodAutoscaler", "podDisruptionBudget"]

    /// What is wrong with a ConfigMap, in one sentence.
    static func problem(in map: KubernetesObject) -> String? {
        for (key, value) in (map.json["data"]?.objectValue ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard keys.contains(key) else {
                return "ConfigMap \(map.name) has the unknown key \(key): use \(keys.joined(separator: ", "))"
            }
            do {
                let parsed = try YAMLReader.value(in: value.stringValue ?? "", file: key)
                guard parsed.objectValue != nil else { return "key \(key) of ConfigMap \(map.name) holds no object" }
            } catch {
                return "key \(key) of ConfigMap \(map.name) is not YAML: \(error)"
            }
        }
        return nil
    }

    static func overlay(_ key: String, in map: KubernetesObject?) -> JSONValue? {
        guard let text = map?.json["data"]?[key]?.stringValue else { return nil }
        let value = try? YAMLReader.value(in: text, file: key)
        return value?.objectValue == nil ? nil : value
    }

    /// Objects are merged member by member, lists of named things (containers, ports, volumes) by name; null removes.
    static func merge(_ base: JSONValue, _ over: JSONValue) -> JSONValue {
        if let old = base.objectValue, let new = over.objectValue {
            var result = old
            for (key, value) in new {
                if value.isNull {
                    result[key] = nil
                } else {
                    result[key] = old[key].map { merge($0, value) } ?? value
                }
            }
            return .object(result)
        }
        guard let old = base.arrayValue, let new = over.arrayValue, !new.isEmpty,
            (old + new).allSatisfy({ $0["name"]?.stringValue != nil })
        else { return over }
        var result = old
        for value in new {
            if let index = result.firstIndex(where: { $0["name"] == value["name"] }) {
                result[index] = merge(result[index], value)
            } else {
                result.append(value)
            }
        }
        return .array(result)
    }
}
