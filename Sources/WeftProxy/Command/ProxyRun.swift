import ArgumentParser
import FoundationEssentials
import Logging
import WeftCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// `weft-proxy proxy sidecar|router`: the proxy of a pod.
struct ProxyRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "proxy", abstract: "Run as a sidecar or as a gateway, with the environment of Istio's agent.",
        discussion: "Example: weft-proxy proxy sidecar --domain default.svc.cluster.local")

    @Argument(help: "sidecar or router.")
    var role = "sidecar"
    @Option(help: "DNS domain of the node id.")
    var domain: String?
    @Option(help: "Worker threads: 1 or 2.")
    var concurrency: Int?
    @Option(help: "Run this Envoy as the data plane, and be its agent.")
    var envoy: String?
    @Option(name: [.customLong("proxyLogLevel"), .customLong("log-level")], help: "Level of the proxy's own log.")
    var logLevel = "info"
    // Taken for the sake of charts that are written for Istio's agent.
    @Option(name: .customLong("proxyComponentLogLevel"), help: .hidden)
    var componentLogLevel: String?
    @Option(name: .customLong("log_output_level"), help: .hidden)
    var outputLevel: String?
    @Option(name: .customLong("serviceCluster"), help: .hidden)
    var serviceCluster: String?
    @Option(name: .customLong("stsPort"), help: .hidden)
    var tokenPort: String?
    @Option(name: .customLong("outlierLogPath"), help: .hidden)
    var outlierLog: String?
    @Option(name: .customLong("templateFile"), help: .hidden)
    var template: String?
    @Flag(name: .customLong("log_as_json"), help: .hidden)
    var asJSON = false
    @Argument(parsing: .allUnrecognized, help: .hidden)
    var others: [String] = []

    func run() async throws {
        guard let role = ProxyRole(rawValue: role) else {
            throw ValidationError("\"\(role)\" is no role; use sidecar or router")
        }
        guard let level = LogLevels.parse(logLevel) else { throw ValidationError("unknown log level \"\(logLevel)\"") }
        let logs = LogLevels(level)
        if !others.isEmpty { logs.logger("weft-proxy").debug("ignored: \(others.joined(separator: " "))") }
        let environment = ProcessInfo.processInfo.environment
        let settings = AgentSettings(
            role: role, environment: environment, domain: domain, concurrency: concurrency)
        Environment.set(settings.canonicalEnvironment)
        if let files = ProxylessFiles(environment: environment, paths: settings.paths) {
            try await GRPCAgent(settings: settings, files: files, logs: logs).run()
            return
        }
        if let envoy {
            try await EnvoyAgent(settings: settings, logs: logs, path: envoy).run()
            return
        }
        try await ProxyAgent(settings: settings, logs: logs).run()
    }
}

/// `weft-proxy request METHOD PATH`: what the admin pages of this pod say.
struct AdminRequestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "request", abstract: "Ask the proxy's admin server on 127.0.0.1:15000.",
        discussion: "Example: weft-proxy request GET /clusters?format=json")

    @Argument(help: "GET or POST.")
    var method: String
    @Argument(help: "Path with query, such as /config_dump.")
    var path: String
    @Option(name: [.customLong("debug-port"), .customLong("port")], help: "Admin port.")
    var port = 15000

    func run() async throws {
        let target = path.hasPrefix("/") ? path : "/" + path
        do {
            let response = try await LocalHTTPClient.send(
                .init(method: method.uppercased(), host: "127.0.0.1", port: port, path: target))
            print(response.body, terminator: response.body.hasSuffix("\n") ? "" : "\n")
            if response.status >= 400 { throw ExitCode(1) }
        } catch let failure as LocalHTTPClient.Failure {
            throw ValidationError("no answer from the proxy on 127.0.0.1:\(port): \(failure)")
        }
    }
}
