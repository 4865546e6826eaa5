import Synchronization
import WeftCore
import WeftIR
import WeftMetrics
import WeftRouting

/// One number under Envoy's name, and how Prometheus is told of it.
struct EnvoyStat {
    /// As `/stats` has it: `cluster.a.upstream_rq_total`.
    var name: String
    /// The metric without `envoy_`: `cluster_upstream_rq_total`.
    var metric: String
    /// Without the prefix of labels.
    var labels: [(name: String, value: String)]
    var value: Int
    var isGauge = false
}

/// Reads everything that a data plane counts, under Envoy's names.
struct EnvoyStats {
    let plane: DataPlane
    /// Whether the process as a whole is ready; `nil`: the data plane alone decides.
    var isLive: Bool?

    /// All of them, in no order, since counters were last reset.
    var all: [EnvoyStat] { plane.metrics.resets.apply(to: raw) }
    /// The same since the start.
    var raw: [EnvoyStat] { http + clusters + grpc + listeners + tcp + server }

    /// Histograms, by name.
    var times: [EnvoyTimes] {
        let tables = plane.metrics.counters
        let known = plane.snapshot.clusters
        let managers = tables.http.sums().map { EnvoyTimes("http.\($0).downstream_rq_time", cells: $1.times) }
        let clusters = tables.clusters.sums().filter { known[$0.key] != nil }.map {
            EnvoyTimes("cluster.\($0).upstream_rq_time", cells: $1.times)
        }
        return (managers + clusters).sorted { $0.name < $1.name }
    }

    // MARK: http, listener, tcp

    private var http: [EnvoyStat] {
        let tables = plane.metrics.counters
        var result = tables.http.sums().flatMap { prefix, sum in
            Self.block(HTTPCounter.self, sum, "http.\(prefix)", "http", ("http_conn_manager_prefix", prefix))
        }
        for chain in plane.snapshot.listeners.values.flatMap({ $0.chains + [$0.defaultChain].compactMap { $0 } }) {
            for engine in chain.networkRBAC { result += access(engine, "", network: engine.statPrefix) }
            for authorizer in chain.authorizers { result += authorization(authorizer) }
            for gate in chain.gates { result += rates(gate) }
            guard case .http(let manager) = chain.terminal else { continue }
            if manager.tracing != nil { result += tracing(manager) }
            let prefix = manager.manager.statPrefix
            result += services(manager)
            for filter in manager.filters {
                switch filter {
                case .rbac(let engine, _):
                    result += access(engine, prefix)
                case .localRateLimit(let limiter, _): result += rateLimit(limiter)
                default: break
                }
            }
        }
        return Self.merged(result)
    }

    private func rates(_ gate: ConnectionRateGate) -> [EnvoyStat] {
        let (filter, prefix, values) = gate.counts
        let label = filter == "ratelimit" ? "ratelimit_prefix" : "local_network_ratelimit_prefix"
        return values.map { name, value in
            EnvoyStat(
                name: "\(filter).\(prefix).\(name)", metric: "\(filter)_\(name)", labels: [(label, prefix)],
                value: value)
        }
    }

    /// Of the filters that ask services: ext_authz, ratelimit, ext_proc.
    private func services(_ manager: CompiledManager) -> [EnvoyStat] {
        let scope = "http.\(manager.manager.statPrefix)."
        return StatsPage.serviceCounts(manager).map { name, value in
            EnvoyStat(
                name: name, metric: "http_" + name.dropFirst(scope.count).replacing(".", with: "_"),
                labels: [("http_conn_manager_prefix", manager.manager.statPrefix)], value: value)
        }
    }

    /// Several chains may count under one name.
    private static func merged(_ stats: [EnvoyStat]) -> [EnvoyStat] {
        var byName: [String: EnvoyStat] = [:]
        for stat in stats {
            var sum = stat
            sum.value += byName[stat.name]?.value ?? 0
            byName[stat.name] = sum
        }
        return Array(byName.values)
    }

    private func rateLimit(_ limiter: LocalRateLimiter) -> [EnvoyStat] {
        let (prefix, counts) = (limiter.settings.statPrefix, limiter.counts)
        return [
            ("enabled", counts.enabled.load(ordering: .relaxed)),
            ("enforced", counts.enforced.load(ordering: .relaxed)),
            ("rate_limited", counts.limited.load(ordering: .relaxed)), ("ok", counts.ok.load(ordering: .relaxed)),
        ].map { name, value in
            EnvoyStat(
                name: "\(prefix).http_local_rate_limit.\(name)", metric: "http_local_rate_limit_\(name)",
                labels: [("local_http_ratelimit_prefix", prefix)], value: value)
        }
    }

    private func tracing(_ manager: CompiledManager) -> [EnvoyStat] {
        let (prefix, counts) = (manager.manager.statPrefix, manager.traceCounts)
        return [
            ("random_sampling", counts.sampled), ("service_forced", counts.serviceForced),
            ("client_enabled", counts.clientForced), ("not_traceable", counts.notTraceable),
        ].map { name, counter in
            EnvoyStat(
                name: "http.\(prefix).tracing.\(name)", metric: "http_tracing_\(name)",
                labels: [("http_conn_manager_prefix", prefix)], value: counter.count)
        }
    }

