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
    var admin: AdminCatalogue {
        let plane = plane
        let extra =
            health.filter { $0.key != "/ready" }.map {
                AdminCommand($0.key, "200 when the proxy is ready", [], mutates: false, $0.value)
            }
        return AdminCatalogue(
            sources.commands + extra + [
                AdminCommand("/drain_listeners", "listeners close", mutates: true) { _ in
                    await plane.drainListeners()
                    return AdminReply("OK\n")
                }
            ])
    }

    private var sources: AdminSources {
        let (plane, status) = (plane, status)
        return AdminSources(
            plane: plane, status: status, logs: logs, state: { [self] in state }, node: node, bootstrap: bootstrap,
            options: ["concurrency": .int(Int64(plane.workers.count)), "log_level": .string(logs.envoyName)],
            runtime: [:], configuration: { [self] in configuration }, staticClusters: [],
            certificates: { CertificatePage.json(status.identity) }, moreMetrics: { [self] in moreMetrics }, quit: quit)
    }

    private var state: String {
        guard let reason = status.notReadyReason else { return "LIVE" }
        return reason == "draining" ? "DRAINING" : "PRE_INITIALIZING"
    }

    /// With the secrets that the agent keeps itself.
    private var configuration: (ProxyConfiguration, [ResourceType: [String: String]]) {
        var configuration = plane.snapshot.configuration
        var versions = status.versions
        for secret in status.identity?.secrets ?? [] {
            configuration.secrets[secret.name] = secret
            versions[.secret, default: [:]][secret.name] = status.identity?.version
        }
        return (configuration, versions)
    }

    private var moreMetrics: String {
        ProcessUsage.text(prefix: "istio_agent_") + CertificatePage.expiryText(status.identity)
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
        AdminReply(plane.metrics.prometheusText(plane) + moreMetrics, contentType: PrometheusText.contentType)
    }

    private var bootstrap: JSONValue {
        [
            "node": node,
            "admin": ["address": ["socket_address": ["address": "127.0.0.1", "port_value": 15000]]],
            "dynamic_resources": [
                "lds_config": ["ads": [:], "resource_api_version": "V3"],
                "cds_config": ["ads": [:], "resource_api_version": "V3"],
                "ads_config": ["api_type": "DELTA_GRPC", "transport_api_version": "V3"],
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
}
