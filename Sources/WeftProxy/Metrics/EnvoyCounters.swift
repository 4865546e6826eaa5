import WeftMetrics

/// The names of the cells of a ``CounterBlock``, in order.
protocol CounterName: CaseIterable, RawRepresentable where RawValue == Int {
    static var names: [String] { get }
    /// Goes down too.
    var isGauge: Bool { get }
}

extension CounterName {
    var name: String { Self.names[rawValue] }
    var isGauge: Bool { false }
    /// The digit of a class of statuses: in Prometheus they are one metric with a label.
    var statusClass: Character? { name.hasSuffix("xx") ? name.dropLast(2).last : nil }
}

extension CounterBlock {
    func add(_ name: some CounterName, _ amount: Int = 1) { add(name.rawValue, amount) }
}

/// Numbers of one connection manager, `http.STAT_PREFIX.NAME`.
enum HTTPCounter: Int, CounterName {
    case connections, activeConnections, destroyedConnections, http1Connections, activeHTTP1Connections,
        http2Connections, activeHTTP2Connections, secureConnections, activeSecureConnections, protocolErrors,
        requests, activeRequests, http1Requests, http2Requests, completed, status1xx, status2xx, status3xx,
        status4xx, status5xx, clientResets, idleTimeouts, tooLarge, upgradeRefused, routed, directResponses,
        redirects, noRoute, noCluster, resetAfterResponse, tokensAllowed, tokensDenied, delays, aborts, originValid,
        originInvalid, headTimeouts

    static let names = [
        "downstream_cx_total", "downstream_cx_active", "downstream_cx_destroy", "downstream_cx_http1_total",
        "downstream_cx_http1_active", "downstream_cx_http2_total", "downstream_cx_http2_active",
        "downstream_cx_ssl_total", "downstream_cx_ssl_active", "downstream_cx_protocol_error",
        "downstream_rq_total", "downstream_rq_active", "downstream_rq_http1_total",
        "downstream_rq_http2_total", "downstream_rq_completed", "downstream_rq_1xx", "downstream_rq_2xx",
        "downstream_rq_3xx", "downstream_rq_4xx", "downstream_rq_5xx", "downstream_rq_rx_reset",
        "downstream_rq_idle_timeout", "downstream_rq_too_large", "downstream_rq_ws_on_non_ws_route",
        "rq_total", "rq_direct_response", "rq_redirect", "no_route", "no_cluster",
        "rq_reset_after_downstream_response_started", "jwt_authn.allowed", "jwt_authn.denied",
        "fault.delays_injected", "fault.aborts_injected", "cors.origin_valid", "cors.origin_invalid",
        "downstream_rq_header_timeout",
    ]
    /// Goes down too.
    var isGauge: Bool { name.hasSuffix("_active") }
}

/// Numbers of one cluster, `cluster.NAME.…`, beyond those that limits are kept by.
enum ClusterCounter: Int, CounterName {
    case completed, status1xx, status2xx, status3xx, status4xx, status5xx, timeouts, perTryTimeouts,
        upstreamResets, ownResets, cancelled, pendingTotal, pendingFailures, retrySuccesses, connectTimeouts,
        http1Connections, http2Connections, connectionOverflow, closedConnections, noneHealthy, maxRequests,
        maxDuration

    static let names = [
        "upstream_rq_completed", "upstream_rq_1xx", "upstream_rq_2xx", "upstream_rq_3xx", "upstream_rq_4xx",
        "upstream_rq_5xx", "upstream_rq_timeout", "upstream_rq_per_try_timeout", "upstream_rq_rx_reset",
        "upstream_rq_tx_reset", "upstream_rq_cancelled", "upstream_rq_pending_total",
        "upstream_rq_pending_failure_eject", "upstream_rq_retry_success", "upstream_cx_connect_timeout",
        "upstream_cx_http1_total", "upstream_cx_http2_total", "upstream_cx_overflow", "upstream_cx_destroy",
        "upstream_cx_none_healthy", "upstream_cx_max_requests", "upstream_cx_max_duration_reached",
    ]
}

/// Numbers of one listener, `listener.ADDRESS.…`.
enum ListenerCounter: Int, CounterName {
    case connections, activeConnections, destroyedConnections, noChain, handshakes, handshakeErrors,
        refusedNames

    static let names = [
        "downstream_cx_total", "downstream_cx_active", "downstream_cx_destroy", "no_filter_chain_match",
        "ssl.handshake", "ssl.connection_error", "ssl.fail_verify_san",
    ]
    var isGauge: Bool { self == .activeConnections }
}

/// Numbers of the gRPC calls to one cluster, or of one method there: `cluster.NAME.grpc.…`.
struct GRPCCounter: CounterName {
    let rawValue: Int
    static let success = GRPCCounter(0)
    static let failure = GRPCCounter(1)
    static let total = GRPCCounter(2)
    static let requestMessages = GRPCCounter(3)
    static let responseMessages = GRPCCounter(4)

    private static let statuses = 17
    static let names: [String] =
        ["success", "failure", "total", "request_message_count", "response_message_count"]
        + (0..<statuses).map { String($0) }
    static let allCases: [GRPCCounter] = names.indices.map { GRPCCounter($0) }

    private init(_ place: Int) { rawValue = place }
    init?(rawValue: Int) {
        guard Self.names.indices.contains(rawValue) else { return nil }
        self.init(rawValue)
    }
    /// - Parameter status: One of the 17 that gRPC has; others are told in `failure` alone.
    init?(status: UInt8) {
        guard status < Self.statuses else { return nil }
        self.init(5 + Int(status))
    }
}

/// Numbers of one TCP proxy, `tcp.STAT_PREFIX.…`.
enum TCPCounter: Int, CounterName {
    case connections, noRoute, receivedBytes, sentBytes, idleTimeouts

    static let names = [
        "downstream_cx_total", "downstream_cx_no_route", "downstream_cx_rx_bytes_total",
        "downstream_cx_tx_bytes_total", "idle_timeout",
    ]
}