    private var listeners: [EnvoyStat] {
        plane.metrics.counters.listeners.sums().flatMap { address, sum in
            Self.block(ListenerCounter.self, sum, "listener.\(address)", "listener", ("listener_address", address))
        }
    }

    private var tcp: [EnvoyStat] {
        plane.metrics.counters.tcp.sums().flatMap { prefix, sum in
            Self.block(TCPCounter.self, sum, "tcp.\(prefix)", "tcp", ("tcp_prefix", prefix))
        }
    }

    private static func block<Name: CounterName>(
        _ names: Name.Type, _ sum: CounterTable.Sum, _ scope: String, _ metric: String, _ label: (String, String)
    ) -> [EnvoyStat] {
        names.allCases.map { counter in
            let value = sum.numbers[counter.rawValue]
            let flat = counter.name.replacing(".", with: "_")
            guard let digit = counter.statusClass else {
                return EnvoyStat(
                    name: "\(scope).\(counter.name)", metric: "\(metric)_\(flat)", labels: [label], value: value,
                    isGauge: counter.isGauge)
            }
            return EnvoyStat(
                name: "\(scope).\(counter.name)", metric: "\(metric)_\(flat.dropLast(3))xx",
                labels: [("response_code_class", String(digit)), label], value: value)
        }
    }

    // MARK: cluster

    private var clusters: [EnvoyStat] {
        let tables = plane.metrics.counters
        let sums = tables.clusters.sums()
        let none = tables.clusters.sum("")
        var result: [EnvoyStat] = []
        for (name, cluster) in plane.snapshot.clusters {
            let label = ("cluster_name", name)
            result += Self.block(ClusterCounter.self, sums[name] ?? none, "cluster.\(name)", "cluster", label)
            result += shared(cluster).map { stat, value, isGauge in
                EnvoyStat(
                    name: "cluster.\(name).\(stat)", metric: "cluster_" + stat.replacing(".", with: "_"),
                    labels: [label], value: value, isGauge: isGauge)
            }
        }
        for (name, sum) in tables.statuses.sums() {
            let parts = name.split(separator: " ", maxSplits: 1).map(String.init)
            guard parts.count == 2, plane.snapshot.clusters[parts[1]] != nil else { continue }
            result.append(
                EnvoyStat(
                    name: "cluster.\(parts[1]).upstream_rq_\(parts[0])", metric: "cluster_upstream_rq",
                    labels: [("response_code", parts[0]), ("cluster_name", parts[1])], value: sum.numbers[0]))
        }
        return result
    }

    /// What limits are kept by, and what follows from the endpoints.
    private func shared(_ cluster: CompiledCluster) -> [(String, Int, Bool)] {
        let shared = cluster.shared
        func read(_ counter: borrowing Atomic<Int>) -> Int { counter.load(ordering: .relaxed) }
        let healthy = cluster.balanced.count { $0.health == .healthy }
        let counters: [(String, Int, Bool)] = [
            ("upstream_cx_total", read(shared.connectionsTotal), false),
            ("upstream_cx_active", read(shared.connections), true),
            ("upstream_cx_connect_fail", read(shared.connectFailures), false),
            ("upstream_rq_total", read(shared.requestsTotal), false),
            ("upstream_rq_active", read(shared.requests) + read(shared.highPriority.requests), true),
            ("upstream_rq_pending_active", read(shared.pending), true),
            ("upstream_rq_pending_overflow", read(shared.pendingOverflow), false),
            ("upstream_rq_retry", read(shared.retriesTotal), false),
            ("upstream_rq_retry_overflow", read(shared.retryOverflow), false),
            ("upstream_rq_retry_limit_exceeded", read(shared.retryLimitExceeded), false),
            ("outlier_detection.ejections_active", read(shared.ejected), true),
            ("outlier_detection.ejections_enforced_total", read(shared.ejectionsEnforced), false),
            ("outlier_detection.ejections_overflow", read(shared.ejectionsOverflow), false),
            ("health_check.attempt", read(shared.healthCheckAttempts), false),
            ("health_check.failure", read(shared.healthCheckFailures), false),
            ("health_check.success", read(shared.healthCheckAttempts) - read(shared.healthCheckFailures), false),
            ("lb_healthy_panic", read(shared.panicPicks), false),
            ("membership_healthy", healthy, true),
            ("membership_degraded", cluster.balanced.count { $0.health == .degraded }, true),
            ("membership_excluded", cluster.hosts.count { $0.shared.flags.contains(.excluded) }, true),
            ("membership_total", cluster.hosts.count, true),
        ]
        return counters + breakers(cluster)
    }

