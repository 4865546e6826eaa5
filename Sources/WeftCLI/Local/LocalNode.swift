import Foundation
import Glibc
import WeftKubernetes

/// Starts a home's `weft-node` and knows whether it lives.
struct LocalNode: Sendable {
    var home: LocalHome

    /// Starts the node in a session of its own; none of the caller's pipes stay open in it.
    func start(_ ports: LocalPorts) throws {
        try FileManager.default.createDirectory(atPath: home.path + "/logs", withIntermediateDirectories: true)
        guard FileManager.default.createFile(atPath: home.nodeLog, contents: nil),
            let log = FileHandle(forWritingAtPath: home.nodeLog)
        else {
            throw CommandFailure("cannot write \(home.nodeLog): check the rights of \(home.path), or set WEFT_HOME.")
        }
        try log.close()
        let node = LocalHome.executable("weft-node")
        let status = spawn(["setsid", "--fork", node, "run", "--home", home.path] + ports.arguments)
        guard status == 0 else { throw CommandFailure("cannot start \(node) (status \(status)); see \(home.nodeLog).") }
    }

    /// Runs a command to its end with the log as output and no other descriptor of ours.
    ///
    /// Foundation's Process leaves a descriptor in the child, and waits until the last process holding it has ended.
    private func spawn(_ arguments: [String]) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, home.nodeLog, O_WRONLY | O_APPEND, 0)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? [] {
            if let descriptor = Int32(name), descriptor > 2 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        }
        var pointers = arguments.map { strdup($0) } + [nil]
        var variables = ProcessInfo.processInfo.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in pointers + variables { free(pointer) } }
        var pid: pid_t = 0
        let failure = posix_spawnp(&pid, arguments[0], &actions, nil, &pointers, &variables)
        guard failure == 0 else { return failure }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return status
    }

    /// The node's process, also before it has written `node.pid`.
    var isAlive: Bool { home.runningNode != nil || startingProcess != nil }

    var startingProcess: Int32? {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.lazy.compactMap { Int32($0) }.first { pid in
            let arguments = LocalHome.arguments(of: pid)
            return arguments.contains { $0.hasSuffix("/weft-node") } && arguments.contains("run")
                && arguments.contains(home.path)
        }
    }

    /// Waits until the API answers; throws the end of the node's log when the node dies first.
    func waitForAPI(within seconds: Int = 30) async throws {
        let start = ContinuousClock.now
        let deadline = start + .seconds(seconds)
        while ContinuousClock.now < deadline {
            if home.runningNode != nil, await answers() { return }
            // While it executes its image, a starting process has no command line to be recognised by.
            let isFresh = ContinuousClock.now < start + .seconds(1)
            guard isFresh || isAlive else { throw CommandFailure("weft-node did not start:\n\(logTail)") }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw CommandFailure(
            "the Kubernetes API did not answer within \(seconds) s; the end of \(home.nodeLog):\n\(logTail)")
    }

    private func answers() async -> Bool {
        guard let configuration = try? KubernetesConfiguration.standard(kubeconfig: home.kubeconfig, environment: [:])
        else { return false }
        let version = try? await GlobalOptions.withClient(configuration) { try await $0.serverVersion() }
        return version != nil
    }

    var logTail: String {
        let text = (try? String(contentsOfFile: home.nodeLog, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(15).map { "  \($0)" }.joined(separator: "\n")
    }

    /// Sends SIGTERM and waits for the end; after 30 s it kills.
    func stop(_ pid: Int32) async throws {
        kill(pid, SIGTERM)
        // Pods have up to their grace period; the node itself cuts that short when it goes down.
        for _ in 0..<300 {
            if kill(pid, 0) != 0 { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        print("weft-node (pid \(pid)) did not stop within 30 s; killing it.")
        kill(pid, SIGKILL)
        while kill(pid, 0) == 0 { try await Task.sleep(for: .milliseconds(50)) }
    }
}
