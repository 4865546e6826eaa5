/// A value of endpoint metadata that subsets and routes compare (`google.protobuf.Value`).
package enum MetadataValue: Sendable, Hashable, Codable {
    case string(String)
    case number(Double)
    case bool(Bool)
    case list([MetadataValue])
    case object([String: MetadataValue])
}

/// What a load balancer does beyond its kind (`LbPolicy` configurations and `CommonLbConfig`).
package struct LoadBalancing: Sendable, Hashable, Codable {
    /// `RingHashLbConfig.HashFunction`.
    package enum HashFunction: String, Sendable, Hashable, Codable { case xxHash, murmurHash2 }
    /// `locality_config_specifier`.
    package enum LocalityMode: Sendable, Hashable, Codable {
        /// All localities of a priority are one pool.
        case none
        /// A locality is chosen by its weight, lowered by what of it is unhealthy (`locality_weighted_lb_config`).
        case weighted
        /// The proxy's own zone is preferred as far as it has capacity (`zone_aware_lb_config`).
        case zoneAware(ZoneAware)
    }
    /// `CommonLbConfig.ZoneAwareLbConfig`.
    package struct ZoneAware: Sendable, Hashable, Codable {
        /// Share of requests that zone routing applies to, 0 to 100.
        package var routingEnabledPercent: UInt32 = 100
        package var minimumClusterSize: UInt64 = 6
        /// In panic, fail instead of using all hosts.
        package var failsTrafficOnPanic = false
        /// Always the own zone while it has a healthy host.
        package var forcesLocalZone = false
        package init() {}
    }
    /// `SlowStartConfig`: a new host starts with a part of its weight.
    package struct SlowStart: Sendable, Hashable, Codable {
        package var windowMilliseconds: UInt64
        /// Exponent's inverse; 1 grows linearly, more grows faster at first.
        package var aggression: Double = 1
        package var minimumWeightPercent: Double = 10
        package init(windowMilliseconds: UInt64) { self.windowMilliseconds = windowMilliseconds }
    }
    /// `envoy.extensions.load_balancing_policies.peak_ewma.v3.PeakEwma`.
    package struct PeakEWMA: Sendable, Hashable, Codable {
        package var decayMilliseconds: UInt64 = 10_000
        /// Round-trip time of a host that has served nothing yet.
        package var defaultRoundTripMilliseconds: UInt64 = 10
        /// Cost of a host that has requests open and has answered none.
        package var penalty: Double = 1_000_000
        package init() {}
    }
    /// `client_side_weighted_round_robin.v3`: weights come from the load reports of endpoints (ORCA).
    package struct ReportedWeights: Sendable, Hashable, Codable {
        /// Reports are not used before a host has reported for so long.
        package var blackoutMilliseconds: UInt64 = 10_000
        /// A report older than this counts no more.
        package var expirationMilliseconds: UInt64 = 180_000
        package var errorUtilizationPenalty: Double = 1
        package init() {}
    }

    /// Ring hash only.
    package var hashFunction = HashFunction.xxHash
    package var maximumRingSize: UInt64 = 8 << 20
    /// Hash the endpoint's host name instead of its address.
    package var hashesHostname = false
    /// Bounded load for ring hash and maglev in percent of the average, at least 100; 0 is off.
    package var hashBalanceFactorPercent: UInt32 = 0
    /// Least request with unequal weights: how much open requests lower a weight.
    package var activeRequestBias: Double = 1
    /// Least request looks at every host (`FULL_SCAN`) instead of a few random ones.
    package var scansAllHosts = false
    package var slowStart: SlowStart?
    package var locality = LocalityMode.none
    package var peakEWMA = PeakEWMA()
    package var reportedWeights = ReportedWeights()
    package var subsets: Subsets?
    /// A priority's health is by weight instead of by number of hosts.
    package var weighsPriorityHealth = false

    package init() {}
}

/// Endpoints picked by their metadata (`LbSubsetConfig`).
package struct Subsets: Sendable, Hashable, Codable {
    /// What serves a request that no subset matches.
    package enum Fallback: String, Sendable, Hashable, Codable { case noFallback, anyEndpoint, defaultSubset }
    /// `LbSubsetSelector`.
    package struct Selector: Sendable, Hashable, Codable {
        package enum Fallback: String, Sendable, Hashable, Codable {
            /// The cluster's policy.
            case notDefined
            case noFallback, anyEndpoint, defaultSubset
            /// Look again with ``fallbackKeys`` alone.
            case keysSubset
        }
        package var keys: [String]
        package var fallback = Fallback.notDefined
        package var fallbackKeys: [String] = []
        /// Every subset of this selector has one host, chosen without a search.
        package var singleHostPerSubset = false
        package init(keys: [String]) { self.keys = keys }
    }
    package var fallback = Fallback.noFallback
    package var defaultSubset: [String: MetadataValue] = [:]
    package var selectors: [Selector] = []
    /// A subset keeps the locality weights, scaled by its share of a locality's hosts.
    package var localityWeightAware = false
    package var scaleLocalityWeight = false
    /// In panic, use hosts outside of the subset instead of its unhealthy ones.
    package var panicModeAny = false
    /// A list as an endpoint's value matches any of its members.
    package var listAsAny = false
    /// A request's list of subsets under ``fallbackListKey`` is tried in order (`metadata_fallback_policy`).
    package var triesFallbackList = false
    package static let fallbackListKey = "fallback_list"
    package init() {}
}

