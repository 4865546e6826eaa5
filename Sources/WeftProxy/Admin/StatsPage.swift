import Synchronization
import WeftRouting
import WeftXDS

/// `/stats`: counters of clusters and of the proxy itself, by Envoy's names.
enum StatsPage {
    static func lines(_ plane: DataPlane, _ status: AgentStatus?) -> [(String, Int)] {
        var result: [(String, Int)] = []
        for (name, cluster) in plane.snapshot.clusters {
            let shared = cluster.shared
            result += [
                ("cluster.\(name).upstream_cx_total", shared.connectionsTotal.load(ordering: .relaxed)),
                ("cluster.\(name).upstream_cx_active", shared.connections.load(ordering: .relaxed)),
                ("cluster.\(name).upstream_cx_connect_fail", shared.connectFailures.load(ordering: .relaxed)),
                ("cluster.\(name).upstream_rq_total", shared.requestsTotal.load(ordering: .relaxed)),
                ("cluster.\(name).upstream_rq_active", shared.requests.load(ordering: .relaxed)),
                ("cluster.\(name).upstream_rq_pending_active", shared.pending.load(ordering: .relaxed)),
                ("cluster.\(name).upstream_rq_pending_overflow", shared.pendingOverflow.load(ordering: .relaxed)),
                ("cluster.\(name).outlier_detection.ejections_active", shared.ejected.load(ordering: .relaxed)),
                ("cluster.\(name).membership_total", cluster.hosts.count),
            ]
        }
        let isReady = status?.notReadyReason == nil && plane.isReady
        result += [
            ("cluster_manager.active_clusters", plane.snapshot.clusters.count),
            ("listener_manager.total_listeners_active", plane.bound.count),
            ("control_plane.connected_state", status?.isConnected == true ? 1 : 0),
            ("server.state", isReady ? 0 : 2), ("server.live", isReady ? 1 : 0),
        ]
        return result.sorted { $0.0 < $1.0 }
    }

    /// - Parameter filter: Only names that contain it.
    static func text(_ plane: DataPlane, _ status: AgentStatus?, filter: String?) -> String {
        lines(plane, status).filter { filter.map($0.0.contains) ?? true }.map { "\($0.0): \($0.1)\n" }.joined()
    }
}
