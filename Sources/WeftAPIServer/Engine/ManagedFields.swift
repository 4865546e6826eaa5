import WeftCore

/// Who owns which field: the sets behind server-side apply, kept in `metadata.managedFields` in Kubernetes' own form.
///
/// Only apply is exact. Other writes are recorded for the leaves they changed, so that a later apply sees the conflict.
enum ManagedFields {
    /// A field's place: member names (`f:name`) and element keys (`k:{…}`, `v:value`).
    typealias Path = [String]

    /// Leaves of an applied object; identity and bookkeeping own nothing.
    static func leaves(_ value: JSONValue, _ type: SchemaType?, at path: Path = []) -> [Path: JSONValue] {
        switch value {
        case .object(let members) where !members.isEmpty:
            var result: [Path: JSONValue] = [:]
            for (key, member) in members where !ignored(path, key) {
                result.merge(leaves(member, type?.member(key), at: path + ["f:\(key)"])) { $1 }
            }
            return result
        case .array(let elements):
            guard let (element, merge) = type?.element, merge != .atomic else { return [path: value] }
            var result: [Path: JSONValue] = [:]
            for item in elements {
                let place = path + [key(of: item, merge)]
                result[place + ["."]] = .null
                result.merge(leaves(item, element, at: place)) { $1 }
            }
            return result
        default: return [path: value]
        }
    }

    private static func ignored(_ path: Path, _ key: String) -> Bool {
        if path.isEmpty { return key == "apiVersion" || key == "kind" }
        guard path == ["f:metadata"] else { return false }
        return [
            "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields",
            "selfLink",
            "deletionTimestamp", "deletionGracePeriodSeconds",
        ].contains(key)
    }

    private static func key(of item: JSONValue, _ merge: ListMerge) -> String {
        guard case .byKeys(let keys) = merge else { return "v:" + item.text() }
        let pairs = keys.map { ($0, item[$0] ?? ($0 == "protocol" ? "TCP" : .null)) }
        return "k:" + JSONValue.object(Dictionary(pairs) { first, _ in first }).text()
    }

    static func encode(_ paths: some Sequence<Path>) -> JSONValue {
        var root: JSONValue = [:]
        for path in paths { root[path: path[...]] = root[path: path[...]] ?? [:] }
        return root
    }

    static func decode(_ fields: JSONValue, at path: Path = []) -> Set<Path> {
        guard let members = fields.objectValue, !members.isEmpty else { return [path] }
        return members.reduce(into: []) { $0.formUnion(decode($1.value, at: path + [$1.key])) }
    }

    static func applied(_ body: JSONValue, _ type: SchemaType?, _ options: WriteOptions) -> JSONValue {
        entry(options, "Apply", body.string("apiVersion"), encode(leaves(body, type).keys))
    }

    private static func entry(_ options: WriteOptions, _ operation: String, _ apiVersion: String, _ fields: JSONValue)
        -> JSONValue
    {
        var entry: JSONValue = [
            "manager": .string(options.fieldManager), "operation": .string(operation),
            "apiVersion": .string(apiVersion),
            "time": .string(KubernetesTime.now()), "fieldsType": "FieldsV1", "fieldsV1": fields,
        ]
        if !options.subresource.isEmpty { entry["subresource"] = .string(options.subresource) }
        return entry
    }

    /// Applies a configuration: merges it, removes what this manager applied before and no longer wants.
    static func apply(_ body: JSONValue, to base: JSONValue, schema: SchemaType?, _ options: WriteOptions) throws
        -> JSONValue
    {
        let wanted = leaves(body, schema)
        let live = leaves(base, schema)
        var entries = base[path: "metadata", "managedFields"]?.arrayValue ?? []
        func isOwn(_ entry: JSONValue) -> Bool {
            entry["manager"]?.stringValue == options.fieldManager && entry["operation"] == "Apply"
        }
        var conflicts: [(manager: String, path: Path)] = []
        for (index, entry) in entries.enumerated() where !isOwn(entry) {
            let owned = decode(entry["fieldsV1"] ?? [:])
            let taken = owned.filter { wanted[$0] != nil && wanted[$0] != live[$0] }
            if taken.isEmpty { continue }
            conflicts += taken.map { (entry.string("manager"), $0) }
            entries[index]["fieldsV1"] = encode(owned.subtracting(taken))
        }
        if !conflicts.isEmpty, !options.force { throw conflict(conflicts) }
        let previous = entries.first(where: isOwn).map { decode($0["fieldsV1"] ?? [:]) } ?? []
        entries.removeAll(where: isOwn)
        let others = entries.reduce(into: Set<Path>()) { $0.formUnion(decode($1["fieldsV1"] ?? [:])) }
        var result = merge(base, body, schema)
        for path in previous.subtracting(wanted.keys).subtracting(others).sorted(by: { $0.count > $1.count }) {
            remove(&result, path[...], schema)
        }
        entries.append(entry(options, "Apply", body.string("apiVersion"), encode(wanted.keys)))
        result[path: "metadata", "managedFields"] = .array(entries.filter { $0["fieldsV1"] != [:] })
        return result
    }

