import Hummingbird
import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle
import Synchronization
import WeftADS
import WeftAdmin
import WeftCA
import WeftConfig
import WeftCore
import WeftDashboard
import WeftIdentity
import WeftInject
import WeftKubernetes
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
    private let telemetry: Telemetry
    private let coordinator: PushCoordinator
    private let readiness = Readiness()
    private let debugTokens: TokenAuthenticator
    private let shownAuthority = ShownAuthority()
    /// Who watches requests go by.
    private let tap = TapHub()
    /// What this process writes, of what only one of several should.
    private let ownership: Ownership

    init(settings: ControlPlaneSettings, client: KubernetesClient) throws {
        self.settings = settings
        self.client = client
        let sources = ClusterSources(
            client: client, namespace: settings.namespace, revision: settings.revision, signal: signal,
            endpointSignal: endpointSignal)
        self.sources = sources
        ownership = Ownership(revision: settings.revision) { sources.names }
        debugTokens = TokenAuthenticator(client: client, trustDomain: "cluster.local") { sources.isRevoked($0) }
        coordinator = PushCoordinator(
            sources: sources, metrics: metrics,
            status: StatusWriter(client: client, ownership: ownership, logger: Logger(label: "status")),
            logger: Logger(label: "push"))
        telemetry = try Telemetry(
            settings: settings, client: client,
            targets: { [coordinator, sources] in
                ProxyTargets.targets(await coordinator.identities, pods: sources.pods.store.all)
            })
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
            group.addTask { await telemetry.run() }
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
        shownAuthority.current = authority
        let serving = try ServingCertificate(
            authority: authority, namespace: settings.namespace, revision: settings.revision,
            lifetime: settings.servingCertificateSeconds)
        let root = RootPublisher(
            client: client, files: { authority.trustFiles },
            mayWrite: { [ownership] in ownership.ofRevision.isLeader },
            logger: Logger(label: "ca"))
        let service = ServingCertificate.service(ofRevision: settings.revision)
        let patcher = WebhookPatcher(
            client: client, rootPEM: { authority.trustBundlePEM }, controlPlaneNamespace: settings.namespace,
            service: service, canServe: { [sources] in sources.hasReadyEndpoint(of: service) },
            mayWrite: { [ownership] in ownership.ofRevision.isLeader }, logger: Logger(label: "webhook"))
        let machines = machineRegistry
        let discovery = try DiscoveryHosts(
            settings: settings, client: client, authority: authority, serving: serving, coordinator: coordinator,
            machines: machines,
            isRevoked: { [sources] in sources.isRevoked($0) }, tap: tap,
            clients: ClientDirectory(pods: { [sources] in sources.pods.store.all }))
        let expiries = expiryWatch(of: authority)
        await coordinator.configurationChanged(changes: 1, reasons: ["start"])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await webhookService(serving).run() }
            group.addTask { try await discovery.run() }
            group.addTask { await serving.keepFresh(logger: Logger(label: "ca")) }
            group.addTask { await root.run() }
            group.addTask { await expiries.run() }
            group.addTask { await patcher.run() }
            group.addTask { await machines.run() }
            group.addTask {
                try await ownership.run(
                    client: client, namespace: settings.namespace, identity: settings.identity
                ) {
                    root.refresh()
                    patcher.refresh()
                    coordinator.statusChanges.notify("leadership")
                    coordinator.gatewayChanges.notify("leadership")
                }
            }
            group.addTask {
                await sources.authorityChanges.run { _, _ in
                    guard loader.reload(sources.secrets.store, into: authority) else { return }
                    await expiries.check()
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
            let gateways = gatewayController
            group.addTask {
                await coordinator.gatewayChanges.run { _, _ in
                    guard ownership.writes else { return }
                    await gateways.reconcile(await coordinator.gatewayAPI, await coordinator.distribution())
                }
            }
            group.addTask { await keepStatus(gateways) }
            group.addTask {
                await endpointSignal.run { changes, _ in await coordinator.endpointsChanged(changes: changes) }
            }
            readiness.isReady = true
            logger.info("ready: \(sources.services.store.count) services, \(sources.pods.store.count) pods known")
            try await group.waitForAll()
        }
    }

    private var machineRegistry: MachineRegistry {
        let (sources, ownership, identity) = (sources, ownership, settings.identity)
        return MachineRegistry(
            client: client, controller: identity,
            surroundings: MachineRegistry.Surroundings(
                entries: { sources.workloadEntries },
                instances: {
                    let running = sources.instances
                    // Who runs outside of the cluster, or is not seen yet, cannot tell who else does.
                    return running.contains(identity) ? running : nil
                },
                leads: { ownership.ofMesh.isLeader }),
            metrics: metrics, logger: Logger(label: "machines"))
    }

    private var gatewayController: GatewayController {
        let (sources, revision, namespace) = (sources, settings.revision, settings.namespace)
        let logger = Logger(label: "gateway-api")
        return GatewayController(client: client, sources: sources, ownership: ownership, logger: logger) {
            var injection = InjectionSettings(meshConfig: sources.meshConfig(logger: logger).json, revision: revision)
            injection.apply(values: sources.injectionValues)
            let istiod = ServingCertificate.service(ofRevision: revision)
            return GatewayDeployment.Settings(
                image: injection.proxyImage, mesh: injection.mesh, proxyConfig: injection.proxyConfig,
                controlPlane: "\(istiod).\(namespace).svc:15012", revision: revision)
        }
    }

    /// Writes status when something happened, and now and then how many proxies there are.
    private func keepStatus(_ gateways: GatewayController) async {
        @Sendable func write(withCounts: Bool) async {
            await coordinator.writeStatus(withCounts: withCounts)
            guard ownership.writes else { return }
            let (model, distribution) = (await coordinator.gatewayAPI, await coordinator.distribution())
            await gateways.writeStatus(model, distribution, withCounts: withCounts)
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await coordinator.statusChanges.run { _, _ in await write(withCounts: false) } }
            group.addTask {
                while true {
                    do { try await Task.sleep(for: .seconds(15)) } catch { return }
                    await write(withCounts: true)
                }
            }
        }
    }

    private func expiryWatch(of authority: CurrentAuthority) -> ExpiryWatch {
        let (client, sources, ownership, namespace) = (client, sources, ownership, settings.namespace)
        let logger = Logger(label: "ca")
        return ExpiryWatch(authority: authority, metrics: metrics, logger: logger) { text in
            let names = [AuthorityLoader.pluggedSecretName, AuthorityLoader.secretName]
            guard ownership.writes, let secret = names.compactMap({ sources.secrets.store[namespace, $0] }).first else {
                return
            }
            do { _ = try await client.create(.events, ExpiryWatch.event(text, about: secret)) } catch {
                logger.info("no Event of Secret \(namespace)/\(secret.name) was written: \(error)")
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
        let router = Router(context: BasicRequestContext.self, options: .autoGenerateHeadEndpoints)
        addHealth(to: router)
        return HTTPService(router: router, sockets: [socket(settings.readinessPort)], logger: Logger(label: "http"))
    }

    private var tapRoutes: TapRoutes {
        TapRoutes(
            hub: tap,
            silent: { [coordinator] in
                let others = Set(await coordinator.reports.filter { $0.userAgent != "weft-proxy" }.map(\.id))
                return await coordinator.identities.filter { others.contains($0.id) }.map { proxy in
                    TapNode(
                        pod: proxy.podName, namespace: proxy.namespace,
                        workload: proxy.metadata["WORKLOAD_NAME"]?.stringValue ?? "")
                }
            })
    }

    private var monitoringService: HTTPService {
        let router = Router(context: BasicRequestContext.self, options: .autoGenerateHeadEndpoints)
        addHealth(to: router)
        MonitoringRoutes(
            coordinator: coordinator, sources: sources, telemetry: telemetry, metrics: metrics, access: access,
            tap: tapRoutes
        ).add(to: router)
        return HTTPService(router: router, sockets: [socket(settings.monitoringPort)], logger: Logger(label: "http"))
    }

    private var dashboardService: HTTPService {
        let router = Router(context: BasicRequestContext.self, options: .autoGenerateHeadEndpoints)
        addHealth(to: router)
        Dashboard.add(
            to: router,
            source: MeshDashboard(
                coordinator: coordinator, sources: sources, telemetry: telemetry, authority: shownAuthority))
        Dashboard.addEditing(to: router, editor: ConfigurationEditor(client: client, sources: sources))
        telemetry.routes.addQueries(to: router)
        tapRoutes.addDashboard(to: router, isEnabled: settings.opensTap)
        var sockets = [socket(settings.dashboardPort)]
        if let descriptor = settings.inherited[settings.dashboardPort] { sockets.append(.descriptor(descriptor)) }
        return HTTPService(router: router, sockets: sockets, logger: Logger(label: "dashboard"))
    }

    private func webhookService(_ serving: ServingCertificate) -> HTTPService {
        let router = Router(context: BasicRequestContext.self, options: .autoGenerateHeadEndpoints)
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
        AdminRoutes.add(
            to: router,
            notReadyBecause: {
                if readiness.isReady { return nil }
                let missing = sources.notSynced
                return missing.isEmpty
                    ? "the signing key is being loaded" : "waiting for \(missing.joined(separator: ", "))"
            }, refusal: { [access] in await access.refusal(of: $0) })
    }

    private var access: DebugAccess {
        DebugAccess(
            namespace: settings.namespace, isEnabled: settings.authorizesDebug,
            identify: { [debugTokens] in try await debugTokens.identity(of: $0) }, logger: Logger(label: "debug"))
    }

    private func socket(_ port: Int) -> HTTPService.Socket { .address(host: settings.bind, port: port) }
}

/// Whether the control plane can do its work; set once.
private final class Readiness: Sendable {
    private let state = Atomic(false)
    var isReady: Bool {
        get { state.load(ordering: .acquiring) }
        set { state.store(newValue, ordering: .releasing) }
    }
}
