package import WeftCore

/// Where, when and how requests or connections are logged (`envoy.config.accesslog.v3.AccessLog`).
package struct AccessLog: Sendable, Hashable, Codable {
    package enum Format: Sendable, Hashable, Codable {
        /// Envoy's default line.
        case standard
        /// A format string with Envoy's command operators.
        case text(String)
        /// A JSON object whose strings are format strings; nested objects and lists are kept.
        case json([String: JSONValue])
    }
    package enum Sink: Sendable, Hashable, Codable {
        /// A file path; `/dev/stdout` and `/dev/stderr` are the streams.
        case file(path: String, format: Format, omitsEmptyValues: Bool)
        /// An access log service.
        case service(AccessLogService)
    }
    package var sink: Sink
    /// `nil` logs everything.
    package var filter: AccessLogFilter?

    package init(_ sink: Sink) { self.sink = sink }

    package init(path: String, format: Format = .standard) {
        sink = .file(path: path, format: format, omitsEmptyValues: false)
    }

    /// Envoy's line for logs without a format (`config_access_log_default_format`).
    package static let standardFormat =
        "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% "
        + "%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "
        + "\"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" "
        + "\"%UPSTREAM_HOST%\"\n"
}

/// An access log service that is reached through a cluster (`envoy.extensions.access_loggers.grpc.v3`).
package struct AccessLogService: Sendable, Hashable, Codable {
    /// What the entries tell of.
    package enum Kind: String, Sendable, Hashable, Codable { case http, tcp }
    package var kind: Kind
    package var logName: String
    package var cluster: String
    /// `nil` is the cluster's name.
    package var authority: String?
    /// gRPC metadata of every stream.
    package var metadata: [String: String] = [:]
    package var flushMilliseconds: UInt64 = 1_000
    /// Entries are sent when they take this much; 0 sends each by itself.
    package var bufferBytes: UInt32 = 16_384
    package var requestHeaders: [String] = []
    package var responseHeaders: [String] = []
    package var responseTrailers: [String] = []
    package var customTags: [CustomTag] = []

    package init(kind: Kind, logName: String, cluster: String) {
        self.kind = kind
        self.logName = logName
        self.cluster = cluster
    }
}

/// Which requests are logged (`envoy.config.accesslog.v3.AccessLogFilter`).
package indirect enum AccessLogFilter: Sendable, Hashable, Codable {
    package enum Comparison: String, Sendable, Hashable, Codable { case equal, atLeast, atMost, notEqual }
    package enum LogType: String, Sendable, Hashable, Codable {
        case notSet = "NotSet"
        case tcpConnectionEnd = "TcpConnectionEnd"
        case downstreamEnd = "DownstreamEnd"
        /// A kind that this proxy never writes.
        case other
    }
    case status(Comparison, UInt32)
    /// Milliseconds.
    case duration(Comparison, UInt32)
    case notHealthCheck
    /// The request is traced because a service demanded it.
    case traceable
    /// A share of the requests; by request id when there is one, unless `isIndependent`.
    case runtime(FractionalPercent, isIndependent: Bool)
    case and([AccessLogFilter])
    case or([AccessLogFilter])
    case header(HeaderMatcher)
    /// Any flag when empty.
    case responseFlags([String])
    /// gRPC status codes.
    case grpcStatus([UInt32], excludes: Bool)
    case logType([LogType], excludes: Bool)
    /// A request without the value is logged when `orMissing`.
    case metadata(DynamicMetadataMatcher, orMissing: Bool)
    /// Text of an ``AttributeExpression`` of type bool.
    case expression(String)
}

/// A tag that a configuration adds to spans or log entries (`envoy.type.tracing.v3.CustomTag`).
package struct CustomTag: Sendable, Hashable, Codable {
    package enum Source: Sendable, Hashable, Codable {
        case literal(String)
        /// An environment variable of the proxy.
        case environment(name: String, default: String)
        case requestHeader(name: String, default: String)
        /// A value that filters have set on the request.
        case requestMetadata(filter: String, path: [String], default: String)
        /// A format string.
        case format(String)
    }
    package var tag: String
    package var source: Source

    package init(tag: String, source: Source) {
        self.tag = tag
        self.source = source
    }
}
