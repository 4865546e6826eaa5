import Logging
import NIOCore
import WeftADS
import WeftRouting
import WeftTransport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Probes a machine's application as long as the proxy runs, as a kubelet does with a pod's.
struct ApplicationProber: Sendable {
    let probe: ApplicationProbe
    let instanceIP: String
    let logger: Logger
    /// Takes each change.
    let report: @Sendable (HealthInformation) -> Void

    /// Runs until the task is cancelled.
    func run() async {
        var count = ProbeCount(probe)
        do { try await Task.sleep(for: .seconds(probe.initialDelay)) } catch { return }
        while !Task.isCancelled {
            let problem = await attempt()
            if Task.isCancelled { return }
            if let problem { logger.debug("probe: \(problem)") }
            if let isHealthy = count.record(isGood: problem == nil) {
                logger.info("the application is \(isHealthy ? "well" : "not well: \(problem ?? "")")")
                report(HealthInformation(problem: isHealthy ? nil : problem))
            }
            do { try await Task.sleep(for: .seconds(probe.period)) } catch { return }
        }
    }

    /// - Returns: what is wrong, or `nil`.
    func attempt() async -> String? {
        switch probe.action {
        case .http(let http): await ask(http)
        case .tcp(let host, let port): await connect(host ?? instanceIP, port)
        case .exec(let command): await execute(command)
        case .grpc(let port, let service): await check(port, service)
        }
    }

    private var timeout: TimeAmount { .seconds(Int64(probe.timeout)) }

    /// From here connections to the machine itself are not redirected to the proxy.
    private func source(for host: String) -> String? {
        let isLocal = host == instanceIP || host == "localhost" || host.hasPrefix("127.")
        return isLocal && !host.contains(":") ? ApplicationHealth.sourceAddress : nil
    }

    private func ask(_ http: ApplicationProbe.HTTP) async -> String? {
        let host = http.host ?? instanceIP
        var request = LocalHTTPClient.Request(host: host, port: http.port, path: http.path)
        request.isTLS = http.isTLS
        request.bind = source(for: host)
        request.timeout = timeout
        request.headers = [("user-agent", "istio-probe/1.0")]
        for (name, value) in http.headers.sorted(by: { $0.key < $1.key }) {
            switch name.lowercased() {
            case "host": request.authority = value
            case "user-agent": request.headers[0].1 = value
            default: request.headers.append((name, value))
            }
        }
        do {
            let response = try await LocalHTTPClient.send(request)
            return (200..<400).contains(response.status)
                ? nil : "\(host):\(http.port)\(http.path) answered with status \(response.status)"
        } catch {
            return "\(host):\(http.port)\(http.path) did not answer: \(error)"
        }
    }

    private func connect(_ host: String, _ port: Int) async -> String? {
        let isUp = await LocalHTTPClient.canConnect(
            .init(host: host, port: port, path: "/", bind: source(for: host), timeout: timeout))
        return isUp ? nil : "\(host):\(port) does not accept connections"
    }

    private func execute(_ command: [String]) async -> String? {
        do {
            let process = try ChildProcess(path: command[0], arguments: Array(command.dropFirst()), isSilent: true)
            return await withTaskGroup(of: CInt?.self) { group in
                group.addTask { await process.wait() }
                group.addTask {
                    _ = try? await Task.sleep(for: .seconds(probe.timeout))
                    return nil
                }
                defer { group.cancelAll() }
                guard let status = await group.next() ?? nil, !Task.isCancelled else {
                    process.send(SIGKILL)
                    // Reaped, whatever it did.
                    await Task.detached { _ = await process.wait() }.value
                    return "\(command[0]) did not end in \(probe.timeout) s"
                }
                return status == 0 ? nil : "\(command[0]) ended with status \(status)"
            }
        } catch {
            return "\(error)"
        }
    }

    private func check(_ port: Int, _ service: String) async -> String? {
        var request = LocalHTTPClient.Request(host: instanceIP, port: port, path: "/grpc.health.v1.Health/Check")
        request.method = "POST"
        request.version = .http2
        request.bind = source(for: instanceIP)
        request.timeout = timeout
        request.headers = [("content-type", "application/grpc"), ("te", "trailers")]
        request.body = HealthCheckState.grpcRequest(service: service)
        let name = "gRPC health of \(instanceIP):\(port)" + (service.isEmpty ? "" : " for \(service)")
        do {
            let response = try await LocalHTTPClient.send(request)
            let status = response.trailers?.first("grpc-status") ?? response.headers.first("grpc-status")
            let result = HealthCheckState.judge(grpc: response.bytes, status: status.flatMap { Int($0) })
            if case .passed = result { return nil }
            return "\(name) is not SERVING (grpc-status \(status ?? "missing"))"
        } catch {
            return "\(name) did not answer: \(error)"
        }
    }
}
