package import NIOCore

/// What runs the pods, as the API server needs it for `logs`, `exec`, `attach` and `port-forward`.
///
/// The server has checked that the pod exists and that the container is one of its spec; everything else, such as a
/// container that is not running, the backend reports by throwing ``APIError``.
package protocol PodBackend: Sendable {
    /// Writes the log to `write`, and goes on for as long as the container runs when `request.follow` is set.
    /// Cancelled when the caller goes away.
    func logs(_ request: PodLogRequest, write: @escaping @Sendable (ByteBuffer) async throws -> Void) async throws

    /// Runs a command in a container until it ends.
    func exec(_ request: PodExecRequest, streams: ExecStreams) async throws -> ExecOutcome

    /// Attaches to the container's main process.
    func attach(_ request: PodExecRequest, streams: ExecStreams) async throws -> ExecOutcome
}

/// Which lines of which container's log.
package struct PodLogRequest: Sendable {
    package var namespace: String
    package var pod: String
    package var container: String
    package var follow = false
    package var previous = false
    package var timestamps = false
    package var tailLines: Int?
    package var sinceSeconds: Int?
    /// RFC 3339.
    package var sinceTime: String?
    package var limitBytes: Int?

    package init(namespace: String, pod: String, container: String) {
        self.namespace = namespace
        self.pod = pod
        self.container = container
    }
}

/// Which command, in which container.
package struct PodExecRequest: Sendable {
    package var namespace: String
    package var pod: String
    package var container: String
    package var command: [String]
    package var tty = false
    package var stdin = false
    package var stdout = true
    package var stderr = true

    package init(namespace: String, pod: String, container: String, command: [String]) {
        self.namespace = namespace
        self.pod = pod
        self.container = container
        self.command = command
    }
}

/// A terminal's size in characters.
package struct TerminalSize: Sendable, Hashable, Codable {
    package var width: Int
    package var height: Int
    private enum CodingKeys: String, CodingKey {
        case width = "Width"
        case height = "Height"
    }
}

/// The two ends of a command's input and output. `stdin` ends when the caller closes it or goes away.
package struct ExecStreams: Sendable {
    package var stdin: AsyncStream<ByteBuffer>
    package var resizes: AsyncStream<TerminalSize>
    package var stdout: @Sendable (ByteBuffer) async throws -> Void
    package var stderr: @Sendable (ByteBuffer) async throws -> Void
}

/// How a command ended.
package enum ExecOutcome: Sendable, Hashable {
    case exited(code: Int)
    /// It never ran; the message is what the user sees.
    case failed(message: String)
}
