import WeftConfig

/// Istio's names for clusters.
enum ClusterName {
    static let passthrough = "PassthroughCluster"
    static let blackHole = "BlackHoleCluster"
    /// The share of a route whose backend cannot be followed; never defined, so that the route's own status answers.
    static let invalidBackend = "InvalidBackend"
    /// Hosts that only requests name, resolved by the proxy (ALLOW_ANY_DYNAMIC_DNS).
    static let dynamicDNS = "DynamicForwardProxyCluster"
    static let inboundPassthrough = "InboundPassthroughCluster"

    static func outbound(port: Int, subset: String = "", host: String) -> String {
        "outbound|\(port)|\(subset)|\(host)"
    }
    /// The parts of an outbound name; `nil` for any other.
    static func parse(_ name: String) -> (port: Int, subset: String, host: String)? {
        let parts = name.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4, parts[0] == "outbound", let port = Int(parts[1]) else { return nil }
        return (port, parts[2], parts[3])
    }
    static func inbound(port: Int) -> String { "inbound|\(port)||" }
    /// The same in the form that a server name may have.
    static func serverName(port: Int, subset: String, host: String) -> String {
        "outbound_.\(port)_.\(subset)_.\(host)"
    }
}
