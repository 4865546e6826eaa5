import WeftCore
import WeftIR
import WeftMetrics
import WeftXDS

/// What the admin pages of a proxy tell about, whether an agent runs it or a bootstrap file.
struct AdminSources: Sendable {
    let plane: DataPlane
    let status: AgentStatus
    let logs: LogLevels
    /// `LIVE`, `DRAINING` or `PRE_INITIALIZING`.
    let state: @Sendable () -> String
    /// The node's description, as xDS has it.
    let node: JSONValue
    /// `bootstrap` of `/config_dump`.
    let bootstrap: JSONValue
    /// Flags that the process was started with.
    let options: JSONValue
    /// Values of the static runtime layers.
    let runtime: [String: JSONValue]
    /// What is running, with its secrets, and the versions of what came by xDS.
    let configuration: @Sendable () -> (ProxyConfiguration, [ResourceType: [String: String]])
    /// Clusters that the bootstrap brought.
    let staticClusters: Set<String>
    let certificates: @Sendable () -> JSONValue
    /// Text that comes after the proxy's own metrics.
    let moreMetrics: @Sendable () -> String
    /// Asked for by `/quitquitquit`.
    let quit: @Sendable () -> Void
}

extension AdminSources {
    /// The pages that every proxy has.
    var commands: [AdminCommand] { reading + numbers + changing }

    private var reading: [AdminCommand] {
        let (plane, sources) = (plane, self)
        return [
            AdminCommand("/certs", "certificates in use") { _ in
                AdminReply(json: sources.certificates().text(pretty: true))
            },
            AdminCommand(
                "/clusters", "endpoints and their state", [("filter", "regular expression for names"), Self.json]
            ) {
                ClustersPage(plane, isStatic: { sources.staticClusters.contains($0) }).reply($0.query)
            },
            AdminCommand(
                "/config_dump", "the configuration that runs",
                [
                    ("resource", "one list alone, such as dynamic_listeners"),
                    ("mask", "fields to show, separated by commas"),
                    ("name_regex", "regular expression for names"), ("include_eds", "endpoints too"),
                ]
            ) { sources.dump($0.query) },
            AdminCommand("/contention", "waiting for locks; not traced here") { _ in
                AdminReply("Mutex contention is not traced.\n")
            },
            AdminCommand("/debug/config", "the configuration as the proxy keeps it") { _ in
                AdminReply(json: (try? JSONValue(encoding: plane.snapshot.configuration).text(pretty: true)) ?? "{}")
            },
            AdminCommand("/init_dump", "listeners and clusters that are not ready yet", [("mask", "listener")]) { _ in
                AdminReply(json: "{}\n")
            },
            AdminCommand("/listeners", "addresses that are listened on", [Self.json]) {
                ListenersPage.reply(plane, asJSON: $0.query["format"] == "json")
            },
            AdminCommand("/memory", "memory in bytes") { _ in AdminReply(json: Self.memory.text(pretty: true)) },
            AdminCommand("/ready", "200 when the proxy serves") { _ in
                let state = sources.state()
                return AdminReply(state + "\n", status: state == "LIVE" ? 200 : 503)
            },
            AdminCommand("/runtime", "values of the runtime layers") { _ in
                AdminReply(json: sources.runtimePage.text(pretty: true))
            },
            AdminCommand("/server_info", "version, state and flags") { _ in
                AdminReply(json: sources.serverInfo.text(pretty: true))
            },
            AdminCommand(
                "/logging", "levels of loggers", [("level", "of all"), ("paths", "NAME:LEVEL,…"), ("NAME", "of one")]
            ) {
                sources.logs.page($0)
            },
        ]
    }

    private static let json = (name: "format", help: "json")

