import CWeftLinux
package import NIOCore
import NIOPosix
import Synchronization
import WeftHTTP
package import WeftIR
import WeftTransport

/// The proxy without its agent: workers, sockets and the configuration they serve.
///
/// Thread-safe. Every ``apply(_:)`` builds one snapshot and hands it to every worker; connections are not dropped.
package final class DataPlane: Sendable {
    package struct Options: Sendable {
        package var concurrency = 1
        /// Listening sockets that were opened for us: port to descriptor (`WEFT_LISTEN_FDS`).
        package var inherited: [UInt16: CInt] = [:]
        /// The proxy's own identity, for `x-forwarded-client-cert`.
        package var localPrincipal: String?
        /// Who this proxy is, for metrics and for its peers' metrics.
        package var node = MetricsNode()
        /// `--service-cluster`, or the node's.
        package var serviceCluster = ""
        /// Who this proxy is, for spans and access log services.
        var observedNode = ObservedNode()
        /// Before the names of labels on Envoy's metrics: Envoy's own have `envoy_`, Istio's bootstrap leaves it out.
        package var labelPrefix = ""
        /// Where this proxy is, and the cluster that it is a member of, for zone-aware balancing.
        package var home = ProxyHome()
        package init() {}
    }

    /// Where the listeners really listen, by listener name; interesting when the configuration says port 0.
    package typealias Bound = [String: [SocketAddress]]

    private struct State {
        var builder = SnapshotBuilder()
        var secretFiles = SecretFileReader()
        var configuration = ProxyConfiguration()
        var workload: [String: Secret] = [:]
        var snapshot: Snapshot
        /// Server channels by listener name, one per worker and address.
        var sockets: [String: (key: [String], channels: [any Channel])] = [:]
        var isDraining = false
        /// Listeners that could not be opened, and why; tried again with every change.
        var bindFailures: [String: String] = [:]
        /// DNS clusters' names, kept by the first worker.
        var names: NIOLoopBound<ClusterNames>?
        /// Ends the task that takes up what ``names`` finds.
        var news: AsyncStream<(String, [String])>.Continuation?
    }

    private let group: MultiThreadedEventLoopGroup
    let workers: [Worker]
    package let metrics: ProxyMetrics
    /// Failures of downstream HTTP/2 connections.
    let http2 = HTTP2Statistics()
    /// How spans fared.
    let tracing = TracingCounts()
    private let options: Options
    private let started = ContinuousClock.now
    /// Since this data plane was made.
    var uptimeSeconds: Int { Int((ContinuousClock.now - started).components.seconds) }
    private let state: Mutex<State>
    /// How many configurations were applied.
    private let changes = Atomic<Int>(0)

    package init(options: Options = Options()) {
        self.options = options
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, options.concurrency))
        self.group = group
        let empty = Snapshot(configuration: ProxyConfiguration(), listeners: [:], routes: [:], clusters: [:])
        let metrics = ProxyMetrics(
            node: options.node, workers: max(1, options.concurrency), labelPrefix: options.labelPrefix)
        self.metrics = metrics
        let http2 = http2
        let tracing = tracing
        workers = group.makeIterator().enumerated().map { index, loop in
            Worker(
                eventLoop: loop, index: index, snapshot: empty, logs: AccessLogWriter(),
                metrics: metrics.worker(index), localPrincipal: options.localPrincipal, http2: http2,
                tracing: tracing, node: options.observedNode, serviceCluster: options.serviceCluster)
        }
        var initial = State(snapshot: empty)
        initial.builder.home = options.home
        state = Mutex(initial)
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
        let configuration = state.withLock { state in
            for secret in workloadSecrets { state.workload[secret.name] = secret }
            return state.configuration
        }
        return await apply(configuration)
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
            for await (name, addresses) in news { await self?.apply(name: name, addresses: addresses) }
        }
    }

    private func apply(name: String, addresses: [String]) async {
        let configuration = state.withLock { state in
            state.builder.resolved[name] = addresses
            return state.configuration
        }
        await apply(configuration)
    }

    /// Serves `configuration` from now on.
    /// - Returns: What could not be used, as sentences for the log and the NACK.
    @discardableResult
    package func apply(_ configuration: ProxyConfiguration) async -> [String] {
        let (snapshot, found) = state.withLock { state in
            state.configuration = configuration
            let (complete, unread) = state.secretFiles.resolve(configuration)
            let result = state.builder.build(complete, workload: state.workload)
            state.snapshot = result.0
            return (result.0, unread + result.1)
        }
        var problems = found
        for worker in workers {
            _ = try? await worker.eventLoop.submit { worker.swap(to: snapshot) }.get()
        }
        let clusters = Array(configuration.clusters.values)
        _ = try? await workers[0].eventLoop.submit { [self] in
            state.withLock { $0.names }?.value.update(clusters)
        }.get()
        await closeSockets(notIn: configuration)
        state.withLock { state in
            state.bindFailures = state.bindFailures.filter { configuration.listeners[$0.key] != nil }
        }
        for listener in configuration.listeners.values where listener.bindToPort {
            do {
                try await open(listener)
                state.withLock { $0.bindFailures[listener.name] = nil }
            } catch {
                problems.append("listener \(listener.name): \(error)")
                state.withLock { $0.bindFailures[listener.name] = "\(error)" }
            }
        }
        releaseMemoryLater()
        return problems
    }

    /// Reads secrets again when one of their files was replaced, once a second, until the task is cancelled.
    /// - Parameter report: Takes what could not be used afterwards, as sentences.
    package func followSecretFiles(report: @Sendable ([String]) -> Void) async {
        while (try? await Task.sleep(for: .seconds(1))) != nil {
            let changed = state.withLock { $0.secretFiles.hasChanged ? $0.configuration : nil }
            if let changed { report(await apply(changed)) }
        }
    }

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

    package var bound: Bound { state.withLock { $0.sockets.mapValues { $0.channels.compactMap(\.localAddress) } } }

    private static func addresses(_ listener: Listener) -> [(String, UInt16)] {
        ([listener.address] + listener.additionalAddresses).compactMap {
            if case .ip(let ip, let port) = $0 { (ip, port) } else { nil }
        }
    }

    private func closeSockets(notIn configuration: ProxyConfiguration) async {
        let gone = state.withLock { state in
            let names = state.sockets.filter { name, entry in
                guard let listener = configuration.listeners[name], listener.bindToPort else { return true }
                return Self.addresses(listener).map { "\($0.0):\($0.1)" } != entry.key
            }
            for name in names.keys { state.sockets[name] = nil }
            return names.values.flatMap(\.channels)
        }
        for channel in gone { try? await channel.close() }
    }

    private func open(_ listener: Listener) async throws {
        let isOpen = state.withLock { $0.sockets[listener.name] != nil || $0.isDraining }
        guard !isOpen else { return }
        let addresses = Self.addresses(listener)
        var channels: [any Channel] = []
        for (host, port) in addresses {
            var chosen = port
            for worker in workers {
                let (descriptor, bound) = try ListeningSocket.open(host: host, port: chosen)
                chosen = bound
                channels.append(try await accept(descriptor, worker, listener.name))
            }
            guard let inherited = options.inherited[port] else { continue }
            for worker in workers {
                channels.append(try await accept(try ListeningSocket.duplicate(inherited), worker, listener.name))
            }
        }
        let opened = channels
        state.withLock { $0.sockets[listener.name] = (addresses.map { "\($0.0):\($0.1)" }, opened) }
    }

    private func accept(_ descriptor: CInt, _ worker: Worker, _ name: String) async throws -> any Channel {
        try await ListeningSocket.accept(on: descriptor, eventLoop: worker.eventLoop) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(AcceptHandler(worker: worker, listener: name))
            }
        }.get()
    }

    /// Closes the listening sockets and lets connections end with their current exchange.
    package func drainListeners() async {
        let channels = state.withLock { state in
            state.isDraining = true
            let all = state.sockets.values.flatMap(\.channels)
            state.sockets = [:]
            return all
        }
        for channel in channels { try? await channel.close() }
        await drainConnections()
    }

    /// Idle connections close now, busy ones after their exchange; new ones are still taken, for one exchange each.
    package func drainConnections() async {
        for worker in workers { _ = try? await worker.eventLoop.submit { worker.drain() }.get() }
    }

    private var isIdle: Bool {
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

/// Starts a ``DownstreamConnection`` when its channel becomes active, then leaves the pipeline.
private final class AcceptHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    private let worker: Worker
    private let listener: String

    init(worker: Worker, listener: String) {
        self.worker = worker
        self.listener = listener
    }

    func channelActive(context: ChannelHandlerContext) {
        DownstreamConnection(worker: worker, channel: context.channel).start(acceptedBy: listener)
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
}