    private static func conflict(_ conflicts: [(manager: String, path: Path)]) -> APIError {
        let texts = conflicts.map { "conflict with \"\($0.manager)\": \(readable($0.path))" }.sorted()
        let count = texts.count == 1 ? "1 conflict" : "\(texts.count) conflicts"
        return APIError(
            code: 409, reason: "Conflict", message: "Apply failed with \(count): \(texts.joined(separator: ", "))",
            details: [
                "causes": .array(
                    conflicts.map {
                        [
                            "reason": "FieldManagerConflict", "message": .string("conflict with \"\($0.manager)\""),
                            "field": .string(readable($0.path)),
                        ]
                    })
            ])
    }

    private static func readable(_ path: Path) -> String {
        path.map { part in
            if part.hasPrefix("f:") { return "." + part.dropFirst(2) }
            guard part.hasPrefix("k:"), let keys = (try? JSONValue(parsing: String(part.dropFirst(2))))?.objectValue
            else {
                return part.hasPrefix("v:") ? "[\(part.dropFirst(2))]" : ""
            }
            return "[" + keys.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.text())" }.joined(separator: ",")
                + "]"
        }.joined()
    }

    static func merge(_ old: JSONValue, _ new: JSONValue, _ type: SchemaType?) -> JSONValue {
        switch (old, new) {
        case (.object(var members), .object(let changes)):
            for (key, change) in changes {
                members[key] = members[key].map { merge($0, change, type?.member(key)) } ?? change
            }
            return .object(members)
        case (.array(var elements), .array(let changes)):
            guard let (element, merge) = type?.element, merge != .atomic else { return new }
            for change in changes {
                let identity = key(of: change, merge)
                if let index = elements.firstIndex(where: { key(of: $0, merge) == identity }) {
                    elements[index] = Self.merge(elements[index], change, element)
                } else {
                    elements.append(change)
                }
            }
            return .array(elements)
        default: return new
        }
    }

    private static func remove(_ value: inout JSONValue, _ path: ArraySlice<String>, _ type: SchemaType?) {
        guard let step = path.first else { return }
        let rest = path.dropFirst()
        if step.hasPrefix("f:") {
            let name = String(step.dropFirst(2))
            guard var child = value[name] else { return }
            if rest.isEmpty {
                value[name] = nil
                return
            }
            remove(&child, rest, type?.member(name))
            value[name] = child == [:] || child == [] ? nil : child
        } else if case .array(var elements) = value, let (element, merge) = type?.element,
            let index = elements.firstIndex(where: { key(of: $0, merge) == step })
        {
            if rest.isEmpty || rest.first == "." {
                elements.remove(at: index)
            } else {
                remove(&elements[index], rest, element)
            }
            value = .array(elements)
        }
    }

    /// Notes the leaves that a write other than apply changed, under its manager.
    static func record(_ object: inout JSONValue, old: JSONValue?, _ type: SchemaType?, _ options: WriteOptions) {
        var entries = object[path: "metadata", "managedFields"]?.arrayValue ?? []
        if entries.contains(where: { $0["manager"]?.stringValue == options.fieldManager && $0["operation"] == "Apply" })
        {
            return
        }
        let now = leaves(object, type)
        let before = old.map { leaves($0, type) } ?? [:]
        let changed = Set(now.filter { before[$0.key] != $0.value }.keys)
        if changed.isEmpty { return }
        for index in entries.indices where old != nil {
            let owned = decode(entries[index]["fieldsV1"] ?? [:])
            entries[index]["fieldsV1"] = encode(owned.subtracting(changed))
        }
        let own = entries.firstIndex {
            $0["manager"]?.stringValue == options.fieldManager && $0["operation"] == "Update"
                && $0.string("subresource") == options.subresource
        }
        let mine = own.map { decode(entries[$0]["fieldsV1"] ?? [:]) } ?? []
        let fresh = entry(
            options, "Update", object.string("apiVersion"), encode(mine.union(changed).filter { now[$0] != nil }))
        if let own { entries[own] = fresh } else { entries.append(fresh) }
        object[path: "metadata", "managedFields"] = .array(entries.filter { $0["fieldsV1"] != [:] })
    }
}
