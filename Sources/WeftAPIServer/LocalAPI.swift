package import WeftConfig
package import WeftCore

/// Addresses a kind of resource: group, version and plural name, as in a request's path.
package struct ResourceID: Hashable, Sendable, CustomStringConvertible {
    package var group: String
    package var version: String
    /// The plural, lower-case name: `deployments`.
    package var resource: String

    package init(group: String = "", version: String = "v1", resource: String) {
        self.group = group
        self.version = version
        self.resource = resource
    }

    package var description: String { group.isEmpty ? resource : "\(resource).\(group)" }

    package static let pods = ResourceID(resource: "pods")
    package static let services = ResourceID(resource: "services")
    package static let endpoints = ResourceID(resource: "endpoints")
    package static let configMaps = ResourceID(resource: "configmaps")
    package static let secrets = ResourceID(resource: "secrets")
    package static let namespaces = ResourceID(resource: "namespaces")
    package static let nodes = ResourceID(resource: "nodes")
    package static let events = ResourceID(resource: "events")
    package static let serviceAccounts = ResourceID(resource: "serviceaccounts")
    package static let deployments = ResourceID(group: "apps", resource: "deployments")
    package static let replicaSets = ResourceID(group: "apps", resource: "replicasets")
    package static let daemonSets = ResourceID(group: "apps", resource: "daemonsets")
    package static let statefulSets = ResourceID(group: "apps", resource: "statefulsets")
    package static let jobs = ResourceID(group: "batch", resource: "jobs")
    package static let endpointSlices = ResourceID(group: "discovery.k8s.io", resource: "endpointslices")
    package static let leases = ResourceID(group: "coordination.k8s.io", resource: "leases")
}

/// A list at one moment: watch from its ``resourceVersion`` to miss nothing.
package struct ObjectList: Sendable {
    package var items: [KubernetesObject]
    package var resourceVersion: String
}

/// One change that a watch saw.
package enum WatchEvent: Sendable {
    case added(KubernetesObject)
    case modified(KubernetesObject)
    case deleted(KubernetesObject)
}

/// The changes of one watch, in order. It ends when the server shuts down, or throws ``APIError`` with reason `Expired`
/// when the reader fell too far behind; then list and watch again.
package typealias WatchStream = AsyncThrowingStream<WatchEvent, any Error>

/// How a patch body is to be read.
package enum PatchKind: String, Sendable {
    case json = "application/json-patch+json"
    case merge = "application/merge-patch+json"
    case strategic = "application/strategic-merge-patch+json"
    case apply = "application/apply-patch+yaml"
}

/// What happens to the dependents of a deleted object.
package enum PropagationPolicy: String, Sendable {
    case orphan = "Orphan"
    case background = "Background"
    case foreground = "Foreground"
}

/// How to delete. `gracePeriodSeconds == 0` removes a pod at once: the node agent says so when its processes are gone.
package struct DeleteOptions: Sendable {
    package var gracePeriodSeconds: Int?
    package var propagation: PropagationPolicy?
    package var uid: String?
    package var resourceVersion: String?
    package var dryRun = false
    /// Where webhooks put what the caller should know.
    var warnings = WarningList()

    package init(
        gracePeriodSeconds: Int? = nil, propagation: PropagationPolicy? = nil, uid: String? = nil,
        resourceVersion: String? = nil
    ) {
        self.gracePeriodSeconds = gracePeriodSeconds
        self.propagation = propagation
        self.uid = uid
        self.resourceVersion = resourceVersion
    }
}

