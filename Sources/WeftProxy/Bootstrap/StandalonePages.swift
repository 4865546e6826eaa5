import WeftCore
import WeftIR
import WeftXDS

/// Envoy's admin pages for a proxy without an agent.
struct StandalonePages: Sendable {
    let plane: DataPlane
    let status: AgentStatus
    let bootstrap: Bootstrap
    let logs: LogLevels
    /// Asked for by `/quitquitquit`.
    let quit: @Sendable () -> Void

    var routes: [String: AdminServer.Route] {
        let (plane, status) = (plane, status)
        var routes = AdminPages(plane).routes
        routes["/config_dump"] = { _ in Self.dump(plane) }
        routes["/stats"] = { request in
            if request.query["format"] == "prometheus" { return Self.metrics(plane) }
            return AdminReply(StatsPage.text(plane, status, filter: request.query["filter"]))
        }
        routes["/stats/prometheus"] = { _ in Self.metrics(plane) }
        routes["/server_info"] = { [self] _ in AdminReply(json: serverInfo.text(pretty: true)) }
        routes["/logging"] = { [logs] request in logs.page(request) }
        routes["/drain_listeners"] = AdminReply.post { _ in
            await plane.drainListeners()
            return AdminReply("OK\n")
        }
        routes["/quitquitquit"] = AdminReply.post { [quit] _ in
            quit()
            return AdminReply("OK\n")
        }
        let names = routes.keys.sorted() + ["/help"]
        routes["/help"] = { _ in AdminReply(names.map { "\($0)\n" }.joined()) }
        return routes
    }

    private static func metrics(_ plane: DataPlane) -> AdminReply {
        AdminReply(plane.metrics.prometheusText(plane), contentType: "text/plain; version=0.0.4; charset=utf-8")
    }

    private static func dump(_ plane: DataPlane) -> AdminReply {
        do {
            return AdminReply(json: try ConfigDump.json(plane.snapshot.configuration).text(pretty: true))
        } catch {
            return AdminReply("the configuration cannot be shown: \(error)\n", status: 500)
        }
    }

    private var serverInfo: JSONValue {
        [
            "version": .string("weft/\(WeftVersion.current)"), "state": plane.isReady ? "LIVE" : "PRE_INITIALIZING",
            "node": [
                "id": .string(bootstrap.node.id), "cluster": .string(bootstrap.node.cluster),
                "metadata": bootstrap.node.metadata,
            ],
        ]
    }
}