    private var numbers: [AdminCommand] {
        let sources = self
        let parameters = [
            (name: "usedonly", help: "only what is not zero"), ("filter", "regular expression for names"),
            ("format", "text, json or prometheus"), ("type", "Counters, Gauges, Histograms, TextReadouts or All"),
            ("histogram_buckets", "cumulative, disjoint, detailed or summary"),
        ]
        return [
            AdminCommand("/stats", "numbers by Envoy's names", parameters) { sources.stats($0.query) },
            AdminCommand("/stats/prometheus", "the same for Prometheus", parameters) { request in
                var query = request.query
                query["format"] = "prometheus"
                return sources.stats(query)
            },
        ]
    }

    private var changing: [AdminCommand] {
        let (plane, quit) = (plane, quit)
        return [
            AdminCommand("/reset_counters", "counters begin at zero again", mutates: true) { _ in
                plane.metrics.resets.begin(EnvoyStats(plane: plane).raw)
                return AdminReply("OK\n")
            },
            AdminCommand("/reopen_logs", "access logs are opened anew", mutates: true) { _ in
                await plane.reopenLogs()
                return AdminReply("OK\n")
            },
            AdminCommand("/runtime_modify", "values of the admin layer; there is none", mutates: true) { request in
                request.query.isEmpty
                    ? AdminReply("usage: /runtime_modify?KEY=VALUE&KEY=VALUE\n", status: 400)
                    : AdminReply("No admin layer specified", status: 503)
            },
            AdminCommand("/quitquitquit", "ends the process", mutates: true) { _ in
                quit()
                return AdminReply("OK\n")
            },
        ]
    }

    private func stats(_ query: [String: String]) -> AdminReply {
        do throws(StatsQuery.Problem) {
            let wanted = try StatsQuery(query)
            guard wanted.format == .prometheus else {
                return StatsPage(plane, status, isLive: state() == "LIVE").reply(wanted)
            }
            let more = wanted.isAll ? moreMetrics() : ""
            return AdminReply(
                plane.metrics.prometheusText(plane, where: wanted) + more, contentType: PrometheusText.contentType)
        } catch {
            return AdminReply(error.text, status: 400)
        }
    }

    private func dump(_ query: [String: String]) -> AdminReply {
        do {
            let (configuration, versions) = configuration()
            let page = try ConfigDump.json(
                configuration, versions: versions, bootstrap: bootstrap, withEndpoints: query["include_eds"] != nil)
            let wanted = try ConfigDumpQuery(
                resource: query["resource"], mask: query["mask"], nameRegex: query["name_regex"])
            return AdminReply(json: try wanted.apply(to: page).text(pretty: true))
        } catch let problem as ConfigDumpQuery.Problem {
            return AdminReply(problem.text, status: problem.isMissing ? 404 : 400)
        } catch {
            return AdminReply("the configuration cannot be shown: \(error)\n", status: 500)
        }
    }

    /// As Envoy's `Memory`: what is not known apart counts as used.
    private static var memory: JSONValue {
        let used = JSONValue.string(String(ProcessUsage.residentBytes))
        return [
            "allocated": used, "heap_size": used, "pageheap_unmapped": "0", "pageheap_free": "0",
            "total_thread_cache": "0", "total_physical_bytes": used,
        ]
    }

    private var runtimePage: JSONValue {
        let entries = runtime.mapValues { value -> JSONValue in
            let text = JSONValue.string(value.stringValue ?? value.text())
            return ["final_value": text, "layer_values": [text]]
        }
        return ["entries": .object(entries), "layers": runtime.isEmpty ? [] : ["static"]]
    }

    private var serverInfo: JSONValue {
        let uptime = JSONValue.string("\(plane.uptimeSeconds)s")
        return [
            "version": .string("weft/\(WeftVersion.current)"), "state": .string(state()), "node": node,
            "uptime_current_epoch": uptime, "uptime_all_epochs": uptime,
            "hot_restart_version": .string(HotRestartMessage.version), "command_line_options": options,
            "hot_restart_initializing": false,
        ]
    }
}
