import WeftConfig

/// MeshConfig's `defaultTrafficPolicy`: what fills each field of a pool or of outlier detection that a rule leaves open.
extension DestinationRule.TrafficPolicy {
    func filled(from defaults: DestinationRule.TrafficPolicy?) -> Self {
        guard let defaults else { return self }
        var policy = self
        policy.connectionPool = connectionPool?.filled(from: defaults.connectionPool) ?? defaults.connectionPool
        policy.outlierDetection = outlierDetection?.filled(from: defaults.outlierDetection) ?? defaults.outlierDetection
        return policy
    }
}

extension DestinationRule.ConnectionPool {
    func filled(from defaults: Self?) -> Self {
        guard let defaults else { return self }
        var pool = self
        pool.tcp = tcp?.filled(from: defaults.tcp) ?? defaults.tcp
        pool.http = http?.filled(from: defaults.http) ?? defaults.http
        return pool
    }
}

extension DestinationRule.ConnectionPool.TCP {
    fileprivate func filled(from defaults: Self?) -> Self {
        var pool = self
        pool.maxConnections = maxConnections ?? defaults?.maxConnections
        pool.connectTimeout = connectTimeout ?? defaults?.connectTimeout
        pool.tcpKeepalive = tcpKeepalive ?? defaults?.tcpKeepalive
        pool.maxConnectionDuration = maxConnectionDuration ?? defaults?.maxConnectionDuration
        pool.idleTimeout = idleTimeout ?? defaults?.idleTimeout
        return pool
    }
}

extension DestinationRule.ConnectionPool.HTTP {
    fileprivate func filled(from defaults: Self?) -> Self {
        var pool = self
        pool.http1MaxPendingRequests = http1MaxPendingRequests ?? defaults?.http1MaxPendingRequests
        pool.http2MaxRequests = http2MaxRequests ?? defaults?.http2MaxRequests
        pool.maxRequestsPerConnection = maxRequestsPerConnection ?? defaults?.maxRequestsPerConnection
        pool.maxRetries = maxRetries ?? defaults?.maxRetries
        pool.idleTimeout = idleTimeout ?? defaults?.idleTimeout
        pool.h2UpgradePolicy = h2UpgradePolicy ?? defaults?.h2UpgradePolicy
        pool.useClientProtocol = useClientProtocol ?? defaults?.useClientProtocol
        pool.maxConcurrentStreams = maxConcurrentStreams ?? defaults?.maxConcurrentStreams
        pool.http2KeepAlive = http2KeepAlive ?? defaults?.http2KeepAlive
        return pool
    }
}

extension DestinationRule.OutlierDetection {
    fileprivate func filled(from defaults: Self?) -> Self {
        var outlier = self
        outlier.consecutiveErrors = consecutiveErrors ?? defaults?.consecutiveErrors
        outlier.splitExternalLocalOriginErrors =
            splitExternalLocalOriginErrors ?? defaults?.splitExternalLocalOriginErrors
        outlier.consecutiveLocalOriginFailures =
            consecutiveLocalOriginFailures ?? defaults?.consecutiveLocalOriginFailures
        outlier.consecutiveGatewayErrors = consecutiveGatewayErrors ?? defaults?.consecutiveGatewayErrors
        outlier.consecutive5xxErrors = consecutive5xxErrors ?? defaults?.consecutive5xxErrors
        outlier.interval = interval ?? defaults?.interval
        outlier.baseEjectionTime = baseEjectionTime ?? defaults?.baseEjectionTime
        outlier.maxEjectionPercent = maxEjectionPercent ?? defaults?.maxEjectionPercent
        outlier.minHealthPercent = minHealthPercent ?? defaults?.minHealthPercent
        outlier.outlierDetectionHttpErrorCodes =
            outlierDetectionHttpErrorCodes ?? defaults?.outlierDetectionHttpErrorCodes
        return outlier
    }
}
