import Logging
import WeftAnalysis
import WeftConfig
import WeftCore
import WeftIR
import WeftTranslate
import WeftXDS

/// Holds the present snapshot and the connected proxies, and brings each proxy the configuration made for its class.
///
/// Snapshots are numbered. A proxy has confirmed a number when it has taken everything that the snapshot asks of it.
actor PushCoordinator {
    private let sources: ClusterSources
    private let metrics: ControlPlaneMetrics
    let status: StatusWriter
    private let logger: Logger
    /// Says that findings may have changed. Status is written apart from pushes, which must not wait for it.
    nonisolated let statusChanges = ChangeSignal(
        machine: DebounceMachine(quiet: .milliseconds(250), limit: .seconds(2)))
    /// Says that the Gateway API's objects, or where gateways run, may have changed.
    nonisolated let gatewayChanges = ChangeSignal(
        machine: DebounceMachine(quiet: .milliseconds(250), limit: .seconds(2)))
    /// Snapshots are made, and connections taken up, one after the other.
    private let turns = Turns()
    private let builder = SnapshotBuilder()
    private var snapshot = MeshSnapshot(objects: [])
    private var number: UInt64 = 0
    private var ledger = ObjectLedger()
    /// Istio's objects as the last configuration push saw them; endpoints go out without newer ones.
    private var configuration: [KubernetesObject] = []
    private var shares: [ShareKey: Share] = [:]
    private var connections: [String: ProxyConnection] = [:]
    /// For a push to all that are connected, and on which grounds; `nil` once one has come or gone.
    private var plan: (grounds: ClassGrounds, plan: PushPlan)?
    /// What analysis of the objects alone says, and of which snapshot.
    private var analysis: [Diagnostic] = []
    private var analyzed: UInt64 = 0
    /// Of the last configuration push.
    private var configured: UInt64 = 0

    init(sources: ClusterSources, metrics: ControlPlaneMetrics, status: StatusWriter, logger: Logger) {
        self.sources = sources
        self.metrics = metrics
        self.status = status
        self.logger = logger
    }

    // MARK: - Configuration

    /// Takes a new snapshot and pushes to every proxy whose configuration it changes.
    func configurationChanged(changes: Int, reasons: [String]) async {
        await turns.enter()
        let start = ContinuousClock.now
        configuration = sources.configuration
        let pushed = await takeSnapshot()
        ledger.take(configuration, number: number)
        configured = number
        metrics.set("pilot_services", Double(snapshot.services.count))
        metrics.set("pilot_virt_services", Double(snapshot.virtualServices.count))
        metrics.count("pilot_push_triggers", labels: "type=\"config\"")
        await turns.leave()
        let took = Int((ContinuousClock.now - start) / .milliseconds(1))
        logger.info(
            """
            push \(number): \(changes) changes (\(reasons.joined(separator: ", "))), \(snapshot.services.count) \
            services, \(pushed) of \(connections.count) proxies updated in \(took) ms
            """
        )
        statusChanges.notify("configuration")
    }

    /// Brings endpoints to the proxies at once; Istio's objects stay as they were pushed last.
    func endpointsChanged(changes: Int) async {
        await turns.enter()
        let pushed = await takeSnapshot()
        metrics.count("pilot_push_triggers", labels: "type=\"endpoint\"")
        await turns.leave()
        logger.debug("push \(number): \(changes) endpoint changes, \(pushed) proxies updated")
    }

    private func takeSnapshot() async -> Int {
        let meshConfig = sources.meshConfig(logger: logger).typed
        snapshot = await Self.build(builder, sources.registry + configuration, meshConfig)
        number += 1
        gatewayChanges.notify("snapshot")
        return await updateAll()
    }

    @concurrent private static func build(
        _ builder: SnapshotBuilder, _ objects: [KubernetesObject], _ meshConfig: MeshConfig
    ) async -> MeshSnapshot { builder.snapshot(objects: objects, meshConfig: meshConfig) }

    @concurrent private static func analyze(_ objects: [KubernetesObject]) async -> [Diagnostic] {
        Analysis.run(AnalysisContext(objects: objects), Analysis.configurationAnalyzers)
    }

    // MARK: - Pushing

    /// Brings the present snapshot to all proxies.
    /// - Returns: for how many it was something new.
    private func updateAll() async -> Int {
        if let known = plan, known.grounds == snapshot.classGrounds { return await update(known.plan) }
        let made = await makePlan(for: connections.values.map(\.session))
        plan = (snapshot.classGrounds, made)
        let pushed = await update(made)
        let used = Set(connections.values.flatMap(\.keys))
        if used.count < shares.count { shares = shares.filter { used.contains($0.key) } }
        return pushed
    }

    private func makePlan(for sessions: [ProxySession]) async -> PushPlan {
        let keys = await Self.keys(of: sessions, in: snapshot)
        var groups: [[ShareKey]: [String]] = [:]
        for (session, keys) in zip(sessions, keys) {
            connections[session.id]?.keys = keys
            groups[keys, default: []].append(session.id)
        }
        return PushPlan(groups: groups)
    }

    /// - Returns: for how many proxies it was something new.
    private func update(_ wanted: PushPlan) async -> Int {
        var plan = wanted
        var pushed = 0
        await withTaskGroup(of: (Int, Result<Share, any Error>).self) { tasks in
            for _ in 0..<PushPlan.width {
                if let place = plan.next() { tasks.addTask { [work = work(place, plan.keys[place])] in await work() } }
            }
            for await (place, outcome) in tasks {
                if let place = plan.next() { tasks.addTask { [work = work(place, plan.keys[place])] in await work() } }
                switch outcome {
                case .success(let share): shares[plan.keys[place]] = share
                case .failure(let error): logger.error("configuration could not be encoded: \(error)")
                }
                for group in plan.made(place) {
                    let made = group.shares.compactMap { shares[plan.keys[$0]] }
                    // A share that could not be made leaves the proxies with what they have.
                    guard made.count == group.shares.count else { continue }
                    let parts = made.flatMap(\.parts)
                    for id in group.ids where publish(parts, to: id) { pushed += 1 }
                }
            }
        }
        return pushed
    }

    /// The making of one share, to be run off this actor.
    private func work(_ place: Int, _ key: ShareKey) -> @Sendable () async -> (Int, Result<Share, any Error>) {
        let (snapshot, old, number) = (snapshot, shares[key], number)
        if let old, old.number == number { return { (place, .success(old)) } }
        return { (place, await Self.make(key, in: snapshot, number: number, replacing: old)) }
    }

    @concurrent private static func make(
        _ key: ShareKey, in snapshot: MeshSnapshot, number: UInt64, replacing old: Share?
    ) async -> Result<Share, any Error> {
        Result { try key.make(in: snapshot, number: number, replacing: old) }
    }

    @concurrent private static func keys(of sessions: [ProxySession], in snapshot: MeshSnapshot) async
        -> [[ShareKey]]
    { sessions.map { ShareKey.keys(of: $0, in: snapshot) } }

    /// - Returns: whether there was something new for the proxy.
    private func publish(_ parts: [ResourceShare], to id: String) -> Bool {
        guard let place = connections.index(forKey: id) else { return false }
        if let old = connections.values[place].snapshot, old.shares.elementsEqual(parts, by: ===) {
            connections.values[place].isCurrent(for: number)
            return false
        }
        let snapshot = XDSSnapshot(shares: parts)
        connections.values[place].snapshot = snapshot
        connections.values[place].published = number
        connections.values[place].current = number
        connections.values[place].session.publish(snapshot, number)
        return true
    }

    // MARK: - Connections

    func connected(_ session: ProxySession) async {
        await turns.enter()
        connections[session.id] = ProxyConnection(session: session)
        plan = nil
        metrics.set("pilot_xds", Double(connections.count))
        logger.info(
            "\(session.identity.kind) \(session.name) connected (\(session.userAgent) \(session.version))")
        if await update(makePlan(for: [session])) > 0 { statusChanges.notify("proxy") }
        await turns.leave()
    }

    func disconnected(_ id: String) {
        guard let connection = connections.removeValue(forKey: id) else { return }
        plan = nil
        metrics.set("pilot_xds", Double(connections.count))
        logger.info("\(connection.session.identity.kind) \(connection.session.name) disconnected")
        statusChanges.notify("proxy")
    }

    func sent(_ nonce: String, _ type: ResourceType, names: [String], to id: String) {
        metrics.count("pilot_xds_pushes", labels: "type=\"\(type.shortName.lowercased())\"")
        connections[id]?.didSend(nonce, type, names: names, at: .now)
    }

    func delivered(_ number: UInt64, to id: String) {
        connections[id]?.didDeliver(number)
        confirmed(id)
    }

    func acknowledged(_ nonce: String, _ type: ResourceType, by id: String) {
        if let took = connections[id]?.didAcknowledge(nonce, type, at: .now) {
            metrics.converged(after: took / .seconds(1))
        }
        confirmed(id)
    }

    private func confirmed(_ id: String) {
        if connections[id]?.confirmed == number { statusChanges.notify("confirmation") }
    }

    func rejected(_ nonce: String, _ type: ResourceType, message: String, by id: String) {
        guard let names = connections[id]?.didReject(nonce, type, message: message) else { return }
        metrics.count("pilot_total_xds_rejects", labels: "type=\"\(type.shortName.lowercased())\"")
        let what = names.isEmpty ? "" : " (\(names.joined(separator: ", ")))"
        logger.error("\(connections[id]?.session.name ?? id) refused \(type.shortName)\(what): \(message)")
        statusChanges.notify("rejection")
    }

    // MARK: - What others ask

    var proxyCount: Int { connections.count }
    var identities: [ProxyIdentity] { connections.values.map(\.session.identity) }

    var reports: [ProxyReport] {
        connections.values.map { connection in
            let session = connection.session
            let counts = ResourceType.allCases.map { ($0, connection.snapshot?.count(of: $0) ?? 0) }
            return ProxyReport(
                id: session.identity.id, name: session.identity.podName, namespace: session.identity.namespace,
                kind: session.identity.kind.rawValue, userAgent: session.userAgent, version: session.version,
                types: connection.types, resources: Dictionary(uniqueKeysWithValues: counts),
                diagnostics: diagnostics(of: connection).count, rejections: connection.rejections)
        }
    }

    private func diagnostics(of connection: ProxyConnection) -> [Diagnostic] {
        connection.keys.flatMap { shares[$0]?.diagnostics ?? [] }
    }

    /// The configuration of a connected proxy, by `POD.NAMESPACE` or node id; secrets are left out.
    func configuration(of proxy: String) async throws -> JSONValue? {
        let found = connections.values.first { $0.session.identity.id == proxy || $0.session.name == proxy }
        guard let found else { return nil }
        var configuration = await Self.configuration(of: found.keys, in: snapshot)
        configuration.secrets = [:]
        return try JSONValue(encoding: configuration)
    }

    /// What the Gateway API's objects come to at present.
    var gatewayAPI: GatewayAPIModel { snapshot.gatewayAPI }

    /// Which TLS workloads ask of their callers at present.
    var peerModes: PeerModes { PeerModes(snapshot: snapshot) }

    /// Made again when somebody asks: keeping it for every class would cost more memory than what is sent.
    @concurrent private static func configuration(of keys: [ShareKey], in snapshot: MeshSnapshot) async
        -> ProxyConfiguration
    { keys.reduce(into: ProxyConfiguration()) { $0.merge($1.configuration(in: snapshot).0) } }

    /// Everything known to be wrong now, but for what proxies refused.
    var findings: [Diagnostic] {
        let meshFindings = sources.meshFindings(logger: logger)
        let unmatched = PatchReport.unmatched(in: shares.values.flatMap(\.patches))
        return shares.values.reduce(into: Set(snapshot.diagnostics + analysis + unmatched + meshFindings)) {
            $0.formUnion($1.diagnostics)
        }
        .sorted { ($0.code, $0.message) < ($1.code, $1.message) }
    }

    // MARK: - Status

    /// Brings the present findings, and how far proxies are, into the status of the objects that they are about.
    /// - Parameter withCounts: also where nothing but the number of proxies is another.
    func writeStatus(withCounts: Bool = false) async {
        // Proxies that come, go and answer change nothing about the objects.
        if analyzed != configured {
            let number = configured
            analysis = await Self.analyze(sources.objects)
            analyzed = number
        }
        let refused = await rejections
        await status.allocateAddresses(sources.serviceEntries)
        await status.write(
            findings + refused, distribution: await distribution(), withCounts: withCounts, informers: sources.istio)
    }

    /// How far connected proxies are with the present configuration.
    func distribution() async -> Distribution {
        let refusals = await rejections
        let proxies = connections.values.map { connection in
            Distribution.Proxy(
                name: connection.session.name, identity: connection.session.identity,
                labels: snapshot.workload(of: connection.session.identity)?.labels
                    ?? connection.session.identity.labels,
                confirmed: connection.confirmed, isRejecting: !connection.rejections.values.allSatisfy(\.isEmpty))
        }
        return Distribution(
            proxies: proxies, ledger: ledger, scope: ObjectScope(meshConfig: snapshot.meshConfig),
            refusals: refusals)
    }

    /// What proxies refused, as findings about the objects that it was made from.
    private var rejections: [Diagnostic] {
        get async {
            var found: [Diagnostic] = []
            for connection in connections.values where !connection.rejections.values.allSatisfy(\.isEmpty) {
                let configuration = await Self.configuration(of: connection.keys, in: snapshot)
                found += await Self.findings(
                    about: connection.rejections, by: connection.session.name, in: configuration)
            }
            return found
        }
    }

    /// Off this actor: a refusal may be about all of a mesh's clusters.
    @concurrent private static func findings(
        about rejections: [ResourceType: [String: String]], by proxy: String, in configuration: ProxyConfiguration
    ) async -> [Diagnostic] {
        rejections.flatMap { type, messages in
            messages.flatMap { name, message in
                RejectionOrigin.objects(of: [name], type, in: configuration).map {
                    Diagnostic(
                        .error, code: "WEFT0001", resource: $0,
                        message: "\(type.shortName) resource \(name) was refused by proxy \(proxy): \(message)")
                }
            }
        }
    }
}
