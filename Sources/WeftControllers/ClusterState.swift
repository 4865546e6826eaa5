package import WeftConfig
import WeftCore

/// Everything the controllers know: the last seen version of each object, by kind and `namespace/name`.
package struct ClusterState: Sendable {
    package private(set) var objects: [String: [String: KubernetesObject]] = [:]
    package init() {}

    package static func key(_ namespace: String, _ name: String) -> String { "\(namespace)/\(name)" }

    /// Takes the object in, unless a newer version of it is known.
    package mutating func store(_ object: KubernetesObject) {
        let key = Self.key(object.namespace, object.name)
        if let known = objects[object.kind]?[key], known.uid == object.uid,
            (Int(known.resourceVersion) ?? 0) > (Int(object.resourceVersion) ?? 0)
        {
            return
        }
        objects[object.kind, default: [:]][key] = object
    }

    package mutating func remove(kind: String, namespace: String, name: String, uid: String) {
        let key = Self.key(namespace, name)
        guard let known = objects[kind]?[key], uid.isEmpty || known.uid == uid else { return }
        objects[kind]?[key] = nil
    }

    /// All objects of a kind, ordered by namespace and name.
    package func all(_ kind: String) -> [KubernetesObject] {
        (objects[kind] ?? [:]).sorted { $0.key < $1.key }.map(\.value)
    }

    package func get(_ kind: String, namespace: String = "", name: String) -> KubernetesObject? {
        objects[kind]?[Self.key(namespace, name)]
    }

    /// The objects of `kind` whose controller is the object with this uid.
    func controlled(_ kind: String, by uid: String, in namespace: String) -> [KubernetesObject] {
        all(kind).filter { object in
            object.namespace == namespace && object.ownerReferences.contains { $0.uid == uid && $0.controller == true }
        }
    }
}

/// What a controller wants the API server to do.
package enum DesiredWrite: Sendable, Hashable {
    case create(KubernetesObject)
    case update(KubernetesObject)
    case updateStatus(KubernetesObject)
    case delete(KubernetesObject)
    /// `pods/binding`: gives a pod its node.
    case bind(pod: KubernetesObject, node: String)
    case event(about: KubernetesObject, warning: Bool, reason: String, message: String)
}

/// The time, randomness and names that the controllers take as parameters.
package struct ControllerContext: Sendable {
    /// RFC 3339, whole seconds, UTC.
    package var now: String
    package var node: String
    package var certificateAuthority: String

    package init(now: String, node: String = "weft-node", certificateAuthority: String = "") {
        self.now = now
        self.node = node
        self.certificateAuthority = certificateAuthority
    }
}

/// All controllers: from what is to what must be written. Pure; run it again whenever something changed.
package enum Controllers {
    package static func reconcile(_ state: ClusterState, _ context: ControllerContext) -> [DesiredWrite] {
        NamespaceController.reconcile(state, context)
            + DeploymentController.reconcile(state, context)
            + ReplicaSetController.reconcile(state, context)
            + StatefulSetController.reconcile(state, context)
            + DaemonSetController.reconcile(state, context)
            + JobController.reconcile(state, context)
            + Scheduler.reconcile(state, context)
            + EndpointSliceController.reconcile(state, context)
            + LoadBalancerController.reconcile(state, context)
    }

    /// The kinds to watch.
    package static let kinds = [
        "Namespace", "ServiceAccount", "ConfigMap", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job",
        "Pod",
        "Service", "EndpointSlice",
    ]
}
