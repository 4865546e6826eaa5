import SwiftProtobuf
package import WeftCore
package import WeftIR
import WeftProto

/// Renders a proxy's configuration as Envoy's admin page `/config_dump` does. Private keys never appear.
package enum ConfigDump {
    /// - Parameter versions: the version of every resource that came by xDS; the others are shown as static.
    /// - Returns: `{"configs": [...]}` with every nested message spelled out under its `@type`.
    package static func json(
        _ configuration: ProxyConfiguration, versions: [ResourceType: [String: String]] = [:], target: Target = .weft
    ) throws -> JSONValue {
        registerMessages
        let encoder = XDSEncoder(target: target)
        var dump = Envoy_Admin_V3_ConfigDump()
        dump.configs = [
            try clusters(configuration, versions[.cluster] ?? [:], encoder),
            try endpoints(configuration, encoder),
            try listeners(configuration, versions[.listener] ?? [:], encoder),
            try routes(configuration, versions[.route] ?? [:], encoder),
            try secrets(configuration, versions[.secret] ?? [:]),
        ]
        var options = JSONEncodingOptions()
        options.preserveProtoFieldNames = true
        options.useDeterministicOrdering = true
        return try JSONValue(parsing: try dump.jsonString(options: options))
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

    /// Every message that may sit inside an `Any`; without this, its JSON cannot be written.
    private static let registerMessages: Void = {
        let messages: [any Message.Type] = [
            Envoy_Admin_V3_ClustersConfigDump.self, Envoy_Admin_V3_EndpointsConfigDump.self,
            Envoy_Admin_V3_ListenersConfigDump.self, Envoy_Admin_V3_RoutesConfigDump.self,
            Envoy_Admin_V3_SecretsConfigDump.self, Envoy_Admin_V3_BootstrapConfigDump.self, WireCluster.self,
            WireAssignment.self, WireListener.self, WireRoute.Configuration.self, WireSecret.self, WireManager.self,
            WireTCPProxy.self, WireNetworkRBAC.self, WireHTTPRBAC.self, WireFault.self, WireCORS.self,
            WireUpstreamTLS.self,
            WireDownstreamTLS.self, WireUpstreamHTTP.self, Weft_V1_Stats.self, Envoy_Config_Route_V3_FilterConfig.self,
            Envoy_Extensions_Filters_Http_Cors_V3_Cors.self, Envoy_Extensions_Filters_Http_Router_V3_Router.self,
            Envoy_Extensions_Filters_Http_Rbac_V3_RBACPerRoute.self,
            Envoy_Extensions_Filters_Listener_OriginalDst_V3_OriginalDst.self,
            Envoy_Extensions_Filters_Listener_TlsInspector_V3_TlsInspector.self,
            Envoy_Extensions_Filters_Listener_HttpInspector_V3_HttpInspector.self,
            Envoy_Extensions_Filters_Listener_ProxyProtocol_V3_ProxyProtocol.self,
            Envoy_Extensions_TransportSockets_RawBuffer_V3_RawBuffer.self,
            Envoy_Extensions_AccessLoggers_File_V3_FileAccessLog.self,
            Envoy_Extensions_AccessLoggers_Grpc_V3_HttpGrpcAccessLogConfig.self,
            Envoy_Extensions_AccessLoggers_Grpc_V3_TcpGrpcAccessLogConfig.self,
            Envoy_Config_Trace_V3_OpenTelemetryConfig.self, Envoy_Config_Trace_V3_ZipkinConfig.self,
            Envoy_Extensions_Tracers_Opentelemetry_ResourceDetectors_V3_EnvironmentResourceDetectorConfig.self,
            Envoy_Extensions_RequestId_Uuid_V3_UuidRequestIdConfig.self,
            Envoy_Extensions_Compression_Gzip_Compressor_V3_Gzip.self,
            Envoy_Extensions_Compression_Gzip_Decompressor_V3_Gzip.self,
            Envoy_Extensions_Filters_Http_Compressor_V3_Compressor.self,
            Envoy_Extensions_Filters_Http_Compressor_V3_CompressorPerRoute.self,
            Envoy_Extensions_Filters_Http_Decompressor_V3_Decompressor.self,
            Envoy_Extensions_Filters_Http_StatefulSession_V3_StatefulSession.self,
            Envoy_Extensions_Filters_Http_StatefulSession_V3_StatefulSessionPerRoute.self,
            Envoy_Extensions_Http_StatefulSession_Cookie_V3_CookieBasedSessionState.self,
            Envoy_Extensions_Http_StatefulSession_Header_V3_HeaderBasedSessionState.self,
            Envoy_Extensions_Retry_Host_PreviousHosts_V3_PreviousHostsPredicate.self,
            Envoy_Extensions_Http_HeaderFormatters_PreserveCase_V3_PreserveCaseFormatterConfig.self,
        ]
        for message in messages { Google_Protobuf_Any.register(messageType: message) }
    }()
}
