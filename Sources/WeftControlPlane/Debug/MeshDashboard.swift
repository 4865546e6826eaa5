import WeftCore
import WeftDashboard
import WeftKubernetes

/// The dashboard's view of this control plane.
struct MeshDashboard: DashboardSource {
    let coordinator: PushCoordinator
    let sources: ClusterSources
    let telemetry: Telemetry

    func edges() async -> JSONValue { DebugDocuments.edges(telemetry.edges()) }
    func proxies() async -> JSONValue { DebugDocuments.proxies(await coordinator.reports) }
    func workloads() async -> JSONValue {
        WorkloadDocument.make(pods: sources.pods.store.all, services: sources.services.store.all)
    }
}
