import Logging
import NIOCore
import WeftADS
import WeftIR
import WeftXDS

/// Brings what ADS says into the data plane. What was served last is served on while the control plane is away.
actor ConfigurationReceiver: ADSClientDelegate {
    /// How long to wait for the rest of a change.
    private static let patience = Duration.seconds(5)

    private let plane: DataPlane
    private let status: AgentStatus
    private let logger: Logger
    private var warming = ConfigurationWarming()
    private var latest = ProxyConfiguration()
    private var types: Set<ResourceType> = []
    private var timer: Task<Void, Never>?
    private var reported: Set<String> = []

    init(plane: DataPlane, status: AgentStatus, logger: Logger) {
        self.plane = plane
        self.status = status
        self.logger = logger
    }

    nonisolated func check(_ resource: DecodedResource) -> String? {
        guard case .listener(let listener) = resource else { return nil }
        for case .ip(let ip, let port) in [listener.address] + listener.additionalAddresses {
            if (try? SocketAddress(ipAddress: ip, port: Int(port))) == nil {
                return "address \"\(ip)\" is not an IP address"
            }
        }
        return nil
    }

    func apply(_ update: ADSUpdate) async -> ADSVerdict {
        for warning in update.warnings { logger.debug("\(update.type.shortName): \(warning)") }
        types.insert(update.type)
        latest = update.configuration
        status.heard(update)
        await serve(isPatient: true)
        return .accept
    }

    func streamChanged(connected: Bool, reason: String?) async {
        status.connection(connected, reason)
        if connected { logger.info("connected to the control plane") }
    }

    private func serve(isPatient: Bool) async {
        // Clusters and listeners are what a proxy is made of: without either there is nothing to start with.
        guard types.isSuperset(of: [.cluster, .listener]) else { return }
        let (configuration, isWaiting) = warming.serve(latest, isPatient: isPatient)
        timer?.cancel()
        timer = nil
        if isWaiting { startTimer() }
        let problems = await plane.apply(configuration)
        for problem in problems where !reported.contains(problem) { logger.warning("\(problem)") }
        reported = Set(problems)
        if warming.hasServed { status.serving() }
    }

    private func startTimer() {
        timer = Task { [weak self] in
            guard (try? await Task.sleep(for: Self.patience)) != nil else { return }
            await self?.giveUpWaiting()
        }
    }

    private func giveUpWaiting() async {
        timer = nil
        logger.warning("some routes or endpoints did not come in \(Self.patience); serving without them")
        await serve(isPatient: false)
    }
}
