import WeftConfig
import WeftIR

/// What a Sidecar's `defaultEndpoint` names.
enum IngressTarget {
    case address(Address)
    /// The address that the caller meant, on another port (`0.0.0.0:8080`).
    case instance(UInt16)
}

extension InboundListener {
    /// Where an inbound cluster leads: the ingress entry's `defaultEndpoint`, else the address that the caller meant, or the
    /// loopback where the mesh says so (`inboundTrafficPolicy: LOCALHOST`).
    static func target(of endpoint: String?) -> IngressTarget? {
        guard let endpoint, !endpoint.isEmpty else { return nil }
        if endpoint.hasPrefix("unix://") {
            return .address(.unix(path: String(endpoint.dropFirst("unix://".count))))
        }
        guard let colon = endpoint.lastIndex(of: ":"), let port = UInt16(endpoint[endpoint.index(after: colon)...])
        else { return nil }
        switch endpoint[..<colon] {
        case "127.0.0.1": return .address(.ip("127.0.0.1", port: port))
        case "[::1]": return .address(.ip("::1", port: port))
        case "0.0.0.0", "[::]": return .instance(port)
        default: return nil
        }
    }

    func pointAt(_ address: Address, _ cluster: inout Cluster) {
        cluster.discovery = .static
        cluster.loadBalancer = .roundRobin
        var assignment = ClusterLoadAssignment(clusterName: cluster.name)
        assignment.localities = [LocalityEndpoints(endpoints: [Endpoint(address: address)])]
        cluster.endpoints = assignment
        if case .unix = address { cluster.bindAddress = nil }
        if case .ip(let ip, _) = address, ip.contains(":") { cluster.bindAddress = "::6" }
        cluster.provenance = scope.sidecar.map { Provenance($0.resource) }
    }
}

/// Connection-pool settings of what a workload receives (`inboundConnectionPool`, `ingress.connectionPool`), and of what
/// no rule is for.
struct InboundPool {
    private let pool: DestinationRule.ConnectionPool?

    init(_ pool: DestinationRule.ConnectionPool?) { self.pool = pool }

    func apply(to cluster: inout Cluster) {
        guard let pool else { return }
        if let limit = pool.tcp?.maxConnections { cluster.circuitBreakers.maxConnections = Self.limit(limit) }
        if let limit = pool.http?.http1MaxPendingRequests {
            cluster.circuitBreakers.maxPendingRequests = Self.limit(limit)
        }
        if let limit = pool.http?.http2MaxRequests { cluster.circuitBreakers.maxRequests = Self.limit(limit) }
        if let limit = pool.http?.maxRetries { cluster.circuitBreakers.maxRetries = Self.limit(limit) }
        if let timeout = pool.tcp?.connectTimeout { cluster.connectTimeoutMilliseconds = timeout.milliseconds }
        cluster.maxConnectionDurationMilliseconds = pool.tcp?.maxConnectionDuration?.milliseconds
        cluster.idleTimeoutMilliseconds = pool.http?.idleTimeout?.milliseconds ?? pool.tcp?.idleTimeout?.milliseconds
        if let most = pool.http?.maxRequestsPerConnection, most > 0 {
            cluster.maxRequestsPerConnection = UInt32(clamping: most)
        }
        cluster.http2MaxConcurrentStreams = pool.http?.maxConcurrentStreams.map(UInt32.init(clamping:))
        if let keepalive = pool.tcp?.tcpKeepalive { cluster.tcpKeepalive = Cluster.TCPKeepalive(keepalive) }
    }

    private static func limit(_ value: Int) -> UInt32 { value <= 0 ? .max : UInt32(clamping: value) }
}

extension Cluster.TCPKeepalive {
    init(_ settings: DestinationRule.ConnectionPool.TCP.Keepalive) {
        self.init()
        probes = settings.probes.map(UInt32.init(clamping:))
        timeSeconds = settings.time.map { UInt32(clamping: $0.milliseconds / 1000) }
        intervalSeconds = settings.interval.map { UInt32(clamping: $0.milliseconds / 1000) }
    }
}
