import NIOCore
import Synchronization
import WeftCore
import WeftIR
import WeftRouting

/// The data plane's own pages, at Envoy's paths.
package struct AdminPages: Sendable {
    private let plane: DataPlane

    package init(_ plane: DataPlane) { self.plane = plane }

    package var routes: [String: AdminServer.Route] {
        let plane = plane
        return [
            "/clusters": {
                $0.query["format"] == "json"
                    ? AdminReply(json: Self.clustersJSON(plane)) : AdminReply(Self.clusters(plane))
            },
            "/listeners": { _ in AdminReply(Self.listeners(plane)) },
            "/debug/config": { _ in AdminReply(json: Self.configuration(plane)) },
            "/ready": { _ in plane.isReady ? AdminReply("LIVE\n") : AdminReply("PRE_INITIALIZING\n", status: 503) },
            "/healthz/ready": { _ in
                plane.isReady ? AdminReply("") : AdminReply("not ready: no configuration yet\n", status: 503)
            },
            "/server_info": { _ in AdminReply(json: Self.serverInfo(plane)) },
        ]
    }

    private static func configuration(_ plane: DataPlane) -> String {
        (try? JSONValue(encoding: plane.snapshot.configuration).text(pretty: true)) ?? "{}"
    }

    private static func serverInfo(_ plane: DataPlane) -> String {
        let state = plane.isReady ? "LIVE" : "PRE_INITIALIZING"
        let info: JSONValue = ["version": .string("weft/\(WeftVersion.current)"), "state": .string(state)]
        return info.text(pretty: true)
    }

    private static func listeners(_ plane: DataPlane) -> String {
        plane.bound.sorted { $0.key < $1.key }.map { name, addresses in
            "\(name)::" + Set(addresses.map(text)).sorted().joined(separator: ",") + "\n"
        }.joined()
    }

    /// An address and port, or the path of a Unix socket.
    private static func text(_ address: SocketAddress) -> String {
        if let ip = address.ipAddress { return "\(ip):\(address.port ?? 0)" }
        return address.pathname ?? ""
    }

    private static func clusters(_ plane: DataPlane) -> String {
        var text = ""
        for (name, cluster) in plane.snapshot.clusters.sorted(by: { $0.key < $1.key }) {
            let limits = cluster.cluster.circuitBreakers
            text += "\(name)::default_priority::max_connections::\(limits.maxConnections)\n"
            text += "\(name)::default_priority::max_pending_requests::\(limits.maxPendingRequests)\n"
            text += "\(name)::default_priority::max_requests::\(limits.maxRequests)\n"
            text += "\(name)::default_priority::max_retries::\(limits.maxRetries)\n"
            for host in cluster.hosts {
                for (key, value) in counters(host) { text += "\(name)::\(host.name)::\(key)::\(value)\n" }
                text += "\(name)::\(host.name)::health_flags::\(health(host))\n"
            }
        }
        return text
    }

    private static func counters(_ host: CompiledHost) -> [(String, Int)] {
        let shared = host.shared
        return [
            ("cx_active", shared.activeConnections.load(ordering: .relaxed)),
            ("cx_connect_fail", shared.connectFailures.load(ordering: .relaxed)),
            ("cx_total", shared.connectionsTotal.load(ordering: .relaxed)),
            ("rq_active", shared.activeRequests.load(ordering: .relaxed)),
            ("rq_error", shared.requestsError.load(ordering: .relaxed)),
            ("rq_total", shared.requestsTotal.load(ordering: .relaxed)),
        ]
    }

    private static func isEjected(_ host: CompiledHost) -> Bool { host.shared.isEjected }

    private static func health(_ host: CompiledHost) -> String {
        let flags = host.shared.flags
        var words: [String] = []
        if flags.contains(.failedActiveCheck) { words.append("/failed_active_hc") }
        if flags.contains(.ejected) { words.append("/failed_outlier_check") }
        switch host.endpoint.health {
        case .unhealthy, .timeout: words.append("/failed_eds_health")
        case .draining: words.append("/eds_status_draining")
        case .degraded: words.append("/degraded_eds_health")
        case .unknown, .healthy: break
        }
        if flags.contains(.degraded) { words.append("/degraded_active_hc") }
        if flags.contains(.pendingCheck) { words.append("/pending_active_hc") }
        if flags.contains(.excluded) { words.append("/excluded_via_immediate_hc_fail") }
        return words.isEmpty ? "healthy" : words.joined()
    }

    private static func clustersJSON(_ plane: DataPlane) -> String {
        let all = plane.snapshot.clusters.sorted { $0.key < $1.key }.map { name, cluster -> JSONValue in
            let hosts = cluster.hosts.map { host -> JSONValue in
                let parts = host.name.split(separator: ":")
                let address: JSONValue = [
                    "socket_address": [
                        "address": .string(parts.dropLast().joined(separator: ":")),
                        "port_value": .int(Int64(parts.last ?? "") ?? 0),
                    ]
                ]
                var status: [String: JSONValue] = [
                    "eds_health_status": .string(host.endpoint.health == .unhealthy ? "UNHEALTHY" : "HEALTHY")
                ]
                if isEjected(host) { status["failed_outlier_check"] = true }
                if host.shared.flags.contains(.failedActiveCheck) { status["failed_active_health_check"] = true }
                let stats = counters(host).map { name, value -> JSONValue in
                    ["name": .string(name), "value": .string(String(value))]
                }
                return [
                    "address": address, "stats": .array(stats), "health_status": .object(status),
                    "weight": .int(Int64(host.endpoint.weight)),
                ]
            }
            return ["name": .string(name), "added_via_api": true, "host_statuses": .array(hosts)]
        }
        let page: JSONValue = ["cluster_statuses": .array(all)]
        return page.text(pretty: true)
    }
}
