/// How the lists of a type merge in a strategic merge patch: what the patch needs to know of a schema.
package protocol StrategicMergeSchema {
    /// The schema of a member of an object.
    func strategicMember(_ key: String) -> Self?
    /// The schema of a list's elements.
    var strategicElement: Self? { get }
    /// The member that identifies an element of a list, when the list merges by key.
    var strategicMergeKey: String? { get }
    /// True when a list of plain values merges as a set.
    var strategicSet: Bool { get }
}

extension JSONValue {
    /// Applies a strategic merge patch: as a merge patch, but lists with a key merge element by element, and the
    /// directives `$patch`, `$retainKeys`, `$setElementOrder/…` and `$deleteFromPrimitiveList/…` are obeyed.
    package func merging<Schema: StrategicMergeSchema>(strategicPatch patch: JSONValue, schema: Schema?)
        throws(JSONPatchError) -> JSONValue
    {
        guard case .object(var changes) = patch else { return patch }
        if let directive = changes.removeValue(forKey: "$patch")?.stringValue {
            switch directive {
            case "replace": return .object(changes)
            case "delete": return .object([:])
            case "merge": break
            default: throw JSONPatchError("unknown patch directive \"\(directive)\"")
            }
        }
        var members = objectValue ?? [:]
        if let retained = changes.removeValue(forKey: "$retainKeys")?.arrayValue?.compactMap(\.stringValue) {
            members = members.filter { retained.contains($0.key) }
        }
        for (key, value) in changes where key.hasPrefix("$deleteFromPrimitiveList/") {
            let name = String(key.dropFirst("$deleteFromPrimitiveList/".count))
            let gone = Set(value.arrayValue ?? [])
            members[name] = members[name]?.arrayValue.map { .array($0.filter { !gone.contains($0) }) }
        }
        for (key, change) in changes where !key.hasPrefix("$") {
            if change.isNull {
                members[key] = nil
                continue
            }
            let member = schema?.strategicMember(key)
            let old = members[key]
            if case .array(let new) = change, let member {
                members[key] = .array(try Self.mergeLists(old?.arrayValue ?? [], new, schema: member))
            } else {
                members[key] = try (old ?? .null).merging(strategicPatch: change, schema: member).withoutDirectives
            }
        }
        for (key, order) in changes where key.hasPrefix("$setElementOrder/") {
            let name = String(key.dropFirst("$setElementOrder/".count))
            guard let list = members[name]?.arrayValue, let wanted = order.arrayValue else { continue }
            let mergeKey = schema?.strategicMember(name)?.strategicMergeKey
            members[name] = .array(Self.order(list, as: wanted, key: mergeKey))
        }
        return .object(members)
    }

    private static func mergeLists<Schema: StrategicMergeSchema>(_ old: [JSONValue], _ new: [JSONValue], schema: Schema)
        throws(JSONPatchError) -> [JSONValue]
    {
        if schema.strategicSet { return old + new.filter { !old.contains($0) } }
        guard let key = schema.strategicMergeKey, !new.contains(where: { $0["$patch"] == "replace" && $0[key] == nil })
        else { return new.filter { $0["$patch"] != "replace" || $0.objectValue?.count != 1 }.map(\.withoutDirectives) }
        var result = old
        for element in new {
            guard let identity = element[key] else {
                throw JSONPatchError("map: \(element.text()) does not contain declared merge key: \(key)")
            }
            let position = result.firstIndex { $0[key] == identity }
            if element["$patch"] == "delete" {
                if let position { result.remove(at: position) }
            } else if let position {
                result[position] = try result[position].merging(
                    strategicPatch: element, schema: schema.strategicElement)
            } else {
                result.append(
                    try JSONValue.object([:]).merging(strategicPatch: element, schema: schema.strategicElement))
            }
        }
        return result
    }

    /// Puts the elements named in `wanted` in that order; others keep their place relative to the one before them.
    private static func order(_ list: [JSONValue], as wanted: [JSONValue], key: String?) -> [JSONValue] {
        func rank(_ element: JSONValue) -> Int? {
            wanted.firstIndex { candidate in
                if let key { candidate[key] == element[key] } else { candidate == element }
            }
        }
        let known = list.filter { rank($0) != nil }.sorted { (rank($0) ?? 0) < (rank($1) ?? 0) }
        var result = known[...]
        var ordered: [JSONValue] = []
        for element in list {
            if rank(element) == nil {
                ordered.append(element)
            } else if let next = result.popFirst() {
                ordered.append(next)
            }
        }
        return ordered
    }

    /// Drops directives and nulls of a patch that became a value.
    private var withoutDirectives: JSONValue {
        switch self {
        case .object(let members):
            .object(members.filter { !$0.key.hasPrefix("$") && !$0.value.isNull }.mapValues(\.withoutDirectives))
        case .array(let elements): .array(elements.map(\.withoutDirectives))
        default: self
        }
    }
}
