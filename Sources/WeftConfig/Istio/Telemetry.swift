package import WeftCore

/// The `spec` of a Telemetry: which spans, metrics and log lines the proxies of a scope make.
package struct Telemetry: IstioSpec {
    package static let group = "telemetry.istio.io"
    package static let kind = "Telemetry"
    package struct ProviderReference: Sendable, Hashable, Codable { package var name: String? }
    package enum Mode: String, Sendable, Hashable, Codable, CaseIterable {
        case both = "CLIENT_AND_SERVER"
        case client = "CLIENT"
        case server = "SERVER"
    }
    package struct ModeMatch: Sendable, Hashable, Codable { package var mode: Mode? }
    package struct CustomTag: Sendable, Hashable, Codable {
        package struct Literal: Sendable, Hashable, Codable { package var value: String? }
        package struct Named: Sendable, Hashable, Codable {
            package var name: String?
            package var defaultValue: String?
        }
        package struct Formatter: Sendable, Hashable, Codable { package var value: String? }
        package var literal: Literal?
        package var environment: Named?
        package var header: Named?
        package var formatter: Formatter?
    }
    package struct Tracing: Sendable, Hashable, Codable {
        package var match: ModeMatch?
        package var providers: [ProviderReference]?
        package var randomSamplingPercentage: Double?
        package var disableSpanReporting: Bool?
        package var customTags: [String: CustomTag]?
        package var useRequestIdForTraceSampling: Bool?
        package var enableIstioTags: Bool?
        package var disableContextPropagation: Bool?
    }
    package struct MetricSelector: Sendable, Hashable, Codable {
        package enum Standard: String, Sendable, Hashable, Codable, CaseIterable {
            case all = "ALL_METRICS"
            case requestCount = "REQUEST_COUNT"
            case requestDuration = "REQUEST_DURATION"
            case requestSize = "REQUEST_SIZE"
            case responseSize = "RESPONSE_SIZE"
            case tcpOpenedConnections = "TCP_OPENED_CONNECTIONS"
            case tcpClosedConnections = "TCP_CLOSED_CONNECTIONS"
            case tcpSentBytes = "TCP_SENT_BYTES"
            case tcpReceivedBytes = "TCP_RECEIVED_BYTES"
            case grpcRequestMessages = "GRPC_REQUEST_MESSAGES"
            case grpcResponseMessages = "GRPC_RESPONSE_MESSAGES"
        }
        package var metric: Standard?
        package var customMetric: String?
        package var mode: Mode?
    }
    package struct TagOverride: Sendable, Hashable, Codable {
        package enum Operation: String, Sendable, Hashable, Codable, CaseIterable {
            case upsert = "UPSERT"
            case remove = "REMOVE"
        }
        package var operation: Operation?
        package var value: String?
    }
    package struct MetricsOverride: Sendable, Hashable, Codable {
        package var match: MetricSelector?
        package var disabled: Bool?
        package var tagOverrides: [String: TagOverride]?
    }
    package struct Metrics: Sendable, Hashable, Codable {
        package var providers: [ProviderReference]?
        package var reportingInterval: ProtoDuration?
        package var overrides: [MetricsOverride]?
    }
    package struct Filter: Sendable, Hashable, Codable { package var expression: String? }
    package struct AccessLogging: Sendable, Hashable, Codable {
        package var match: ModeMatch?
        package var providers: [ProviderReference]?
        package var disabled: Bool?
        package var filter: Filter?
    }
    package var selector: WorkloadSelector?
    package var targetRef: PolicyTargetReference?
    package var targetRefs: [PolicyTargetReference]?
    package var tracing: [Tracing]?
    package var metrics: [Metrics]?
    package var accessLogging: [AccessLogging]?
}

/// The `spec` of a WasmPlugin: a filter of the user's own, compiled to WebAssembly.
package struct WasmPlugin: IstioSpec {
    package static let group = "extensions.istio.io"
    package static let kind = "WasmPlugin"
    package enum PullPolicy: String, Sendable, Hashable, Codable, CaseIterable {
        case unspecified = "UNSPECIFIED_POLICY"
        case ifNotPresent = "IfNotPresent"
        case always = "Always"
    }
    package enum Phase: String, Sendable, Hashable, Codable, CaseIterable {
        case unspecified = "UNSPECIFIED_PHASE"
        case authentication = "AUTHN"
        case authorization = "AUTHZ"
        case statistics = "STATS"
    }
    package enum FailStrategy: String, Sendable, Hashable, Codable, CaseIterable {
        case close = "FAIL_CLOSE"
        case open = "FAIL_OPEN"
        case reload = "FAIL_RELOAD"
    }
    package enum PluginType: String, Sendable, Hashable, Codable, CaseIterable {
        case unspecified = "UNSPECIFIED_PLUGIN_TYPE"
        case http = "HTTP"
        case network = "NETWORK"
    }
    package struct Variable: Sendable, Hashable, Codable {
        package enum Origin: String, Sendable, Hashable, Codable, CaseIterable {
            case inline = "INLINE"
            case host = "HOST"
        }
        package var name: String?
        package var valueFrom: Origin?
        package var value: String?
    }
    package struct VMConfig: Sendable, Hashable, Codable { package var env: [Variable]? }
    package struct TrafficSelector: Sendable, Hashable, Codable {
        package enum Mode: String, Sendable, Hashable, Codable, CaseIterable {
            case undefined = "UNDEFINED"
            case client = "CLIENT"
            case server = "SERVER"
            case both = "CLIENT_AND_SERVER"
        }
        package var mode: Mode?
        package var ports: [PortSelector]?
    }
    package var selector: WorkloadSelector?
    package var targetRef: PolicyTargetReference?
    package var targetRefs: [PolicyTargetReference]?
    package var url: String?
    package var sha256: String?
    package var imagePullPolicy: PullPolicy?
    package var imagePullSecret: String?
    package var verificationKey: String?
    package var pluginConfig: JSONValue?
    package var pluginName: String?
    package var phase: Phase?
    package var priority: Int?
    package var failStrategy: FailStrategy?
    package var vmConfig: VMConfig?
    package var match: [TrafficSelector]?
    package var type: PluginType?
}

/// The `spec` of a TrafficExtension: code that runs in proxies, as a Wasm module or as a Lua script.
package struct TrafficExtension: IstioSpec {
    package static let group = "extensions.istio.io"
    package static let kind = "TrafficExtension"
    package struct Wasm: Sendable, Hashable, Codable {
        package var url: String?
        package var sha256: String?
        package var imagePullPolicy: WasmPlugin.PullPolicy?
        package var imagePullSecret: String?
        package var verificationKey: String?
        package var pluginConfig: JSONValue?
        package var pluginName: String?
        package var failStrategy: WasmPlugin.FailStrategy?
        package var vmConfig: WasmPlugin.VMConfig?
        package var type: WasmPlugin.PluginType?
    }
    package struct Lua: Sendable, Hashable, Codable { package var inlineCode: String? }
    package var selector: WorkloadSelector?
    package var targetRefs: [PolicyTargetReference]?
    package var phase: WasmPlugin.Phase?
    package var priority: Int?
    package var match: [WasmPlugin.TrafficSelector]?
    package var wasm: Wasm?
    package var lua: Lua?
}
