import ArgumentParser
import FoundationEssentials
import Logging

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// `weft-proxy machine`: the sidecar of a machine outside of Kubernetes.
struct MachineCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "machine",
        abstract: "Run as the sidecar of this machine, from the files of 'weft x workload entry configure'.",
        discussion: """
            Installs the redirect rules, runs the proxy as another user, and removes the rules at the end. Variables of the
            environment go before the files'.

            Example: weft-proxy machine --from /etc/weft
            """)

    @Option(
        name: .customLong("from"), help: "Directory with cluster.env, mesh.yaml, istio-token, root-cert.pem, hosts.")
    var directory: String
    @Flag(inversion: .prefixedNo, help: "Redirect the machine's traffic to the proxy; needs root.")
    var capture = true
    @Option(help: "User and group id that the proxy runs as; its own traffic is not redirected.")
    var user: UInt32 = 1337
    @Option(name: [.customLong("proxyLogLevel"), .customLong("log-level")], help: "Level of the proxy's own log.")
    var logLevel = "info"
    /// The process that the rules were made for.
    @Flag(name: .customLong("captured"), help: .hidden)
    var isCaptured = false

    func run() async throws {
        guard let level = LogLevels.parse(logLevel) else { throw ValidationError("unknown log level \"\(logLevel)\"") }
        let files = MachineFiles(directory: directory)
        let environment = try files.environment(ProcessInfo.processInfo.environment, host: .current)
        if capture, !isCaptured {
            try await runCaptured(environment, LogLevels(level).logger("weft-proxy"))
            return
        }
        if isCaptured { try MachinePrivileges(user: user, files: files).drop() }
        var settings = AgentSettings(role: .sidecar, environment: environment, paths: files.paths)
        settings.useHosts(files.hosts)
        Environment.set(settings.canonicalEnvironment)
        try await ProxyAgent(settings: settings, logs: LogLevels(level)).run()
    }

    /// Holds the rules while another process, without our rights, is the proxy.
    private func runCaptured(_ environment: [String: String], _ logger: Logger) async throws {
        let rules = MachineCapture(environment: environment, user: user).rules
        let problems = rules.problems()
        guard problems.isEmpty else {
            throw ValidationError(
                "in \(directory)/\(MachineFiles.environmentFile): " + problems.joined(separator: "\n"))
        }
        guard geteuid() == 0 else {
            throw ValidationError(
                "redirecting the machine's traffic needs root; run as root, or with --no-capture where the rules are "
                    + "made in another way ('weft-proxy istio-iptables')")
        }
        let signals = TerminationSignals.stream()
        try NFTables.apply(rules.script())
        defer { try? NFTables.apply(CaptureRules.removal) }
        let proxy = try ChildProcess(
            path: "/proc/self/exe",
            arguments: [
                "machine", "--from", directory, "--captured", "--user", String(user), "--log-level", logLevel,
            ])
        let forwarding = Task { for await number in signals { proxy.send(number) } }
        let status = await proxy.wait()
        forwarding.cancel()
        if status != 0 {
            logger.error("the proxy ended with status \(status); the redirect rules are removed")
            throw ExitCode(status)
        }
    }
}

/// The redirect rules that a machine's files ask for, with the variables of Istio's `istio-start.sh`. Pure.
struct MachineCapture {
    let environment: [String: String]
    let user: UInt32

    var rules: CaptureRules {
        func list(_ name: String, _ standard: String) -> String { environment[name] ?? standard }
        var rules = CaptureRules(
            proxyUser: user, proxyGroup: user, includeOutboundRanges: list("ISTIO_SERVICE_CIDR", "*"),
            excludeOutboundRanges: list("ISTIO_SERVICE_EXCLUDE_CIDR", ""),
            includeInboundPorts: list("ISTIO_INBOUND_PORTS", "*"),
            excludeInboundPorts: list("ISTIO_LOCAL_EXCLUDE_PORTS", "22,15090,15021,15020"),
            includeOutboundPorts: list("ISTIO_OUTBOUND_PORTS", ""),
            excludeOutboundPorts: list("ISTIO_LOCAL_OUTBOUND_PORTS_EXCLUDE", ""))
        if environment["ISTIO_META_DNS_CAPTURE"]?.lowercased() == "true" {
            rules.dnsPort = UInt16(NameServer.standardPort)
        }
        return rules
    }
}

/// Gives up root for good, with what the proxy must still read in its hands.
struct MachinePrivileges {
    let user: UInt32
    let files: MachineFiles

    func drop() throws {
        guard geteuid() == 0 else { return }
        // Whoever has the token is the machine; nobody else is to read it.
        let token = files.paths.token
        guard chown(token, user, user) == 0, chmod(token, 0o600) == 0 else {
            throw MachineFiles.Problem(
                description: "cannot give \(token) to user \(user): \(String(cString: strerror(errno)))")
        }
        guard setgroups(0, nil) == 0, setgid(user) == 0, setuid(user) == 0 else {
            throw MachineFiles.Problem(
                description: "cannot become user \(user): \(String(cString: strerror(errno)))")
        }
        for path in [token, files.paths.root] where access(path, R_OK) != 0 {
            throw MachineFiles.Problem(
                description: "user \(user), whom the proxy runs as, cannot read \(path): "
                    + "\(String(cString: strerror(errno))); let it enter the directories above")
        }
    }
}

extension AgentSettings {
    /// Dials addresses instead of names that the machine's DNS may not know.
    mutating func useHosts(_ hosts: [String: String]) {
        discovery.host = hosts[discovery.host] ?? discovery.host
        authority.host = hosts[authority.host] ?? authority.host
    }
}
