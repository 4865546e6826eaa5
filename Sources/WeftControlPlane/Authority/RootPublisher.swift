import Logging
import WeftConfig
import WeftCore
import WeftKubernetes

/// Keeps ConfigMap `istio-ca-root-cert` in every namespace: whom pods are to trust (`root-cert.pem`), and what is revoked
/// (`ca-crl.pem`, if there are lists).
struct RootPublisher {
    static let name = "istio-ca-root-cert"
    let client: KubernetesClient
    /// Asked at each write.
    let files: @Sendable () -> [String: String]
    /// Whether this replica is the one that writes.
    let mayWrite: @Sendable () -> Bool
    let logger: Logger
    private let signal = ChangeSignal(machine: DebounceMachine(quiet: .milliseconds(10), limit: .milliseconds(200)))

    init(
        client: KubernetesClient, files: @escaping @Sendable () -> [String: String],
        mayWrite: @escaping @Sendable () -> Bool, logger: Logger
    ) {
        self.client = client
        self.files = files
        self.mayWrite = mayWrite
        self.logger = logger
    }

    /// The root may be another one now.
    func refresh() { signal.notify("root") }

    /// Runs until the task is cancelled.
    func run() async {
        let signal = signal
        let maps = Informer(
            client: client, resource: .configMaps, options: ListOptions(fieldSelector: "metadata.name=\(Self.name)")
        ) { _ in signal.notify("ConfigMap") }
        let spaces = Informer(client: client, resource: .namespaces) { _ in signal.notify("Namespace") }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await maps.run() }
            group.addTask { await spaces.run() }
            group.addTask {
                await maps.store.waitForSync()
                await spaces.store.waitForSync()
                signal.notify("start")
                await signal.run { _, _ in await publish(maps.store, spaces.store) }
            }
        }
    }

    private func publish(_ maps: ResourceStore, _ spaces: ResourceStore) async {
        let files = JSONValue.object(files().mapValues { .string($0) })
        for namespace in spaces.all where namespace.deletionTimestamp == nil && mayWrite() {
            let present = maps[namespace.name, Self.name]
            if present?.json["data"] == files { continue }
            do {
                try await write(files, to: namespace.name, present)
            } catch let error as KubernetesError
                where error.isConflict || error.isNotFound || error.isAlreadyExists || error.code == 403
            {
                // The namespace is on its way out, or another control plane was faster.
                logger.debug("root certificate for \(namespace.name): \(error)")
            } catch {
                logger.warning("root certificate for \(namespace.name) not written, trying again: \(error)")
                try? await Task.sleep(for: .seconds(1))
                signal.notify("retry")
            }
        }
    }

    private func write(_ files: JSONValue, to namespace: String, _ present: KubernetesObject?) async throws {
        if var object = present {
            object.json["data"] = files
            _ = try await client.update(.configMaps, object)
        } else {
            let object: JSONValue = [
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": [
                    "name": .string(Self.name), "namespace": .string(namespace), "labels": ["istio.io/config": "true"],
                ],
                "data": files,
            ]
            _ = try await client.create(.configMaps, KubernetesObject(object))
        }
    }
}
