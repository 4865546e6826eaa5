import Logging
import WeftConfig
import WeftCore
import WeftDashboard
import WeftKubernetes

/// The dashboard's view of this control plane.
struct MeshDashboard: DashboardSource {
    let coordinator: PushCoordinator
    let sources: ClusterSources
    let telemetry: Telemetry
    let authority: ShownAuthority

    func edges() async -> JSONValue { DebugDocuments.edges(telemetry.edges()) }
    func proxies() async -> JSONValue { DebugDocuments.proxies(await coordinator.reports) }
    func proxy(named name: String) async -> JSONValue? {
        guard let configuration = try? await coordinator.configuration(of: name) else { return nil }
        return ProxyDocument.make(configuration)
    }

    func workloads() async -> JSONValue {
        WorkloadDocument.make(
            pods: sources.pods.store.all, services: sources.services.store.all, modes: await coordinator.peerModes)
    }

    func services() async -> JSONValue {
        ServiceDocument.make(services: sources.services.store.all, workloads: await workloads())
    }

    func mesh() async -> JSONValue {
        MeshDocument.make(
            trustDomain: sources.meshConfig(logger: Logger(label: "dashboard")).typed.effectiveTrustDomain,
            bundlePEM: authority.current?.trustBundlePEM ?? "", services: sources.services.store.count,
            pods: sources.pods.store.count)
    }

    func configuration() async -> JSONValue { await documents().list }
    func object(_ reference: ResourceReference, group: String?) async -> JSONValue? {
        await documents().document(of: reference, group: group)
    }

    private func documents() async -> ConfigurationDocument {
        ConfigurationDocument(
            objects: (sources.istio + sources.gatewayAPI).flatMap(\.store.all), findings: await coordinator.findings)
    }
}
