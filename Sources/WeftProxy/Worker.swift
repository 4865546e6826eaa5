import CWeftLinux
import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// One event loop with all it owns: sockets, pools, connections, and a reference to the snapshot it serves.
///
/// Loop-confined: every member is touched on ``eventLoop`` alone.
/// - Note: `@unchecked Sendable` only so that closures may carry the reference to the loop.
final class Worker: @unchecked Sendable {
    let eventLoop: any EventLoop
    let index: Int
    private(set) var snapshot: Snapshot
    private var clusters: [String: WorkerCluster] = [:]
    private struct RecentCluster {
        let forwarding: CompiledForward
        let cluster: WorkerCluster
    }
    /// Where routes went lately, by a few bits of their identity: a look here hashes no name.
    private var recentClusters = [RecentCluster?](repeating: nil, count: 64)
    private var connections: [ObjectIdentifier: DownstreamConnection] = [:]
    private var connectionCount: UInt64 = 0
    /// The drain of the whole proxy, and whose listeners it means.
    private var drain: (state: DrainState, isMeant: (Listener) -> Bool)?
    var isDraining: Bool { drain != nil }
    /// Asked for by `/healthcheck/fail`.
    var failsHealthChecks = false
    let drainSettings: DrainSettings
    lazy var resolver = DNSResolver(eventLoop: eventLoop, configuration: SystemFiles.resolverConfiguration())
    /// Hosts of dynamic forward proxies.
    lazy var hostCache = HostCache(resolver: resolver)
    /// The first worker looks after the clusters for all.
    private lazy var upkeep = index == 0 ? ClusterUpkeep(eventLoop: eventLoop, logs: logs) : nil
    /// For what must not be guessed, such as request ids.
    var random = BufferedRandom()
    var date = HTTPDate()
    /// For decisions, where speed counts and nobody must be kept from guessing.
    var decisions = RandomStream()
    let logs: AccessLogWriter
    /// Access log services.
    private(set) lazy var logServices = AccessLogServices(worker: self)
    /// Collectors of spans.
    private(set) lazy var tracers = Tracers(worker: self, counts: tracing)
    /// How spans fared, of all workers.
    let tracing: TracingCounts
    let node: ObservedNode
    /// Format strings of header values, read once.
    let formats = FormatCache()
    let metrics: WorkerMetrics
    let localPrincipal: String?
    /// `--service-cluster`: what rate limits call the source.
    let serviceCluster: String
    /// Remote keys of JWT providers.
    private(set) lazy var tokenKeys = TokenKeyStore(worker: self)
    /// Whose time limits are watched.
    let exchanges: ExchangeList
    /// Failures of downstream HTTP/2 connections, of all workers.
    let http2: HTTP2Statistics
    let flushes: FlushBatch
    /// The time, to which all that one read leads to happens at once.
    var now: NIODeadline { flushes.clock.now }
    let overload: OverloadState

    init(
        eventLoop: any EventLoop, index: Int, snapshot: Snapshot, logs: AccessLogWriter, metrics: WorkerMetrics,
        localPrincipal: String?, http2: HTTP2Statistics, tracing: TracingCounts = TracingCounts(),
        node: ObservedNode = ObservedNode(), overload: OverloadState = OverloadState(),
        drain: DrainSettings = DrainSettings(), serviceCluster: String = ""
    ) {
        self.serviceCluster = serviceCluster
        self.tracing = tracing
        self.node = node
        drainSettings = drain
        self.http2 = http2
        self.overload = overload
        self.metrics = metrics
        self.localPrincipal = localPrincipal
        self.eventLoop = eventLoop
        self.index = index
        self.snapshot = snapshot
        self.logs = logs
        exchanges = ExchangeList(eventLoop: eventLoop)
        flushes = FlushBatch(eventLoop: eventLoop)
    }

    /// Access logs leave at least every second.
    func startFlushing() {
        eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { [self] in
            logs.flush()
            tracers.flush()
            metrics.tick()
            startFlushing()
        }
    }

    /// Serves `next` from now on. What did not change costs nothing here. Pools of unchanged clusters stay, also when
    /// certificates were renewed; the others finish what they have.
    func swap(to next: Snapshot) {
        let previous = snapshot
        // Two changes at once may arrive in the wrong order: the older one is no longer wanted.
        guard next.generation >= previous.generation else { return }
        snapshot = next
        for index in recentClusters.indices { recentClusters[index] = nil }
        if next.clusterLineage !== previous.clusterLineage {
            metrics.snapshotChanged()
            upkeep?.update(next.attended)
            replaceClusters(of: previous, by: next)
        }
        guard next.listenerLineage !== previous.listenerLineage else { return }
        for connection in Array(connections.values) where !connection.isServed(by: next) { connection.follow(next) }
    }

