import FoundationEssentials
import Logging
import NIOPosix
import WeftCore
import WeftIR
import WeftXDS

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A proxy that is nobody's sidecar: its bootstrap says all, no pod and no control plane are needed.
struct StandaloneProxy {
    let bootstrap: Bootstrap
    /// What of the bootstrap has no effect.
    let warnings: [String]
    let ignoredFields: [String]
    let workers: Int
    let drain: DrainSettings
    let restart: RestartRole.Options
    let logs: LogLevels
    let adminAddressPath: String?

    /// Builds what would be served, and serves nothing.
    /// - Throws: ``BootstrapError`` with what cannot be built.
    func validate() async throws {
        var files = SecretFileReader()
        var resources = ResourceFileReader()
        resources.listenersFile = bootstrap.listeners?.file
        resources.clustersFile = bootstrap.clusters?.file
        resources.runtime = RuntimeValues(bootstrap.runtime)
        let (listed, unusable) = resources.resolve(bootstrap.configuration)
        let (configuration, unread) = files.resolve(listed)
        var builder = SnapshotBuilder()
        let (_, problems) = builder.build(configuration, workload: [:])
        _ = try StandaloneDiscovery(bootstrap)
        let all = ResourceCheck.problems(configuration) + unusable + unread + problems
        guard all.isEmpty else { throw BootstrapError(lines: all) }
        report()
    }

    /// Returns when the process is to end.
    /// - Throws: ``BootstrapError`` if the static configuration cannot be served as it is.
    func run() async throws {
        let logger = logs.logger("weft-proxy")
        report()
        let signals = TerminationSignals.stream()
        let (quits, quit) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        var options = DataPlane.Options()
        options.concurrency = workers
        options.listenersFile = bootstrap.listeners?.file
        options.clustersFile = bootstrap.clusters?.file
        options.runtime = RuntimeValues(bootstrap.runtime)
        options.serviceCluster = bootstrap.node.cluster
        options.node = MetricsNode(id: bootstrap.node.id, metadata: bootstrap.node.metadata, principal: nil)
        options.labelPrefix = "envoy_"
        options.observedNode = ObservedNode(
            id: bootstrap.node.id, cluster: bootstrap.node.cluster, zone: bootstrap.node.locality.zone)
        options.limits = ConnectionLimits(runtime: bootstrap.runtime, overload: bootstrap.overload)
        options.drain = drain
        let role = try RestartRole(restart, logger)
        options.parent = role.parent
        options.home = ProxyHome(locality: bootstrap.node.locality, cluster: bootstrap.localCluster)
        let discovery = try StandaloneDiscovery(bootstrap)
        options.warn = { logger.warning("\($0)") }
        let plane = DataPlane(options: options)
        let status = AgentStatus()
        status.ignored(ignoredFields)
        let pages = StandalonePages(
            plane: plane, status: status, bootstrap: bootstrap, logs: logs, quit: { quit.yield(()) }, options: flags)
        role.parent?.tell(.closeAdmin)
        let admin = try await startAdmin(pages, logger)
        try role.serve(plane, admin: admin, quit: { quit.yield(()) })
        let refused = ResourceCheck.problems(bootstrap.configuration)
        guard refused.isEmpty else { throw BootstrapError(lines: refused) }
        let first = discovery?.startingConfiguration(bootstrap.configuration) ?? bootstrap.configuration
        let problems = await plane.apply(first)
        guard problems.isEmpty else { throw BootstrapError(lines: problems) }
        status.ignored(plane.ignoredFields)
        for (name, addresses) in plane.bound.sorted(by: { $0.key < $1.key }) {
            let places = Set(addresses.map { "\($0)" }).sorted().joined(separator: ", ")
            logger.info("listener \(name) on \(places)")
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await number in signals {
                    logger.info("signal \(number): ending")
                    break
                }
            }
            group.addTask { for await _ in quits { break } }
            group.addTask {
                await plane.followFiles { problems in
                    for problem in problems { logger.warning("\(problem)") }
                }
            }
            if let watch = OverloadWatch(bootstrap.overload, plane) { group.addTask { await watch.run() } }
            group.addTask { await role.takeOver(plane) }
            if let discovery {
                group.addTask { await discovery.run(plane, status, logs.logger("xds")) }
            }
            await group.next()
            group.cancelAll()
            role.stop()
        }
        // As Envoy: a signal ends the process at once; whoever wants to drain asks /drain_listeners first.
        await plane.shutdown(grace: .zero)
        await admin?.stop()
        logger.info("ended")
    }

    /// `command_line_options` of `/server_info`.
    private var flags: JSONValue {
        [
            "base_id": .string(String(restart.baseID ?? 0)), "concurrency": .int(Int64(workers)),
            "restart_epoch": .int(Int64(restart.epoch ?? 0)), "disable_hot_restart": .bool(restart.isDisabled),
            "use_dynamic_base_id": .bool(restart.isDynamic), "drain_time": .string("\(drain.seconds)s"),
            "drain_strategy": .string(drain.strategy == .immediate ? "Immediate" : "Gradual"),
            "parent_shutdown_time": .string("\(restart.parentShutdownSeconds)s"), "log_level": .string(logs.envoyName),
            "service_node": .string(bootstrap.node.id), "service_cluster": .string(bootstrap.node.cluster),
            "mode": "Serve",
        ]
    }

    private func report() {
        let logger = logs.logger("bootstrap")
        for warning in warnings { logger.warning("\(warning)") }
    }

    private func startAdmin(_ pages: StandalonePages, _ logger: Logger) async throws -> AdminServer? {
        guard let address = bootstrap.admin else { return nil }
        guard case .ip(let host, let port) = address else {
            throw BootstrapError(lines: ["admin.address: only an IP address with a port is supported"])
        }
        let catalogue = pages.catalogue
        let server = AdminServer(routes: catalogue.routes, fallback: catalogue.fallback)
        do {
            let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
            let bound = try await server.start(host: host, port: port, on: loop)
            logger.info("admin on \(host):\(bound)")
            if let adminAddressPath {
                try Data("\(host):\(bound)".utf8).write(to: URL(filePath: adminAddressPath), options: .atomic)
            }
        } catch {
            throw BootstrapError(lines: ["admin.address: \(error)"])
        }
        return server
    }
}
