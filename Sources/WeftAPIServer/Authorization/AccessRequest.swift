import NIOHTTP1
import WeftCore

/// What somebody wants to do, in the words of RBAC: the attributes of one request.
struct AccessRequest: Sendable, Hashable {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`, `impersonate` …
    var verb: String
    var group = ""
    /// Plural name; empty when ``path`` is meant.
    var resource = ""
    var subresource = ""
    /// Empty: at the cluster's scope, or over all namespaces.
    var namespace = ""
    var name = ""
    /// A path that is no resource, as `/healthz`.
    var path = ""

    var isResource: Bool { !resource.isEmpty }
    /// The resource as rules write it: `pods/log`.
    var fullResource: String { subresource.isEmpty ? resource : "\(resource)/\(subresource)" }

    init(verb: String, path: String) {
        self.verb = verb
        self.path = path
    }

    init(
        verb: String, group: String, resource: String, subresource: String = "", namespace: String = "",
        name: String = ""
    ) {
        self.verb = verb
        self.group = group
        self.resource = resource
        self.subresource = subresource
        self.namespace = namespace
        self.name = name
    }

    /// The attributes of a request on a resource's path.
    init(_ request: APIRequest, _ target: ResourceTarget) {
        let subresource = target.rest.first ?? ""
        let selected = try? Selection(labels: "", fields: request.first("fieldSelector") ?? "")
        let name = target.name ?? selected?.name ?? ""
        let isNamespace = target.resource.group.isEmpty && target.resource.resource == "namespaces"
        self.init(
            verb: Self.verb(request, target), group: target.resource.group, resource: target.resource.resource,
            subresource: subresource, namespace: target.namespace ?? (isNamespace ? name : ""), name: name)
    }

    private static func verb(_ request: APIRequest, _ target: ResourceTarget) -> String {
        // Whoever opens a session in a pod changes it, whatever the method of the upgrade is.
        if target.resource == .pods, ["exec", "attach", "portforward"].contains(target.rest.first ?? "") {
            return "create"
        }
        switch request.method {
        case .POST: return "create"
        case .PUT: return "update"
        case .PATCH: return "patch"
        case .DELETE: return target.name == nil ? "deletecollection" : "delete"
        default:
            if request.flag("watch") { return "watch" }
            return target.name == nil ? "list" : "get"
        }
    }

    /// Why the user may not: Kubernetes' sentence.
    func refusal(_ user: UserInfo) -> APIError {
        guard isResource else {
            return APIError(
                code: 403, reason: "Forbidden",
                message: "forbidden: User \"\(user.name)\" cannot \(verb) path \"\(path)\"", details: [:])
        }
        let place = namespace.isEmpty ? "at the cluster scope" : "in the namespace \"\(namespace)\""
        let id = ResourceID(group: group, resource: resource)
        var error = APIError.forbidden(
            id, name,
            "User \"\(user.name)\" cannot \(verb) resource \"\(fullResource)\" in API group \"\(group)\" \(place)")
        if name.isEmpty {
            error.message = error.message.replacing("\(id) \"\" is", with: "\(id) is", maxReplacements: 1)
        }
        return error
    }
}
