package import NIOCore
package import WeftConfig
import WeftCore

/// The node agent: one worker for each pod bound to this node.
package actor PodRuntime {
    private let context: WorkerContext
    private var workers: [String: PodWorker] = [:]
    private var removing: Set<String> = []
    private var refreshing: Task<Void, Never>?

    package init(api: any NodeAPI, network: NodeNetwork, catalogue: ImageCatalogue, home: String) {
        context = WorkerContext(api: api, network: network, catalogue: catalogue, home: home)
        Files.remove("\(home)/pods")
    }

    /// Takes in the current state of a pod: starts it, updates it, or begins its end.
    package func observe(_ pod: KubernetesObject) async {
        guard pod.json[path: "spec", "nodeName"]?.stringValue == NodeAddress.nodeName else { return }
        if pod.deletionTimestamp != nil { return remove(pod) }
        if let worker = workers[pod.uid] { return await worker.update(pod) }
        let phase = pod.json[path: "status", "phase"]?.stringValue
        guard phase != "Succeeded", phase != "Failed" else { return }
        do {
            let worker = try PodWorker(pod, context)
            workers[pod.uid] = worker
            await worker.start()
        } catch {
            await context.api.event(pod, container: nil, warning: true, reason: "FailedSync", message: "\(error)")
        }
    }

    /// The object is gone (or was removed by force): its processes go too.
    package func forget(uid: String) async {
        guard let worker = workers.removeValue(forKey: uid) else { return }
        await worker.terminate(grace: 0)
        await worker.removeLogs()
    }

    private func remove(_ pod: KubernetesObject) {
        guard removing.insert(pod.uid).inserted else { return }
        let grace = pod.json[path: "metadata", "deletionGracePeriodSeconds"]?.intValue ?? 30
        Task {
            await workers[pod.uid]?.terminate(grace: grace)
            await workers[pod.uid]?.removeLogs()
            workers[pod.uid] = nil
            await context.api.removePod(pod)
            removing.remove(pod.uid)
        }
    }

    /// A ConfigMap or Secret has changed, or time has passed: volumes follow.
    package func refreshVolumes() async {
        for worker in workers.values { await worker.refreshVolumes() }
    }

    /// Ends all pods of this node; their objects stay.
    package func stopAll(grace: Int) async {
        await withTaskGroup(of: Void.self) { group in
            for worker in workers.values { group.addTask { await worker.terminate(grace: grace) } }
        }
        workers = [:]
    }

    private func worker(_ namespace: String, _ name: String) async throws -> PodWorker {
        for worker in workers.values {
            let pod = await worker.pod
            if pod.namespace == namespace, pod.name == name { return worker }
        }
        throw RuntimeError("pod \(name) does not run on this node", reason: "NotFound")
    }

    package func log(namespace: String, pod: String, container: String, previous: Bool) async throws -> ContainerLog {
        let worker = try await worker(namespace, pod)
        guard let log = await worker.log(container, previous: previous) else {
            let which = previous ? "previous terminated container" : "container"
            throw RuntimeError(
                previous
                    ? "\(which) \"\(container)\" in pod \"\(pod)\" not found"
                    : "container \"\(container)\" in pod \"\(pod)\" is waiting to start: ContainerCreating",
                reason: "BadRequest")
        }
        return log
    }

    /// Runs a command in a container. Returns its exit status.
    package func exec(
        namespace: String, pod: String, container: String, command: [String], tty: Bool,
        input: AsyncStream<ByteBuffer>?,
        resizes: AsyncStream<(columns: Int, rows: Int)>?, output: @escaping @Sendable (ByteBuffer, Bool) async -> Void
    ) async throws -> Int {
        let worker = try await worker(namespace, pod)
        guard let run = await worker.running(container) else {
            throw RuntimeError("container not found (\"\(container)\")", reason: "InternalError")
        }
        return try await ExecSession.run(
            run, command, tty: tty, input: input, resizes: resizes, folder: "\(context.home)/pods/\(worker.uid)",
            output: output)
    }
}