    private func replaceClusters(of previous: Snapshot, by next: Snapshot) {
        for (name, cluster) in clusters {
            if let compiled = next.clusters[name] {
                let isSpreadAnew = compiled.isZoneAware && next.zone != previous.zone
                if compiled === cluster.compiled, !isSpreadAnew { continue }
                if compiled.lineage === cluster.compiled.lineage, !isSpreadAnew {
                    cluster.renew(compiled)
                    continue
                }
            }
            clusters[name] = nil
            if let compiled = next.clusters[name] { self.cluster(name, compiled).adopt(cluster) }
            cluster.drain()
        }
    }

    func cluster(_ name: String) -> WorkerCluster? {
        if let known = clusters[name] { return known }
        return snapshot.clusters[name].map { cluster(name, $0) }
    }

    /// The cluster of a route that always goes to the same one, if the route was taken lately.
    func recentCluster(of forwarding: CompiledForward) -> WorkerCluster? {
        guard let known = recentClusters[Self.slot(forwarding)], known.forwarding === forwarding else { return nil }
        return known.cluster
    }

    /// Until the next snapshot.
    func remember(_ cluster: WorkerCluster, of forwarding: CompiledForward) {
        recentClusters[Self.slot(forwarding)] = RecentCluster(forwarding: forwarding, cluster: cluster)
    }

    private static func slot(_ forwarding: CompiledForward) -> Int {
        Int(UInt(bitPattern: ObjectIdentifier(forwarding)) >> 5 & 63)
    }

    private func cluster(_ name: String, _ compiled: CompiledCluster) -> WorkerCluster {
        let made = WorkerCluster(
            compiled, eventLoop: eventLoop, flushes: flushes, zone: snapshot.zone,
            counters: metrics.counters.cluster(name))
        clusters[name] = made
        return made
    }

    /// Unique in the process: the low bits tell the worker.
    func nextConnectionID() -> UInt64 {
        connectionCount += 1
        return connectionCount << 8 | UInt64(index & 0xff)
    }

    func add(_ connection: DownstreamConnection) { connections[ObjectIdentifier(connection)] = connection }
    func remove(_ connection: DownstreamConnection) { connections[ObjectIdentifier(connection)] = nil }

    /// Ends what runs by itself.
    func stop() { upkeep?.stop() }

    /// Seconds since 1970.
    func unixTime() -> Int64 { weft_wall_clock_milliseconds() / 1_000 }

    /// True when nothing is connected.
    var isIdle: Bool { connections.isEmpty }

    /// Asks connections to go, and those that come.
    func drain(_ state: DrainState, _ isMeant: @escaping (Listener) -> Bool) {
        drain = (state, isMeant)
        for connection in Array(connections.values) {
            if let listener = connection.listener?.listener, isMeant(listener) { connection.drain(state) }
        }
    }

    /// The drain that a new connection falls into.
    func drainState(for listener: Listener) -> DrainState? { drain.flatMap { $0.isMeant(listener) ? $0.state : nil } }
}

/// The exchanges of one worker whose time limits are watched, in no order.
///
/// Loop-confined. Adding and removing are a few pointer writes, so a request pays for no timer; all are looked at every
/// ``interval`` while there are any.
final class ExchangeList {
    /// By how much a limit may be overrun.
    static let interval = TimeAmount.milliseconds(100)

    private var first: Exchange?
    private var isTicking = false
    private let eventLoop: any EventLoop

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func add(_ exchange: Exchange) {
        exchange.next = first
        first?.previous = exchange
        exchange.previous = nil
        first = exchange
        if !isTicking { tick() }
    }

    func remove(_ exchange: Exchange) {
        let next = exchange.next
        next?.previous = exchange.previous
        if let previous = exchange.previous { previous.next = next } else { first = next }
        exchange.next = nil
        exchange.previous = nil
    }

    /// Classes of size for ``resetLargest(_:)``: from 1 MiB to 128 MiB and more, doubling, as Envoy's.
    private static let sizeClasses = 8
    /// Envoy's bound on what one look may end.
    private static let resetLimit = 50

    /// Ends requests that hold a mebibyte and more, the largest classes first.
    /// - Parameter level: 0 to 1, the share of the classes.
    /// - Returns: How many were ended.
    func resetLargest(_ level: Double) -> Int {
        let lowest = Self.sizeClasses - min(Self.sizeClasses, Int(level * Double(Self.sizeClasses)) + 1)
        var found: [Exchange] = []
        var current = first
        while let exchange = current {
            current = exchange.next
            if exchange.heldBytes >= 1 << (20 + lowest) { found.append(exchange) }
        }
        let largest = found.sorted { $0.heldBytes > $1.heldBytes }.prefix(Self.resetLimit)
        for exchange in largest { exchange.timedOut(.overloaded) }
        return largest.count
    }

    private func tick() {
        isTicking = true
        eventLoop.assumeIsolated().scheduleTask(in: Self.interval) { [self] in
            isTicking = false
            let now = NIODeadline.now()
            var current = first
            while let exchange = current {
                // A request that ends here leaves the list.
                current = exchange.next
                exchange.sweep(now: now)
            }
            if first != nil { tick() }
        }
    }
}
