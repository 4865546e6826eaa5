import ArgumentParser
import FoundationEssentials
import Logging
import WeftCore
import WeftIR
import WeftXDS

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// `weft-proxy -c FILE`: the proxy alone, from an Envoy bootstrap. Takes Envoy's flags.
struct BootstrapCommand: AsyncParsableCommand {
    enum Mode: String, ExpressibleByArgument { case serve, validate, initOnly = "init_only" }

    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run alone, from an Envoy bootstrap (the default).",
        discussion: "Example: weft-proxy -c bootstrap.yaml --concurrency 1")

    @Option(name: [.customShort("c"), .customLong("config-path")], help: "Bootstrap file, YAML or JSON.")
    var configPath: String?
    @Option(help: "Bootstrap as text; merged over that of --config-path.")
    var configYaml: String?
    @Option(help: "Worker threads; 0 or nothing: one per processor.")
    var concurrency: Int?
    @Option(
        name: [.customShort("l"), .customLong("log-level")], help: "trace, debug, info, warning, error, critical, off.")
    var logLevel = "info"
    @Option(help: "serve, or validate: check the bootstrap, say so and exit.")
    var mode = Mode.serve
    @Option(help: "Node id, in place of the bootstrap's.")
    var serviceNode: String?
    @Option(help: "Node cluster, in place of the bootstrap's.")
    var serviceCluster: String?
    @Option(help: "Node zone, in place of the bootstrap's.")
    var serviceZone: String?
    @Option(help: "Seconds that listeners drain for.")
    var drainTimeS = 600
    @Option(help: "gradual: answers close their connections with growing likelihood; immediate: every answer does.")
    var drainStrategy = "gradual"
    @Option(help: "Number that processes of one hot restart share.")
    var baseId: Int?
    @Option(help: "File that the number is written to, for --use-dynamic-base-id.")
    var baseIdPath: String?
    @Flag(help: "Take any number that no running process has.")
    var useDynamicBaseId = false
    @Option(help: "0 for the first process, one more for each that takes over from the one before.")
    var restartEpoch: Int?
    @Flag(help: "Neither take sockets over nor hand them over.")
    var disableHotRestart = false
    @Option(help: "Levels of single loggers: xds:debug,weft-proxy:warning.")
    var componentLogLevel: String?
    @Option(help: "Seconds until the process before this one ends, in a hot restart.")
    var parentShutdownTimeS = 900
    @Option(help: "File for the proxy's own log; standard error without it.")
    var logPath: String?
    @Option(help: "File that the address of the admin pages is written to.")
    var adminAddressPath: String?
    // Taken for the sake of scripts that are written for Envoy.
    @Option(help: .hidden) var logFormat: String?
    @Option(help: .hidden) var fileFlushIntervalMsec: Int?
    @Option(help: .hidden) var fileFlushMinSizeKb: Int?
    @Option(help: .hidden) var localAddressIpVersion: String?
    @Option(help: .hidden) var bootstrapVersion: Int?
    @Flag(help: .hidden) var cpusetThreads = false
    @Flag(help: .hidden) var enableFineGrainLogging = false
    @Flag(help: .hidden) var logFormatEscaped = false
    @Flag(help: .hidden) var allowUnknownFields = false
    @Flag(help: .hidden) var allowUnknownStaticFields = false
    @Flag(help: .hidden) var rejectUnknownDynamicFields = false
    @Flag(help: .hidden) var ignoreUnknownDynamicFields = false

    func validate() throws {
        guard configPath != nil || configYaml != nil else {
            throw ValidationError(
                "give a bootstrap with -c FILE or --config-yaml TEXT; in a pod of the mesh, use weft-proxy proxy sidecar"
            )
        }
        guard LogLevels.parse(logLevel) != nil else { throw ValidationError("unknown log level \"\(logLevel)\"") }
        guard LogLevels.parseComponents(componentLogLevel ?? "") != nil else {
            throw ValidationError("--component-log-level takes NAME:LEVEL,NAME:LEVEL")
        }
        guard ["gradual", "immediate"].contains(drainStrategy) else {
            throw ValidationError("--drain-strategy is gradual or immediate, not \"\(drainStrategy)\"")
        }
        guard drainTimeS >= 0, parentShutdownTimeS >= 0, (restartEpoch ?? 0) >= 0, (baseId ?? 0) >= 0 else {
            throw ValidationError("--drain-time-s, --parent-shutdown-time-s, --restart-epoch, --base-id: not negative")
        }
        guard (concurrency ?? 0) >= 0 else { throw ValidationError("--concurrency cannot be negative") }
    }

    func run() async throws {
        let logs = LogLevels(
            LogLevels.parse(logLevel) ?? .info, components: LogLevels.parseComponents(componentLogLevel ?? "") ?? [:])
        try redirectLog()
        do {
            let loaded = try BootstrapFile.load(path: configPath, text: configYaml)
            var bootstrap = loaded.bootstrap
            if let serviceNode { bootstrap.node.id = serviceNode }
            if let serviceCluster { bootstrap.node.cluster = serviceCluster }
            if let serviceZone { bootstrap.node.locality.zone = serviceZone }
            let proxy = StandaloneProxy(
                bootstrap: bootstrap, warnings: loaded.warnings, ignoredFields: loaded.ignoredFields, workers: workers,
                drain: drain, restart: restart, logs: logs,
                adminAddressPath: adminAddressPath)
            switch mode {
            case .validate: try await proxy.validate()
            case .serve: try await proxy.run()
            case .initOnly: throw ValidationError("--mode init_only is not supported; use --mode validate")
            }
        } catch let error as HotRestartParent.Failure {
            logs.logger("hot-restart").critical("\(error)")
            throw ExitCode(1)
        } catch let error as BootstrapError {
            for line in error.lines { logs.logger("bootstrap").critical("\(line)") }
            throw ExitCode(1)
        }
        if mode == .validate { print("configuration '\(configPath ?? "--config-yaml")' OK") }
    }

    private var drain: DrainSettings {
        var settings = DrainSettings()
        settings.seconds = drainTimeS
        settings.strategy = drainStrategy == "immediate" ? .immediate : .gradual
        return settings
    }

    private var restart: RestartRole.Options {
        RestartRole.Options(
            isDisabled: disableHotRestart, baseID: baseId, isDynamic: useDynamicBaseId, baseIDPath: baseIdPath,
            epoch: restartEpoch, parentShutdownSeconds: parentShutdownTimeS)
    }

    private var workers: Int {
        let wished = concurrency ?? 0
        return wished > 0 ? wished : max(1, ProcessInfo.processInfo.activeProcessorCount)
    }

    /// The log is what goes to standard error, so a log file takes its place.
    private func redirectLog() throws {
        guard let logPath else { return }
        let descriptor = unsafe open(logPath, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw ValidationError("--log-path \(logPath): \(unsafe String(cString: strerror(errno)))")
        }
        _ = dup2(descriptor, 2)
        close(descriptor)
    }
}
