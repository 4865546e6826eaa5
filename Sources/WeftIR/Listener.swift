package import WeftCore

/// Where an element of a proxy's configuration comes from: the object, and the rule inside it.
///
/// Travels on the wire as route or cluster metadata, so that a refusal in the proxy can name the object that caused it.
package struct Provenance: Sendable, Hashable, Codable {
    package var resource: ResourceReference
    /// Index of the rule inside the object (`spec.http[2]`, `spec.rules[0]`).
    package var rule: Int?
    /// The name that the user gave to the rule, if any.
    package var ruleName: String?

    package init(_ resource: ResourceReference, rule: Int? = nil, ruleName: String? = nil) {
        self.resource = resource
        self.rule = rule
        self.ruleName = ruleName
    }
}

/// A socket address: an IP with a port, a DNS name with a port, or a Unix path.
package enum Address: Sendable, Hashable, Codable {
    case ip(String, port: UInt16)
    case hostname(String, port: UInt16)
    /// `@NAME` is a name in the abstract namespace; `mode` of the file, 0 is the process's default.
    case unix(path: String, mode: UInt32 = 0)
    /// `envoy.config.core.v3.EnvoyInternalAddress`; kept for ambient mode.
    case internalListener(String)
}

/// An address prefix (`envoy.config.core.v3.CidrRange`).
package struct CIDR: Sendable, Hashable, Codable {
    package var address: String
    package var prefixLength: UInt8

    package init(_ address: String, prefixLength: UInt8) {
        self.address = address
        self.prefixLength = prefixLength
    }
}

package enum TrafficDirection: String, Sendable, Hashable, Codable { case unspecified, inbound, outbound }

/// One listener (LDS, `envoy.config.listener.v3.Listener`).
package struct Listener: Sendable, Hashable, Codable {
    package var name: String
    package var address: Address
    package var additionalAddresses: [Address] = []
    /// False for listeners that only take connections handed over by original destination.
    package var bindToPort = true
    package var useOriginalDestination = false
    package var trafficDirection = TrafficDirection.unspecified
    package var listenerFilters: [ListenerFilter] = []
    /// How long listener filters may wait for bytes, in milliseconds; 0 waits for ever.
    package var listenerFiltersTimeoutMilliseconds: UInt32 = 15_000
    package var continueOnListenerFiltersTimeout = false
    package var filterChains: [FilterChain] = []
    package var defaultFilterChain: FilterChain?
    package var accessLogs: [AccessLog] = []
    package var perConnectionBufferLimit: UInt32?
    /// Set on the sockets of the listener when they are opened; accepted connections inherit most of them.
    package var socketOptions: [SocketOption] = []
    /// Connections that may wait to be accepted; `nil` is 4096.
    package var backlog: UInt32?
    /// The limit of the proxy on connections does not hold here, nor are they counted for it.
    package var ignoresGlobalConnectionLimit = false
    package var provenance: Provenance?

    package init(name: String, address: Address) {
        self.name = name
        self.address = address
    }
}

/// One option of a socket (`envoy.config.core.v3.SocketOption`), by the system's own numbers.
package struct SocketOption: Sendable, Hashable, Codable {
    /// When it is set (`SocketState`).
    package enum Moment: Int32, Sendable, Hashable, Codable { case beforeBind, bound, listening }
    package var level: Int32
    package var name: Int32
    package var value: [UInt8]
    package var moment: Moment

    package init(level: Int32, name: Int32, value: [UInt8], moment: Moment) {
        self.level = level
        self.name = name
        self.value = value
        self.moment = moment
    }

    package init(level: Int32, name: Int32, value: Int32, moment: Moment) {
        self.init(level: level, name: name, value: withUnsafeBytes(of: value) { unsafe Array($0) }, moment: moment)
    }
}

package enum ListenerFilter: Sendable, Hashable, Codable {
    case originalDestination
    case tlsInspector
    case httpInspector
    case proxyProtocol(ProxyProtocolFilter)
}

/// One filter chain and the connections that it takes (`envoy.config.listener.v3.FilterChain`).
package struct FilterChain: Sendable, Hashable, Codable {
    package var name: String
    package var match = FilterChainMatch()
    package var tls: DownstreamTLS?
    package var filters: [NetworkFilter] = []
    package var provenance: Provenance?

    package init(name: String, filters: [NetworkFilter] = []) {
        self.name = name
        self.filters = filters
    }
}

/// Most specific match wins, field by field, in the order that `FilterChainMatch` in the xDS API gives.
package struct FilterChainMatch: Sendable, Hashable, Codable {
    package var destinationPort: UInt16?
    package var prefixRanges: [CIDR] = []
    package var serverNames: [String] = []
    /// `tls` or `raw_buffer`; empty matches both.
    package var transportProtocol = ""
    package var applicationProtocols: [String] = []
    package var directSourcePrefixRanges: [CIDR] = []
    package var sourcePrefixRanges: [CIDR] = []
    package var sourcePorts: [UInt16] = []
    package var sourceType = SourceType.any

    /// Whether the client is on this machine (`ConnectionSourceType`).
    package enum SourceType: String, Sendable, Hashable, Codable { case any, sameIPOrLoopback, external }

    package init() {}
}

