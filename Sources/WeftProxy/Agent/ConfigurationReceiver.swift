import Logging
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
    /// What is served whatever the control plane says: a bootstrap's static resources.
    private let base: ProxyConfiguration
    /// What must have come before anything is served.
    private let needs: Set<ResourceType>
    /// Takes the names of the mesh, where the proxy answers DNS questions.
    private let nameServer: NameServer?
    private var types: Set<ResourceType> = []
    private var timer: Task<Void, Never>?
    private var reported: Set<String> = []

    init(
        plane: DataPlane, status: AgentStatus, logger: Logger, base: ProxyConfiguration = ProxyConfiguration(),
        needs: Set<ResourceType> = [.cluster, .listener], nameServer: NameServer? = nil
    ) {
        self.nameServer = nameServer
        self.needs = needs
        self.base = base
        self.plane = plane
        self.status = status
        self.logger = logger
    }

    nonisolated func check(_ resource: DecodedResource) -> String? {
        if base.hasName(of: resource) { return "a static resource of the bootstrap has this name" }
        return ResourceCheck.problem(resource, plane.routeTables)
    }

    func apply(_ update: ADSUpdate) async -> ADSVerdict {
        for warning in update.warnings { logger.debug("\(update.type.shortName): \(warning)") }
        if update.type == .scope, let problem = RouteScope.repeatedKey(update.configuration.scopes.values) {
            return .reject(problem)
        }
        types.insert(update.type)
        latest = update.configuration.merging(base)
        status.heard(update)
        if update.type == .names {
            nameServer?.update(latest.names ?? NameTable())
            return .accept
        }
        await serve(isPatient: true)
        guard update.type == .listener else { return .accept }
        let failed = plane.bindFailures.filter { update.updated.contains($0.key) }
        guard !failed.isEmpty else { return .accept }
        return .partly(failed.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "; "))
    }

    func streamChanged(connected: Bool, reason: String?) async {
        status.connection(connected, reason)
        if connected { logger.info("connected to the control plane") }
    }

    private func serve(isPatient: Bool) async {
        // Clusters and listeners are what a proxy is made of: without either there is nothing to start with.
        guard types.isSuperset(of: needs) else { return }
        let (configuration, isWaiting) = warming.serve(latest, isPatient: isPatient)
        // Changes that come meanwhile do not make the wait longer.
        if !isWaiting {
            timer?.cancel()
            timer = nil
        } else if timer == nil {
            startTimer()
        }
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

extension ProxyConfiguration {
    fileprivate func hasName(of resource: DecodedResource) -> Bool {
        switch resource {
        case .listener(let value): listeners[value.name] != nil
        case .cluster(let value): clusters[value.name] != nil
        case .secret(let value): secrets[value.name] != nil
        case .route, .scope, .endpoints, .names: false
        }
    }

    fileprivate func merging(_ base: ProxyConfiguration) -> ProxyConfiguration {
        var result = self
        result.listeners.merge(base.listeners) { $1 }
        result.clusters.merge(base.clusters) { $1 }
        result.secrets.merge(base.secrets) { $1 }
        return result
    }
}
