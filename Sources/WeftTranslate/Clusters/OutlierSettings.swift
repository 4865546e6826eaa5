import WeftConfig
import WeftIR

/// Outlier detection. Success rate never ejects; health is never ignored unless `minHealthPercent` says so.
enum OutlierSettings {
    static func apply(_ settings: DestinationRule.OutlierDetection?, to cluster: inout Cluster) {
        guard let settings else { return }
        var outlier = WeftIR.OutlierDetection()
        outlier.enforcingSuccessRatePercent = 0
        let consecutive = settings.consecutive5xxErrors ?? 5
        outlier.consecutive5xx = UInt32(clamping: consecutive)
        outlier.enforcingConsecutive5xxPercent = consecutive > 0 ? 100 : 0
        let gateway = settings.consecutiveGatewayErrors ?? settings.consecutiveErrors ?? 0
        if gateway > 0 {
            outlier.consecutiveGatewayFailure = UInt32(clamping: gateway)
            outlier.enforcingConsecutiveGatewayFailurePercent = 100
        }
        outlier.splitExternalLocalOriginErrors = settings.splitExternalLocalOriginErrors ?? false
        if let local = settings.consecutiveLocalOriginFailures {
            outlier.consecutiveLocalOriginFailure = UInt32(clamping: local)
            outlier.enforcingConsecutiveLocalOriginFailurePercent = local > 0 ? 100 : 0
        }
        if let interval = settings.interval { outlier.intervalMilliseconds = interval.milliseconds }
        if let base = settings.baseEjectionTime { outlier.baseEjectionMilliseconds = base.milliseconds }
        outlier.maxEjectionMilliseconds = max(outlier.maxEjectionMilliseconds, outlier.baseEjectionMilliseconds)
        outlier.maxEjectionPercent = UInt32(clamping: settings.maxEjectionPercent ?? 10)
        cluster.outlierDetection = outlier
        cluster.errorCondition = errorCondition(settings.outlierDetectionHttpErrorCodes ?? [])
        cluster.healthyPanicThresholdPercent = Double(settings.minHealthPercent ?? 0)
    }

    /// Errors of the server, and the statuses that are listed beside them; `nil` if nothing is added.
    private static func errorCondition(_ codes: [Int]) -> ResponseCondition? {
        let more = Set(codes.filter { (100..<500).contains($0) }).sorted()
        guard !more.isEmpty else { return nil }
        let ranges = more.map { Int64($0)..<Int64($0 + 1) } + [500..<600]
        return .or(
            ranges.map { .headers([.init(name: ":status", test: .range(start: $0.lowerBound, end: $0.upperBound))]) })
    }
}
