import Logging
import Synchronization
import WeftADS
import WeftCore
import WeftIR
import WeftMetrics
import WeftXDS

/// The pages that need the agent: configuration with versions, certificates, health, and what ends the process.
struct AgentPages: Sendable {
    let plane: DataPlane
    let status: AgentStatus
    let settings: AgentSettings
    let logs: LogLevels
    /// Asked for by `/quitquitquit`.
    let quit: @Sendable () -> Void

    /// For 127.0.0.1:15000.
    var admin: [String: AdminServer.Route] {
        var routes = AdminPages(plane).routes
        let (plane, status) = (plane, status)
        routes["/config_dump"] = { [self] _ in dump() }
        routes["/certs"] = { _ in AdminReply(json: CertificatePage.json(status.identity).text(pretty: true)) }
        routes["/stats"] = { request in
            if request.query["format"] == "prometheus" { return await metrics() }
            return AdminReply(StatsPage.text(plane, status, filter: request.query["filter"]))
        }
        routes["/stats/prometheus"] = { [self] _ in await metrics() }
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
        routes["/help"] = { [names = routes.keys.sorted()] _ in AdminReply(names.map { "\($0)\n" }.joined()) }
        return routes.merging(health) { $1 }
    }

    /// For the kubelet and for us.
    var health: [String: AdminServer.Route] {
        let status = status
        return [
            "/healthz/ready": { _ in
                guard let reason = status.notReadyReason else { return AdminReply("") }
                return AdminReply("not ready: \(reason)\n", status: 503)
            },
            "/ready": { _ in
                guard let reason = status.notReadyReason else { return AdminReply("LIVE\n") }
                return AdminReply(reason == "draining" ? "DRAINING\n" : "PRE_INITIALIZING\n", status: 503)
            },
        ]
    }

    /// For port 15090.
    var telemetry: [String: AdminServer.Route] { ["/stats/prometheus": { [self] _ in await metrics() }] }

    /// For port 15020: health, the application's probes, and the application's metrics with ours.
    var merged: [String: AdminServer.Route] {
        var routes = health
        routes["/stats/prometheus"] = { [self] _ in
            let own = await metrics()
            let text = own.body + (await ApplicationMetrics(settings).text())
            return AdminReply(text, contentType: own.contentType)
        }
        routes["/quitquitquit"] = AdminReply.post { [quit] _ in
            quit()
            return AdminReply("OK\n")
        }
        let probes = ApplicationHealth(probers: settings.probers, instanceIP: settings.instanceIP)
        return routes.merging(probes.routes()) { $1 }
    }

    private func metrics() async -> AdminReply {
        AdminReply(
            plane.metrics.prometheusText(plane) + ProcessUsage.text(prefix: "istio_agent_")
                + CertificatePage.expiryText(status.identity),
            contentType: "text/plain; version=0.0.4; charset=utf-8")
    }

    private func dump() -> AdminReply {
        do {
            var configuration = plane.snapshot.configuration
            var versions = status.versions
            for secret in status.identity?.secrets ?? [] {
                configuration.secrets[secret.name] = secret
                versions[.secret, default: [:]][secret.name] = status.identity?.version
            }
            var page = try ConfigDump.json(configuration, versions: versions)
            let configs = page["configs"]?.arrayValue ?? []
            page["configs"] = .array([bootstrap] + configs)
            return AdminReply(json: page.text(pretty: true))
        } catch {
            return AdminReply("the configuration cannot be shown: \(error)\n", status: 500)
        }
    }

    private var bootstrap: JSONValue {
        [
            "@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump",
            "bootstrap": [
                "node": node,
                "admin": ["address": ["socket_address": ["address": "127.0.0.1", "port_value": 15000]]],
                "dynamic_resources": [
                    "lds_config": ["ads": [:], "resource_api_version": "V3"],
                    "cds_config": ["ads": [:], "resource_api_version": "V3"],
                    "ads_config": ["api_type": "DELTA_GRPC", "transport_api_version": "V3"],
                ],
            ],
        ]
    }

    private var node: JSONValue {
        let node = settings.node
        return [
            "id": .string(node.id), "cluster": .string(node.cluster), "metadata": node.metadata,
            "user_agent_name": .string(node.userAgentName), "user_agent_version": .string(node.userAgentVersion),
        ]
    }

    private var serverInfo: JSONValue {
        let reason = status.notReadyReason
        let state = reason == nil ? "LIVE" : reason == "draining" ? "DRAINING" : "PRE_INITIALIZING"
        return ["version": .string("weft/\(WeftVersion.current)"), "state": .string(state), "node": node]
    }
}
