import Logging
import WeftAnalysis
import WeftConfig
import WeftCore
import WeftIR
import WeftTranslate
import WeftXDS

/// Holds the present snapshot and the connected proxies, and brings each proxy the configuration made for it.
actor PushCoordinator {
    private struct Connection {
        var session: ProxySession
        /// What was sent last; `nil` before the first time.
        var configuration: ProxyConfiguration?
        var isPushing = false
        /// Something changed while a push was being made.
        var isDue = false
        var diagnostics: [Diagnostic] = []
        var rejections: [ResourceType: [Diagnostic]] = [:]
        var types: [ResourceType: TypeSync] = [:]
    }

    private let sources: ClusterSources
    private let metrics: ControlPlaneMetrics
    private let status: StatusWriter
    private let logger: Logger
    /// Says that findings may have changed. Status is written apart from pushes, which must not wait for it.
    nonisolated let statusChanges = ChangeSignal()
    private var snapshot = MeshSnapshot(objects: [])
    /// What analysis of the objects alone says.
    private var analysis: [Diagnostic] = []
    private var connections: [String: Connection] = [:]

    init(sources: ClusterSources, metrics: ControlPlaneMetrics, status: StatusWriter, logger: Logger) {
        self.sources = sources
        self.metrics = metrics
        self.status = status
        self.logger = logger
    }

    // MARK: - Configuration

    /// Takes a new snapshot and pushes to every proxy whose configuration it changes.
    func configurationChanged(changes: Int, reasons: [String]) async {
        let start = ContinuousClock.now
        let objects = sources.objects
        let meshConfig = sources.meshConfig(logger: logger).typed
        snapshot = await Self.makeSnapshot(objects, meshConfig)
        metrics.set("pilot_services", Double(snapshot.services.count))
        metrics.set("pilot_virt_services", Double(snapshot.virtualServices.count))
        metrics.count("pilot_push_triggers", labels: "type=\"config\"")
        var pushed = 0
        for id in connections.keys.sorted() where await push(to: id) { pushed += 1 }
        let took = ContinuousClock.now - start
        logger.info(
            """
            push: \(changes) changes (\(reasons.joined(separator: ", "))), \(snapshot.services.count) services, \
            \(pushed) of \(connections.count) proxies updated in \(Int(took / .milliseconds(1))) ms
            """
        )
        statusChanges.notify("configuration")
    }

    /// - Returns: whether there was something new for the proxy.
    private func push(to id: String) async -> Bool {
        guard let connection = connections[id] else { return false }
        connections[id]?.isDue = true
        // Pushes to one proxy go one after the other, so that an older configuration never follows a newer one.
        guard !connection.isPushing else { return true }
        connections[id]?.isPushing = true
        defer { connections[id]?.isPushing = false }
        var isNew = false
        while connections[id]?.isDue == true {
            connections[id]?.isDue = false
            if await pushOnce(connection.session) { isNew = true }
        }
        return isNew
    }

    private func pushOnce(_ session: ProxySession) async -> Bool {
        var (configuration, diagnostics) = await Self.translate(snapshot, session.identity)
        if !session.isAuthenticated { configuration.secrets = [:] }
        guard let connection = connections[session.id] else { return false }
        connections[session.id]?.diagnostics = diagnostics
        guard configuration != connection.configuration else { return false }
        connections[session.id]?.configuration = configuration
        connections[session.id]?.rejections = [:]
        do {
            try await session.publish(Self.encode(configuration, for: session.userAgent))
            return true
        } catch {
            logger.error("configuration for \(session.identity.id) could not be sent: \(error)")
            return false
        }
    }

    @concurrent private static func makeSnapshot(_ objects: [KubernetesObject], _ meshConfig: MeshConfig) async
        -> MeshSnapshot
    {
        MeshSnapshot(objects: objects, meshConfig: meshConfig)
    }

    @concurrent private static func analyze(_ objects: [KubernetesObject]) async -> [Diagnostic] {
        Analysis.run(AnalysisContext(objects: objects))
    }

    @concurrent private static func translate(
        _ snapshot: MeshSnapshot, _ proxy: ProxyIdentity
    ) async -> (ProxyConfiguration, [Diagnostic]) {
        Translator(snapshot).configuration(for: proxy)
    }

    /// A resource's version is the hash of its bytes, so what did not change is not sent again.
    @concurrent private static func encode(_ configuration: ProxyConfiguration, for userAgent: String) async throws
        -> XDSSnapshot
    {
        try XDSSnapshot(configuration, target: Target(userAgent: userAgent))
    }

    /// Brings the present findings into the status of the objects that they are about.
    func writeStatus() async {
        analysis = await Self.analyze(sources.objects)
        var findings = Set(snapshot.diagnostics + analysis)
        for connection in connections.values {
            findings.formUnion(connection.diagnostics)
            findings.formUnion(connection.rejections.values.joined())
        }
        await status.write(Array(findings), informers: sources.istio)
    }

    // MARK: - Connections

    func connected(_ session: ProxySession) async {
        connections[session.id] = Connection(session: session)
        metrics.set("pilot_xds", Double(connections.count))
        let identity = session.identity
        let name = "\(identity.kind) \(identity.podName).\(identity.namespace)"
        logger.info("\(name) connected (\(session.userAgent) \(session.version))")
        if await push(to: session.id) { statusChanges.notify("proxy") }
    }

    func disconnected(_ id: String) {
        guard let connection = connections.removeValue(forKey: id) else { return }
        metrics.set("pilot_xds", Double(connections.count))
        let identity = connection.session.identity
        logger.info("\(identity.kind) \(identity.podName).\(identity.namespace) disconnected")
    }

    func sent(_ nonce: String, _ type: ResourceType, to id: String) {
        metrics.count("pilot_xds_pushes", labels: "type=\"\(type.shortName.lowercased())\"")
        connections[id]?.types[type, default: TypeSync()].didSend(nonce, at: .now)
    }

    func acknowledged(_ nonce: String, _ type: ResourceType, by id: String) {
        if let took = connections[id]?.types[type, default: TypeSync()].didAcknowledge(nonce, at: .now) {
            metrics.converged(after: took / .seconds(1))
        }
    }

    func rejected(_ message: String, _ type: ResourceType, by id: String) async {
        guard let connection = connections[id] else { return }
        connections[id]?.types[type, default: TypeSync()].didReject(message)
        metrics.count("pilot_total_xds_rejects")
        let identity = connection.session.identity
        logger.error("\(identity.podName).\(identity.namespace) refused \(type.shortName): \(message)")
        connections[id]?.rejections[type] = RejectionOrigin.objects(
            of: message, type, in: connection.configuration ?? ProxyConfiguration()
        ).map {
            Diagnostic(
                .error, code: "WEFT0001", resource: $0,
                message: "refused by proxy \(identity.podName).\(identity.namespace): \(message)")
        }
        statusChanges.notify("rejection")
    }

    // MARK: - What others ask

    var proxyCount: Int { connections.count }
    var identities: [ProxyIdentity] { connections.values.map(\.session.identity) }

    var reports: [ProxyReport] {
        connections.values.map { connection in
            let configuration = connection.configuration ?? ProxyConfiguration()
            return ProxyReport(
                id: connection.session.identity.id, name: connection.session.identity.podName,
                namespace: connection.session.identity.namespace, kind: connection.session.identity.kind.rawValue,
                userAgent: connection.session.userAgent, version: connection.session.version, types: connection.types,
                resources: [
                    .cluster: configuration.clusters.count, .listener: configuration.listeners.count,
                    .endpoint: configuration.endpoints.count, .route: configuration.routes.count,
                    .secret: configuration.secrets.count,
                ], diagnostics: connection.diagnostics.count)
        }
    }

    /// The configuration of a connected proxy, by `POD.NAMESPACE` or node id; secrets are left out.
    func configuration(of proxy: String) throws -> JSONValue? {
        let found = connections.values.first {
            let identity = $0.session.identity
            return identity.id == proxy || "\(identity.podName).\(identity.namespace)" == proxy
        }
        guard var configuration = found?.configuration else { return nil }
        configuration.secrets = [:]
        return try JSONValue(encoding: configuration)
    }

    /// What the Gateway API's objects come to at present.
    var gatewayAPI: GatewayAPIModel { snapshot.gatewayAPI }

    /// Everything known to be wrong now.
    var findings: [Diagnostic] {
        connections.values.reduce(into: Set(snapshot.diagnostics + analysis)) { $0.formUnion($1.diagnostics) }
            .sorted { ($0.code, $0.message) < ($1.code, $1.message) }
    }
}