/// One active health check (`envoy.config.core.v3.HealthCheck`). Times in milliseconds.
package struct HealthCheck: Sendable, Hashable, Codable {
    package struct StatusRange: Sendable, Hashable, Codable {
        /// Half-open, as `Int64Range`.
        package var start: UInt16
        package var end: UInt16
        package init(start: UInt16, end: UInt16) {
            self.start = start
            self.end = end
        }
    }
    package struct HTTP: Sendable, Hashable, Codable {
        /// Empty: the endpoint's health-check host name, then the cluster's name.
        package var host = ""
        package var path: String
        package var method = "GET"
        package var requestHeaders = HeaderMutations()
        /// Empty: 200 alone.
        package var expectedStatuses: [StatusRange] = []
        /// Failures that count towards the threshold; every other unexpected status fails at once.
        package var retriableStatuses: [StatusRange] = []
        package var usesHTTP2 = false
        /// `x-envoy-upstream-healthchecked-cluster` must start with it, or match.
        package var serviceName: StringMatcher?
        /// The request's body.
        package var send: [UInt8] = []
        /// All must occur in the answer's body, in this order.
        package var receive: [[UInt8]] = []
        /// More of an answer is not looked at; 0 is no limit of the configuration's.
        package var maxAnswerBytes: UInt64 = 1_024
        package init(path: String) { self.path = path }
    }
    package struct TCP: Sendable, Hashable, Codable {
        /// Empty: connecting is enough.
        package var send: [UInt8] = []
        /// All must occur in the answer, in this order.
        package var receive: [[UInt8]] = []
        package init() {}
    }
    package struct GRPC: Sendable, Hashable, Codable {
        package var serviceName = ""
        package var authority = ""
        package var requestHeaders = HeaderMutations()
        package init() {}
    }
    package enum Kind: Sendable, Hashable, Codable {
        case http(HTTP)
        case tcp(TCP)
        case grpc(GRPC)
    }
    package var kind: Kind
    package var timeoutMilliseconds: UInt64
    package var intervalMilliseconds: UInt64
    package var initialJitterMilliseconds: UInt64 = 0
    package var intervalJitterMilliseconds: UInt64 = 0
    package var intervalJitterPercent: UInt32 = 0
    package var unhealthyThreshold: UInt32
    package var healthyThreshold: UInt32
    package var reusesConnection = true
    /// Interval while the cluster has had no traffic.
    package var noTrafficIntervalMilliseconds: UInt64 = 60_000
    package var noTrafficHealthyIntervalMilliseconds: UInt64?
    package var unhealthyIntervalMilliseconds: UInt64?
    package var unhealthyEdgeIntervalMilliseconds: UInt64?
    package var healthyEdgeIntervalMilliseconds: UInt64?
    /// What TLS connections of the checks offer instead of the protocols of the cluster (`tls_options`); empty is those.
    package var alpnProtocols: [String] = []
    /// Chooses among the cluster's transport sockets in place of the endpoint's metadata; `nil` leaves it to that.
    package var transportSocketMatch: [String: String]?
    /// Files that get a line of JSON for each event (`event_logger`, `event_log_path`).
    package var eventLogs: [String] = []
    /// Each failure is an event, not only the first one.
    package var alwaysLogsFailures = false
    /// Each good answer is an event.
    package var alwaysLogsSuccess = false
    /// Whether connections of the checks begin otherwise than those of requests.
    package var hasOwnSocket: Bool { !alpnProtocols.isEmpty || transportSocketMatch != nil }

    package init(
        _ kind: Kind, timeoutMilliseconds: UInt64 = 1_000, intervalMilliseconds: UInt64 = 5_000,
        unhealthyThreshold: UInt32 = 3, healthyThreshold: UInt32 = 2
    ) {
        self.kind = kind
        self.timeoutMilliseconds = timeoutMilliseconds
        self.intervalMilliseconds = intervalMilliseconds
        self.unhealthyThreshold = unhealthyThreshold
        self.healthyThreshold = healthyThreshold
    }
}

/// How DNS is asked for a cluster (`DnsCluster`, `dns_lookup_family` and its neighbours).
package struct DNSOptions: Sendable, Hashable, Codable {
    package enum Family: String, Sendable, Hashable, Codable {
        /// IPv6 when there is any, else IPv4.
        case auto
        case v4Only, v6Only
        /// IPv4 when there is any, else IPv6.
        case v4Preferred
        case all
    }
    package var family = Family.auto
    /// Refresh when the answer's time to live is over instead of at the refresh rate.
    package var respectsTTL = false
    /// After a failure; `nil` is the refresh rate.
    package var failureRefreshMilliseconds: UInt64?
    /// Random addition to every refresh.
    package var jitterMilliseconds: UInt64 = 0
    package init() {}
}

/// `envoy.extensions.common.dynamic_forward_proxy.v3.DnsCacheConfig`: hosts are resolved as requests name them.
package struct DynamicForwardProxy: Sendable, Hashable, Codable {
    package var hostTimeToLiveMilliseconds: UInt64 = 300_000
    package var maximumHosts: UInt32 = 1_024
    package var maximumPendingLookups: UInt32 = 1_024
    package init() {}
}
