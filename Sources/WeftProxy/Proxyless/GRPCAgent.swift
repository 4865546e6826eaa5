import Logging
import NIOPosix
import WeftADS
import WeftCore
import WeftIdentity
import WeftMetrics

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The agent of an application that is its own data plane, by gRPC's own xDS client: it keeps the workload's certificates
/// as files, passes discovery on from a Unix socket with the workload's token, and writes the bootstrap that tells the
/// application of both. The pod's traffic is not touched.
struct GRPCAgent {
    let settings: AgentSettings
    let files: ProxylessFiles
    let logs: LogLevels

    /// Returns only by ending the process.
    func run() async throws {
        let logger = logs.logger("grpc-agent")
        let signals = TerminationSignals.stream()
        let status = AgentStatus()
        let servers = try await startHealth(status)
        let keeper = IdentityKeeper(settings: settings, status: status, logger: logger) { identity in
            do {
                try files.write(identity)
                // The application starts once there is a bootstrap, and what it names is there by then.
                try files.writeBootstrap(for: settings.node)
                status.serving()
            } catch {
                status.problem("\(error)")
                logger.error("\(error)")
            }
        }
        let relay = GRPCHost(
            socketPath: files.socket, services: [XDSRelay(settings.discoveryClient, logger: logs.logger("xds"))])
        for problem in settings.problems { logger.warning("\(problem)") }
        logger.info("\(settings.node.id), control plane \(settings.discovery), bootstrap \(files.bootstrap)")
        await withTaskGroup(of: CInt?.self) { group in
            group.addTask {
                do { try await relay.run() } catch { logger.critical("no socket for discovery: \(error)") }
                return Task.isCancelled ? nil : 1
            }
            group.addTask {
                do {
                    _ = try await relay.port
                    try files.openSocket()
                    await keeper.run()
                    return nil
                } catch {
                    if Task.isCancelled { return nil }
                    logger.critical("\(error)")
                    return 1
                }
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
                for server in servers { await server.stop() }
                exit(code)
            }
        }
    }

    private func startHealth(_ status: AgentStatus) async throws -> [AdminServer] {
        let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
        let health: [String: AdminServer.Route] = [
            "/healthz/ready": { _ in
                guard let reason = status.reasonWithoutBootstrap else { return AdminReply("") }
                return AdminReply("not ready: \(reason)\n", status: 503)
            }
        ]
        let application = ApplicationMetrics(settings)
        let metrics: [String: AdminServer.Route] = [
            "/stats/prometheus": { _ in
                AdminReply(
                    ProcessUsage.text(prefix: "istio_agent_") + (await application.text()),
                    contentType: "text/plain; version=0.0.4; charset=utf-8")
            }
        ]
        let servers = [AdminServer(routes: health), AdminServer(routes: health.merging(metrics) { $1 })]
        for (server, port) in zip(servers, [15021, 15020] as [UInt16]) {
            _ = try await server.start(host: "0.0.0.0", port: port, on: loop)
        }
        return servers
    }
}