/// The API server's own client, without a wire: the same admission, validation and semantics as over HTTP.
///
/// Every function throws ``APIError``. Safe from any task. Acts as `user`, by default the controllers' account.
package struct LocalAPI: Sendable {
    let engine: APIEngine
    let user: UserInfo

    /// - Parameter namespace: empty for cluster-scoped kinds.
    package func get(_ resource: ResourceID, namespace: String = "", name: String) async throws -> KubernetesObject {
        KubernetesObject(try engine.get(resource, namespace: namespace, name: name))
    }

    /// - Parameter namespace: `nil` lists all namespaces.
    /// - Parameter labels: a selector as kubectl takes it, `app=x,tier in (a,b)`.
    /// - Parameter fields: a field selector, `spec.nodeName=node`.
    package func list(_ resource: ResourceID, namespace: String? = nil, labels: String = "", fields: String = "")
        async throws -> ObjectList
    {
        let page = try engine.list(
            resource, namespace: namespace, selection: Selection(labels: labels, fields: fields), limit: 0, after: nil)
        return ObjectList(items: page.items.map { KubernetesObject($0) }, resourceVersion: String(page.version))
    }

    /// - Parameter from: a resource version to go on from; `nil` starts with everything there is as `.added`.
    package func watch(
        _ resource: ResourceID, namespace: String? = nil, labels: String = "", fields: String = "", from: String? = nil
    ) async throws -> WatchStream {
        try engine.watch(
            resource, namespace: namespace, selection: Selection(labels: labels, fields: fields),
            from: from.flatMap { Int($0) })
    }

    /// Creates the object; its kind and namespace say where.
    package func create(_ object: KubernetesObject) async throws -> KubernetesObject {
        let resource = try engine.resource(for: object.groupVersionKind)
        return KubernetesObject(
            try await engine.create(
                resource, namespace: object.namespace, body: object.json, options: WriteOptions(user: user)))
    }

    /// Replaces the object (not its status, for kinds with a status subresource). A non-empty resourceVersion must match.
    package func update(_ object: KubernetesObject) async throws -> KubernetesObject {
        let resource = try engine.resource(for: object.groupVersionKind)
        return KubernetesObject(
            try await engine.update(
                resource, namespace: object.namespace, name: object.name, body: object.json,
                options: WriteOptions(user: user)))
    }

    /// Replaces only the status of the object.
    package func updateStatus(_ object: KubernetesObject) async throws -> KubernetesObject {
        let resource = try engine.resource(for: object.groupVersionKind)
        var options = WriteOptions(user: user)
        options.subresource = "status"
        return KubernetesObject(
            try await engine.update(
                resource, namespace: object.namespace, name: object.name, body: object.json, options: options))
    }

    /// - Parameter subresource: `status`, `scale`, or empty.
    package func patch(
        _ resource: ResourceID, namespace: String = "", name: String, kind: PatchKind = .merge, body: JSONValue,
        subresource: String = ""
    ) async throws -> KubernetesObject {
        var options = WriteOptions(user: user)
        options.subresource = subresource
        return KubernetesObject(
            try await engine.patch(resource, namespace: namespace, name: name, kind: kind, body: body, options: options)
        )
    }

    /// Server-side apply.
    package func apply(_ object: KubernetesObject, manager: String, force: Bool = false) async throws
        -> KubernetesObject
    {
        let resource = try engine.resource(for: object.groupVersionKind)
        var options = WriteOptions(user: user)
        options.fieldManager = manager
        options.force = force
        return KubernetesObject(
            try await engine.patch(
                resource, namespace: object.namespace, name: object.name, kind: .apply, body: object.json,
                options: options))
    }

    /// Deletes the object, or starts its graceful deletion.
    package func delete(
        _ resource: ResourceID, namespace: String = "", name: String, options: DeleteOptions = DeleteOptions()
    ) async throws {
        _ = try await engine.delete(resource, namespace: namespace, name: name, options: options, user: user)
    }

    /// Which resource a kind is stored under.
    package func resource(for kind: GroupVersionKind) throws -> ResourceID { try engine.resource(for: kind) }

    /// A token for a service account, as `serviceaccounts/NAME/token` gives it.
    package func issueToken(_ request: ServiceAccountTokenRequest) throws -> ServiceAccountToken {
        try engine.issueToken(request)
    }
}

/// What a service-account token is to say.
package struct ServiceAccountTokenRequest: Sendable {
    package var namespace: String
    package var serviceAccount: String
    /// Empty: the API server's own audience.
    package var audiences: [String] = []
    package var expirationSeconds = 3600
    package var podName: String?
    package var podUID: String?

    package init(namespace: String, serviceAccount: String) {
        self.namespace = namespace
        self.serviceAccount = serviceAccount
    }
}

/// A signed token and when it stops working (RFC 3339).
package struct ServiceAccountToken: Sendable {
    package var token: String
    package var expirationTimestamp: String
}
