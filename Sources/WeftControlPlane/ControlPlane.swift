import Hummingbird
import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle
import Synchronization
import WeftAdmin
import WeftCA
import WeftConfig
import WeftCore
import WeftDashboard
import WeftIdentity
import WeftInject
import WeftKubernetes
import WeftTelemetry
import WeftTranslate

/// The whole control plane: sources, translation, discovery, authority, webhooks, telemetry and dashboard.
///
/// Comes up in parts: health and dashboard at once, the rest as soon as the cluster is known. Ends when its service
/// group shuts down.
struct ControlPlane: ServiceLifecycle.Service, CustomStringConvertible {
    private let settings: ControlPlaneSettings
    private let client: KubernetesClient
    private let signal = ChangeSignal()
    /// Endpoints go to the proxies at once: what was true a tenth of a second ago is a failed request.
    private let endpointSignal = ChangeSignal(machine: DebounceMachine(quiet: .zero, limit: .zero))
    private let sources: ClusterSources
    private let metrics = ControlPlaneMetrics()
    private let telemetry = TelemetryStore()
    private let coordinator: PushCoordinator
    private let readiness = Readiness()
    /// Whether this process writes what only one of several replicas should.
    private let leadership = Leadership()

    init(settings: ControlPlaneSettings, client: KubernetesClient) {
        self.settings = settings
        self.client = client
        sources = ClusterSources(
            client: client, namespace: settings.namespace, revision: settings.revision, signal: signal,
            endpointSignal: endpointSignal)
        coordinator = PushCoordinator(
            sources: sources, metrics: metrics,
            status: StatusWriter(client: client, leadership: leadership, logger: Logger(label: "status")),
            logger: Logger(label: "push"))
    }

    var description: String { "control plane" }

    func run() async throws {
        let outcome = await result { try await cancelWhenGracefulShutdown { try await runParts() } }
        try? await client.shutdown()
        let logger = Logger(label: "weftd")
        // Parts that are cancelled end with errors of many kinds; none of them matters then.
        if case .failure(let error) = outcome, !Task.isShuttingDownGracefully, !(error is CancellationError) {
            logger.critical("stopped: \(error)")
            throw error
        }
        logger.info("stopped")
    }

    private func result(_ body: () async throws -> Void) async -> Result<Void, any Error> {
        do { return .success(try await body()) } catch { return .failure(error) }
    }

