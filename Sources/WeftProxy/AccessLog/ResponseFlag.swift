/// Envoy's response flags: the short names that logs use, and the long ones.
enum ResponseFlag {
    private static let names = [
        "LH": "FailedLocalHealthCheck", "UH": "NoHealthyUpstream", "UT": "UpstreamRequestTimeout", "LR": "LocalReset",
        "UR": "UpstreamRemoteReset", "UF": "UpstreamConnectionFailure", "UC": "UpstreamConnectionTermination",
        "UO": "UpstreamOverflow", "NR": "NoRouteFound", "DI": "DelayInjected", "FI": "FaultInjected",
        "RL": "RateLimited", "UAEX": "UnauthorizedExternalService", "RLSE": "RateLimitServiceError",
        "DC": "DownstreamConnectionTermination", "URX": "UpstreamRetryLimitExceeded", "SI": "StreamIdleTimeout",
        "IH": "InvalidEnvoyRequestHeaders", "DPE": "DownstreamProtocolError",
        "UMSDR": "UpstreamMaxStreamDurationReached", "RFCF": "ResponseFromCacheFilter",
        "NFCF": "NoFilterConfigFound", "DT": "DurationTimeout", "UPE": "UpstreamProtocolError",
        "NC": "NoClusterFound", "OM": "OverloadManagerTerminated", "DF": "DnsResolutionFailed",
        "DO": "DropOverload", "DR": "DownstreamRemoteReset",
        "UDO": "UnconditionalDropOverload",
    ]

    /// - Parameter flags: Short names, separated by commas; `-` is none.
    static func long(_ flags: String) -> String? {
        guard flags != "-" else { return nil }
        return flags.split(separator: ",").map { names[String($0)] ?? String($0) }.joined(separator: ",")
    }

    static func isKnown(_ flag: String) -> Bool { names[flag] != nil }
}
