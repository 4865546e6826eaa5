import FoundationEssentials
import WeftConfig
import WeftCore

extension APIEngine {
    /// - Returns: the object as it is now when it goes on existing for a while, else `nil`, and its uid.
    func delete(_ resource: ResourceID, namespace: String, name: String, options: DeleteOptions, user: UserInfo)
        async throws
        -> (remaining: JSONValue?, last: JSONValue)
    {
        let info = try info(resource)
        let id = ObjectID(namespace: namespace, name: name)
        guard let current = store.get(storage(info), id) else { throw APIError.notFound(resource, name) }
        if info.kind == "Namespace", ["default", "kube-system", "kube-public", "kube-node-lease"].contains(name) {
            throw APIError.forbidden(resource, name, "this namespace may not be deleted")
        }
        var review = WriteOptions(user: user)
        review.dryRun = options.dryRun
        review.warnings = options.warnings
        try await webhooks.validate(
            AdmissionRequest(
                info: info, resource: resource, operation: "DELETE", object: .null,
                old: served(current, info, resource.version),
                options: review))
        let (remaining, last) = try store.commit { transaction -> (JSONValue?, JSONValue) in
            guard var object = transaction.get(storage(info), id) else { throw APIError.notFound(resource, name) }
            try Self.check(options, object, resource, name)
            if options.dryRun { return (nil, object) }
            Self.mark(&object, info, options)
            if Self.isFinished(object, info) {
                transaction.remove(storage(info), id)
                return (nil, object)
            }
            if object == transaction.get(storage(info), id) { return (object, object) }
            let stored = transaction.put(storage(info), id, object)
            return (stored, stored)
        }
        if remaining == nil, !options.dryRun, info.plural == "customresourcedefinitions" {
            registry.set(nil, for: name)
        }
        return (remaining.map { served($0, info, resource.version) }, served(last, info, resource.version))
    }

    private static func check(_ options: DeleteOptions, _ object: JSONValue, _ resource: ResourceID, _ name: String)
        throws
    {
        let uid = object.string("metadata", "uid")
        if let wanted = options.uid, wanted != uid {
            throw APIError.conflict(
                resource, name, "Precondition failed: UID in precondition: \(wanted), UID in object meta: \(uid)")
        }
        let version = object.string("metadata", "resourceVersion")
        if let wanted = options.resourceVersion, wanted != version {
            throw APIError.conflict(
                resource, name,
                "Precondition failed: ResourceVersion in precondition: \(wanted), ResourceVersion in object meta: \(version)"
            )
        }
    }

    /// Writes into the object how it is to go: finalizers of the propagation policy, grace period, time.
    private static func mark(_ object: inout JSONValue, _ info: ResourceInfo, _ options: DeleteOptions) {
        var finalizers = object[path: "metadata", "finalizers"]?.arrayValue ?? []
        let first = object[path: "metadata", "deletionTimestamp"] == nil
        if first {
            switch options.propagation {
            case .foreground?: finalizers.append("foregroundDeletion")
            case .orphan?: finalizers.append("orphan")
            default: break
            }
            if info.plural == "customresourcedefinitions" {
                finalizers.append("customresourcecleanup.apiextensions.k8s.io")
            }
            if !finalizers.isEmpty { object[path: "metadata", "finalizers"] = .array(finalizers) }
        }
        var grace = 0
        if info.kind == "Pod" {
            let running = !object.string("spec", "nodeName").isEmpty
            let ended = ["Succeeded", "Failed"].contains(object.string("status", "phase"))
            let wanted = options.gracePeriodSeconds ?? object.int("spec", "terminationGracePeriodSeconds", absent: 30)
            grace = running && !ended ? max(0, wanted) : 0
            if !first { grace = min(grace, object.int("metadata", "deletionGracePeriodSeconds")) }
        }
        if first || grace != object.int("metadata", "deletionGracePeriodSeconds") {
            object[path: "metadata", "deletionTimestamp"] = .string(
                KubernetesTime.format(Date(timeIntervalSinceNow: Double(grace))))
            object[path: "metadata", "deletionGracePeriodSeconds"] = .int(Int64(grace))
        }
        if info.kind == "Namespace" { object[path: "status", "phase"] = "Terminating" }
    }
}
