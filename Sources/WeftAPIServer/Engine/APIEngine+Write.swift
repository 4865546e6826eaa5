import FoundationEssentials
import WeftConfig
import WeftCore

extension APIEngine {
    func create(_ resource: ResourceID, namespace: String, body: JSONValue, options: WriteOptions) async throws
        -> JSONValue
    {
        let info = try info(resource)
        var object = try decode(body, info, resource, options)
        try checkNamespace(&object, info, namespace)
        if object[path: "metadata", "name"]?.stringValue ?? "" == "" {
            guard case let prefix = object.string("metadata", "generateName"), !prefix.isEmpty else {
                throw APIError.invalid(
                    kind: info.kind, group: info.group, name: "",
                    [.required("metadata.name", "name or generateName is required")])
            }
            object[path: "metadata", "name"] = .string(prefix + Self.suffix())
        }
        let name = object.string("metadata", "name")
        if info.namespaced { try requireNamespace(namespace, resource, name) }
        if object[path: "metadata", "resourceVersion"]?.stringValue ?? "" != "" {
            throw APIError.badRequest("resourceVersion should not be set on objects to be created")
        }
        let id = ObjectID(namespace: namespace, name: name)
        if store.get(storage(info), id) != nil { throw APIError.alreadyExists(resource, name) }
        if info.hasStatus, info.isCustom || info.kind != "Namespace" { object["status"] = nil }
        object[path: "metadata", "uid"] = .string(UUID().uuidString.lowercased())
        object[path: "metadata", "creationTimestamp"] = .string(KubernetesTime.now())
        object[path: "metadata", "deletionTimestamp"] = nil
        object[path: "metadata", "generation"] = object["spec"] != nil || info.isCustom ? 1 : nil
        object = try await admit(object, old: nil, info, resource, operation: "CREATE", options)
        ManagedFields.record(&object, old: nil, info.schemas[resource.version], options)
        let ready = object
        let stored = try store.commit { transaction in
            if transaction.get(storage(info), id) != nil { throw APIError.alreadyExists(resource, name) }
            var object = ready
            try Allocation.assign(&object, old: nil, &transaction)
            return options.dryRun ? object : transaction.put(storage(info), id, object)
        }
        if !options.dryRun { changed(info, stored, name) }
        return served(stored, info, resource.version)
    }

    func update(_ resource: ResourceID, namespace: String, name: String, body: JSONValue, options: WriteOptions)
        async throws
        -> JSONValue
    {
        let info = try info(resource)
        let id = ObjectID(namespace: namespace, name: name)
        if options.subresource == "scale" {
            return try await scale(resource, info, id, body, options)
        }
        guard let old = store.get(storage(info), id) else { throw APIError.notFound(resource, name) }
        var object = try decode(body, info, resource, options)
        try checkNamespace(&object, info, namespace)
        guard object.string("metadata", "name") == name else {
            throw APIError.badRequest(
                "the name of the object (\(object.string("metadata", "name"))) does not match the name on the URL (\(name))"
            )
        }
        return try await replace(old, with: object, info, resource, id, options)
    }

