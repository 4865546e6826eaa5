/// One upstream cluster (CDS, `envoy.config.cluster.v3.Cluster`).
package struct Cluster: Sendable, Hashable, Codable {
    package enum Discovery: Sendable, Hashable, Codable {
        case `static`
        /// Endpoints by EDS under this service name (empty: the cluster's name).
        case eds(serviceName: String)
        case strictDNS
        case logicalDNS
        /// The connection's own original destination, or the address in the header `x-envoy-original-dst-host`.
        case originalDestination(useHTTPHeader: Bool)
        /// The host that the request names, resolved when first asked for (`clusters.dynamic_forward_proxy`).
        case dynamicForwardProxy(DynamicForwardProxy)
    }
    package enum LoadBalancer: Sendable, Hashable, Codable {
        case roundRobin
        case leastRequest(choiceCount: UInt32)
        case random
        case ringHash(minimumRingSize: UInt64)
        case maglev(tableSize: UInt64)
        /// Weights are reported by the endpoints (ORCA).
        case clientSideWeightedRoundRobin
        /// The lower product of smoothed latency and open requests, of two random hosts.
        case peakEWMA
        /// The cluster picks by itself (original destination).
        case clusterProvided
    }
    /// `envoy.extensions.upstreams.http.v3.HttpProtocolOptions`.
    package enum HTTPProtocol: String, Sendable, Hashable, Codable {
        case http1, http2
        /// The protocol that the downstream used.
        case useDownstream
        /// By ALPN.
        case auto
    }
    package struct CircuitBreakers: Sendable, Hashable, Codable {
        package var maxConnections: UInt32 = 1024
        package var maxPendingRequests: UInt32 = 1024
        package var maxRequests: UInt32 = 1024
        package var maxRetries: UInt32 = 3
        /// Connection pools, one per endpoint and worker; `nil` is no limit.
        package var maxConnectionPools: UInt32?
        /// Replaces ``maxRetries`` when set.
        package var retryBudget: RetryBudget?
        package init() {}
    }
    /// Open retries as a share of open requests (`CircuitBreakers.Thresholds.RetryBudget`).
    package struct RetryBudget: Sendable, Hashable, Codable {
        package var budgetPercent: Double = 20
        package var minimumRetryConcurrency: UInt32 = 3
        package init() {}
    }
    /// Connections opened ahead of need (`PreconnectPolicy`); ratios of streams to open for each active stream.
    package struct Preconnect: Sendable, Hashable, Codable {
        package var perUpstreamRatio: Double = 1
        package var predictiveRatio: Double = 1
        package init() {}
    }
    /// Which object a request through this cluster counts for: the metric labels `destination_service*`.
    package struct ServiceMetadata: Sendable, Hashable, Codable {
        package var host: String
        package var name: String
        package var namespace: String
        package init(host: String, name: String, namespace: String) {
            self.host = host
            self.name = name
            self.namespace = namespace
        }
    }
    package struct TransportSocketMatch: Sendable, Hashable, Codable {
        package var name: String
        /// All must equal the endpoint's ``Endpoint/transportSocketMatch``; empty matches every endpoint.
        package var match: [String: String]
        /// `nil` is plain text.
        package var tls: UpstreamTLS?
        package var proxyProtocol: UpstreamProxyProtocol?
        package init(name: String, match: [String: String], tls: UpstreamTLS?) {
            self.name = name
            self.match = match
            self.tls = tls
        }
    }
    /// The server name of a TLS connection, and what its certificate must say, come from the request that it is opened
    /// for (`UpstreamHttpProtocolOptions`).
    package struct AutomaticServerName: Sendable, Hashable, Codable {
        /// `auto_sni`
        package var setsServerName = false
        /// `auto_san_validation`
        package var validatesName = false
        /// The header that has the name instead of the authority (`override_auto_sni_header`); empty is none.
        package var header = ""
        package init() {}
    }
    package struct TCPKeepalive: Sendable, Hashable, Codable {
        package var probes: UInt32?
        package var timeSeconds: UInt32?
        package var intervalSeconds: UInt32?
        package init() {}
    }

    package var name: String
    package var discovery: Discovery
    package var connectTimeoutMilliseconds: UInt64 = 5_000
    package var loadBalancer = LoadBalancer.roundRobin
    /// Endpoints of static and DNS clusters.
    package var endpoints: ClusterLoadAssignment?
    /// The file that an EDS cluster's endpoints come from (`eds_config.path_config_source`); `nil` is the ADS stream.
    package var endpointsFile: String?
    package var balancing = LoadBalancing()
    package var circuitBreakers = CircuitBreakers()
    /// For routes of priority `HIGH`; `nil` is Envoy's default limits.
    package var highPriorityCircuitBreakers: CircuitBreakers?
    package var preconnect = Preconnect()
    package var healthChecks: [HealthCheck] = []
    package var outlierDetection: OutlierDetection?
    /// Which answers count as errors for outlier detection (`HttpProtocolOptions.outlier_detection.error_matcher`); `nil`
    /// is statuses from 500 on. What it does not match is a success, whatever the status.
    package var errorCondition: ResponseCondition?
    package var tls: UpstreamTLS?
    /// The header that comes before TLS or plain text.
    package var proxyProtocol: UpstreamProxyProtocol?
    package var transportSocketMatches: [TransportSocketMatch] = []
    package var httpProtocol = HTTPProtocol.http1
    package var automaticServerName: AutomaticServerName?
    package var maxRequestsPerConnection: UInt32?
    /// Idle time of pooled connections in milliseconds; `nil` is one hour, 0 is none.
    package var idleTimeoutMilliseconds: UInt64?
    package var maxConnectionDurationMilliseconds: UInt64?
    /// The longest a request may take at an upstream (`max_stream_duration`).
    package var maxStreamDurationMilliseconds: UInt64?
    /// `max_response_headers_kb` and `max_headers_count`; `nil` is the default.
    package var maxResponseHeadersKilobytes: UInt32?
    package var maxResponseHeadersCount: UInt32?
    /// HTTP/1 trailers end here (without `enable_trailers`).
    package var dropsTrailers = false
    /// Case of header names on HTTP/1 connections.
    package var preserveHeaderCase = false
    package var properCaseHeaders = false
    package var http2MaxConcurrentStreams: UInt32?
    package var http2: HTTP2ProtocolOptions?
    package var tcpKeepalive: TCPKeepalive?
    /// Local address of upstream connections (`127.0.0.6` for inbound ones).
    package var bindAddress: String?
    /// Share of healthy hosts, 0 to 100, below which health is ignored; Envoy's default is 50.
    package var healthyPanicThresholdPercent: Double = 50
    package var dnsRefreshMilliseconds: UInt64 = 5_000
    package var dns = DNSOptions()
    /// The header that names an original-destination cluster's address; `nil` is `x-envoy-original-dst-host`.
    package var originalDestinationHeader: String?
    /// Replaces the port of an original destination.
    package var originalDestinationPort: UInt16?
    package var altStatName = ""
    package var perConnectionBufferLimit: UInt32?
    package var services: [ServiceMetadata] = []
    package var provenance: Provenance?

    /// Whether any of its connections begins with a PROXY header.
    package var usesProxyProtocol: Bool {
        proxyProtocol != nil || transportSocketMatches.contains { $0.proxyProtocol != nil }
    }

    /// The PROXY header of an endpoint with this ``Endpoint/transportSocketMatch``.
    package func proxyProtocol(for metadata: [String: String]) -> UpstreamProxyProtocol? {
        let match = transportSocketMatches.first { candidate in
            candidate.match.allSatisfy { metadata[$0.key] == $0.value }
        }
        return match.map(\.proxyProtocol) ?? proxyProtocol
    }

    package init(name: String, discovery: Discovery) {
        self.name = name
        self.discovery = discovery
    }
}

