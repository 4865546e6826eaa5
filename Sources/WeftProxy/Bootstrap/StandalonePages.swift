import WeftCore
import WeftIR

/// Envoy's admin pages for a proxy without an agent.
struct StandalonePages: Sendable {
    let plane: DataPlane
    let status: AgentStatus
    let bootstrap: Bootstrap
    let logs: LogLevels
    /// Asked for by `/quitquitquit`.
    let quit: @Sendable () -> Void
    /// Flags that the process was started with, as `/server_info` tells them.
    let options: JSONValue

    var catalogue: AdminCatalogue {
        let plane = plane
        return AdminCatalogue(
            sources.commands + [
                AdminCommand(
                    "/drain_listeners", "listeners close",
                    [
                        ("graceful", "connections go over the drain time first"), ("skip_exit", "sockets stay open"),
                        ("inboundonly", "listeners of inbound traffic alone"),
                    ], mutates: true
                ) { await Self.drain(plane, $0.query) },
                AdminCommand("/healthcheck/fail", "health check filters fail", mutates: true) { _ in
                    await plane.failHealthChecks(true)
                    return AdminReply("OK\n")
                },
                AdminCommand("/healthcheck/ok", "health check filters pass again", mutates: true) { _ in
                    await plane.failHealthChecks(false)
                    return AdminReply("OK\n")
                },
                AdminCommand("/healthz/ready", "200 when the proxy serves") { _ in
                    plane.isReady ? AdminReply("") : AdminReply("not ready: no configuration yet\n", status: 503)
                },
                AdminCommand("/hot_restart_version", "who can take over from this process") { _ in
                    AdminReply(HotRestartMessage.version + "\n")
                },
            ])
    }

    private var sources: AdminSources {
        let (plane, bootstrap) = (plane, bootstrap)
        var shown: [String: JSONValue] = ["node": node]
        if case .ip(let address, let port)? = bootstrap.admin {
            let socket: JSONValue = ["address": .string(address), "port_value": .int(Int64(port))]
            shown["admin"] = ["address": ["socket_address": socket]]
        }
        return AdminSources(
            plane: plane, status: status, logs: logs, state: { plane.isReady ? "LIVE" : "PRE_INITIALIZING" },
            node: node, bootstrap: .object(shown), options: options, runtime: bootstrap.runtime,
            configuration: { [status] in (plane.snapshot.configuration, status.versions) },
            staticClusters: Set(bootstrap.configuration.clusters.keys),
            certificates: { CertificatePage.json(plane.snapshot.configuration) }, moreMetrics: { "" }, quit: quit)
    }

    private var node: JSONValue {
        [
            "id": .string(bootstrap.node.id), "cluster": .string(bootstrap.node.cluster),
            "metadata": bootstrap.node.metadata,
        ]
    }

    /// `graceful` asks connections to go over the drain time and closes the sockets then (`skip_exit`: not even then);
    /// without it the sockets close at once. `inboundonly` means listeners of inbound traffic alone.
    private static func drain(_ plane: DataPlane, _ query: [String: String]) async -> AdminReply {
        let inboundAlone = query["inboundonly"] != nil
        let isMeant: @Sendable (Listener) -> Bool = { !inboundAlone || $0.trafficDirection == .inbound }
        let names = Set(plane.snapshot.configuration.listeners.values.filter(isMeant).map(\.name))
        let skipsExit = query["skip_exit"] != nil
        if query["graceful"] == nil {
            if skipsExit { return AdminReply("skip_exit goes with graceful\n", status: 400) }
            if inboundAlone { await plane.closeSockets { names.contains($0) } } else { await plane.drainListeners() }
            return AdminReply("OK\n")
        }
        await plane.drainGradually(where: isMeant)
        if !skipsExit {
            let seconds = plane.options.drain.seconds
            Task {
                try? await Task.sleep(for: .seconds(seconds))
                await plane.closeSockets { names.contains($0) }
            }
        }
        return AdminReply("OK\n")
    }
}
