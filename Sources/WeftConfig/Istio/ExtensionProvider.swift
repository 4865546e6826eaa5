package import WeftCore

/// A service that policies and telemetry call by name (`MeshConfig.extensionProviders[]`).
///
/// Kinds of providers that other parts of the mesh read have fields of their own; a provider has exactly one kind.
package struct ExtensionProvider: Sendable, Hashable, Codable {
    /// How much of a request's body the service sees.
    package struct RequestBody: Sendable, Hashable, Codable {
        package var maxRequestBytes: UInt32?
        package var allowPartialMessage: Bool?
        package var packAsBytes: Bool?
    }
    /// Asked by plain HTTP: 200 lets the request pass (`EnvoyExternalAuthorizationHttpProvider`).
    package struct AuthorizationByHTTP: Sendable, Hashable, Codable {
        package var service: String?
        package var port: Int?
        package var timeout: ProtoDuration?
        package var pathPrefix: String?
        package var failOpen: Bool?
        package var clearRouteCache: Bool?
        package var statusOnError: String?
        package var includeHeadersInCheck: [String]?
        package var includeRequestHeadersInCheck: [String]?
        package var includeAdditionalHeadersInCheck: [String: String]?
        package var includeRequestBodyInCheck: RequestBody?
        package var headersToUpstreamOnAllow: [String]?
        package var headersToDownstreamOnDeny: [String]?
        package var headersToDownstreamOnAllow: [String]?
    }
    /// Asked by gRPC (`EnvoyExternalAuthorizationGrpcProvider`).
    package struct AuthorizationByGRPC: Sendable, Hashable, Codable {
        package var service: String?
        package var port: Int?
        package var timeout: ProtoDuration?
        package var failOpen: Bool?
        package var clearRouteCache: Bool?
        package var statusOnError: String?
        package var includeRequestBodyInCheck: RequestBody?
    }
    /// Spans in OTLP (`OpenTelemetryTracingProvider`); by gRPC unless `http` is given.
    package struct OpenTelemetry: Sendable, Hashable, Codable {
        package struct HTTP: Sendable, Hashable, Codable {
            package struct Header: Sendable, Hashable, Codable {
                package var name: String?
                package var value: String?
                package var envName: String?
            }
            package var path: String?
            package var timeout: ProtoDuration?
            package var headers: [Header]?
        }
        package struct GRPC: Sendable, Hashable, Codable {
            package var timeout: ProtoDuration?
            package var initialMetadata: [HTTP.Header]?
        }
        package struct ResourceDetectors: Sendable, Hashable, Codable {
            package var environment: JSONValue?
            package var dynatrace: JSONValue?
        }
        package var service: String?
        package var port: Int?
        package var maxTagLength: UInt32?
        package var http: HTTP?
        package var grpc: GRPC?
        package var resourceDetectors: ResourceDetectors?

        package init(service: String, port: Int) { (self.service, self.port) = (service, port) }
    }
    /// Spans in Zipkin's JSON (`ZipkinTracingProvider`).
    package struct Zipkin: Sendable, Hashable, Codable {
        package enum Context: String, Sendable, Hashable, Codable, CaseIterable {
            case b3 = "USE_B3"
            case b3AndW3C = "USE_B3_WITH_W3C_PROPAGATION"
        }
        package var service: String?
        package var port: Int?
        package var maxTagLength: UInt32?
        package var enable64bitTraceId: Bool?
        package var path: String?
        package var traceContextOption: Context?

        package init() {}
    }
    /// Lines in a file (`EnvoyFileAccessLogProvider`).
    package struct FileLog: Sendable, Hashable, Codable {
        package struct Format: Sendable, Hashable, Codable {
            package var text: String?
            package var labels: [String: JSONValue]?
        }
        package var path: String?
        package var logFormat: Format?
        package var omitEmptyValues: Bool?

        package init(path: String) { self.path = path }
    }
    /// Entries to an access log service (`EnvoyHttpGrpcV3LogProvider`, `EnvoyTcpGrpcV3LogProvider`).
    package struct LogService: Sendable, Hashable, Codable {
        package var service: String?
        package var port: Int?
        package var logName: String?
        package var filterStateObjectsToLog: [String]?
        package var additionalRequestHeadersToLog: [String]?
        package var additionalResponseHeadersToLog: [String]?
        package var additionalResponseTrailersToLog: [String]?
    }
    /// The provider behind which `weftd` takes spans; there without being defined.
    package static let weft = "weft"

    package var name: String?
    package var envoyExtAuthzHttp: AuthorizationByHTTP?
    package var envoyExtAuthzGrpc: AuthorizationByGRPC?
    package var opentelemetry: OpenTelemetry?
    package var zipkin: Zipkin?
    /// Metrics for Prometheus; has no settings.
    package var prometheus: JSONValue?
    package var envoyFileAccessLog: FileLog?
    package var envoyHttpAls: LogService?
    package var envoyTcpAls: LogService?
    /// Kinds that no proxy here has; kept so that what names them can be told.
    package var envoyOtelAls: JSONValue?
    package var datadog: JSONValue?
    package var skywalking: JSONValue?
    package var stackdriver: JSONValue?
    package var lightstep: JSONValue?
    package var opencensus: JSONValue?

    package init(name: String? = nil) { self.name = name }
}
