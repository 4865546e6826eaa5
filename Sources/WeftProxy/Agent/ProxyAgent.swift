import Logging
import NIOPosix
import WeftADS
import WeftCore
import WeftIdentity

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A proxy in the mesh from start to exit: identity, configuration, data plane, and the pages that show them.
struct ProxyAgent {
    /// From SIGTERM to the end, at most; then what is left is cut off.
    static let terminationGrace = Duration.milliseconds(4500)

    let settings: AgentSettings
    let logs: LogLevels

    /// Returns when the process is to end.
    func run() async throws {
        let logger = logs.logger("weft-proxy")
        let signals = TerminationSignals.stream()
        let (quits, quit) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let status = AgentStatus()
        var options = options
        options.warn = { logger.warning("\($0)") }
        let plane = DataPlane(options: options)
        logger.info("\(settings.node.id), control plane \(settings.discovery), authority \(settings.authority)")
        for problem in settings.problems { logger.warning("\(problem)") }
        let pages = AgentPages(
            plane: plane, status: status, settings: settings, logs: logs, quit: { quit.yield(()) })
        let servers = try await startServers(pages, logger)
        let names = try await startNameServer(logger)
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await keepIdentity(plane, status).run()
                return false
            }
            let health = HealthReporter()
            group.addTask {
                await followConfiguration(plane, status, names, health).run()
                return false
            }
            if let probe = settings.applicationProbe {
                group.addTask {
                    await ApplicationProber(
                        probe: probe, instanceIP: settings.instanceIP, logger: logs.logger("probe")
                    ) { health.report($0) }.run()
                    return false
                }
            }
            group.addTask {
                for await number in signals {
                    logger.info("signal \(number): ending")
                    break
                }
                return true
            }
            group.addTask {
                for await _ in quits { break }
                return true
            }
            for await isEnd in group where isEnd { break }
            await end(plane, status, logger)
            group.cancelAll()
            // The streams of a control plane that hangs are not waited for.
            for server in servers { await server.stop() }
            await names?.stop()
            exit(0)
        }
    }

    private var options: DataPlane.Options {
        var options = DataPlane.Options()
        options.concurrency = settings.concurrency
        options.inherited = settings.inherited
        options.localPrincipal = settings.identity?.uri
        options.serviceCluster = settings.node.cluster
        options.metricSeriesLimit = settings.metricSeriesLimit
        options.node = MetricsNode(
            id: settings.node.id, metadata: settings.node.metadata, principal: settings.identity?.uri)
        options.observedNode = ObservedNode(id: settings.node.id, cluster: settings.node.cluster)
        options.home = settings.home
        return options
    }

    private func keepIdentity(_ plane: DataPlane, _ status: AgentStatus) -> IdentityKeeper {
        let logger = logs.logger("identity")
        return IdentityKeeper(settings: settings, status: status, logger: logger) { identity in
            for problem in await plane.apply(workloadSecrets: identity.secrets) { logger.warning("\(problem)") }
        }
    }

    private func followConfiguration(
        _ plane: DataPlane, _ status: AgentStatus, _ names: NameServer?, _ health: HealthReporter
    ) -> ADSClient {
        let logger = logs.logger("xds")
        let receiver = ConfigurationReceiver(plane: plane, status: status, logger: logger, nameServer: names)
        var client = settings.discoveryClient
        client.tap = plane
        client.health = health
        return ADSClient(client, delegate: receiver, logger: logger)
    }

    /// Before the names come, every question goes upstream.
    private func startNameServer(_ logger: Logger) async throws -> NameServer? {
        guard settings.capturesDNS else { return nil }
        let server = NameServer(
            namespace: settings.namespace, configuration: SystemFiles.resolverConfiguration(),
            eventLoop: MultiThreadedEventLoopGroup(numberOfThreads: 1).next())
        let port = try await server.start()
        logger.info("answers DNS questions on 127.0.0.1:\(port)")
        return server
    }

    private func startServers(_ pages: AgentPages, _ logger: Logger) async throws -> [AdminServer] {
        let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
        let places: [(String, UInt16, [String: AdminServer.Route])] = [
            ("127.0.0.1", 15000, pages.admin.routes), ("0.0.0.0", 15021, pages.health),
            ("0.0.0.0", 15020, pages.merged),
            ("0.0.0.0", 15090, pages.telemetry),
        ]
        var servers: [AdminServer] = []
        for (host, port, routes) in places {
            let server =
                port == 15000
                ? AdminServer(routes: routes, fallback: pages.admin.fallback) : AdminServer(routes: routes)
            _ = try await server.start(host: host, port: port, on: loop)
            servers.append(server)
        }
        logger.info("admin on 127.0.0.1:15000, health on 15021 and 15020, metrics on 15090")
        return servers
    }

    /// New connections are still taken for a moment, because the others learn late that we go.
    private func end(_ plane: DataPlane, _ status: AgentStatus, _ logger: Logger) async {
        status.draining()
        let watchdog = Task.detached {
            try? await Task.sleep(for: Self.terminationGrace)
            if !Task.isCancelled { exit(0) }
        }
        await plane.drainConnections()
        if settings.role == .router || status.isConnected { try? await Task.sleep(for: .milliseconds(800)) }
        await plane.shutdown(grace: .milliseconds(3000))
        watchdog.cancel()
        logger.info("ended")
    }
}
