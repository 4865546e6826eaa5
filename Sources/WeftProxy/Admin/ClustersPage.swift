import NIOCore
import Synchronization
import WeftCore
import WeftIR
import WeftRouting
import WeftTransport

/// `/clusters`: limits and endpoints with what is known of them, as text or JSON (`envoy.admin.v3.Clusters`).
struct ClustersPage {
    private let plane: DataPlane
    private let isStatic: (String) -> Bool

    /// - Parameter isStatic: Whether a cluster came with the bootstrap.
    init(_ plane: DataPlane, isStatic: @escaping (String) -> Bool) {
        self.plane = plane
        self.isStatic = isStatic
    }

    func reply(_ query: [String: String]) -> AdminReply {
        var clusters = plane.snapshot.clusters.sorted { $0.key < $1.key }.map(\.value)
        if let pattern = query["filter"], !pattern.isEmpty {
            guard let filter = try? Regex(anywhere: pattern) else {
                return AdminReply("Invalid re2 regex", status: 400)
            }
            clusters.removeAll { !filter.matches($0.cluster.name.utf8) }
        }
        guard query["format"] == "json" else { return AdminReply(clusters.map(text).joined()) }
        let page: JSONValue = ["cluster_statuses": .array(clusters.map(json))]
        return AdminReply(json: page.text(pretty: true))
    }

    private static func counters(_ host: CompiledHost) -> [(name: String, value: Int, isGauge: Bool)] {
        let shared = host.shared
        return [
            ("cx_active", shared.activeConnections.load(ordering: .relaxed), true),
            ("cx_connect_fail", shared.connectFailures.load(ordering: .relaxed), false),
            ("cx_total", shared.connectionsTotal.load(ordering: .relaxed), false),
            ("rq_active", shared.activeRequests.load(ordering: .relaxed), true),
            ("rq_error", shared.requestsError.load(ordering: .relaxed), false),
            ("rq_total", shared.requestsTotal.load(ordering: .relaxed), false),
        ]
    }

    // MARK: text

    private func text(_ cluster: CompiledCluster) -> String {
        let name = cluster.cluster.name
        let limits = cluster.cluster
        var lines = ["observability_name::\(limits.altStatName.isEmpty ? name : limits.altStatName)"]
        for (priority, breakers) in [
            ("default", limits.circuitBreakers), ("high", limits.highPriorityCircuitBreakers ?? .init()),
        ] {
            lines += [
                "\(priority)_priority::max_connections::\(breakers.maxConnections)",
                "\(priority)_priority::max_pending_requests::\(breakers.maxPendingRequests)",
                "\(priority)_priority::max_requests::\(breakers.maxRequests)",
                "\(priority)_priority::max_retries::\(breakers.maxRetries)",
            ]
        }
        lines.append("added_via_api::\(!isStatic(name))")
        for host in cluster.hosts {
            let facts = Self.counters(host).map { ($0.name, String($0.value)) } + Self.facts(host)
            lines += facts.map { "\(host.name)::\($0)::\($1)" }
        }
        return lines.map { "\(name)::\($0)\n" }.joined()
    }

    private static func facts(_ host: CompiledHost) -> [(String, String)] {
        [
            ("hostname", host.endpoint.hostname), ("health_flags", health(host)),
            ("weight", String(host.endpoint.weight)), ("region", host.locality.region), ("zone", host.locality.zone),
            ("sub_zone", host.locality.subZone), ("canary", "false"), ("priority", String(host.priority)),
            // What outlier detection has found is in its counters.
            ("success_rate", "-1"), ("local_origin_success_rate", "-1"),
        ]
    }

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

    // MARK: JSON

    private func json(_ cluster: CompiledCluster) -> JSONValue {
        let limits = cluster.cluster
        var status: [String: JSONValue] = [
            "name": .string(limits.name),
            "observability_name": .string(limits.altStatName.isEmpty ? limits.name : limits.altStatName),
            "circuit_breakers": [
                "thresholds": [
                    Self.json(limits.circuitBreakers, nil),
                    Self.json(limits.highPriorityCircuitBreakers ?? .init(), "HIGH"),
                ]
            ],
        ]
        if !cluster.hosts.isEmpty { status["host_statuses"] = .array(cluster.hosts.map(Self.json)) }
        if !isStatic(limits.name) { status["added_via_api"] = true }
        if case .eds(let service) = limits.discovery, !service.isEmpty { status["eds_service_name"] = .string(service) }
        return .object(status)
    }

    private static func json(_ limits: Cluster.CircuitBreakers, _ priority: String?) -> JSONValue {
        var object: [String: JSONValue] = [
            "max_connections": .int(Int64(limits.maxConnections)),
            "max_pending_requests": .int(Int64(limits.maxPendingRequests)),
            "max_requests": .int(Int64(limits.maxRequests)), "max_retries": .int(Int64(limits.maxRetries)),
        ]
        object["priority"] = priority.map { .string($0) }
        return .object(object)
    }

    private static func json(_ host: CompiledHost) -> JSONValue {
        // As protobuf's JSON: what has its default is left out.
        let stats = counters(host).sorted { !$0.isGauge && $1.isGauge }.map { name, value, isGauge -> JSONValue in
            var stat: [String: JSONValue] = ["name": .string(name)]
            if isGauge { stat["type"] = "GAUGE" }
            if value != 0 { stat["value"] = .string(String(value)) }
            return .object(stat)
        }
        var object: [String: JSONValue] = [
            "address": ListenersPage.json(host.target.address), "stats": .array(stats),
            "health_status": healthStatus(host), "weight": .int(Int64(host.endpoint.weight)),
        ]
        var locality: [String: JSONValue] = [:]
        for (name, text) in [
            ("region", host.locality.region), ("zone", host.locality.zone), ("sub_zone", host.locality.subZone),
        ] where !text.isEmpty { locality[name] = .string(text) }
        object["locality"] = .object(locality)
        if !host.endpoint.hostname.isEmpty { object["hostname"] = .string(host.endpoint.hostname) }
        if host.priority > 0 { object["priority"] = .int(Int64(host.priority)) }
        return .object(object)
    }

    private static func healthStatus(_ host: CompiledHost) -> JSONValue {
        let flags = host.shared.flags
        let word =
            switch host.endpoint.health {
            case .unknown, .healthy: "HEALTHY"
            case .unhealthy, .timeout: "UNHEALTHY"
            case .draining: "DRAINING"
            case .degraded: "DEGRADED"
            }
        var status: [String: JSONValue] = ["eds_health_status": .string(word)]
        if flags.contains(.failedActiveCheck) { status["failed_active_health_check"] = true }
        if flags.contains(.ejected) { status["failed_outlier_check"] = true }
        if flags.contains(.degraded) { status["failed_active_degraded_check"] = true }
        if flags.contains(.pendingCheck) { status["pending_active_hc"] = true }
        if flags.contains(.excluded) { status["excluded_via_immediate_hc_fail"] = true }
        return .object(status)
    }
}
