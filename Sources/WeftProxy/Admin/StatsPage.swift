import Synchronization
import WeftHTTP
import WeftIR
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
                (
                    "cluster.\(name).outlier_detection.ejections_overflow",
                    shared.ejectionsOverflow.load(ordering: .relaxed)
                ),
                (
                    "cluster.\(name).outlier_detection.ejections_enforced_total",
                    shared.ejectionsEnforced.load(ordering: .relaxed)
                ),
                ("cluster.\(name).upstream_rq_retry", shared.retriesTotal.load(ordering: .relaxed)),
                ("cluster.\(name).upstream_rq_retry_overflow", shared.retryOverflow.load(ordering: .relaxed)),
                (
                    "cluster.\(name).upstream_rq_retry_limit_exceeded",
                    shared.retryLimitExceeded.load(ordering: .relaxed)
                ),
                ("cluster.\(name).health_check.attempt", shared.healthCheckAttempts.load(ordering: .relaxed)),
                ("cluster.\(name).health_check.failure", shared.healthCheckFailures.load(ordering: .relaxed)),
                ("cluster.\(name).membership_healthy", cluster.balanced.count { $0.health == .healthy }),
                ("cluster.\(name).membership_degraded", cluster.balanced.count { $0.health == .degraded }),
                ("cluster.\(name).membership_total", cluster.hosts.count),
            ]
            for reason in HTTP2Reason.allCases where shared.http2[reason] > 0 {
                result.append(("cluster.\(name).\(reason.rawValue)", shared.http2[reason]))
            }
        }
        for chain in plane.snapshot.listeners.values.flatMap({ $0.chains + [$0.defaultChain].compactMap { $0 } }) {
            result += accessCounts(chain)
            if case .http(let manager) = chain.terminal { result += serviceCounts(manager) }
        }
        result += HTTP2Reason.allCases.map { ($0.rawValue, plane.http2[$0]) }
        let isReady = status?.notReadyReason == nil && plane.isReady
        result += [
            ("cluster_manager.active_clusters", plane.snapshot.clusters.count),
            ("listener_manager.total_listeners_active", plane.bound.count),
            ("control_plane.connected_state", status?.isConnected == true ? 1 : 0),
            ("server.state", isReady ? 0 : 2), ("server.live", isReady ? 1 : 0),
        ]
        result += (status?.ignoredFields ?? [:]).map { ("xds.ignored_field.\($0.key)", $0.value) }
        return result.sorted { $0.0 < $1.0 }
    }

    /// What RBAC rules have decided since the configuration was last built.
    private static func accessCounts(_ chain: CompiledChain) -> [(String, Int)] {
        var engines = chain.networkRBAC.map { ($0.statPrefix, $0) }
        if case .http(let manager) = chain.terminal {
            for case .rbac(let engine, _) in manager.filters {
                engines.append(("http.\(manager.manager.statPrefix).\(engine.statPrefix)", engine))
            }
        }
        return engines.flatMap { prefix, engine -> [(String, Int)] in
            [
                ("\(prefix)rbac.allowed", engine.counts.allowed.load(ordering: .relaxed)),
                ("\(prefix)rbac.denied", engine.counts.denied.load(ordering: .relaxed)),
                ("\(prefix)rbac.shadow_allowed", engine.counts.shadowAllowed.load(ordering: .relaxed)),
                ("\(prefix)rbac.shadow_denied", engine.counts.shadowDenied.load(ordering: .relaxed)),
            ]
        }
    }

    /// - Parameter filter: Only names that contain it.
    static func text(_ plane: DataPlane, _ status: AgentStatus?, filter: String?) -> String {
        lines(plane, status).filter { filter.map($0.0.contains) ?? true }.map { "\($0.0): \($0.1)\n" }.joined()
    }
}