package enum NetworkFilter: Sendable, Hashable, Codable {
    case rbac(RBAC)
    case tcpProxy(TCPProxy)
    case httpConnectionManager(HTTPConnectionManager)
    /// Istio's standard TCP metrics (`istio_tcp_*`).
    case stats(StatsFilter)
    case connectionLimit(ConnectionLimit)
    case externalAuthorization(ConnectionAuthorization)
    case connectionRateLimit(ConnectionRateLimit)
    case connectionQuota(ConnectionQuota)
    /// The server name that the client asked for is the TCP proxy's cluster
    /// (`envoy.extensions.filters.network.sni_cluster.v3.SniCluster`).
    case sniCluster
}

/// Refuses connections that come faster than a bucket fills
/// (`envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit`).
package struct ConnectionRateLimit: Sendable, Hashable, Codable {
    package var statPrefix: String
    package var bucket: LocalRateLimit.Bucket
    package var isEnabled = true

    package init(statPrefix: String, bucket: LocalRateLimit.Bucket) {
        self.statPrefix = statPrefix
        self.bucket = bucket
    }
}

/// Asks a rate limit service about each connection (`envoy.extensions.filters.network.ratelimit.v3.RateLimit`).
package struct ConnectionQuota: Sendable, Hashable, Codable {
    package var statPrefix: String
    package var domain: String
    /// What is counted; values may hold substitution operators.
    package var descriptors: [[RateLimitDescriptor.Entry]]
    package var service: GRPCServiceTarget
    package var timeoutMilliseconds: UInt64 = 20
    /// A service that does not answer refuses.
    package var failureModeDenies = false

    package init(
        statPrefix: String, domain: String, descriptors: [[RateLimitDescriptor.Entry]], service: GRPCServiceTarget
    ) {
        self.statPrefix = statPrefix
        self.domain = domain
        self.descriptors = descriptors
        self.service = service
    }
}

/// Refuses connections beyond a number (`envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit`).
package struct ConnectionLimit: Sendable, Hashable, Codable {
    package var statPrefix: String
    package var maximum: UInt64
    /// How long a refused connection is kept open, in milliseconds, so that a client in a loop is slowed down.
    package var delayMilliseconds: UInt64 = 0
    package var isEnabled = true

    package init(statPrefix: String, maximum: UInt64) {
        self.statPrefix = statPrefix
        self.maximum = maximum
    }
}

/// Plain forwarding of bytes (`envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy`).
package struct TCPProxy: Sendable, Hashable, Codable {
    package var statPrefix: String
    package var cluster: ClusterSelector
    /// Milliseconds; `nil` is Envoy's default of one hour, 0 is none.
    package var idleTimeoutMilliseconds: UInt64?
    package var maxConnectAttempts: UInt32 = 1
    /// `max_downstream_connection_duration` in milliseconds.
    package var maxConnectionDurationMilliseconds: UInt64?
    /// Only endpoints of the subset with this metadata `envoy.lb`.
    package var metadataMatch: [String: MetadataValue] = [:]
    /// The client's address decides on the endpoint (`hash_policy: source_ip`).
    package var hashesSource = false
    package var accessLogs: [AccessLog] = []
    /// Goes through HTTP proxies instead of to the endpoint itself.
    package var tunnel: Tunnel?
    package var provenance: Provenance?

    /// What the upstream is asked for so that it passes bytes on (`TcpProxy.TunnelingConfig`).
    package struct Tunnel: Sendable, Hashable, Codable {
        /// Host and port that CONNECT names; may hold substitution operators.
        package var hostname: String
        package var usesPost = false
        /// The path of the POST; empty is `/`.
        package var postPath = ""
        package var headers = HeaderMutations()
        package init(hostname: String) { self.hostname = hostname }
    }

    package init(statPrefix: String, cluster: ClusterSelector) {
        self.statPrefix = statPrefix
        self.cluster = cluster
    }
}

package enum ClusterSelector: Sendable, Hashable, Codable {
    case cluster(String)
    case weighted([WeightedCluster])
    /// The name is read from this request header (HTTP only).
    case header(String)
}

package struct WeightedCluster: Sendable, Hashable, Codable {
    package var name: String
    package var weight: UInt32
    package var requestHeaders = HeaderMutations()
    package var responseHeaders = HeaderMutations()
    /// Added to the route's own metadata match, and stronger.
    package var metadataMatch: [String: MetadataValue] = [:]
    package var hostRewrite: String?
    /// The name is read from this request header; ``name`` is empty then.
    package var clusterHeader: String?
    package var perFilter: [String: PerRouteFilter] = [:]

    package init(name: String, weight: UInt32) {
        self.name = name
        self.weight = weight
    }
}

/// Istio's standard metrics, as the proxy's own filter.
package struct StatsFilter: Sendable, Hashable, Codable {
    /// Who reports: the client side (`source`) or the server side (`destination`).
    package enum Reporter: String, Sendable, Hashable, Codable { case source, destination }
    package var reporter: Reporter
    /// What is not as Istio has it, at most one for each metric, in order of the names.
    package var overrides: [MetricOverride] = []

    package init(reporter: Reporter) { self.reporter = reporter }
}

/// What a configuration changes about one of Istio's standard metrics.
package struct MetricOverride: Sendable, Hashable, Codable {
    /// `istio_requests_total`, …
    package var metric: String
    /// The metric is not made at all.
    package var isDropped = false
    /// Labels that are left out.
    package var removedTags: [String] = []
    /// Labels that are added or have another value: texts of ``AttributeExpression``s, by the label's name.
    package var tags: [String: String] = [:]

    package init(metric: String) { self.metric = metric }
}
