#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A running Envoy: started once, waited for, and ended by us alone.
struct EnvoyProcess: Sendable {
    struct StartFailure: Error, CustomStringConvertible {
        var path: String
        var code: CInt
        var description: String { unsafe "cannot start \(path): \(String(cString: strerror(code)))" }
    }

    let identifier: pid_t

    init(path: String, arguments: [String]) throws {
        var list: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) }
        list.append(nil)
        defer { for item in list { free(item) } }
        var child: pid_t = 0
        let code = posix_spawnp(&child, path, nil, nil, list, environ)
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
