import WeftCore

/// One entry of a role's `rules` (rbac.authorization.k8s.io/v1 `PolicyRule`).
struct RoleRule: Sendable, Hashable {
    var verbs: [String] = []
    var apiGroups: [String] = []
    var resources: [String] = []
    var resourceNames: [String] = []
    var nonResourceURLs: [String] = []

    init(_ json: JSONValue) {
        func texts(_ key: String) -> [String] { json[key]?.arrayValue?.compactMap(\.stringValue) ?? [] }
        verbs = texts("verbs")
        apiGroups = texts("apiGroups")
        resources = texts("resources")
        resourceNames = texts("resourceNames")
        nonResourceURLs = texts("nonResourceURLs")
    }

    init(_ groups: [String], _ resources: [String], _ verbs: [String]) {
        apiGroups = groups
        self.resources = resources
        self.verbs = verbs
    }

    init(paths: [String]) {
        nonResourceURLs = paths
        verbs = ["get"]
    }

    var json: JSONValue {
        var json: JSONValue = [:]
        let members = [
            ("verbs", verbs), ("apiGroups", apiGroups), ("resources", resources), ("resourceNames", resourceNames),
            ("nonResourceURLs", nonResourceURLs),
        ]
        for (key, list) in members where !list.isEmpty { json[key] = .array(list.map { .string($0) }) }
        return json
    }

    func allows(_ request: AccessRequest) -> Bool {
        guard verbs.contains("*") || verbs.contains(request.verb) else { return false }
        guard request.isResource else {
            return nonResourceURLs.contains {
                $0.hasSuffix("*") ? request.path.hasPrefix($0.dropLast()) : $0 == request.path
            }
        }
        return (apiGroups.contains("*") || apiGroups.contains(request.group))
            && resources.contains { matches($0, request) }
            && (resourceNames.isEmpty || resourceNames.contains(request.name))
    }

    private func matches(_ pattern: String, _ request: AccessRequest) -> Bool {
        pattern == "*" || pattern == request.fullResource
            || !request.subresource.isEmpty && pattern == "*/\(request.subresource)"
    }

    /// Every single permission of the rule, `*` standing for itself.
    func permissions(namespace: String) -> [AccessRequest] {
        verbs.flatMap { verb -> [AccessRequest] in
            let paths = nonResourceURLs.map { AccessRequest(verb: verb, path: $0) }
            let named = resourceNames.isEmpty ? [""] : resourceNames
            let onResources = apiGroups.flatMap { group in
                resources.flatMap { resource in
                    named.map { name in
                        let parts = resource.split(separator: "/", maxSplits: 1).map(String.init)
                        return AccessRequest(
                            verb: verb, group: group, resource: parts.first ?? "",
                            subresource: parts.count == 2 ? parts[1] : "", namespace: namespace, name: name)
                    }
                }
            }
            return paths + onResources
        }
    }
}
