import WeftCore
import WeftIR

/// Merges one message in JSON form over another, by the field table, as Istio merges patches: messages field by field,
/// lists one after the other, everything else replaced. Durations, wrappers and members of a oneof are replaced whole.
struct MessageMerge {
    /// Lists of the patch stand in for those that are there (`MERGE_AND_REPLACE_LIST`).
    var replacesLists = false
    private let schema = FieldSchema.shared

    init(replacesLists: Bool = false) { self.replacesLists = replacesLists }

    func merge(_ patch: JSONValue, over base: JSONValue?, as message: String) -> JSONValue {
        guard let base, case .object(let new) = patch, case .object(var old) = base else { return patch }
        if message == WellKnown.any.rawValue { return mergeAny(patch, over: base) }
        if message == WellKnown.structure.rawValue { return .object(old.merging(new) { $1 }) }
        guard let type = schema.messages[message] else { return patch }
        for (key, value) in new {
            guard let field = type.field(key) else {
                // The encoder names it to the user.
                old[key] = value
                continue
            }
            if let oneof = field.oneof {
                for other in type.fields where other.oneof == oneof && other.name != field.name {
                    old[other.name] = nil
                }
            }
            let before = old[field.name]
            if field.isMap {
                old[field.name] = .object((before?.objectValue ?? [:]).merging(value.objectValue ?? [:]) { $1 })
            } else if field.isRepeated {
                let present = replacesLists ? [] : before?.arrayValue ?? []
                old[field.name] = .array(present + (value.arrayValue ?? []))
            } else if field.kind == .message, before != nil {
                old[field.name] = merge(value, over: before, as: field.type)
            } else {
                old[field.name] = value
            }
        }
        return .object(old)
    }

    /// Messages of one type are merged; another type takes the place of the first.
    private func mergeAny(_ patch: JSONValue, over base: JSONValue) -> JSONValue {
        guard let url = patch["@type"]?.stringValue, url == base["@type"]?.stringValue else { return patch }
        let name = url.split(separator: "/").last.map(String.init) ?? url
        var merged = merge(patch, over: base, as: name)
        merged["@type"] = .string(url)
        return merged
    }

    /// The same with the names of the `.proto` files throughout, whatever form the user has written.
    /// - Parameter keeps: Whether a member stays; it is asked about no field for a name that the message does not have.
    func canonical(
        _ value: JSONValue, as message: String, keeps: (FieldSchema.Field?) -> Bool = { _ in true }
    ) -> JSONValue {
        let value = message == WellKnown.any.rawValue ? TypedStruct.unwrapped(value) : value
        guard case .object(let members) = value else { return value }
        if message == WellKnown.any.rawValue {
            let url = members["@type"]?.stringValue ?? ""
            let name = url.split(separator: "/").last.map(String.init) ?? url
            guard WellKnown(rawValue: name) == nil else { return value }
            var result = canonical(value, as: name, keeps: keeps)
            result["@type"] = members["@type"]
            return result
        }
        guard WellKnown(rawValue: message) == nil, let type = schema.messages[message] else { return value }
        var result: [String: JSONValue] = [:]
        for (key, member) in members {
            let field = type.field(key)
            guard keeps(field) else { continue }
            result[field?.name ?? key] = field.map { canonical(member, $0, keeps) } ?? member
        }
        return .object(result)
    }

    private func canonical(_ value: JSONValue, _ field: FieldSchema.Field, _ keeps: (FieldSchema.Field?) -> Bool)
        -> JSONValue
    {
        guard field.kind == .message else { return value }
        if field.isMap {
            guard let element = schema.messages[field.type]?.field(2), element.kind == .message else { return value }
            return value.objectValue.map {
                .object($0.mapValues { canonical($0, as: element.type, keeps: keeps) })
            } ?? value
        }
        guard field.isRepeated else { return canonical(value, as: field.type, keeps: keeps) }
        return value.arrayValue.map { .array($0.map { canonical($0, as: field.type, keeps: keeps) }) } ?? value
    }
}

extension ResourcePatch.Target {
    /// The message that a patch's value is.
    var message: String {
        switch self {
        case .listener: "envoy.config.listener.v3.Listener"
        case .listenerFilter: "envoy.config.listener.v3.ListenerFilter"
        case .filterChain: "envoy.config.listener.v3.FilterChain"
        case .networkFilter: "envoy.config.listener.v3.Filter"
        case .httpFilter: "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter"
        case .routeConfiguration: "envoy.config.route.v3.RouteConfiguration"
        case .virtualHost: "envoy.config.route.v3.VirtualHost"
        case .httpRoute: "envoy.config.route.v3.Route"
        case .cluster: "envoy.config.cluster.v3.Cluster"
        }
    }
}
