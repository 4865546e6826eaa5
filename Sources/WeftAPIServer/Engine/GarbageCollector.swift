import WeftConfig
import WeftCore

/// Removes what nobody owns any more: dependents of deleted owners, the content of ending namespaces, instances of
/// deleted definitions; and lets go objects that wait for their dependents.
///
/// Works in sweeps over the store's memory, one after each change and at least every half second while something is ending.
struct GarbageCollector: Sendable {
    let engine: APIEngine

    func run() async {
        var seen = 0
        while !Task.isCancelled {
            let version = engine.store.version
            if version != seen {
                seen = version
                await sweep()
            }
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    /// One pass; what it deletes makes the next pass necessary.
    func sweep() async {
        let everything = engine.registry.all.filter { $0.verbs.contains("delete") && $0.group != "events.k8s.io" }.map {
            ($0, engine.store.all($0.storage).objects.map(\.1))
        }
        var owners: [String: JSONValue] = [:]
        for (_, objects) in everything { for object in objects { owners[object.string("metadata", "uid")] = object } }
        var blocked = Set<String>()
        for (info, objects) in everything {
            for object in objects { await collect(object, info, owners, &blocked) }
        }
        for (info, objects) in everything {
            for object in objects where object[path: "metadata", "deletionTimestamp"] != nil {
                await release(object, info, everything, blocked)
            }
        }
    }

    private func delete(_ object: JSONValue, _ info: ResourceInfo, _ propagation: PropagationPolicy = .background) async
    {
        if object[path: "metadata", "deletionTimestamp"] != nil { return }
        _ = try? await engine.delete(
            info.id(), namespace: object.string("metadata", "namespace"), name: object.string("metadata", "name"),
            options: DeleteOptions(propagation: propagation, uid: object.string("metadata", "uid")), user: .system)
    }

    private func collect(
        _ object: JSONValue, _ info: ResourceInfo, _ owners: [String: JSONValue], _ blocked: inout Set<String>
    ) async {
        let references = KubernetesObject(object).ownerReferences
        if references.isEmpty { return }
        let living = references.compactMap { owners[$0.uid] }
        func has(_ owner: JSONValue, _ finalizer: JSONValue) -> Bool {
            owner[path: "metadata", "finalizers"]?.arrayValue?.contains(finalizer) == true
                && owner[path: "metadata", "deletionTimestamp"] != nil
        }
        if living.contains(where: { has($0, "orphan") }) {
            await orphan(
                object, info,
                references.filter { reference in owners[reference.uid].map { !has($0, "orphan") } ?? true })
            return
        }
        if living.isEmpty { return await delete(object, info) }
        let foreground = living.filter { has($0, "foregroundDeletion") }
        if foreground.count == living.count {
            for owner in foreground { blocked.insert(owner.string("metadata", "uid")) }
            await delete(object, info, .foreground)
        }
    }

    private func orphan(_ object: JSONValue, _ info: ResourceInfo, _ kept: [OwnerReference]) async {
        let list = kept.compactMap { try? JSONValue(encoding: $0) }
        _ = try? await engine.patch(
            info.id(), namespace: object.string("metadata", "namespace"), name: object.string("metadata", "name"),
            kind: .merge, body: ["metadata": ["ownerReferences": list.isEmpty ? .null : .array(list)]],
            options: WriteOptions(user: .system))
    }

    /// Takes off the finalizers that are this collector's, when their condition is met.
    private func release(
        _ object: JSONValue, _ info: ResourceInfo, _ everything: [(ResourceInfo, [JSONValue])], _ blocked: Set<String>
    ) async {
        let name = object.string("metadata", "name")
        var gone: Set<String> = ["orphan"]
        if !blocked.contains(object.string("metadata", "uid")) { gone.insert("foregroundDeletion") }
        var emptied = false
        if info.kind == "CustomResourceDefinition",
            let custom = engine.registry.info(
                StorageID(group: object.string("spec", "group"), resource: object.string("spec", "names", "plural")))
        {
            let instances = engine.store.all(custom.storage).objects.map(\.1)
            for instance in instances { await delete(instance, custom) }
            if instances.isEmpty { gone.insert("customresourcecleanup.apiextensions.k8s.io") }
        } else if info.kind == "CustomResourceDefinition" {
            gone.insert("customresourcecleanup.apiextensions.k8s.io")
        }
        if info.kind == "Namespace" {
            emptied = true
            for (member, objects) in everything where member.namespaced {
                for item in objects where item.string("metadata", "namespace") == name {
                    emptied = false
                    await delete(item, member)
                }
            }
        }
        finish(object, info, gone, namespaceIsEmpty: emptied)
    }

    private func finish(_ object: JSONValue, _ info: ResourceInfo, _ gone: Set<String>, namespaceIsEmpty: Bool) {
        let id = ObjectID(namespace: object.string("metadata", "namespace"), name: object.string("metadata", "name"))
        let removed = try? engine.store.commit { transaction -> Bool in
            guard var current = transaction.get(info.storage, id),
                current[path: "metadata", "uid"] == object[path: "metadata", "uid"]
            else { return false }
            let before = current
            let finalizers = current[path: "metadata", "finalizers"]?.arrayValue ?? []
            let kept = finalizers.filter { !gone.contains($0.stringValue ?? "") }
            if kept.count != finalizers.count {
                current[path: "metadata", "finalizers"] = kept.isEmpty ? nil : .array(kept)
            }
            if namespaceIsEmpty { current[path: "spec", "finalizers"] = nil }
            if current == before { return false }
            guard APIEngine.isFinished(current, info) else {
                _ = transaction.put(info.storage, id, current)
                return false
            }
            transaction.remove(info.storage, id)
            return true
        }
        if removed == true, info.kind == "CustomResourceDefinition" { engine.registry.set(nil, for: id.name) }
    }
}
