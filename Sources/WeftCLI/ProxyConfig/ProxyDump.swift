import WeftCore

/// What a proxy said about itself: Envoy's `config_dump`, from real Envoy or from `weft-proxy`, which prints the same form.
///
/// Field names are looked up in both spellings of protobuf JSON (`route_config`, `routeConfig`).
struct ProxyDump: Sendable {
    var json: JSONValue

    var clusters: [JSONValue] {
        states("ClustersConfigDump", ["static_clusters", "dynamic_active_clusters", "dynamic_warming_clusters"])
            .compactMap { $0.field("cluster") }
    }

    var listeners: [JSONValue] {
        states("ListenersConfigDump", ["static_listeners"]).compactMap { $0.field("listener") }
            + states("ListenersConfigDump", ["dynamic_listeners"]).compactMap {
                ($0.field("active_state") ?? $0.field("warming_state"))?.field("listener")
            }
    }

    var routes: [JSONValue] {
        states("RoutesConfigDump", ["static_route_configs", "dynamic_route_configs"]).compactMap {
            $0.field("route_config")
        }
    }

    var endpoints: [JSONValue] {
        states("EndpointsConfigDump", ["static_endpoint_configs", "dynamic_endpoint_configs"])
            .compactMap { $0.field("endpoint_config") }
    }

    /// Entries `{name, secret, last_updated}` with the state `ACTIVE` or `WARMING`.
    var secrets: [(entry: JSONValue, state: String)] {
        states("SecretsConfigDump", ["static_secrets", "dynamic_active_secrets"]).map { ($0, "ACTIVE") }
            + states("SecretsConfigDump", ["dynamic_warming_secrets"]).map { ($0, "WARMING") }
    }

    var bootstrap: JSONValue? { section("BootstrapConfigDump")?.field("bootstrap") }

    private func section(_ type: String) -> JSONValue? {
        json["configs"]?.arrayValue?.first { $0["@type"]?.stringValue?.hasSuffix(".\(type)") ?? false }
    }

    private func states(_ type: String, _ lists: [String]) -> [JSONValue] {
        let section = section(type)
        return lists.flatMap { section?.field($0)?.arrayValue ?? [] }
    }
}

extension JSONValue {
    /// A protobuf field under its proto name or its JSON name.
    func field(_ protoName: String) -> JSONValue? {
        if let value = self[protoName] { return value }
        let parts = protoName.split(separator: "_")
        guard parts.count > 1 else { return nil }
        return self[parts[0] + parts.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()]
    }

    func field(path: String...) -> JSONValue? {
        path.reduce(Optional(self)) { value, name in value?.field(name) }
    }

    /// `name.namespace` of the Istio object that produced this element, from `metadata.filter_metadata.istio.config`.
    var istioConfig: String? {
        guard let path = field(path: "metadata", "filter_metadata", "istio", "config")?.stringValue else { return nil }
        let parts = path.split(separator: "/")
        guard parts.count >= 2, let namespaces = parts.firstIndex(of: "namespaces"), namespaces + 1 < parts.count else {
            return nil
        }
        return "\(parts[parts.count - 1]).\(parts[namespaces + 1])"
    }
}
