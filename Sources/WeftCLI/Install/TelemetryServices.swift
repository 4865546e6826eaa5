import WeftConfig
import WeftCore
import WeftKubernetes
import WeftManifests

/// The Services `prometheus`, `zipkin` and the like, of which there is one set for all revisions: one revision answers
/// at them at a time, and another takes them over when that one goes.
///
/// Whose they are is told by their selector. Those that select anything but a control plane belong to somebody who
/// installed the real tools, and stay as they are.
struct TelemetryServices {
    let client: KubernetesClient

    /// Makes those that nobody has made yet lead to the revision.
    func claimMissing(_ installation: MeshInstallation) async throws {
        for service in installation.telemetryServices where try await stored(service) == nil {
            try await apply(service)
        }
    }

    /// Whether the Service leads to the installation's revision now.
    func isOf(_ installation: MeshInstallation, _ service: KubernetesObject) async throws -> Bool {
        try await stored(service)?.json[path: "spec", "selector"] == service.json[path: "spec", "selector"]
    }

    /// Leads what has led to one revision to another.
    func handOver(from old: MeshInstallation, to heir: MeshInstallation) async throws {
        for (mine, theirs) in zip(old.telemetryServices, heir.telemetryServices) where try await isOf(old, mine) {
            try await apply(theirs)
            say("Service \(theirs.name) leads to revision \(heir.settings.revision) now")
        }
    }

    private func stored(_ service: KubernetesObject) async throws -> KubernetesObject? {
        do {
            return try await client.get(.services, namespace: service.namespace, name: service.name)
        } catch let error as KubernetesError where error.isNotFound {
            return nil
        }
    }

    private func apply(_ service: KubernetesObject) async throws {
        _ = try await client.apply(.services, service, fieldManager: "weft")
    }
}
