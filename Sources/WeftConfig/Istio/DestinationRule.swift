/// The `spec` of a DestinationRule: what applies to traffic once it is routed to a host.
package struct DestinationRule: IstioSpec {
    package static let group = "networking.istio.io"
    package static let kind = "DestinationRule"
    package var host: String?
    package var trafficPolicy: TrafficPolicy?
    package var subsets: [Subset]?
    package var exportTo: [String]?
    package var workloadSelector: WorkloadSelector?
}

extension DestinationRule {
    package struct Subset: Sendable, Hashable, Codable {
        package var name: String?
        package var labels: [String: String]?
        package var trafficPolicy: TrafficPolicy?
    }
    package struct TrafficPolicy: Sendable, Hashable, Codable {
        package var loadBalancer: LoadBalancer?
        package var connectionPool: ConnectionPool?
        package var outlierDetection: OutlierDetection?
        package var tls: ClientTLS?
        package var portLevelSettings: [PortTrafficPolicy]?
        package var tunnel: Tunnel?
        package var proxyProtocol: ProxyProtocol?
        package var retryBudget: RetryBudget?
        package init() {}
    }
    package struct PortTrafficPolicy: Sendable, Hashable, Codable {
        package var port: PortSelector?
        package var loadBalancer: LoadBalancer?
        package var connectionPool: ConnectionPool?
        package var outlierDetection: OutlierDetection?
        package var tls: ClientTLS?
    }
    package struct LoadBalancer: Sendable, Hashable, Codable {
        package enum Simple: String, Sendable, Hashable, Codable, CaseIterable {
            case unspecified = "UNSPECIFIED"
            case leastConnections = "LEAST_CONN"
            case random = "RANDOM"
            case passthrough = "PASSTHROUGH"
            case roundRobin = "ROUND_ROBIN"
            case leastRequest = "LEAST_REQUEST"
        }
        package struct ConsistentHash: Sendable, Hashable, Codable {
            package struct Cookie: Sendable, Hashable, Codable {
                package struct Attribute: Sendable, Hashable, Codable {
                    package var name: String?
                    package var value: String?
                }
                package var name: String?
                package var path: String?
                package var ttl: ProtoDuration?
                package var attributes: [Attribute]?
            }
            package struct RingHash: Sendable, Hashable, Codable { package var minimumRingSize: Int? }
            package struct Maglev: Sendable, Hashable, Codable { package var tableSize: Int? }
            package var httpHeaderName: String?
            package var httpCookie: Cookie?
            package var useSourceIp: Bool?
            package var httpQueryParameterName: String?
            package var ringHash: RingHash?
            package var maglev: Maglev?
            package var minimumRingSize: Int?
        }
        package struct Locality: Sendable, Hashable, Codable {
            package struct Distribute: Sendable, Hashable, Codable {
                package var from: String?
                package var to: [String: Int]?
            }
            package struct Failover: Sendable, Hashable, Codable {
                package var from: String?
                package var to: String?
            }
            package var distribute: [Distribute]?
            package var failover: [Failover]?
            package var failoverPriority: [String]?
            package var enabled: Bool?
            package init() {}
        }
        package struct ZoneAware: Sendable, Hashable, Codable {
            package var enabled: Bool?
            package var failover: [Locality.Failover]?
            package var failoverPriority: [String]?
            package var minClusterSize: Int?
        }
        package struct Warmup: Sendable, Hashable, Codable {
            package var duration: ProtoDuration?
            package var minimumPercent: Double?
            package var aggression: Double?
        }
        package var simple: Simple?
        package var consistentHash: ConsistentHash?
        package var localityLbSetting: Locality?
        package var zoneAwareLbSetting: ZoneAware?
        package var warmup: Warmup?
        package var warmupDurationSecs: ProtoDuration?
    }
    package struct ConnectionPool: Sendable, Hashable, Codable {
        package struct TCP: Sendable, Hashable, Codable {
            package struct Keepalive: Sendable, Hashable, Codable {
                package var probes: Int?
                package var time: ProtoDuration?
                package var interval: ProtoDuration?
            }
            package var maxConnections: Int?
            package var connectTimeout: ProtoDuration?
            package var tcpKeepalive: Keepalive?
            package var maxConnectionDuration: ProtoDuration?
            package var idleTimeout: ProtoDuration?
        }
        package struct HTTP: Sendable, Hashable, Codable {
            package enum UpgradePolicy: String, Sendable, Hashable, Codable, CaseIterable {
                case `default` = "DEFAULT"
                case doNotUpgrade = "DO_NOT_UPGRADE"
                case upgrade = "UPGRADE"
            }
            package struct KeepAlive: Sendable, Hashable, Codable {
                package var interval: ProtoDuration?
                package var timeout: ProtoDuration?
            }
            package var http1MaxPendingRequests: Int?
            package var http2MaxRequests: Int?
            package var maxRequestsPerConnection: Int?
            package var maxRetries: Int?
            package var idleTimeout: ProtoDuration?
            package var h2UpgradePolicy: UpgradePolicy?
            package var useClientProtocol: Bool?
            package var maxConcurrentStreams: Int?
            package var http2KeepAlive: KeepAlive?
        }
        package var tcp: TCP?
        package var http: HTTP?
    }
    package struct OutlierDetection: Sendable, Hashable, Codable {
        package var consecutiveErrors: Int?
        package var splitExternalLocalOriginErrors: Bool?
        package var consecutiveLocalOriginFailures: Int?
        package var consecutiveGatewayErrors: Int?
        package var consecutive5xxErrors: Int?
        package var interval: ProtoDuration?
        package var baseEjectionTime: ProtoDuration?
        package var maxEjectionPercent: Int?
        package var minHealthPercent: Int?
        package var outlierDetectionHttpErrorCodes: [Int]?
    }
    package struct ClientTLS: Sendable, Hashable, Codable {
        package enum Mode: String, Sendable, Hashable, Codable, CaseIterable {
            case disable = "DISABLE"
            case simple = "SIMPLE"
            case mutual = "MUTUAL"
            case istioMutual = "ISTIO_MUTUAL"
        }
        package var mode: Mode?
        package var clientCertificate: String?
        package var privateKey: String?
        package var caCertificates: String?
        package var caCrl: String?
        package var credentialName: String?
        package var subjectAltNames: [String]?
        package var sni: String?
        package var insecureSkipVerify: Bool?
    }
    package struct Tunnel: Sendable, Hashable, Codable {
        package var `protocol`: String?
        package var targetHost: String?
        package var targetPort: Int?
    }
    package struct ProxyProtocol: Sendable, Hashable, Codable { package var version: String? }
    package struct RetryBudget: Sendable, Hashable, Codable {
        package var percent: Double?
        package var minRetryConcurrency: Int?
        package var budgetInterval: ProtoDuration?
    }
}
