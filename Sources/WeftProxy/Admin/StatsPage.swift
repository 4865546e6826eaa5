import Synchronization
import WeftHTTP
import WeftIR
import WeftRouting
import WeftXDS

/// `/stats`: counters of clusters and of the proxy itself, by Envoy's names.
enum StatsPage {
    static func lines(_ plane: DataPlane, _ status: AgentStatus?) -> [(String, Int)] {
        let isReady = status?.notReadyReason == nil && plane.isReady
        var result = EnvoyStats(plane: plane, isLive: isReady).all.map { ($0.name, $0.value) }
        for (name, cluster) in plane.snapshot.clusters {
            let shared = cluster.shared
            for reason in HTTP2Reason.allCases where shared.http2[reason] > 0 {
                result.append(("cluster.\(name).\(reason.rawValue)", shared.http2[reason]))
            }
        }
        result += OverloadStats.lines(plane)
        for chain in plane.snapshot.listeners.values.flatMap({ $0.chains + [$0.defaultChain].compactMap { $0 } }) {
            for limiter in chain.limiters {
                let prefix = "connection_limit.\(limiter.limit.statPrefix)"
                result.append(("\(prefix).active_connections", limiter.active.load(ordering: .relaxed)))
                result.append(("\(prefix).limited_connections", limiter.limited.load(ordering: .relaxed)))
            }
        }
        result += HTTP2Reason.allCases.map { ($0.rawValue, plane.http2[$0]) }
        result.append(("control_plane.connected_state", status?.isConnected == true ? 1 : 0))
        result += (status?.ignoredFields ?? [:]).map { ("xds.ignored_field.\($0.key)", $0.value) }
        return result.sorted { $0.0 < $1.0 }
    }

    /// - Parameter filter: Only names that contain it.
    static func text(_ plane: DataPlane, _ status: AgentStatus?, filter: String?) -> String {
        lines(plane, status).filter { filter.map($0.0.contains) ?? true }.map { "\($0.0): \($0.1)\n" }.joined()
    }
}
