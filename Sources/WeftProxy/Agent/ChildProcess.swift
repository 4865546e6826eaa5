#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A program that the agent runs: started once, waited for, and ended by us alone.
struct ChildProcess: Sendable {
    struct StartFailure: Error, CustomStringConvertible {
        var path: String
        var code: CInt
        var description: String { unsafe "cannot start \(path): \(String(cString: strerror(code)))" }
    }

    let identifier: pid_t

    /// - Parameter isSilent: whether what it writes goes nowhere, not where our own log goes.
    init(path: String, arguments: [String], isSilent: Bool = false) throws {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        if isSilent {
            for descriptor in [STDOUT_FILENO, STDERR_FILENO] {
                unsafe posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
            }
        }
        var list: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) }
        list.append(nil)
        defer { for item in list { free(item) } }
        var child: pid_t = 0
        let code = unsafe posix_spawnp(&child, path, &actions, nil, list, environ)
        guard code == 0 else { throw StartFailure(path: path, code: code) }
        identifier = child
    }

    /// Waits for the end without holding a thread.
    /// - Returns: The exit status, or 128 and the signal's number.
    func wait() async -> CInt {
        while true {
            var status: CInt = 0
            let result = unsafe waitpid(identifier, &status, WNOHANG)
            if result == identifier { return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + status & 0x7F }
            if result < 0, errno != EINTR { return 127 }
            // Cancelled or not: the process is still ours to wait for.
            _ = try? await Task.sleep(for: .milliseconds(100))
            if Task.isCancelled { return 0 }
        }
    }

    func send(_ signal: CInt) { kill(identifier, signal) }
}
