#if canImport(Glibc)
import Glibc
#endif

/// What the process does on signals. The first process of a PID namespace ignores a signal that it has no handler for,
/// so a sample asks for its end explicitly.
package enum ProcessSignals {
    /// SIGTERM and SIGINT end the process at once; children that were adopted are reaped by the kernel.
    package static func install() {
        for number in [SIGTERM, SIGINT] { _ = signal(number) { _ in _exit(0) } }
        signal(SIGCHLD, SIG_IGN)
        signal(SIGPIPE, SIG_IGN)
    }
}
