import WeftConfig
import WeftCore

/// The roles and bindings that every cluster has. Made at each start when they are missing.
enum BuiltInRoles {
    private static let group = "rbac.authorization.k8s.io"
    private static let reading = ["get", "list", "watch"]
    private static let changing = ["create", "delete", "deletecollection", "patch", "update"]
    private static let workloads = [
        "controllerrevisions", "daemonsets", "deployments", "deployments/scale", "replicasets", "replicasets/scale",
        "statefulsets", "statefulsets/scale", "daemonsets/status", "deployments/status", "replicasets/status",
        "statefulsets/status",
    ]
    private static let core = [
        "configmaps", "endpoints", "events", "limitranges", "namespaces", "persistentvolumeclaims", "pods",
        "pods/log", "pods/status", "replicationcontrollers", "resourcequotas", "serviceaccounts", "services",
        "services/status",
    ]
    private static let changedCore = [
        "configmaps", "endpoints", "events", "persistentvolumeclaims", "pods", "pods/attach", "pods/exec",
        "pods/eviction", "pods/portforward", "pods/proxy", "replicationcontrollers", "secrets", "serviceaccounts",
        "serviceaccounts/token", "services", "services/proxy",
    ]

    private static func namespaced(_ verbs: [String]) -> [RoleRule] {
        [
            RoleRule(["apps"], workloads, verbs),
            RoleRule(["batch"], ["cronjobs", "cronjobs/status", "jobs", "jobs/status"], verbs),
            RoleRule(["autoscaling"], ["horizontalpodautoscalers"], verbs),
            RoleRule(["discovery.k8s.io"], ["endpointslices"], verbs),
            RoleRule(["networking.k8s.io"], ["ingresses", "networkpolicies"], verbs),
            RoleRule(["policy"], ["poddisruptionbudgets"], verbs),
        ]
    }

    private static var view: [RoleRule] { [RoleRule([""], core, reading)] + namespaced(reading) }
    private static var edit: [RoleRule] {
        view + namespaced(changing) + [
            RoleRule([""], changedCore, changing), RoleRule([""], ["secrets", "pods/exec", "pods/attach"], reading),
            RoleRule(["coordination.k8s.io"], ["leases"], reading + changing),
        ]
    }
    private static var admin: [RoleRule] {
        edit + [
            RoleRule([group], ["roles", "rolebindings"], reading + changing),
            RoleRule(["authorization.k8s.io"], ["localsubjectaccessreviews"], ["create"]),
        ]
    }

    private static var everything: [RoleRule] {
        var paths = RoleRule(paths: ["*"])
        paths.verbs = ["*"]
        return [RoleRule(["*"], ["*"], ["*"]), paths]
    }

    private static let roles: [(name: String, rules: [RoleRule], boundTo: [String])] = [
        ("cluster-admin", everything, ["system:masters"]), ("admin", admin, []), ("edit", edit, []), ("view", view, []),
        (
            "system:basic-user",
            [
                RoleRule(
                    ["authorization.k8s.io"], ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], ["create"]),
                RoleRule(["authentication.k8s.io"], ["selfsubjectreviews"], ["create"]),
            ], ["system:authenticated"]
        ),
        (
            "system:discovery",
            [RoleRule(paths: ["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", "/version"])],
            ["system:authenticated"]
        ),
        (
            "system:public-info-viewer", [RoleRule(paths: ["/healthz", "/livez", "/readyz", "/version"])],
            ["system:authenticated", "system:unauthenticated"]
        ),
        (
            "system:auth-delegator",
            [
                RoleRule(["authentication.k8s.io"], ["tokenreviews"], ["create"]),
                RoleRule(["authorization.k8s.io"], ["subjectaccessreviews"], ["create"]),
            ], []
        ),
    ]

    /// Roles first, then their bindings.
    static var objects: [JSONValue] {
        roles.map { role in
            object("ClusterRole", role.name, ["rules": .array(role.rules.map(\.json))])
        }
            + roles.filter { !$0.boundTo.isEmpty }.map { role in
                object(
                    "ClusterRoleBinding", role.name,
                    [
                        "roleRef": ["apiGroup": .string(group), "kind": "ClusterRole", "name": .string(role.name)],
                        "subjects": .array(
                            role.boundTo.map {
                                ["apiGroup": .string(group), "kind": "Group", "name": .string($0)]
                            }),
                    ])
            }
    }

    private static func object(_ kind: String, _ name: String, _ body: JSONValue) -> JSONValue {
        var object = body
        object["apiVersion"] = .string("\(group)/v1")
        object["kind"] = .string(kind)
        object["metadata"] = ["name": .string(name), "labels": ["kubernetes.io/bootstrapping": "rbac-defaults"]]
        return object
    }
}
