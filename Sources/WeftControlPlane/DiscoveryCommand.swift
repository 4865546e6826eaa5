package import ArgumentParser
import FoundationEssentials
import Logging
import ServiceLifecycle
import UnixSignals
import WeftAdmin
import WeftCore
import WeftKubernetes

/// `weftd`: the control plane's executable.
package struct WeftdCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "weftd", abstract: "The control plane of the Weft service mesh.", version: WeftVersion.current,
        subcommands: [DiscoveryCommand.self], defaultSubcommand: DiscoveryCommand.self)

    package init() {}
}

/// `weftd discovery`: serves configuration, certificates, webhooks and the dashboard until SIGTERM.
package struct DiscoveryCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "discovery", abstract: "Runs the control plane.",
        discussion:
            "In a pod it finds the API server by itself. Elsewhere: weftd discovery --kubeconfig ~/.weft/kubeconfig")

    @Option(help: "A kubeconfig; in a pod the service account is used.") var kubeconfig: String?
    @Option(help: "The context in the kubeconfig.") var context: String?
    @Option(help: "The control plane's namespace (default: POD_NAMESPACE, else istio-system).") var namespace: String?
    @Option(help: "The address to listen at.") var bind = "0.0.0.0"
    @Option(help: "xDS in plain text.") var grpcAddr = 15010
    @Option(help: "xDS and certificates over TLS.") var secureGRPCAddr = 15012
    @Option(help: "Metrics, version and debugging.") var monitoringAddr = 15014
    @Option(help: "Webhooks over HTTPS.") var httpsAddr = 15017
    @Option(help: "Readiness.") var httpAddr = 8080
    @Option(help: "The dashboard.") var dashboardAddr = 20001
    @Option(help: "Send all samples on to this remote-write URL of a Prometheus.") var remoteWriteURL: String?
    @Option(help: "The dashboard reads this Prometheus: http://prometheus.monitoring:9090.") var prometheusURL: String?
    @Option(help: "The dashboard reads this Jaeger: http://jaeger-query:16686.") var tracingURL: String?
    @Option(name: .shortAndLong, help: "trace, debug, info, notice, warning, error or critical.") var logLevel = "info"

    package init() {}

    package func run() async throws {
        guard let level = Logger.Level(rawValue: logLevel) else {
            let known = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("no log level \"\(logLevel)\"; say one of \(known)")
        }
        LineLogHandler.setLevel(level)
        LoggingSystem.bootstrap { LineLogHandler(label: $0) }
        let environment = ProcessInfo.processInfo.environment
        let configuration = try KubernetesConfiguration.standard(
            kubeconfig: kubeconfig, context: context, environment: environment)
        var settings = ControlPlaneSettings()
        settings.namespace = namespace ?? environment["POD_NAMESPACE"] ?? settings.namespace
        settings.revision = environment["REVISION"].flatMap { $0.isEmpty ? nil : $0 } ?? settings.revision
        settings.identity = environment["POD_NAME"] ?? "weftd-\(ProcessInfo.processInfo.processIdentifier)"
        settings.bind = bind
        try settings.readLifetimes(environment)
        try settings.readAccess(environment)
        (settings.plainDiscoveryPort, settings.secureDiscoveryPort) = (grpcAddr, secureGRPCAddr)
        (settings.monitoringPort, settings.webhookPort) = (monitoringAddr, httpsAddr)
        (settings.readinessPort, settings.dashboardPort) = (httpAddr, dashboardAddr)
        settings.remoteWriteURL = remoteWriteURL ?? environment["WEFT_REMOTE_WRITE_URL"]
        settings.prometheusURL = prometheusURL ?? environment["WEFT_PROMETHEUS_URL"].flatMap { $0.isEmpty ? nil : $0 }
        settings.tracingURL = tracingURL ?? environment["WEFT_TRACING_URL"].flatMap { $0.isEmpty ? nil : $0 }
        settings.telemetryFolder = environment["WEFT_TELEMETRY_DIR"].flatMap { $0.isEmpty ? nil : $0 }
        settings.inherited = InheritedSockets(environment: environment).descriptors
        let logger = Logger(label: "weftd")
        let versions = "Weft \(WeftVersion.current) (Istio API \(WeftVersion.istioCompatibility))"
        logger.info("\(versions), API server \(configuration.server)")
        let client = KubernetesClient(configuration: configuration, logger: Logger(label: "kubernetes"))
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: try ControlPlane(settings: settings, client: client))],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: Logger(label: "lifecycle")))
        try await group.run()
    }
}
