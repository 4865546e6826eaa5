import NIOCore
import Synchronization
import WeftAPIServer
import WeftRuntime

/// Serves `logs`, `exec` and `attach` from the node's runtime, which is made after the API server.
final class NodePodBackend: PodBackend {
    private let runtime = Mutex<PodRuntime?>(nil)

    func connect(_ new: PodRuntime) { runtime.withLock { $0 = new } }

    private func current() throws -> PodRuntime {
        guard let runtime = runtime.withLock({ $0 }) else { throw APIError.internalError("the node is still starting") }
        return runtime
    }

    func logs(_ request: PodLogRequest, write: @escaping @Sendable (ByteBuffer) async throws -> Void) async throws {
        var query = LogQuery()
        query.follow = request.follow
        query.timestamps = request.timestamps
        query.tailLines = request.tailLines
        query.limitBytes = request.limitBytes
        query.since = request.sinceTime ?? request.sinceSeconds.map { Timestamps.text(Timestamps.seconds() - $0) }
        do {
            let log = try await current().log(
                namespace: request.namespace, pod: request.pod, container: request.container, previous: request.previous
            )
            try await query.read(log, write: write)
        } catch let error as RuntimeError {
            throw APIError.badRequest(error.message)
        }
    }

    func exec(_ request: PodExecRequest, streams: ExecStreams) async throws -> ExecOutcome {
        let (sizes, continuation) = AsyncStream.makeStream(
            of: (columns: Int, rows: Int).self, bufferingPolicy: .bufferingNewest(1))
        let resizing = Task {
            for await size in streams.resizes { continuation.yield((size.width, size.height)) }
            continuation.finish()
        }
        defer { resizing.cancel() }
        do {
            let code = try await current().exec(
                namespace: request.namespace, pod: request.pod, container: request.container, command: request.command,
                tty: request.tty, input: request.stdin ? streams.stdin : nil, resizes: request.tty ? sizes : nil
            ) { bytes, isError in
                if isError { try? await streams.stderr(bytes) } else { try? await streams.stdout(bytes) }
            }
            return .exited(code: code)
        } catch let error as RuntimeError {
            return .failed(message: error.message)
        }
    }

    /// Shows the output of the container's main process from now on.
    func attach(_ request: PodExecRequest, streams: ExecStreams) async throws -> ExecOutcome {
        var log = PodLogRequest(namespace: request.namespace, pod: request.pod, container: request.container)
        log.follow = true
        log.tailLines = 0
        try await logs(log) { try await streams.stdout($0) }
        return .exited(code: 0)
    }
}