/// Passive health checking (`envoy.config.cluster.v3.OutlierDetection`).
package struct OutlierDetection: Sendable, Hashable, Codable {
    package var consecutive5xx: UInt32 = 5
    package var enforcingConsecutive5xxPercent: UInt32 = 100
    package var consecutiveGatewayFailure: UInt32 = 5
    package var enforcingConsecutiveGatewayFailurePercent: UInt32 = 0
    package var consecutiveLocalOriginFailure: UInt32 = 5
    package var enforcingConsecutiveLocalOriginFailurePercent: UInt32 = 100
    package var splitExternalLocalOriginErrors = false
    package var intervalMilliseconds: UInt64 = 10_000
    package var baseEjectionMilliseconds: UInt64 = 30_000
    package var maxEjectionMilliseconds: UInt64 = 300_000
    package var maxEjectionPercent: UInt32 = 10
    package var enforcingSuccessRatePercent: UInt32 = 100
    package var enforcingLocalOriginSuccessRatePercent: UInt32 = 100
    package var successRateMinimumHosts: UInt32 = 5
    package var successRateRequestVolume: UInt32 = 100
    /// Thousandths of a standard deviation below the mean.
    package var successRateStandardDeviationFactor: UInt32 = 1_900
    package var failurePercentageThreshold: UInt32 = 85
    package var enforcingFailurePercentage: UInt32 = 0
    package var enforcingFailurePercentageLocalOrigin: UInt32 = 0
    package var failurePercentageMinimumHosts: UInt32 = 5
    package var failurePercentageRequestVolume: UInt32 = 50
    /// Random addition to every ejection.
    package var maxEjectionJitterMilliseconds: UInt64 = 0
    /// One host may go even when ``maxEjectionPercent`` of the hosts is less than one.
    package var alwaysEjectsOneHost = false
    package var activeHealthCheckUnejects = true

    package init() {}
}

