import NIOHTTP1
import WeftCore

/// What the server serves, in the forms clients ask for: `/api`, `/apis`, aggregated discovery and OpenAPI.
enum Discovery {
    static let version: JSONValue = [
        "major": "1", "minor": "32", "gitVersion": "v1.32.0+weft", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z", "goVersion": "none (Swift)", "compiler": "swift",
        "platform": "linux/amd64",
    ]
    private static let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    private static let json = "application/json"

    /// `nil` when the path is no discovery path.
    static func answer(_ request: APIRequest, _ registry: Registry) throws -> (JSONValue, String)? {
        let path = request.path
        guard request.method == .GET else { return nil }
        let wantsAggregated = request.accept.contains("as=APIGroupDiscoveryList") && request.accept.contains("v=v2")
        switch (path.first, path.count) {
        case ("api", 1):
            if wantsAggregated { return (aggregate(registry.all.filter { $0.group.isEmpty }), aggregated) }
            return (["kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []], json)
        case ("apis", 1):
            let named = registry.all.filter { !$0.group.isEmpty }
            if wantsAggregated { return (aggregate(named), aggregated) }
            return (["kind": "APIGroupList", "apiVersion": "v1", "groups": .array(groups(named).map(group))], json)
        case ("apis", 2):
            let members = registry.all.filter { $0.group == path[1] }
            if members.isEmpty { throw APIError.noSuchPath }
            var document = group((path[1], members))
            document["kind"] = "APIGroup"
            document["apiVersion"] = "v1"
            return (document, json)
        case ("api", 2): return (try resources(registry, "", path[1]), json)
        case ("apis", 3): return (try resources(registry, path[1], path[2]), json)
        case ("openapi", _): return (try OpenAPI.answer(request, registry), json)
        default: return nil
        }
    }

    private static func groups(_ infos: [ResourceInfo]) -> [(String, [ResourceInfo])] {
        Dictionary(grouping: infos, by: \.group).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
    private static func versions(_ infos: [ResourceInfo]) -> [String] {
        Set(infos.flatMap(\.versions)).sorted(by: VersionOrder.precedes)
    }

    private static func group(_ group: (String, [ResourceInfo])) -> JSONValue {
        let versions: [JSONValue] = versions(group.1).map {
            ["groupVersion": .string("\(group.0)/\($0)"), "version": .string($0)]
        }
        return ["name": .string(group.0), "versions": .array(versions), "preferredVersion": versions.first ?? [:]]
    }

    static func subresources(_ info: ResourceInfo) -> [(
        name: String, kind: String, group: String, version: String, verbs: [String]
    )] {
        var list: [(name: String, kind: String, group: String, version: String, verbs: [String])] = []
        let version = info.versions.first ?? "v1"
        if info.hasStatus { list.append(("status", info.kind, info.group, version, ["get", "patch", "update"])) }
        if info.scale != nil { list.append(("scale", "Scale", "autoscaling", "v1", ["get", "patch", "update"])) }
        switch (info.group, info.plural) {
        case ("", "pods"):
            list.append(("log", "Pod", "", "v1", ["get"]))
            list.append(("eviction", "Eviction", "policy", "v1", ["create"]))
            list.append(("exec", "PodExecOptions", "", "v1", ["create", "get"]))
            list.append(("attach", "PodAttachOptions", "", "v1", ["create", "get"]))
            list.append(("binding", "Binding", "", "v1", ["create"]))
            list.append(("proxy", "PodProxyOptions", "", "v1", ["create", "get"]))
        case ("", "services"): list.append(("proxy", "ServiceProxyOptions", "", "v1", ["create", "get"]))
        case ("", "serviceaccounts"): list.append(("token", "TokenRequest", "authentication.k8s.io", "v1", ["create"]))
        case ("", "namespaces"): list.append(("finalize", "Namespace", "", "v1", ["update"]))
        default: break
        }
        return list
    }

    private static func words(_ list: [String]) -> JSONValue { .array(list.map { .string($0) }) }

    private static func resources(_ registry: Registry, _ group: String, _ version: String) throws -> JSONValue {
        let members = registry.all.filter { $0.group == group && $0.versions.contains(version) }
        if members.isEmpty { throw APIError.noSuchPath }
        let entries = members.flatMap { info -> [JSONValue] in
            var entry: JSONValue = [
                "name": .string(info.plural), "singularName": .string(info.singular),
                "namespaced": .bool(info.namespaced),
                "kind": .string(info.kind), "verbs": words(info.verbs),
            ]
            if !info.shortNames.isEmpty { entry["shortNames"] = words(info.shortNames) }
            if !info.categories.isEmpty { entry["categories"] = words(info.categories) }
            return [entry]
                + subresources(info).map { sub in
                    var entry: JSONValue = [
                        "name": .string("\(info.plural)/\(sub.name)"), "singularName": "",
                        "namespaced": .bool(info.namespaced), "kind": .string(sub.kind), "verbs": words(sub.verbs),
                    ]
                    if sub.group != info.group {
                        entry["group"] = .string(sub.group)
                        entry["version"] = .string(sub.version)
                    }
                    return entry
                }
        }
        return [
            "kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": .string(group.isEmpty ? version : "\(group)/\(version)"), "resources": .array(entries),
        ]
    }

    private static func aggregate(_ infos: [ResourceInfo]) -> JSONValue {
        let items: [JSONValue] = groups(infos).map { name, members in
            let versions: [JSONValue] = versions(members).map { version in
                [
                    "version": .string(version), "freshness": "Current",
                    "resources": .array(members.filter { $0.versions.contains(version) }.map { entry($0, version) }),
                ]
            }
            return ["metadata": name.isEmpty ? [:] : ["name": .string(name)], "versions": .array(versions)]
        }
        return [
            "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": [:],
            "items": .array(items),
        ]
    }

    private static func kind(_ group: String, _ version: String, _ kind: String) -> JSONValue {
        ["group": .string(group), "version": .string(version), "kind": .string(kind)]
    }

    private static func entry(_ info: ResourceInfo, _ version: String) -> JSONValue {
        var entry: JSONValue = [
            "resource": .string(info.plural), "responseKind": kind(info.group, version, info.kind),
            "scope": info.namespaced ? "Namespaced" : "Cluster", "singularResource": .string(info.singular),
            "verbs": words(info.verbs),
        ]
        if !info.shortNames.isEmpty { entry["shortNames"] = words(info.shortNames) }
        if !info.categories.isEmpty { entry["categories"] = words(info.categories) }
        let more: [JSONValue] = subresources(info).map {
            [
                "subresource": .string($0.name), "responseKind": kind($0.group, $0.version, $0.kind),
                "verbs": words($0.verbs),
            ]
        }
        if !more.isEmpty { entry["subresources"] = .array(more) }
        return entry
    }
}