    /// 1 while a limit is reached.
    private func breakers(_ cluster: CompiledCluster) -> [(String, Int, Bool)] {
        let shared = cluster.shared
        func lines(
            _ priority: String, _ limits: Cluster.CircuitBreakers, _ requests: Int, _ retries: Int
        ) -> [(String, Int, Bool)] {
            let connections = shared.connections.load(ordering: .relaxed)
            let pending = shared.pending.load(ordering: .relaxed)
            return [
                ("cx_open", connections >= Int(limits.maxConnections)),
                ("rq_pending_open", pending >= Int(limits.maxPendingRequests)),
                ("rq_open", requests >= Int(limits.maxRequests)),
                ("rq_retry_open", retries >= Int(limits.maxRetries)),
            ].map { ("circuit_breakers.\(priority).\($0)", $1 ? 1 : 0, true) }
        }
        return lines(
            "default", cluster.cluster.circuitBreakers, shared.requests.load(ordering: .relaxed),
            shared.retries.load(ordering: .relaxed))
            + lines(
                "high", cluster.cluster.highPriorityCircuitBreakers ?? Cluster.CircuitBreakers(),
                shared.highPriority.requests.load(ordering: .relaxed),
                shared.highPriority.retries.load(ordering: .relaxed))
    }

    // MARK: server

    private var server: [EnvoyStat] {
        let connections = plane.metrics.counters.listeners.sums().values.reduce(0) {
            $0 + $1.numbers[ListenerCounter.activeConnections.rawValue]
        }
        func stat(_ name: String, _ value: Int, isGauge: Bool = true) -> EnvoyStat {
            EnvoyStat(
                name: name, metric: name.replacing(".", with: "_"), labels: [], value: value, isGauge: isGauge)
        }
        let tracing = plane.tracing
        return [
            stat("server.live", isLive ?? plane.isReady ? 1 : 0), stat("server.state", isLive ?? plane.isReady ? 0 : 2),
            stat("server.total_connections", connections), stat("server.concurrency", plane.workers.count),
            stat("server.uptime", plane.uptimeSeconds),
            stat("cluster_manager.active_clusters", plane.snapshot.clusters.count),
            stat("listener_manager.total_listeners_active", plane.bound.count),
            stat("tracing.spans_sent", tracing.sent.count, isGauge: false),
            stat("tracing.spans_dropped", tracing.dropped.count, isGauge: false),
            stat("tracing.spans_failed", tracing.failed.count, isGauge: false),
            stat("access_logs.grpc_access_log.logs_written", tracing.logEntriesWritten.count, isGauge: false),
            stat("access_logs.grpc_access_log.logs_dropped", tracing.logEntriesDropped.count, isGauge: false),
            stat("access_logs.file_access_log.lines_dropped", tracing.logLinesDropped.count, isGauge: false),
        ]
    }

    // MARK: Prometheus

    /// Writes every number as `envoy_METRIC{labels}`, and the histograms of times.
    /// - Parameter query: What is asked for; `nil` is everything.
    func write(to text: inout PrometheusText, labelPrefix: String, where query: StatsQuery? = nil) {
        let families = Dictionary(grouping: query.map { all.filter($0.accepts) } ?? all, by: \.metric)
        for (metric, stats) in families.sorted(by: { $0.key < $1.key }) {
            guard let first = stats.first else { continue }
            let family = MetricFamily(
                "envoy_\(Self.name(metric))", help: "As Envoy's.", kind: first.isGauge ? .gauge : .counter,
                labels: first.labels.map { labelPrefix + $0.name })
            text.family(family)
            for stat in stats.sorted(by: { $0.name < $1.name }) {
                text.sample(family, values: stat.labels.map(\.value), Int64(stat.value))
            }
        }
        let tables = plane.metrics.counters
        func wants(_ name: String, _ sum: CounterTable.Sum) -> Bool {
            query?.accepts(times: EnvoyTimes(name, cells: sum.times)) ?? true
        }
        let managers = tables.http.sums().filter { wants("http.\($0).downstream_rq_time", $1) }
        histogram("http_downstream_rq_time", [labelPrefix + "http_conn_manager_prefix"], managers, &text)
        let known = plane.snapshot.clusters
        let clusters = tables.clusters.sums().filter {
            known[$0.key] != nil && wants("cluster.\($0.key).upstream_rq_time", $0.value)
        }
        histogram("cluster_upstream_rq_time", [labelPrefix + "cluster_name"], clusters, &text)
        guard query?.accepts(name: "grpc.upstream_rq_time") ?? true else { return }
        histogram(
            "cluster_grpc_upstream_rq_time", Self.grpcLabels.map { labelPrefix + $0 }, grpcTimes, &text
        ) { GRPCMethodName($0).labelValues }
    }

    private func histogram(
        _ metric: String, _ labels: [String], _ sums: [String: CounterTable.Sum], _ text: inout PrometheusText,
        values: (String) -> [String] = { [$0] }
    ) {
        guard !sums.isEmpty else { return }
        let family = MetricFamily(
            "envoy_\(metric)", help: "Milliseconds, as Envoy's.", kind: .envoyHistogram, labels: labels)
        text.family(family)
        for (name, sum) in sums.sorted(by: { $0.key < $1.key }) where !sum.times.isEmpty {
            text.series(family, values: values(name), cells: sum.times)
        }
    }

    /// Letters, digits, underscores and colons.
    private static func name(_ metric: String) -> String {
        String(metric.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") ? $0 : "_" })
    }
}
