import CWeftLinux
package import NIOCore
import NIOPosix
import Synchronization
import WeftCore
import WeftHTTP
package import WeftIR
import WeftTransport
package import WeftXDS

/// The proxy without its agent: workers, sockets and the configuration they serve.
///
/// Thread-safe: changes made at once are made one after the other. Every ``apply(_:)`` builds one snapshot and hands it to
/// every worker; connections are not dropped.
package final class DataPlane: Sendable {
    package struct Options: Sendable {
        package var concurrency = 1
        /// Listening sockets that were opened for us: port to descriptor (`WEFT_LISTEN_FDS`).
        package var inherited: [UInt16: CInt] = [:]
        /// The proxy's own identity, for `x-forwarded-client-cert`.
        package var localPrincipal: String?
        /// Who this proxy is, for metrics and for its peers' metrics.
        package var node = MetricsNode()
        /// The most series of Istio's metrics that are kept; label sets beyond it are counted together.
        package var metricSeriesLimit = ProxyMetrics.defaultSeriesLimit
        /// `--service-cluster`, or the node's.
        package var serviceCluster = ""
        /// Who this proxy is, for spans and access log services.
        var observedNode = ObservedNode()
        /// Before the names of labels on Envoy's metrics: Envoy's own have `envoy_`, Istio's bootstrap leaves it out.
        package var labelPrefix = ""
        package var limits = ConnectionLimits()
        /// Files that listeners and clusters come from, next to what ``apply(_:)`` is given.
        package var listenersFile: String?
        package var clustersFile: String?
        /// What `runtime_key`s in files stand for.
        package var runtime = RuntimeValues()
        /// How connections of listeners that changed, and all at the end, are asked to go.
        package var drain = DrainSettings()
        /// The process whose sockets are taken over.
        var parent: HotRestartParent?
        /// Where this proxy is, and the cluster that it is a member of, for zone-aware balancing.
        package var home = ProxyHome()
        /// Told what went wrong where no request can say it, in words for people; called on any thread.
        package var warn: @Sendable (String) -> Void = { _ in }
        package init() {}
    }

    /// Where the listeners really listen, by listener name; interesting when the configuration says port 0.
    package typealias Bound = [String: [SocketAddress]]

    struct State {
        var builder: SnapshotBuilder
        var resourceFiles = ResourceFileReader()
        var secretFiles = SecretFileReader()
        var configuration = ProxyConfiguration()
        var workload: [String: Secret] = [:]
        var snapshot: Snapshot
        /// What is listened on, by address.
        var sockets: [String: OpenAddress] = [:]
        var isDraining = false
        /// Nothing is accepted until further notice; what comes waits in the kernel.
        var isPaused = false
        /// Another process still accepts on the sockets that it gave us.
        var isWaitingForParent = false
        /// Listeners that could not be opened, and why; tried again with every change.
        var bindFailures: [String: String] = [:]
        /// DNS clusters' names, kept by the first worker.
        var names: NIOLoopBound<ClusterNames>?
        /// Ends the task that takes up what ``names`` finds.
        var news: AsyncStream<(String, [String])>.Continuation?
    }

    let group: MultiThreadedEventLoopGroup
    let workers: [Worker]
    package let metrics: ProxyMetrics
    /// Failures of downstream HTTP/2 connections.
    let http2 = HTTP2Statistics()
    /// How spans fared.
    let tracing = TracingCounts()
    /// Who may come in, and what is shed when there is too much.
    let gate: ConnectionGate
    let overload = OverloadState()
    let options: Options
    private let started = ContinuousClock.now
    /// Since this data plane was made.
    var uptimeSeconds: Int { Int((ContinuousClock.now - started).components.seconds) }
    let state: Mutex<State>
    /// Where route tables are compiled, before they are served and when they are.
    let routeTables = RouteTables()
    /// `nil` if the kernel has no more watches to give.
    private let files = FileWatcher()
    /// One change after the other: each begins with what the one before it left, down to the sockets.
    private let turns = Turns()
    /// How many configurations were applied.
    private let changes = Atomic<Int>(0)

    package init(options: Options = Options()) {
        self.options = options
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, options.concurrency))
        self.group = group
        let empty = Snapshot(configuration: ProxyConfiguration(), listeners: [:], routes: [:], clusters: [:])
        let metrics = ProxyMetrics(
            node: options.node, workers: max(1, options.concurrency), labelPrefix: options.labelPrefix,
            seriesLimit: options.metricSeriesLimit)
        self.metrics = metrics
        let (http2, overload, tracing) = (http2, overload, tracing)
        gate = ConnectionGate(options.limits)
        workers = group.makeIterator().enumerated().map { index, loop in
            Worker(
                eventLoop: loop, index: index, snapshot: empty,
                logs: AccessLogWriter(dropped: tracing.logLinesDropped, warn: options.warn),
                metrics: metrics.worker(index), localPrincipal: options.localPrincipal, http2: http2,
                tracing: tracing, node: options.observedNode, overload: overload, drain: options.drain,
                serviceCluster: options.serviceCluster)
        }
        var first = State(builder: SnapshotBuilder(tables: routeTables), snapshot: empty)
        first.resourceFiles.listenersFile = options.listenersFile
        first.resourceFiles.clustersFile = options.clustersFile
        first.resourceFiles.runtime = options.runtime
        first.builder.home = options.home
        first.isWaitingForParent = options.parent != nil
        state = Mutex(first)
        for worker in workers {
            worker.eventLoop.execute { worker.startFlushing() }
        }
        keepNames(on: workers[0])
    }

    /// The snapshot in force, for the admin pages.
    package var snapshot: Snapshot { state.withLock { $0.snapshot } }

    /// True once a configuration with listeners is being served.
    package var isReady: Bool { state.withLock { !$0.sockets.isEmpty && !$0.isDraining } }

    /// Replaces the secrets of the proxy's own agent and builds new TLS contexts; standing connections stay.
    @discardableResult
    package func apply(workloadSecrets: [Secret]) async -> [String] {
        await change { state in
            for secret in workloadSecrets { state.workload[secret.name] = secret }
        }
    }

    /// Resolves the names of DNS clusters on one worker; news make a new snapshot.
    private func keepNames(on worker: Worker) {
        let (news, continuation) = AsyncStream.makeStream(of: (String, [String]).self)
        state.withLock { $0.news = continuation }
        worker.eventLoop.execute { [self] in
            let names = ClusterNames(eventLoop: worker.eventLoop, resolver: worker.resolver) { name, addresses in
                continuation.yield((name, addresses))
            }
            let bound = NIOLoopBound(names, eventLoop: worker.eventLoop)
            state.withLock { $0.names = bound }
        }
        Task { [weak self] in
            for await (name, addresses) in news { await self?.change { $0.builder.resolved[name] = addresses } }
        }
    }

    /// Serves `configuration` from now on.
    /// - Returns: What could not be used, as sentences for the log and the NACK.
    @discardableResult
    package func apply(_ configuration: ProxyConfiguration) async -> [String] {
        await change { $0.configuration = configuration }
    }

    /// Makes a change in its turn, and serves what comes of it.
    @discardableResult
    private func change(_ edit: @Sendable (inout State) -> Void) async -> [String] {
        await turns.enter()
        let problems = await serve(edit)
        await turns.leave()
        return problems
    }

    private func serve(_ edit: @Sendable (inout State) -> Void) async -> [String] {
        let (previous, snapshot, found) = state.withLock { state in
            let previous = state.snapshot
            edit(&state)
            let (listed, unusable) = state.resourceFiles.resolve(state.configuration)
            let (complete, unread) = state.secretFiles.resolve(listed)
            let result = state.builder.build(complete, workload: state.workload)
            state.snapshot = result.0
            return (previous, result.0, unusable + unread + result.1)
        }
        watchFiles()
        let served = snapshot.configuration
        var problems = found
        for worker in workers {
            _ = try? await worker.eventLoop.submit { worker.swap(to: snapshot) }.get()
        }
        // A large snapshot takes a while to free: here, where no request waits for it.
        withExtendedLifetime(previous) {}
        if snapshot.clusterLineage !== previous.clusterLineage { await follow(Array(snapshot.named.values)) }
        gate.keep(served.listeners.keys)
        let failures = await listen(served)
        state.withLock { $0.bindFailures = failures }
        problems += failures.sorted { $0.key < $1.key }.map { "listener \($0.key): \($0.value)" }
        releaseMemoryLater()
        return problems
    }

    /// Resolves the names of these clusters from now on.
    private func follow(_ clusters: [Cluster]) async {
        _ = try? await workers[0].eventLoop.submit { [self] in
            state.withLock { $0.names }?.value.update(clusters)
        }.get()
    }

    /// Reads resources and secrets again when one of their files was replaced, until the task is cancelled. What the
    /// kernel tells is acted on at once; what it does not tell (a network file system) is seen within a second.
    /// - Parameter report: Takes what could not be used afterwards, as sentences.
    package func followFiles(report: @Sendable ([String]) -> Void) async {
        let (looks, look) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [files] in for await _ in files?.events ?? AsyncStream(unfolding: { nil }) { look.yield() }
            }
            group.addTask { while (try? await Task.sleep(for: .seconds(1))) != nil { look.yield() } }
            for await _ in looks {
                let hasChanged = state.withLock { $0.resourceFiles.hasChanged || $0.secretFiles.hasChanged }
                if hasChanged { report(await change { _ in }) }
            }
            group.cancelAll()
        }
    }

    private func watchFiles() {
        files?.watch(state.withLock { $0.resourceFiles.paths.union($0.secretFiles.paths) })
    }

    /// Full names of the fields of resource files that have no effect.
    var ignoredFields: [String] { state.withLock { $0.resourceFiles.ignoredFields } }

    /// Listeners of the configuration in force that could not be opened, and why.
    package var bindFailures: [String: String] { state.withLock(\.bindFailures) }

    /// What a configuration was read from and the one before it are garbage now. Two quiet seconds after the last
    /// change, so that a burst of changes pays once.
    private func releaseMemoryLater() {
        let change = changes.wrappingAdd(1, ordering: .relaxed).newValue
        Task { [self] in
            try? await Task.sleep(for: .seconds(2))
            if changes.load(ordering: .relaxed) == change { weft_release_memory() }
        }
    }

    /// Starts with a first configuration.
    package func start(_ configuration: ProxyConfiguration) async -> (bound: Bound, problems: [String]) {
        let problems = await apply(configuration)
        return (bound, problems)
    }

    package var bound: Bound {
        state.withLock { state in
            var bound: Bound = [:]
            for (_, open) in state.sockets.sorted(by: { $0.key < $1.key }) {
                bound[open.owner.listener, default: []] += open.channels.compactMap(\.localAddress)
            }
            return bound
        }
    }

    /// The process whose sockets are taken over; `nil` when there is none.
    var parent: HotRestartParent? { options.parent }

    /// Leaves new connections in the kernel's queue, or takes them again.
    func pauseAccepting(_ isPaused: Bool) async {
        let channels = state.withLock { state in
            state.isPaused = isPaused
            return state.sockets.values.flatMap(\.channels)
        }
        for channel in channels { try? await channel.setOption(.autoRead, value: !isPaused).get() }
    }

    /// Ends the requests that hold most memory (`reset_high_memory_stream`).
    /// - Parameter level: 0 to 1: how many of the classes of size, the largest first.
    func resetStreams(_ level: Double) async {
        for worker in workers {
            let count = try? await worker.eventLoop.submit { worker.exchanges.resetLargest(level) }.get()
            overload.streamsReset.wrappingAdd(count ?? 0, ordering: .relaxed)
        }
    }

    /// Accepts nothing more; another process does.
    func handOver() async {
        state.withLock { $0.isDraining = true }
        await closeSockets()
    }

    /// Closes the listening sockets and lets connections end with their current exchange.
    package func drainListeners() async {
        state.withLock { $0.isDraining = true }
        await closeSockets()
        await drainConnections()
    }

    /// Idle connections close now, busy ones after their exchange; new ones are still taken, for one exchange each.
    package func drainConnections() async {
        var settings = options.drain
        settings.strategy = .idleFirst
        await drain(settings) { _ in true }
    }

    /// Asks connections to go as the drain settings say.
    /// - Parameter isMeant: By listener.
    func drainGradually(where isMeant: @Sendable @escaping (Listener) -> Bool = { _ in true }) async {
        await drain(options.drain, isMeant)
    }

    private func drain(_ settings: DrainSettings, _ isMeant: @Sendable @escaping (Listener) -> Bool) async {
        let state = DrainState(settings: settings, started: .now())
        for worker in workers { _ = try? await worker.eventLoop.submit { worker.drain(state, isMeant) }.get() }
    }

    /// Makes health check filters fail, and every answer the last one of its connection, or no longer.
    /// Access logs are opened anew with their next lines, for who has moved the files away.
    func reopenLogs() async {
        for worker in workers { _ = try? await worker.eventLoop.submit { worker.logs.reopen() }.get() }
    }

    func failHealthChecks(_ isFailing: Bool) async {
        for worker in workers {
            _ = try? await worker.eventLoop.submit { worker.failsHealthChecks = isFailing }.get()
        }
    }

    /// True when nothing is connected.
    var isIdle: Bool {
        get async {
            for worker in workers {
                let isIdle = try? await worker.eventLoop.submit { worker.isIdle }.get()
                if isIdle == false { return false }
            }
            return true
        }
    }

    /// Stops accepting, lets exchanges finish for at most `grace`, then closes everything.
    package func shutdown(grace: Duration) async {
        await drainListeners()
        let end = ContinuousClock.now + grace
        while ContinuousClock.now < end, await !isIdle { try? await Task.sleep(for: .milliseconds(50)) }
        files?.stop()
        state.withLock { $0.news }?.finish()
        _ = try? await workers[0].eventLoop.submit { [self] in state.withLock { $0.names }?.value.stop() }.get()
        for worker in workers {
            _ = try? await worker.eventLoop.submit {
                worker.logs.flush()
                worker.logServices.flush()
                worker.tracers.flush()
                worker.stop()
            }.get()
        }
        try? await group.shutdownGracefully()
    }
}
