import SwiftProtobuf
package import WeftCore
package import WeftIR
import WeftProto

/// Renders a proxy's configuration as Envoy's admin page `/config_dump` does. Private keys never appear.
package enum ConfigDump {
    /// - Parameters:
    ///   - versions: the version of every resource that came by xDS; the others are shown as static.
    ///   - bootstrap: Shown first, as it is.
    ///   - withEndpoints: Endpoints too, as Envoy shows them with `include_eds`.
    /// - Returns: `{"configs": [...]}` with every nested message spelled out under its `@type`.
    package static func json(
        _ configuration: ProxyConfiguration, versions: [ResourceType: [String: String]] = [:], target: Target = .weft,
        bootstrap: JSONValue? = nil, withEndpoints: Bool = true
    ) throws -> JSONValue {
        let encoder = XDSEncoder(target: target)
        var dump = Envoy_Admin_V3_ConfigDump()
        dump.configs = [
            try clusters(configuration, versions[.cluster] ?? [:], encoder),
            try endpoints(configuration, encoder),
            try listeners(configuration, versions[.listener] ?? [:], encoder),
            try scopes(configuration, encoder),
            try routes(configuration, versions[.route] ?? [:], encoder),
            try secrets(configuration, versions[.secret] ?? [:]),
        ]
        if !withEndpoints { dump.configs.remove(at: 1) }
        // By the table of fields, which has every message that may sit inside an `Any`: SwiftProtobuf's own JSON needs each
        // of them registered by name, and one that is not there would take the whole dump away.
        let bytes: [UInt8] = try dump.serializedBytes()
        let page = try JSONMessageDecoder().decode(bytes, as: Envoy_Admin_V3_ConfigDump.protoMessageName)
        guard let bootstrap else { return page }
        let first: JSONValue = [
            "@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump", "bootstrap": bootstrap,
        ]
        return ["configs": .array([first] + (page["configs"]?.arrayValue ?? []))]
    }

    private static func clusters(_ all: ProxyConfiguration, _ versions: [String: String], _ encoder: XDSEncoder) throws
        -> Google_Protobuf_Any
    {
        var dump = Envoy_Admin_V3_ClustersConfigDump()
        for (name, cluster) in all.clusters.sorted(by: { $0.key < $1.key }) {
            if let version = versions[name] {
                var entry = Envoy_Admin_V3_ClustersConfigDump.DynamicCluster()
                entry.versionInfo = version
                entry.cluster = try encoder.encode(cluster)
                dump.dynamicActiveClusters.append(entry)
            } else {
                var entry = Envoy_Admin_V3_ClustersConfigDump.StaticCluster()
                entry.cluster = try encoder.encode(cluster)
                dump.staticClusters.append(entry)
            }
        }
        return try pack(dump)
    }

    private static func endpoints(_ all: ProxyConfiguration, _ encoder: XDSEncoder) throws -> Google_Protobuf_Any {
        var dump = Envoy_Admin_V3_EndpointsConfigDump()
        for (_, assignment) in all.endpoints.sorted(by: { $0.key < $1.key }) {
            var entry = Envoy_Admin_V3_EndpointsConfigDump.DynamicEndpointConfig()
            entry.endpointConfig = try encoder.encode(assignment)
            dump.dynamicEndpointConfigs.append(entry)
        }
        for (_, cluster) in all.clusters.sorted(by: { $0.key < $1.key }) {
            guard let assignment = cluster.endpoints else { continue }
            var entry = Envoy_Admin_V3_EndpointsConfigDump.StaticEndpointConfig()
            entry.endpointConfig = try encoder.encode(assignment)
            dump.staticEndpointConfigs.append(entry)
        }
        return try pack(dump)
    }

    private static func listeners(_ all: ProxyConfiguration, _ versions: [String: String], _ encoder: XDSEncoder) throws
        -> Google_Protobuf_Any
    {
        var dump = Envoy_Admin_V3_ListenersConfigDump()
        for (name, listener) in all.listeners.sorted(by: { $0.key < $1.key }) {
            if let version = versions[name] {
                var entry = Envoy_Admin_V3_ListenersConfigDump.DynamicListener()
                entry.name = name
                entry.activeState.versionInfo = version
                entry.activeState.listener = try encoder.encode(listener)
                dump.dynamicListeners.append(entry)
            } else {
                var entry = Envoy_Admin_V3_ListenersConfigDump.StaticListener()
                entry.listener = try encoder.encode(listener)
                dump.staticListeners.append(entry)
            }
        }
        return try pack(dump)
    }

    private static func routes(_ all: ProxyConfiguration, _ versions: [String: String], _ encoder: XDSEncoder) throws
        -> Google_Protobuf_Any
    {
        var dump = Envoy_Admin_V3_RoutesConfigDump()
        for (name, table) in all.routes.sorted(by: { $0.key < $1.key }) {
            var entry = Envoy_Admin_V3_RoutesConfigDump.DynamicRouteConfig()
            entry.versionInfo = versions[name] ?? ""
            entry.routeConfig = try encoder.encode(table)
            dump.dynamicRouteConfigs.append(entry)
        }
        for table in all.managers.compactMap(\.inlineRoutes).sorted(by: { $0.name < $1.name }) {
            var entry = Envoy_Admin_V3_RoutesConfigDump.StaticRouteConfig()
            entry.routeConfig = try encoder.encode(table)
            dump.staticRouteConfigs.append(entry)
        }
        return try pack(dump)
    }

    /// Scopes that connection managers list, by the manager's name for them, and those that came by SRDS.
    private static func scopes(_ all: ProxyConfiguration, _ encoder: XDSEncoder) throws -> Google_Protobuf_Any {
        var dump = Envoy_Admin_V3_ScopedRoutesConfigDump()
        for scoped in all.managers.compactMap(\.scopedRoutes).sorted(by: { $0.name < $1.name }) {
            if let scopes = scoped.scopes {
                var entry = Envoy_Admin_V3_ScopedRoutesConfigDump.InlineScopedRouteConfigs()
                entry.name = scoped.name
                entry.scopedRouteConfigs = try scopes.map { try encoder.encode($0) }
                dump.inlineScopedRouteConfigs.append(entry)
            } else {
                var entry = Envoy_Admin_V3_ScopedRoutesConfigDump.DynamicScopedRouteConfigs()
                entry.name = scoped.name
                entry.scopedRouteConfigs = try all.scopes.sorted(by: { $0.key < $1.key }).map {
                    try encoder.encode($0.value)
                }
                dump.dynamicScopedRouteConfigs.append(entry)
            }
        }
        return try pack(dump)
    }

    private static func secrets(_ all: ProxyConfiguration, _ versions: [String: String]) throws -> Google_Protobuf_Any {
        var dump = Envoy_Admin_V3_SecretsConfigDump()
        for (name, secret) in all.secrets.sorted(by: { $0.key < $1.key }) {
            var wire = secret.wire()
            if case .tlsCertificate = wire.type { wire.tlsCertificate.privateKey.inlineString = "[redacted]" }
            var entry = Envoy_Admin_V3_SecretsConfigDump.DynamicSecret()
            entry.name = name
            entry.versionInfo = versions[name] ?? ""
            entry.secret = try pack(wire)
            dump.dynamicActiveSecrets.append(entry)
        }
        return try pack(dump)
    }
}