    /// Common end of update and patch: `new` becomes what is stored, if `old` still is.
    func replace(
        _ old: JSONValue, with new: JSONValue, _ info: ResourceInfo, _ resource: ResourceID, _ id: ObjectID,
        _ options: WriteOptions
    ) async throws -> JSONValue {
        var object = new
        let stated = object.string("metadata", "resourceVersion")
        if !stated.isEmpty, stated != old.string("metadata", "resourceVersion") {
            throw APIError.conflict(resource, id.name)
        }
        let uid = object.string("metadata", "uid")
        if !uid.isEmpty, uid != old.string("metadata", "uid") {
            throw APIError.conflict(
                resource, id.name,
                "Precondition failed: UID in precondition: \(uid), UID in object meta: \(old.string("metadata", "uid"))"
            )
        }
        if options.subresource == "status" {
            let status = object["status"]
            let fields = object[path: "metadata", "managedFields"]
            object = old
            object["status"] = status
            if let fields { object[path: "metadata", "managedFields"] = fields }
        } else if info.hasStatus {
            object["status"] = old["status"]
        }
        for key in ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"] {
            object[path: "metadata", key] = old[path: "metadata", key]
        }
        if object[path: "metadata", "managedFields"] == nil {
            object[path: "metadata", "managedFields"] = old[path: "metadata", "managedFields"]
        }
        object[path: "metadata", "resourceVersion"] = old[path: "metadata", "resourceVersion"]
        object = try await admit(object, old: old, info, resource, operation: "UPDATE", options)
        if options.subresource != "status", Self.withoutBookkeeping(object) != Self.withoutBookkeeping(old),
            let generation = old[path: "metadata", "generation"]?.intValue
        {
            object[path: "metadata", "generation"] = .int(Int64(generation + 1))
        }
        ManagedFields.record(&object, old: old, info.schemas[resource.version], options)
        let ready = object
        let stored = try store.commit { transaction -> JSONValue in
            guard let current = transaction.get(storage(info), id) else { throw APIError.notFound(resource, id.name) }
            guard current.string("metadata", "resourceVersion") == old.string("metadata", "resourceVersion") else {
                throw APIError.conflict(resource, id.name)
            }
            var object = ready
            try Allocation.assign(&object, old: current, &transaction)
            if object == current || Self.equalButManagedTime(object, current) { return current }
            if options.dryRun { return object }
            if Self.isFinished(object, info) {
                transaction.remove(storage(info), id)
                return object
            }
            return transaction.put(storage(info), id, object)
        }
        if !options.dryRun { changed(info, stored, id.name) }
        return served(stored, info, resource.version)
    }

    func patch(
        _ resource: ResourceID, namespace: String, name: String, kind: PatchKind, body: JSONValue, options: WriteOptions
    ) async throws -> JSONValue {
        let info = try info(resource)
        let id = ObjectID(namespace: namespace, name: name)
        if options.subresource == "scale" { return try await scale(resource, info, id, body, options, kind: kind) }
        for attempt in 0... {
            guard let old = store.get(storage(info), id) else {
                guard kind == .apply else { throw APIError.notFound(resource, name) }
                return try await applyNew(resource, namespace, name, body, options)
            }
            do {
                let base = served(old, info, resource.version)
                var patched = try patched(base, kind, body, info, resource, options)
                if kind != .apply || options.subresource == "status" {
                    patched = try decode(patched, info, resource, options)
                }
                return try await replace(old, with: patched, info, resource, id, options)
            } catch let error as APIError where error.isConflict && attempt < 5 {
                let stated = body.string("metadata", "resourceVersion")
                if !stated.isEmpty || store.get(storage(info), id) == old { throw error }
            }
        }
        throw APIError.conflict(resource, name)
    }

    private func applyNew(
        _ resource: ResourceID, _ namespace: String, _ name: String, _ body: JSONValue, _ options: WriteOptions
    ) async throws -> JSONValue {
        try authorizer.require(
            AccessRequest(
                verb: "create", group: resource.group, resource: resource.resource, namespace: namespace, name: name),
            for: options.user)
        var object = body
        object[path: "metadata", "name"] = .string(name)
        object[path: "metadata", "managedFields"] = [
            ManagedFields.applied(body, try info(resource).schemas[resource.version], options)
        ]
        return try await create(resource, namespace: namespace, body: object, options: options)
    }

    private func patched(
        _ base: JSONValue, _ kind: PatchKind, _ body: JSONValue, _ info: ResourceInfo, _ resource: ResourceID,
        _ options: WriteOptions
    ) throws -> JSONValue {
        do {
            switch kind {
            case .json: return try base.applying(jsonPatch: body)
            case .merge: return base.merging(patch: body)
            case .strategic:
                if info.isCustom {
                    throw APIError(
                        code: 415, reason: "UnsupportedMediaType",
                        message:
                            "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
                    )
                }
                return try base.merging(strategicPatch: body, schema: info.schemas[resource.version] ?? .any)
            case .apply:
                let checked = try decode(body, info, resource, options)
                return try ManagedFields.apply(checked, to: base, schema: info.schemas[resource.version], options)
            }
        } catch let error as JSONPatchError {
            throw APIError(
                code: 422, reason: "Invalid",
                message: "the server rejected our request due to an error in our request: \(error.message)")
        }
    }

    // MARK: Parts

    func checkNamespace(_ object: inout JSONValue, _ info: ResourceInfo, _ namespace: String) throws {
        guard info.namespaced else {
            object[path: "metadata", "namespace"] = nil
            return
        }
        let stated = object.string("metadata", "namespace")
        if !stated.isEmpty, stated != namespace {
            throw APIError.badRequest(
                "the namespace of the provided object does not match the namespace sent on the request")
        }
        object[path: "metadata", "namespace"] = .string(namespace)
    }

    private func requireNamespace(_ namespace: String, _ resource: ResourceID, _ name: String) throws {
        guard
            let object = store.get(
                StorageID(group: "", resource: "namespaces"), ObjectID(namespace: "", name: namespace))
        else { throw APIError.notFound(.namespaces, namespace) }
        if object[path: "metadata", "deletionTimestamp"] != nil {
            throw APIError.forbidden(
                resource, name,
                "unable to create new content in namespace \(namespace) because it is being terminated")
        }
    }

    private func admit(
        _ object: JSONValue, old: JSONValue?, _ info: ResourceInfo, _ resource: ResourceID, operation: String,
        _ options: WriteOptions
    ) async throws -> JSONValue {
        var object = served(object, info, resource.version)
        if options.subresource.isEmpty { Defaults.apply(&object, old: old) }
        let request = AdmissionRequest(
            info: info, resource: resource, operation: operation, object: object, old: old, options: options)
        object = try await webhooks.mutate(request)
        if options.subresource.isEmpty { Defaults.apply(&object, old: old) }
        var problems = Validation.problems(object, old: old, info: info)
        if case .custom(let schema)? = info.schemas[resource.version] {
            object = schema.defaulted(object)
            problems += schema.problems(object)
        }
        if !problems.isEmpty {
            throw APIError.invalid(
                kind: info.kind, group: info.group, name: object.string("metadata", "name"), problems)
        }
        try authorizer.checkEscalation(object, info, by: options.user)
        var final = request
        final.object = object
        try await webhooks.validate(final)
        return object
    }

    /// Called after each stored change, for what follows at once.
    private func changed(_ info: ResourceInfo, _ object: JSONValue, _ name: String) {
        if info.plural == "customresourcedefinitions" {
            registry.set(CustomResources.info(object), for: name)
        }
    }

    static func suffix() -> String {
        let letters = Array("bcdfghjklmnpqrstvwxz2456789")
        return String((0..<5).compactMap { _ in letters.randomElement() })
    }

    /// An object that was only kept by finalizers and has none left.
    static func isFinished(_ object: JSONValue, _ info: ResourceInfo) -> Bool {
        guard object[path: "metadata", "deletionTimestamp"] != nil,
            (object[path: "metadata", "finalizers"]?.arrayValue ?? []).isEmpty
        else { return false }
        if info.kind == "Namespace" { return (object[path: "spec", "finalizers"]?.arrayValue ?? []).isEmpty }
        return info.kind != "Pod" || object.int("metadata", "deletionGracePeriodSeconds") == 0
    }

    private static func withoutBookkeeping(_ object: JSONValue) -> JSONValue {
        var object = object
        object["metadata"] = nil
        object["status"] = nil
        object["apiVersion"] = nil
        return object
    }

    private static func equalButManagedTime(_ left: JSONValue, _ right: JSONValue) -> Bool {
        var (left, right) = (left, right)
        for key in ["managedFields", "resourceVersion"] {
            left[path: "metadata", key] = nil
            right[path: "metadata", key] = nil
        }
        return left == right
    }
}