/// The endpoints of one cluster (EDS, `envoy.config.endpoint.v3.ClusterLoadAssignment`).
package struct ClusterLoadAssignment: Sendable, Hashable, Codable {
    package var clusterName: String
    package var localities: [LocalityEndpoints]
    package var overprovisioningFactor: UInt32 = 140
    /// `policy.weighted_priority_health`: a priority's health is by weight instead of by number of hosts.
    package var weighsPriorityHealth = false
    /// Why the list is empty, for the person who gets the 503 (`subset v1 of backend.dev selects no pod`).
    package var emptyReason: String?
    package var provenance: Provenance?

    package init(clusterName: String, localities: [LocalityEndpoints] = []) {
        self.clusterName = clusterName
        self.localities = localities
    }
}

package struct Locality: Sendable, Hashable, Codable {
    package var region = ""
    package var zone = ""
    package var subZone = ""
    package init(region: String = "", zone: String = "", subZone: String = "") {
        self.region = region
        self.zone = zone
        self.subZone = subZone
    }
}

package struct LocalityEndpoints: Sendable, Hashable, Codable {
    package var locality: Locality
    package var priority: UInt32 = 0
    package var weight: UInt32?
    package var endpoints: [Endpoint]
    package init(locality: Locality = Locality(), endpoints: [Endpoint]) {
        self.locality = locality
        self.endpoints = endpoints
    }
}

package struct Endpoint: Sendable, Hashable, Codable {
    package enum Health: String, Sendable, Hashable, Codable {
        case unknown, healthy, unhealthy, draining, timeout, degraded
    }
    package var address: Address
    package var hostname = ""
    package var health = Health.unknown
    package var weight: UInt32 = 1
    /// Metadata `envoy.transport_socket_match`, such as `tlsMode: istio`.
    package var transportSocketMatch: [String: String] = [:]
    /// Metadata `envoy.lb`: what subsets match, and `canary`.
    package var balancingMetadata: [String: MetadataValue] = [:]
    /// Port of active health checks; `nil` is the endpoint's own.
    package var healthCheckPort: UInt16?
    package var healthCheckHostname = ""
    package var skipsActiveHealthCheck = false
    /// Who answers at this address: the metric labels `destination_workload` and so on.
    package var workload: WorkloadMetadata?

    package init(address: Address) { self.address = address }
}

/// What metrics and graphs call a workload. Empty fields are unknown.
package struct WorkloadMetadata: Sendable, Hashable, Codable {
    package var name = ""
    package var namespace = ""
    package var canonicalName = ""
    package var canonicalRevision = ""
    package var cluster = ""
    package init() {}
}
