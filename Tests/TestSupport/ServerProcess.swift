import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Where the repository and what the tests run are.
package enum Workspace {
    package static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path(percentEncoded: false)
    /// `WEFT_PROXY` names another build, such as the release one.
    package static let weftProxy =
        ProcessInfo.processInfo.environment["WEFT_PROXY"] ?? root + ".build/debug/weft-proxy"
    package static let envoy = root + ".build-tools/envoy/envoy/_bin/envoy"

    /// A new empty folder for the files of one test run.
    package static func folder(_ name: String) throws -> String {
        let path = root + ".build/tests/" + name
        try? FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }
}

/// A server that a test started, ended when the test asks or the test process exits.
///
/// Foundation's `Process` waits in a run loop, which a thread of the concurrency runtime does not have: it spins for
/// ever. So this starts and reaps by itself.
package final class ServerProcess: Sendable {
    package let name: String
    package let log: String
    package let identifier: Int32
    private let hasEnded = Mutex(false)

    /// - Parameter takesSignals: Threads of the concurrency runtime block signals, and what they start inherits that: a
    ///   program that does nothing about it does not end when asked. Not for Envoy, which asks the kernel to be ended
    ///   with the thread that started it (`PR_SET_PDEATHSIG`): such threads come and go.
    package init(
        _ name: String, _ executable: String, _ arguments: [String], log: String, takesSignals: Bool = false
    ) throws {
        self.name = name
        self.log = log
        identifier = try Self.spawn(executable, arguments, log: log, takesSignals: takesSignals)
    }

    /// Starts a program that ends with the test process.
    /// - Parameter passing: Descriptors of ours that it gets as 3, 4 and so on; no other is open in it but the standard
    ///   three, of which the last two go to `log`. They lie above 200 (``Browser``).
    static func spawn(
        _ executable: String, _ arguments: [String], log: String, passing: [Int32] = [], takesSignals: Bool = false
    ) throws -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        for (place, descriptor) in passing.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, CInt(3 + place))
        }
        // What the tests have open, listening sockets among it, is no business of the program.
        for descriptor in CInt(3 + passing.count)..<200 { posix_spawn_file_actions_addclose(&actions, descriptor) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        if takesSignals { posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK)) }
        let words = ([executable] + arguments).map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        var child: pid_t = 0
        let status = posix_spawn(&child, executable, &actions, &attributes, words, environ)
        guard status == 0 else { throw StepFailure("\(executable): \(String(cString: strerror(status)))") }
        ProcessEnd.kill(atExit: child)
        return child
    }

    package var isRunning: Bool {
        hasEnded.withLock { ended in
            if !ended, waitpid(identifier, nil, WNOHANG) == identifier {
                ended = true
                ProcessEnd.forget(identifier)
            }
            return !ended
        }
    }
    package var output: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    /// Waits until something listens on the port.
    package func waitForPort(_ port: UInt16, address: String = "127.0.0.1") async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            guard isRunning else { throw StepFailure("\(name) ended:\n\(output.prefix(1000))") }
            if let socket = try? RawSocket(to: address, port: port) { return socket.close() }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw StepFailure("\(name) does not listen on \(address):\(port):\n\(output.prefix(1000))")
    }

    /// Resident memory in bytes.
    package var residentBytes: Int {
        let text = (try? String(contentsOfFile: "/proc/\(identifier)/statm", encoding: .utf8)) ?? ""
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * 4096
    }

    /// Forgets the greatest resident memory so far.
    package func resetPeak() {
        try? "5".write(toFile: "/proc/\(identifier)/clear_refs", atomically: false, encoding: .utf8)
    }

    /// The greatest resident memory since ``resetPeak()``, in bytes.
    package var peakBytes: Int {
        let text = (try? String(contentsOfFile: "/proc/\(identifier)/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
        return (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) << 10
    }

    /// Asks it to end, and insists after `seconds`.
    package func stop(within seconds: Int = 2) {
        guard isRunning else { return }
        kill(identifier, SIGTERM)
        for _ in 0..<seconds * 100 {
            guard isRunning else { return }
            usleep(10_000)
        }
        kill(identifier, SIGKILL)
        while isRunning { usleep(10_000) }
    }
}

/// Tests leave no servers behind, however their process ends: a shell beside it knows what runs, and kills that once the
/// pipe between them closes. (What the process would do at its exit is not done when it is killed.)
enum ProcessEnd {
    private static let script = """
        trap '' INT TERM HUP
        alive=' '
        while read -r sign pid; do
            case $sign in
            began) alive="$alive$pid ";;
            ended) alive="${alive%% $pid *} ${alive#* $pid }";;
            esac
        done
        for pid in $alive; do kill -KILL "$pid" 2>/dev/null; done
        """
    /// The writing end of the pipe; no child has it.
    private static let writing: Int32 = {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return -1 }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        for descriptor in CInt(3)..<200 { posix_spawn_file_actions_addclose(&actions, descriptor) }
        let words = (["/bin/sh", "-c", script] as [String]).map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        var child: pid_t = 0
        let status = posix_spawn(&child, "/bin/sh", &actions, nil, words, environ)
        close(ends[0])
        guard status == 0 else {
            close(ends[1])
            return -1
        }
        return ends[1]
    }()

    static func kill(atExit identifier: Int32) { tell("began \(identifier)\n") }

    /// It has ended and is reaped: its number may be another's from now on.
    static func forget(_ identifier: Int32) { tell("ended \(identifier)\n") }

    /// Short lines are written as a whole.
    private static func tell(_ line: String) {
        let bytes = Array(line.utf8)
        _ = write(writing, bytes, bytes.count)
    }
}

/// Runs `body` for every element on `threads` threads, because the body blocks; waits for all.
package func onThreads<Element: Sendable>(
    _ threads: Int, _ elements: [Element], _ body: @escaping @Sendable (Element) -> Void
) async {
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
        let progress = ThreadProgress(threads: threads) { done.resume() }
        for _ in 0..<threads {
            let thread = Thread {
                while let index = progress.next(below: elements.count) { body(elements[index]) }
                progress.threadEnded()
            }
            thread.start()
        }
    }
}

/// What the threads of one ``onThreads(_:_:_:)`` share.
private final class ThreadProgress: Sendable {
    private struct State {
        var next = 0
        var running: Int
    }
    private let state: Mutex<State>
    private let completion: @Sendable () -> Void

    init(threads: Int, completion: @escaping @Sendable () -> Void) {
        state = Mutex(State(running: threads))
        self.completion = completion
    }

    func next(below end: Int) -> Int? {
        state.withLock { state in
            guard state.next < end else { return nil }
            defer { state.next += 1 }
            return state.next
        }
    }

    func threadEnded() {
        let isLast = state.withLock { state in
            state.running -= 1
            return state.running == 0
        }
        if isLast { completion() }
    }
}
