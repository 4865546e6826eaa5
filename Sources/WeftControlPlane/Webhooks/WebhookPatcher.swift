import FoundationEssentials
import Logging
import WeftConfig
import WeftCore
import WeftKubernetes

/// Writes the mesh's root into the webhooks that call this revision, those of its tags among them, and again whenever
/// somebody changes it. Those of other revisions are theirs to write. Once the cluster can reach us, validation becomes
/// binding: it is installed with `failurePolicy: Ignore`.
struct WebhookPatcher {
    let client: KubernetesClient
    /// Asked at each write.
    let rootPEM: @Sendable () -> String
    let controlPlaneNamespace: String
    /// The Service of this revision.
    let service: String
    /// Whether calls of the API server get to us.
    let canServe: @Sendable () -> Bool
    /// Whether this replica is the one that writes.
    let mayWrite: @Sendable () -> Bool
    let logger: Logger
    private let targets = [APIResource.mutatingWebhookConfigurations, .validatingWebhookConfigurations].map {
        ($0, ChangeSignal(machine: DebounceMachine(quiet: .milliseconds(10), limit: .milliseconds(200))))
    }

    init(
        client: KubernetesClient, rootPEM: @escaping @Sendable () -> String, controlPlaneNamespace: String,
        service: String, canServe: @escaping @Sendable () -> Bool, mayWrite: @escaping @Sendable () -> Bool,
        logger: Logger
    ) {
        self.client = client
        self.rootPEM = rootPEM
        self.controlPlaneNamespace = controlPlaneNamespace
        self.service = service
        self.canServe = canServe
        self.mayWrite = mayWrite
        self.logger = logger
    }

    /// The root may be another one now.
    func refresh() { for (_, signal) in targets { signal.notify("root") } }

    /// Runs until the task is cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            for (resource, signal) in targets { group.addTask { await watch(resource, signal) } }
        }
    }

    private func watch(_ resource: APIResource, _ signal: ChangeSignal) async {
        let informer = Informer(client: client, resource: resource) { _ in signal.notify(resource.kind) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await informer.run() }
            group.addTask {
                while !Task.isCancelled, !canServe() { try? await Task.sleep(for: .milliseconds(500)) }
                signal.notify("reachable")
            }
            group.addTask {
                await signal.run { _, _ in
                    for object in informer.store.all where mayWrite() { await patch(resource, object, signal) }
                }
            }
        }
    }

    private func patch(_ resource: APIResource, _ object: KubernetesObject, _ signal: ChangeSignal) async {
        let patched = Self.patched(
            object, caBundle: caBundle, namespace: controlPlaneNamespace, service: service, isBinding: canServe())
        guard let patched else { return }
        do {
            _ = try await client.update(resource, patched)
            logger.info("\(resource.kind) \(object.name): caBundle written")
        } catch let error as KubernetesError where error.isConflict || error.isNotFound {
            // A newer version is on its way to the informer.
            logger.debug("\(resource.kind) \(object.name): \(error)")
        } catch {
            logger.warning("\(resource.kind) \(object.name): caBundle not written, trying again: \(error)")
            try? await Task.sleep(for: .seconds(1))
            signal.notify("retry")
        }
    }

    private var caBundle: String { Data(rootPEM().utf8).base64EncodedString() }

    /// The object with our root in every webhook that calls our Service, and no other; `nil` if nothing has to change.
    /// - Parameter isBinding: whether validation may refuse what it cannot look at.
    static func patched(
        _ object: KubernetesObject, caBundle: String, namespace: String, service own: String, isBinding: Bool
    ) -> KubernetesObject? {
        var result = object
        let webhooks = (object.json["webhooks"]?.arrayValue ?? []).map { webhook -> JSONValue in
            let service = webhook[path: "clientConfig", "service"]
            guard service?["namespace"]?.stringValue == namespace, service?["name"]?.stringValue == own else {
                return webhook
            }
            var webhook = webhook
            webhook[path: "clientConfig", "caBundle"] = .string(caBundle)
            if isBinding, object.kind == "ValidatingWebhookConfiguration" { webhook["failurePolicy"] = "Fail" }
            return webhook
        }
        result.json["webhooks"] = .array(webhooks)
        return result == object ? nil : result
    }
}
