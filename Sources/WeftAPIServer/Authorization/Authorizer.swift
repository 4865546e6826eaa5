import WeftCore

/// Decides by the roles and bindings in the store who may do what: Kubernetes' RBAC.
///
/// Thread-safe and stateless: each decision reads the bindings that are stored now, so a change counts at once.
struct Authorizer: Sendable {
    private static let rbac = "rbac.authorization.k8s.io"
    let store: ObjectStore

    /// A role that the user has through a binding.
    private struct Grant {
        var rules: [RoleRule]
        /// `ClusterRoleBinding "x" of ClusterRole "y"`, for the reason of an allowance.
        var origin: String
    }

    /// - Returns: which binding allows the request, or `nil` when none does.
    func reason(_ request: AccessRequest, for user: UserInfo) -> String? {
        if user.groups.contains("system:masters") { return "the user is in the group system:masters" }
        return grants(user, namespace: request.namespace).first { $0.rules.contains { $0.allows(request) } }?.origin
    }

    func isAllowed(_ request: AccessRequest, for user: UserInfo) -> Bool { reason(request, for: user) != nil }

    /// - Throws: ``APIError`` with code 403 when no binding allows the request.
    func require(_ request: AccessRequest, for user: UserInfo) throws {
        guard isAllowed(request, for: user) else { throw request.refusal(user) }
    }

    /// Every rule that the user has in a namespace, or at the cluster's scope when it is empty.
    func rules(of user: UserInfo, namespace: String) -> [RoleRule] {
        if user.groups.contains("system:masters") {
            var everyPath = RoleRule(paths: ["*"])
            everyPath.verbs = ["*"]
            return [RoleRule(["*"], ["*"], ["*"]), everyPath]
        }
        return grants(user, namespace: namespace).flatMap(\.rules)
    }

    private func grants(_ user: UserInfo, namespace: String) -> [Grant] {
        var bindings = store.all(StorageID(group: Self.rbac, resource: "clusterrolebindings")).objects
        if !namespace.isEmpty {
            bindings += store.all(StorageID(group: Self.rbac, resource: "rolebindings"), namespace: namespace).objects
        }
        return bindings.compactMap { id, binding in
            let subjects = binding["subjects"]?.arrayValue ?? []
            guard subjects.contains(where: { Self.isMeant($0, user, id.namespace) }) else { return nil }
            let reference = binding["roleRef"] ?? [:]
            let kind = id.namespace.isEmpty ? "ClusterRoleBinding" : "RoleBinding"
            return Grant(
                rules: rules(reference, namespace: id.namespace),
                origin:
                    "RBAC: allowed by \(kind) \"\(id.name)\" of \(reference.string("kind")) \"\(reference.string("name"))\""
            )
        }
    }

    private func rules(_ reference: JSONValue, namespace: String) -> [RoleRule] {
        let isCluster = reference.string("kind") == "ClusterRole"
        if !isCluster, namespace.isEmpty { return [] }
        let role = store.get(
            StorageID(group: Self.rbac, resource: isCluster ? "clusterroles" : "roles"),
            ObjectID(namespace: isCluster ? "" : namespace, name: reference.string("name")))
        return (role?["rules"]?.arrayValue ?? []).map { RoleRule($0) }
    }

    private static func isMeant(_ subject: JSONValue, _ user: UserInfo, _ bindingNamespace: String) -> Bool {
        switch subject.string("kind") {
        case "User": return subject.string("name") == user.name
        case "Group": return user.groups.contains(subject.string("name"))
        case "ServiceAccount":
            let stated = subject.string("namespace")
            let namespace = stated.isEmpty ? bindingNamespace : stated
            return user.name == "system:serviceaccount:\(namespace):\(subject.string("name"))"
        default: return false
        }
    }

    // MARK: Writes of roles and bindings

    /// Nobody may hand out more than he has: a role or binding that is written must stay within the writer's own rules,
    /// unless he has the verb `escalate` on the role or `bind` on the role that is bound.
    func checkEscalation(_ object: JSONValue, _ info: ResourceInfo, by user: UserInfo) throws {
        guard info.group == Self.rbac, !user.groups.contains("system:masters") else { return }
        let namespace = object.string("metadata", "namespace")
        let name = object.string("metadata", "name")
        let isRole = info.kind == "Role" || info.kind == "ClusterRole"
        let reference = object["roleRef"] ?? [:]
        let waiver =
            isRole
            ? AccessRequest(
                verb: "escalate", group: Self.rbac, resource: info.plural, namespace: namespace, name: name)
            : AccessRequest(
                verb: "bind", group: Self.rbac,
                resource: reference.string("kind") == "ClusterRole" ? "clusterroles" : "roles", namespace: namespace,
                name: reference.string("name"))
        if isAllowed(waiver, for: user) { return }
        let granted =
            isRole
            ? (object["rules"]?.arrayValue ?? []).map { RoleRule($0) } : rules(reference, namespace: namespace)
        let own = rules(of: user, namespace: namespace)
        let missing = granted.flatMap { $0.permissions(namespace: namespace) }.first { permission in
            !own.contains { $0.allows(permission) }
        }
        guard let missing else { return }
        let what = missing.isResource ? "\(missing.fullResource).\(missing.group)" : missing.path
        throw APIError.forbidden(
            ResourceID(group: Self.rbac, resource: info.plural), name,
            "user \"\(user.name)\" is attempting to grant RBAC permissions not currently held: \(missing.verb) on \(what)"
        )
    }
}
