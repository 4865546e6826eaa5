import WeftConfig
import WeftIR

/// Connection-pool settings; limits that are not given are as good as none.
struct PoolSettings {
    private let pool: DestinationRule.ConnectionPool?
    init(_ pool: DestinationRule.ConnectionPool?) { self.pool = pool }

    func apply(to cluster: inout Cluster, port: MeshService.Port) {
        cluster.circuitBreakers.maxConnections = limit(pool?.tcp?.maxConnections)
        cluster.circuitBreakers.maxPendingRequests = limit(pool?.http?.http1MaxPendingRequests)
        cluster.circuitBreakers.maxRequests = limit(pool?.http?.http2MaxRequests)
        cluster.circuitBreakers.maxRetries = limit(pool?.http?.maxRetries)
        if let timeout = pool?.tcp?.connectTimeout { cluster.connectTimeoutMilliseconds = timeout.milliseconds }
        cluster.maxConnectionDurationMilliseconds = pool?.tcp?.maxConnectionDuration?.milliseconds
        cluster.idleTimeoutMilliseconds = pool?.http?.idleTimeout?.milliseconds ?? pool?.tcp?.idleTimeout?.milliseconds
        if let keepalive = pool?.tcp?.tcpKeepalive {
            var value = Cluster.TCPKeepalive()
            value.probes = keepalive.probes.map(UInt32.init(clamping:))
            value.timeSeconds = keepalive.time.map(\.wholeSeconds)
            value.intervalSeconds = keepalive.interval.map(\.wholeSeconds)
            cluster.tcpKeepalive = value
        }
        if let most = pool?.http?.maxRequestsPerConnection, most > 0 {
            cluster.maxRequestsPerConnection = UInt32(clamping: most)
        }
        if let keepalive = pool?.http?.http2KeepAlive {
            var options = HTTP2ProtocolOptions()
            options.keepAliveIntervalMilliseconds = keepalive.interval?.milliseconds
            options.keepAliveTimeoutMilliseconds = keepalive.timeout?.milliseconds
            cluster.http2 = options
        }
        cluster.http2MaxConcurrentStreams = pool?.http?.maxConcurrentStreams.map(UInt32.init(clamping:))
        cluster.httpProtocol = protocolOptions(port)
    }

    private func protocolOptions(_ port: MeshService.Port) -> Cluster.HTTPProtocol {
        if port.protocol.isHTTP2 { return .http2 }
        if pool?.http?.useClientProtocol == true { return .useDownstream }
        // Asked for by name, the upgrade also holds where the protocol is not declared.
        if pool?.http?.h2UpgradePolicy == .upgrade, port.protocol.isHTTP || port.protocol == .sniffed { return .http2 }
        return port.protocol == .sniffed ? .useDownstream : .http1
    }

    private func limit(_ value: Int?) -> UInt32 { value.map { $0 <= 0 ? .max : UInt32(clamping: $0) } ?? .max }
}

extension ProtoDuration {
    /// At least one, as the kernel takes no less.
    fileprivate var wholeSeconds: UInt32 { UInt32(clamping: max(1, milliseconds / 1000)) }
}
