import WeftCore
import WeftTelemetry
import WeftXDS

/// One connected proxy as the debug endpoints and the dashboard show it.
struct ProxyReport: Sendable {
    var id: String
    var name: String
    var namespace: String
    var kind: String
    var userAgent: String
    var version: String
    var types: [ResourceType: TypeSync]
    /// Resources per type in its present configuration.
    var resources: [ResourceType: Int]
    var diagnostics: Int
    /// The proxy's words about resources that it refused, by type and name.
    var rejections: [ResourceType: [String: String]] = [:]
}

/// The JSON documents of the debug endpoints. Pure.
enum DebugDocuments {
    /// `/debug/syncz` with Istio's fields, and ours: `status` by type, `rejections`.
    static func syncz(_ proxies: [ProxyReport]) -> JSONValue {
        .array(
            proxies.sorted { $0.id < $1.id }.map { proxy in
                var entry: JSONValue = [
                    "cluster_id": "Kubernetes", "proxy": .string("\(proxy.name).\(proxy.namespace)"),
                    "proxy_type": .string(proxy.kind), "istio_version": .string(proxy.version),
                    "user_agent": .string(proxy.userAgent), "node": .string(proxy.id),
                    "diagnostics": .int(Int64(proxy.diagnostics)),
                ]
                for type in ResourceType.allCases {
                    let sync = proxy.types[type] ?? TypeSync()
                    if let sent = sync.sent { entry["\(type.field)_sent"] = .string(sent) }
                    if let acked = sync.acked { entry["\(type.field)_acked"] = .string(acked) }
                    entry[path: "status", type.shortName] = .string(sync.status)
                    entry[path: "resources", type.shortName] = .int(Int64(proxy.resources[type] ?? 0))
                    for (name, words) in proxy.rejections[type] ?? [:] where !name.isEmpty {
                        entry[path: "rejected_resources", type.shortName, name] = .string(words)
                    }
                    if let words = sync.rejection { entry[path: "rejections", type.shortName] = .string(words) }
                }
                return entry
            })
    }

    /// `/api/proxies` of the dashboard.
    static func proxies(_ proxies: [ProxyReport]) -> JSONValue {
        .array(
            proxies.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }.map { proxy in
                var entry: JSONValue = [
                    "name": .string("\(proxy.name).\(proxy.namespace)"), "namespace": .string(proxy.namespace),
                    "type": .string(proxy.kind), "version": .string("\(proxy.userAgent) \(proxy.version)"),
                ]
                for type in ResourceType.allCases {
                    entry[path: "status", type.shortName] = .string((proxy.types[type] ?? TypeSync()).status)
                }
                return entry
            })
    }

    static func edges(_ edges: [MeshEdge]) -> JSONValue { (try? JSONValue(encoding: edges)) ?? [] }
}
