import Logging
import NIOPosix
import WeftADS
import WeftCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The agent of a real Envoy: gets the certificate, writes secrets and bootstrap, runs Envoy and watches over it.
struct EnvoyAgent {
    let settings: AgentSettings
    let logs: LogLevels
    let path: String
    /// Arguments for Envoy itself.
    var arguments: [String] = []

    /// Returns only by ending the process.
    func run() async throws {
        let logger = logs.logger("envoy-agent")
        let signals = TerminationSignals.stream()
        let status = AgentStatus()
        let files = SecretFiles(directory: settings.paths.proxyDirectory)
        let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let server = try await startHealth(status)
        let keeper = IdentityKeeper(settings: settings, status: status, logger: logger) { identity in
            do {
                try files.write(identity)
                arrived.yield(())
            } catch { logger.error("\(error)") }
        }
        let relay = GRPCHost(
            socketPath: socketPath, services: [XDSRelay(settings.discoveryClient, logger: logs.logger("xds"))])
        for problem in settings.problems { logger.warning("\(problem)") }
        if settings.capturesDNS {
            logger.error("ISTIO_META_DNS_CAPTURE: the agent of Envoy does not answer DNS questions; use weft-proxy")
        }
        await withTaskGroup(of: CInt?.self) { group in
            group.addTask {
                await keeper.run()
                return nil
            }
            group.addTask {
                do { try await relay.run() } catch { logger.critical("no socket for discovery: \(error)") }
                return Task.isCancelled ? nil : 1
            }
            group.addTask {
                // Envoy does not start without its secrets; nothing that it would serve then is of use.
                for await _ in arrivals { break }
                return await supervise(status, logger)
            }
            group.addTask {
                for await number in signals {
                    logger.info("signal \(number): ending")
                    break
                }
                return 0
            }
            for await code in group {
                guard let code else { continue }
                status.draining()
                group.cancelAll()
                await current.end(grace: .seconds(4))
                await server.stop()
                exit(code)
            }
        }
    }

    private let current = RunningEnvoy()
    /// As Istio's agent names it.
    private var socketPath: String { "\(settings.paths.proxyDirectory)/XDS" }

    /// Starts Envoy again when it ends, a few times; then the container is to start again.
    private func supervise(_ status: AgentStatus, _ logger: Logger) async -> CInt {
        var failures = 0
        while !Task.isCancelled {
            await waitForInotify(status, logger)
            if Task.isCancelled { return 0 }
            do {
                let process = try start()
                logger.info("Envoy runs as process \(process.identifier)")
                await current.set(process)
                let begin = ContinuousClock.now
                let code = await process.wait()
                if Task.isCancelled { return 0 }
                await current.set(nil)
                logger.error("Envoy ended with status \(code)")
                failures = ContinuousClock.now - begin > .seconds(60) ? 1 : failures + 1
                if failures >= 5 { return code == 0 ? 1 : code }
            } catch {
                logger.critical("\(error)")
                return 1
            }
            try? await Task.sleep(for: .seconds(failures))
        }
        return 0
    }

    /// Envoy takes an inotify instance for each of the two secrets that it reads from files, and aborts if it gets none:
    /// five times, and then the container backs off for minutes. So it is not started before they are there.
    private func waitForInotify(_ status: AgentStatus, _ logger: Logger) async {
        var isTold = false
        while !Task.isCancelled, !InotifyInstances.areFree(2) {
            if !isTold {
                let text =
                    "Envoy cannot watch its secrets: this machine has no inotify instance left for user \(getuid()); "
                    + "raise fs.inotify.max_user_instances (sysctl), or stop other pods"
                status.problem(text)
                logger.error("\(text); looking again every second")
            }
            isTold = true
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func start() throws -> ChildProcess {
        let bootstrap = EnvoyBootstrap(settings: settings, socketPath: socketPath)
        let file = "\(settings.paths.proxyDirectory)/envoy-bootstrap.json"
        try AtomicFile.write(bootstrap.json.text(pretty: true), to: file)
        return try ChildProcess(
            path: path,
            arguments: [
                "-c", file, "--drain-time-s", "3", "--parent-shutdown-time-s", "5", "--disable-hot-restart",
                "--concurrency", String(settings.concurrency), "-l", logs.envoyName,
            ] + arguments)
    }

    private func startHealth(_ status: AgentStatus) async throws -> Servers {
        let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
        let health: [String: AdminServer.Route] = ["/healthz/ready": { _ in await Self.readiness(status) }]
        var merged = health
        let application = ApplicationMetrics(settings)
        merged["/stats/prometheus"] = { _ in
            // With a hundred clusters Envoy has 25,000 series, four fifths of which nothing ever touched.
            var page = await Self.admin("/stats/prometheus?usedonly")
            if page.status == 200 { page.body += await application.text() }
            return page
        }
        let probes = ApplicationHealth(probers: settings.probers, instanceIP: settings.instanceIP)
        let servers = Servers(all: [
            AdminServer(routes: health), AdminServer(routes: merged.merging(probes.routes()) { $1 }),
        ])
        for (server, port) in zip(servers.all, [15021, 15020] as [UInt16]) {
            _ = try await server.start(host: "0.0.0.0", port: port, on: loop)
        }
        return servers
    }

    private struct Servers {
        var all: [AdminServer]
        func stop() async { for server in all { await server.stop() } }
    }

    private static func admin(_ path: String) async -> AdminReply {
        do {
            let response = try await LocalHTTPClient.send(.init(host: "127.0.0.1", port: 15000, path: path))
            return AdminReply(response.body, status: response.status)
        } catch { return AdminReply("Envoy does not answer: \(error)\n", status: 503) }
    }

    /// Envoy is ready when it has had clusters and listeners and says that it is live.
    private static func readiness(_ status: AgentStatus) async -> AdminReply {
        guard status.identity != nil else { return AdminReply("not ready: no certificate yet\n", status: 503) }
        let live = await admin("/ready")
        guard live.status == 200 else {
            let why = status.lastProblem.map { " (\($0))" } ?? ""
            return AdminReply("not ready: \(live.body)\(why)\n", status: 503)
        }
        let stats = await admin("/stats?filter=update_success").body
        for name in ["cluster_manager.cds.update_success", "listener_manager.lds.update_success"] {
            let isThere = stats.split(separator: "\n").contains { $0.hasPrefix("\(name):") && !$0.hasSuffix(": 0") }
            if !isThere { return AdminReply("not ready: \(name) is 0\n", status: 503) }
        }
        return AdminReply("")
    }
}

/// The process that runs now.
private actor RunningEnvoy {
    private var process: ChildProcess?

    func set(_ process: ChildProcess?) { self.process = process }

    /// Asks it to end, and ends it after `grace`.
    func end(grace: Duration) async {
        guard let process else { return }
        process.send(SIGTERM)
        let killer = Task {
            try? await Task.sleep(for: grace)
            if !Task.isCancelled { process.send(SIGKILL) }
        }
        _ = await Task.detached { await process.wait() }.value
        killer.cancel()
    }
}
