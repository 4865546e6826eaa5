import WeftConfig
import WeftCore
import WeftIR

/// HTTP connection managers and access logs of the three places where the mesh speaks HTTP.
struct ConnectionManagers {
    let scope: Scope

    func outbound(statPrefix: String, routes: String) -> HTTPConnectionManager {
        var manager = HTTPConnectionManager(statPrefix: statPrefix, routes: .rds(routes), filters: filters([], .source))
        manager.generateRequestID = true
        finish(&manager, .source)
        return manager
    }

    func inbound(statPrefix: String, routes: RouteConfiguration) -> HTTPConnectionManager {
        let security = SecurityFilters(scope: scope).http
        var manager = HTTPConnectionManager(
            statPrefix: statPrefix, routes: .inline(routes), filters: filters(security, .destination))
        manager.forwardClientCert = .appendForward
        manager.clientCertDetails = details
        manager.serverName = "istio-envoy"
        manager.serverHeader = .passThrough
        finish(&manager, .destination)
        return manager
    }

    func gateway(statPrefix: String, routes: String) -> HTTPConnectionManager {
        let security = SecurityFilters(scope: scope).http
        var manager = HTTPConnectionManager(
            statPrefix: statPrefix, routes: .rds(routes), filters: filters(security, .source))
        manager.useRemoteAddress = true
        manager.forwardClientCert = .sanitizeSet
        GatewayTopology(scope: scope).apply(to: &manager)
        manager.clientCertDetails = details
        manager.serverName = "istio-envoy"
        finish(&manager, .source)
        return manager
    }

    /// Network-level access rules followed by plain forwarding.
    func tcp(
        statPrefix: String, cluster: ClusterSelector, provenance: Provenance? = nil, reporter: StatsFilter.Reporter
    ) -> [NetworkFilter] {
        var filters: [NetworkFilter] = []
        if reporter == .destination || scope.proxy.kind == .router {
            filters += SecurityFilters(scope: scope).tcp.map { filter in
                guard case .rbac(var named) = filter else { return filter }
                named.statPrefix = "tcp."
                return .rbac(named)
            }
        }
        if let stats = stats(reporter) { filters.append(.stats(stats)) }
        var proxy = TCPProxy(statPrefix: statPrefix, cluster: cluster)
        proxy.provenance = provenance
        proxy.accessLogs = telemetry.side(reporter).connectionLogs
        if reporter == .source { TCPPolicies(scope: scope).apply(to: &proxy) }
        filters.append(.tcpProxy(proxy))
        return filters
    }

    private var telemetry: TelemetrySettings { scope.telemetry ?? TelemetrySettings(scope: scope) }

    /// `nil` when nobody takes metrics.
    private func stats(_ reporter: StatsFilter.Reporter) -> StatsFilter? {
        telemetry.side(reporter).metrics.map { overrides in
            var filter = StatsFilter(reporter: reporter)
            filter.overrides = overrides
            return filter
        }
    }

    private func filters(_ security: [HTTPFilter], _ reporter: StatsFilter.Reporter) -> [HTTPFilter] {
        var filters = security
        filters.append(HTTPFilter(name: RouteFeatures.faultFilter, kind: .fault(Fault())))
        filters.append(HTTPFilter(name: RouteFeatures.corsFilter, kind: .cors))
        if let stats = stats(reporter) { filters.append(HTTPFilter(name: "istio.stats", kind: .stats(stats))) }
        filters.append(HTTPFilter(name: "envoy.filters.http.router", kind: .router))
        return filters
    }

    private var details: HTTPConnectionManager.ClientCertDetails {
        var details = HTTPConnectionManager.ClientCertDetails()
        details.subject = true
        details.dns = true
        details.uri = true
        return details
    }

    private func finish(_ manager: inout HTTPConnectionManager, _ reporter: StatsFilter.Reporter) {
        PathNormalization(scope.mesh).apply(to: &manager)
        manager.upgradeTypes = ["websocket"]
        manager.streamIdleTimeoutMilliseconds = 0
        let telemetry = telemetry.side(reporter)
        manager.accessLogs = telemetry.requestLogs
        manager.tracing = telemetry.tracing
        if let flag = telemetry.samplesByRequestID { manager.samplesByRequestID = flag }
    }
}

/// Istio's standard access-log line.
enum AccessLogFormat {
    static let text = """
        [%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% \
        %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% \
        %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" \
        "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% \
        %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n
        """

    static let json = [
        "start_time": "%START_TIME%", "method": "%REQ(:METHOD)%", "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
        "protocol": "%PROTOCOL%",
        "response_code": "%RESPONSE_CODE%", "response_flags": "%RESPONSE_FLAGS%",
        "response_code_details": "%RESPONSE_CODE_DETAILS%",
        "connection_termination_details": "%CONNECTION_TERMINATION_DETAILS%",
        "upstream_transport_failure_reason": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
        "bytes_received": "%BYTES_RECEIVED%",
        "bytes_sent": "%BYTES_SENT%", "duration": "%DURATION%",
        "upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
        "x_forwarded_for": "%REQ(X-FORWARDED-FOR)%", "user_agent": "%REQ(USER-AGENT)%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "authority": "%REQ(:AUTHORITY)%", "upstream_host": "%UPSTREAM_HOST%",
        "upstream_cluster": "%UPSTREAM_CLUSTER_RAW%",
        "upstream_local_address": "%UPSTREAM_LOCAL_ADDRESS%", "downstream_local_address": "%DOWNSTREAM_LOCAL_ADDRESS%",
        "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%", "requested_server_name": "%REQUESTED_SERVER_NAME%",
        "route_name": "%ROUTE_NAME%",
    ]
}
