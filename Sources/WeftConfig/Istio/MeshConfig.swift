package import WeftCore

/// Mesh-wide settings: key `mesh` of ConfigMap `istio`. Fields that are absent have Istio's defaults.
package struct MeshConfig: Sendable, Hashable, Codable {
    package struct OutboundTrafficPolicy: Sendable, Hashable, Codable { package var mode: Sidecar.OutboundMode? }
    package struct PathNormalization: Sendable, Hashable, Codable {
        package enum Mode: String, Sendable, Hashable, Codable, CaseIterable {
            case `default` = "DEFAULT"
            case none = "NONE"
            case base = "BASE"
            case mergeSlashes = "MERGE_SLASHES"
            case decodeAndMergeSlashes = "DECODE_AND_MERGE_SLASHES"
        }
        package var normalization: Mode?
    }
    /// What inbound clusters lead to.
    package struct InboundTrafficPolicy: Sendable, Hashable, Codable {
        package enum Mode: String, Sendable, Hashable, Codable, CaseIterable {
            case passthrough = "PASSTHROUGH"
            case localhost = "LOCALHOST"
        }
        package var mode: Mode?
    }
    /// TLS of one sort of connection (`meshMTLS`, `tlsDefaults`).
    package struct TLSConfig: Sendable, Hashable, Codable {
        package var minProtocolVersion: Gateway.ServerTLS.Version?
        package var cipherSuites: [String]?
    }
    /// Providers of workloads for which no Telemetry names others.
    package struct DefaultProviders: Sendable, Hashable, Codable {
        package var tracing: [String]?
        package var metrics: [String]?
        package var accessLogging: [String]?
    }
    package enum LogEncoding: String, Sendable, Hashable, Codable, CaseIterable {
        case text = "TEXT"
        case json = "JSON"
    }
    package var accessLogFile: String?
    package var accessLogFormat: String?
    package var accessLogEncoding: LogEncoding?
    package var trustDomain: String?
    package var trustDomainAliases: [String]?
    /// SPIFFE identities that nobody trusts any more; Weft's own, Istio has no such setting.
    package var revokedIdentities: [String]?
    package var rootNamespace: String?
    package var enableAutoMtls: Bool?
    package var enablePrometheusMerge: Bool?
    package var connectTimeout: ProtoDuration?
    package var tcpKeepalive: DestinationRule.ConnectionPool.TCP.Keepalive?
    package var h2UpgradePolicy: DestinationRule.ConnectionPool.HTTP.UpgradePolicy?
    /// How long names of clusters are kept that do not say so themselves; 60 s unless given.
    package var dnsRefreshRate: ProtoDuration?
    /// Namespaces that the control plane looks at, by their labels; any of them. Empty is all.
    package var discoverySelectors: [LabelSelector]?
    /// TLS between workloads of the mesh.
    package var meshMTLS: TLSConfig?
    /// TLS at gateways and towards servers outside.
    package var tlsDefaults: TLSConfig?
    package var protocolDetectionTimeout: ProtoDuration?
    package var outboundTrafficPolicy: OutboundTrafficPolicy?
    package var inboundTrafficPolicy: InboundTrafficPolicy?
    package var localityLbSetting: DestinationRule.LoadBalancer.Locality?
    package var zoneAwareLbSetting: DestinationRule.LoadBalancer.ZoneAware?
    package var pathNormalization: PathNormalization?
    /// Who may route a host; `nil` is Istio's way.
    package var hostOwnership: HostOwnership?
    /// Services that policies and telemetry call by name.
    package var extensionProviders: [ExtensionProvider]?
    package var defaultProviders: DefaultProviders?
    /// False: no proxy traces, whatever Telemetries say.
    package var enableTracing: Bool?
    package var defaultHttpRetryPolicy: VirtualService.HTTPRetry?
    /// Of requests that sidecars receive; `attempts: 0` is none.
    package var defaultInboundHttpRetryPolicy: VirtualService.HTTPRetry?
    package var defaultTrafficPolicy: DestinationRule.TrafficPolicy?
    package var defaultServiceExportTo: [String]?
    package var defaultVirtualServiceExportTo: [String]?
    package var defaultDestinationRuleExportTo: [String]?
    /// Kept as it is: the injector and the proxies read it.
    package var defaultConfig: JSONValue?

    package init() {}

    package var effectiveTrustDomain: String { trustDomain.flatMap { $0.isEmpty ? nil : $0 } ?? "cluster.local" }
    package var effectiveRootNamespace: String { rootNamespace.flatMap { $0.isEmpty ? nil : $0 } ?? "istio-system" }
    package var autoMTLS: Bool { enableAutoMtls ?? true }
}

extension MeshConfig {
    /// From the ConfigMap `istio`; one without the key `mesh` has the defaults.
    /// Throws a ``YAMLParseError`` or a `DecodingError` that names the field.
    package init(configMap: KubernetesObject) throws {
        guard let text = configMap.json["data"]?["mesh"]?.stringValue else {
            self.init()
            return
        }
        let value = try YAMLReader.value(in: text, file: "ConfigMap \(configMap.namespace)/\(configMap.name), key mesh")
        self = value.isNull ? MeshConfig() : try value.decode()
    }
}
