import ArgumentParser
import CWeftLinux
import WeftCore
import WeftRuntime

#if canImport(Glibc)
import Glibc
#endif

/// Where `weft-node` begins. Everything that must happen before a thread exists happens here, in order: the launcher's
/// subcommands, the host's sockets, the node's own network namespace, the signal mask.
package enum NodeEntry {
    package static func main() -> Never {
        weft_launcher_main(CommandLine.argc, CommandLine.unsafeArgv)
        signal(SIGPIPE, SIG_IGN)
        let run: NodeCommand.Run
        do {
            guard let parsed = try NodeCommand.parseAsRoot() as? NodeCommand.Run else { throw CleanExit.helpRequest() }
            run = parsed
        } catch {
            NodeCommand.exit(withError: error)
        }
        do {
            try HostCheck.verify()
            let sockets = try HostSockets(run.options)
            let entered = weft_enter_new_network()
            guard entered == 0 else {
                throw RuntimeError(
                    "cannot create a network namespace: \(String(cString: strerror(-entered))); run as root")
            }
            serve(run.options, sockets)
        } catch {
            print("weft-node: \(error)", to: &standardError)
            exit(1)
        }
    }

    /// The main thread waits for signals; the work happens on the runtime's threads.
    private static func serve(_ options: NodeOptions, _ sockets: HostSockets) -> Never {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        let node = Task {
            do {
                try await NodeServer(options, sockets).run()
                exit(0)
            } catch {
                print("weft-node: \(error)", to: &standardError)
                exit(1)
            }
        }
        var received: Int32 = 0
        sigwait(&signals, &received)
        node.cancel()
        // A second signal does not wait.
        sigwait(&signals, &received)
        exit(130)
    }

    private static var standardError: StandardError {
        get { StandardError() }
        set {}
    }
    private struct StandardError: TextOutputStream {
        mutating func write(_ text: String) {
            _ = Array(text.utf8).withUnsafeBytes { Glibc.write(2, $0.baseAddress, $0.count) }
        }
    }
}

/// Looks for what the node cannot do without, and says what to do about it.
enum HostCheck {
    static func verify() throws {
        guard geteuid() == 0 else { throw RuntimeError("the local node must run as root; try: sudo weft up") }
        for (command, package) in [("ip", "iproute2"), ("nft", "nftables")] {
            let found = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
                .contains { Files.exists("\($0)/\(command)") }
            if !found {
                throw RuntimeError("the command '\(command)' is missing; install it: apt-get install \(package)")
            }
        }
        let systems = String(decoding: Files.read("/proc/filesystems") ?? [], as: UTF8.self)
        if !systems.contains("overlay") {
            throw RuntimeError("the kernel has no overlay file system; try: modprobe overlay")
        }
        for kind in ["net", "mnt", "pid", "uts", "ipc"] where !Files.exists("/proc/self/ns/\(kind)") {
            throw RuntimeError("the kernel has no \(kind) namespaces")
        }
    }
}

/// The sockets on the host's loopback, opened before the node leaves the host's network.
struct HostSockets: Sendable {
    let api: Int32
    let http: Int32
    let https: Int32
    let dashboard: Int32

    init(_ options: NodeOptions) throws {
        func listen(_ port: UInt16, _ flag: String) throws -> Int32 {
            let descriptor = weft_listen_loopback(port)
            guard descriptor >= 0 else {
                throw RuntimeError(
                    "cannot listen on 127.0.0.1:\(port): \(String(cString: strerror(-descriptor))); choose another with \(flag)"
                )
            }
            return descriptor
        }
        api = try listen(options.apiPort, "--api-port")
        http = try listen(options.httpPort, "--http-port")
        https = try listen(options.httpsPort, "--https-port")
        dashboard = try listen(options.dashboardPort, "--dashboard-port")
    }
}
