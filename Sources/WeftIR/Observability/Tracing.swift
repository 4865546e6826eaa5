/// Whether and how requests of one connection manager are traced (`HttpConnectionManager.Tracing`).
package struct Tracing: Sendable, Hashable, Codable {
    /// Shares in percent, 0 to 100.
    package var clientSampling: Double = 100
    package var randomSampling: Double = 100
    package var overallSampling: Double = 100
    package var isVerbose = false
    /// Longer paths are cut in the tag `http.url`.
    package var maxPathTagLength: UInt32 = 256
    package var customTags: [CustomTag] = []
    /// Every try at an upstream gets a span of its own.
    package var spawnsUpstreamSpan = false
    /// Format strings that name the spans; empty is Envoy's default.
    package var operation = ""
    package var upstreamOperation = ""
    package var provider: TracingProvider?

    package init() {}
}

/// What a route changes about tracing (`envoy.config.route.v3.Tracing`). Shares in parts of a million.
package struct RouteTracing: Sendable, Hashable, Codable {
    package var clientSampling = FractionalPercent.all
    package var randomSampling = FractionalPercent.all
    package var overallSampling = FractionalPercent.all
    package var customTags: [CustomTag] = []
    package var operation = ""
    package var upstreamOperation = ""

    package init() {}
}

/// Who takes the spans.
package enum TracingProvider: Sendable, Hashable, Codable {
    case openTelemetry(OpenTelemetryTracing)
    case zipkin(ZipkinTracing)

    /// The cluster that the collector is reached through; `nil` when nothing is exported.
    package var cluster: String? {
        switch self {
        case .openTelemetry(let settings): settings.exporter?.cluster
        case .zipkin(let settings): settings.cluster
        }
    }
}

/// Spans in OTLP; context travels as `traceparent` and `tracestate` (`envoy.config.trace.v3.OpenTelemetryConfig`).
package struct OpenTelemetryTracing: Sendable, Hashable, Codable {
    package struct Exporter: Sendable, Hashable, Codable {
        package enum Transport: Sendable, Hashable, Codable {
            case grpc(authority: String?)
            /// The whole URI of the collector.
            case http(uri: String)
        }
        package var cluster: String
        package var transport: Transport
        package var timeoutMilliseconds: UInt64
        /// Request headers, or gRPC metadata.
        package var headers: [String: String] = [:]

        package init(cluster: String, transport: Transport, timeoutMilliseconds: UInt64) {
            self.cluster = cluster
            self.transport = transport
            self.timeoutMilliseconds = timeoutMilliseconds
        }
    }
    /// `nil`: context is passed on and nothing is exported.
    package var exporter: Exporter?
    package var serviceName = ""
    /// Resource attributes come from `OTEL_RESOURCE_ATTRIBUTES` too.
    package var detectsEnvironment = false
    /// Spans that wait; more are dropped and counted.
    package var maxCacheSize: UInt32 = 1_024

    package init() {}
}

/// Spans in Zipkin's JSON; context travels as B3 headers (`envoy.config.trace.v3.ZipkinConfig`).
package struct ZipkinTracing: Sendable, Hashable, Codable {
    package var cluster: String
    /// The path of the collector: `/api/v2/spans`.
    package var endpoint: String
    /// The authority; empty is the cluster's name.
    package var hostname = ""
    package var has128BitTraceIDs = false
    /// Both ends of a call share one span id.
    package var sharesSpans = true
    /// `traceparent` is understood and sent as well.
    package var alsoPropagatesW3C = false
    /// A server span and a client span for each request, in place of one.
    package var splitsSpans = false

    package init(cluster: String, endpoint: String) {
        self.cluster = cluster
        self.endpoint = endpoint
    }
}
