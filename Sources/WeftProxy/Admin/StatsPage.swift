import Synchronization
import WeftCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftXDS

/// `/stats`: counters of clusters and of the proxy itself, by Envoy's names.
struct StatsPage {
    private let plane: DataPlane
    private let status: AgentStatus?
    private let isLive: Bool

    init(_ plane: DataPlane, _ status: AgentStatus?, isLive: Bool) {
        self.plane = plane
        self.status = status
        self.isLive = isLive
    }

    /// All numbers by name.
    var all: [EnvoyStat] {
        var result = EnvoyStats(plane: plane, isLive: isLive).all
        func add(_ name: String, _ value: Int, isGauge: Bool = false) {
            result.append(EnvoyStat(name: name, metric: "", labels: [], value: value, isGauge: isGauge))
        }
        for (name, cluster) in plane.snapshot.clusters {
            let shared = cluster.shared
            for reason in HTTP2Reason.allCases where shared.http2[reason] > 0 {
                add("cluster.\(name).\(reason.rawValue)", shared.http2[reason])
            }
        }
        for (name, value) in OverloadStats.lines(plane) { add(name, value, isGauge: true) }
        for chain in plane.snapshot.listeners.values.flatMap({ $0.chains + [$0.defaultChain].compactMap { $0 } }) {
            for limiter in chain.limiters {
                let prefix = "connection_limit.\(limiter.limit.statPrefix)"
                add("\(prefix).active_connections", limiter.active.load(ordering: .relaxed), isGauge: true)
                add("\(prefix).limited_connections", limiter.limited.load(ordering: .relaxed))
            }
        }
        for reason in HTTP2Reason.allCases { add(reason.rawValue, plane.http2[reason]) }
        add("control_plane.connected_state", status?.isConnected == true ? 1 : 0, isGauge: true)
        for (field, count) in status?.ignoredFields ?? [:] { add("xds.ignored_field.\(field)", count) }
        return result.sorted { $0.name < $1.name }
    }

    func reply(_ query: StatsQuery) -> AdminReply {
        let stats = all.filter(query.accepts)
        let times = EnvoyStats(plane: plane).times.filter(query.accepts(times:))
        if query.format == .json { return AdminReply(json: json(stats, times).text()) }
        let lines = stats.map { "\($0.name): \($0.value)\n" } + times.map { "\($0.name): \($0.text)\n" }
        return AdminReply(lines.joined())
    }

    private func json(_ stats: [EnvoyStat], _ times: [EnvoyTimes]) -> JSONValue {
        var list = stats.map { stat -> JSONValue in ["name": .string(stat.name), "value": .int(Int64(stat.value))] }
        if !times.isEmpty {
            let computed = times.map { time -> JSONValue in
                let values = EnvoyTimes.quantiles.map { quantile -> JSONValue in
                    ["interval": .null, "cumulative": time.quantile(quantile).map { .double($0) } ?? .null]
                }
                return ["name": .string(time.name), "values": .array(values)]
            }
            list.append([
                "histograms": [
                    "supported_quantiles": .array(EnvoyTimes.quantiles.map { .double($0) }),
                    "computed_quantiles": .array(computed),
                ]
            ])
        }
        return ["stats": .array(list)]
    }
}