    private func runParts() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await healthService.run() }
            group.addTask { try await monitoringService.run() }
            group.addTask { try await dashboardService.run() }
            group.addTask { await sources.run() }
            group.addTask { await scraper.run() }
            group.addTask { try await serveMesh() }
            try await group.waitForAll()
        }
    }

    // MARK: - After the cluster is known

    private func serveMesh() async throws {
        let logger = Logger(label: "weftd")
        await sources.waitForSync()
        let meshConfig = sources.meshConfig(logger: logger).typed
        let loader = AuthorityLoader(
            client: client, namespace: settings.namespace, trustDomain: meshConfig.effectiveTrustDomain,
            limits: settings.certificateLimits, logger: Logger(label: "ca"))
        let authority = CurrentAuthority(try await load(loader))
        let serving = try ServingCertificate(
            authority: authority, namespace: settings.namespace, lifetime: settings.servingCertificateSeconds)
        let root = RootPublisher(
            client: client, rootPEM: { authority.trustBundlePEM }, mayWrite: { [leadership] in leadership.isLeader },
            logger: Logger(label: "ca"))
        let patcher = WebhookPatcher(
            client: client, rootPEM: { authority.trustBundlePEM }, controlPlaneNamespace: settings.namespace,
            canServe: { [sources] in sources.hasReadyEndpoint(of: "istiod") },
            mayWrite: { [leadership] in leadership.isLeader }, logger: Logger(label: "webhook"))
        let discovery = try DiscoveryHosts(
            settings: settings, client: client, authority: authority, serving: serving, coordinator: coordinator)
        await coordinator.configurationChanged(changes: 1, reasons: ["start"])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await webhookService(serving).run() }
            group.addTask { try await discovery.run() }
            group.addTask { await serving.keepFresh(logger: Logger(label: "ca")) }
            group.addTask { await root.run() }
            group.addTask { await patcher.run() }
            group.addTask { await keepStatus() }
            group.addTask {
                try await leadership.run(election) {
                    root.refresh()
                    patcher.refresh()
                    coordinator.statusChanges.notify("leadership")
                }
            }
            group.addTask {
                await sources.authorityChanges.run { _, _ in
                    guard loader.reload(sources.secrets.store, into: authority) else { return }
                    do { try serving.renew() } catch { logger.error("serving certificate not renewed: \(error)") }
                    root.refresh()
                    patcher.refresh()
                }
            }
            group.addTask {
                await signal.run { changes, reasons in
                    await coordinator.configurationChanged(changes: changes, reasons: reasons)
                }
            }
            group.addTask {
                await endpointSignal.run { changes, _ in await coordinator.endpointsChanged(changes: changes) }
            }
            readiness.isReady = true
            logger.info("ready: \(sources.services.store.count) services, \(sources.pods.store.count) pods known")
            try await group.waitForAll()
        }
    }

    /// One of the replicas of a revision writes: its Lease says which.
    private var election: LeaderElection {
        let name = settings.revision == "default" ? "istio-leader" : "istio-leader-\(settings.revision)"
        return LeaderElection(
            client: client, namespace: settings.namespace, name: name, identity: settings.identity)
    }

    /// Writes status when something happened, and now and then how many proxies there are.
    private func keepStatus() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await coordinator.statusChanges.run { _, _ in await coordinator.writeStatus() } }
            group.addTask {
                while true {
                    do { try await Task.sleep(for: .seconds(15)) } catch { return }
                    await coordinator.writeStatus(withCounts: true)
                }
            }
        }
    }

    /// Tries until the API server lets us: it may be starting itself.
    private func load(_ loader: AuthorityLoader) async throws -> CertificateAuthority {
        var backoff = Backoff(limit: .seconds(1))
        while true {
            do {
                return try await loader.load()
            } catch let error as IdentityError {
                throw error
            } catch {
                Logger(label: "ca").warning("signing key not available, trying again: \(error)")
                try await Task.sleep(for: backoff.next())
            }
        }
    }

    // MARK: - HTTP

    private var healthService: HTTPService {
        let router = Router(context: BasicRequestContext.self)
        addHealth(to: router)
        return HTTPService(router: router, sockets: [socket(settings.readinessPort)], logger: Logger(label: "http"))
    }

    private var monitoringService: HTTPService {
        let router = Router(context: BasicRequestContext.self)
        addHealth(to: router)
        MonitoringRoutes(coordinator: coordinator, sources: sources, telemetry: telemetry, metrics: metrics).add(
            to: router)
        return HTTPService(router: router, sockets: [socket(settings.monitoringPort)], logger: Logger(label: "http"))
    }

    private var dashboardService: HTTPService {
        let router = Router(context: BasicRequestContext.self)
        addHealth(to: router)
        Dashboard.add(
            to: router, source: MeshDashboard(coordinator: coordinator, sources: sources, telemetry: telemetry))
        var sockets = [socket(settings.dashboardPort)]
        if let descriptor = settings.inherited[settings.dashboardPort] { sockets.append(.descriptor(descriptor)) }
        return HTTPService(router: router, sockets: sockets, logger: Logger(label: "dashboard"))
    }

    private func webhookService(_ serving: ServingCertificate) -> HTTPService {
        let router = Router(context: BasicRequestContext.self)
        addHealth(to: router)
        let (revision, namespace) = (settings.revision, settings.namespace)
        let namespaces = sources.namespaces.store
        let logger = Logger(label: "webhook")
        let routes = WebhookRoutes(
            settings: {
                var settings = InjectionSettings(
                    meshConfig: sources.meshConfig(logger: logger).json, revision: revision)
                settings.apply(values: sources.injectionValues)
                settings.proxyConfigs = sources.proxyConfigs
                settings.controlPlaneNamespace = namespace
                return settings
            },
            namespaceLabels: { namespaces["", $0]?.labels }, metrics: metrics, logger: logger)
        routes.add(to: router)
        return HTTPService(
            router: router, sockets: [socket(settings.webhookPort)], logger: logger, tls: { serving.context })
    }

    private func addHealth(to router: Router<BasicRequestContext>) {
        AdminRoutes.add(to: router) {
            if readiness.isReady { return nil }
            let missing = sources.notSynced
            return missing.isEmpty
                ? "the signing key is being loaded" : "waiting for \(missing.joined(separator: ", "))"
        }
    }

    private func socket(_ port: Int) -> HTTPService.Socket { .address(host: settings.bind, port: port) }

    // MARK: - Telemetry

    private var scraper: Scraper {
        let client = client
        let coordinator = coordinator
        return Scraper(
            store: telemetry, logger: Logger(label: "telemetry"),
            targets: {
                await coordinator.identities.map {
                    let host = $0.address.contains(":") ? "[\($0.address)]" : $0.address
                    return ScrapeTarget(proxy: $0.id, url: "http://\(host):15090/stats/prometheus")
                }
            }, fetch: { Array(try await client.fetch($0).readableBytesView) })
    }
}

/// Whether the control plane can do its work; set once.
private final class Readiness: Sendable {
    private let state = Atomic(false)
    var isReady: Bool {
        get { state.load(ordering: .acquiring) }
        set { state.store(newValue, ordering: .releasing) }
    }
}
