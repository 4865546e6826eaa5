import NIOCore
import Synchronization
import WeftCore
import WeftIR
import WeftMetrics
import WeftRouting
import WeftTransport

/// Plain forwarding of one connection (`tcp_proxy`): picks a cluster and an endpoint, connects, joins both ends.
///
/// Loop-confined; kept alive by its closures until both ends are gone.
final class TCPSession {
    private let worker: Worker
    private let channel: any Channel
    private let info: ConnectionInfo
    private let proxy: TCPProxy
    private let reporter: StatsFilter.Reporter?
    private let changes: MetricChanges?
    /// The client's proxy speaks of itself first.
    private var awaitsIntroduction: Bool
    private var introduction: [UInt8]?
    private var isJoined = false
    private var report: TCPReport?
    private var downstream: RelayHandler?
    private var upstream: RelayHandler?
    private var tunnel: UpstreamTunnel?
    private var bytesFromUpstream: UInt64 { upstream?.bytesReceived ?? tunnel?.bytesReceived ?? 0 }
    private var upstreamActivity: NIODeadline? { upstream?.lastActivity ?? tunnel?.lastActivity }
    private var attempts: UInt32 = 0
    private var pick = PickRequest()
    private let started = NIODeadline.now()
    private var host: CompiledHost?
    private var clusterName = ""
    private var flag = "-"
    private var idleTask: Scheduled<Void>?
    private let logs: [CompiledAccessLog]
    private let counters: CounterBlock
    /// What the access log says beyond what else is known here.
    private var record = ConnectionRecord()
    private var lifetime: Scheduled<Void>?

    init(
        worker: Worker, channel: any Channel, info: ConnectionInfo, proxy: TCPProxy, reporter: StatsFilter.Reporter?,
        changes: MetricChanges?, logs: [CompiledAccessLog], applicationProtocol: String? = nil
    ) {
        awaitsIntroduction = applicationProtocol == PeerMetadata.exchangeProtocol && info.peer != nil
        self.logs = logs
        self.changes = changes
        counters = worker.metrics.counters.tcp(proxy.statPrefix)
        self.worker = worker
        self.channel = channel
        self.info = info
        self.proxy = proxy
        self.reporter = reporter
    }

    func start() {
        counters.add(TCPCounter.connections)
        let relay = RelayHandler(isPlain: !info.isTLS) { [self] in closed() }
        downstream = relay
        do {
            if awaitsIntroduction {
                try channel.pipeline.syncOperations.addHandler(IntroductionHandler { [self] in introduced($0) })
            }
            try channel.pipeline.syncOperations.addHandler(relay)
        } catch { return channel.close(promise: nil) }
        choose()
        if let limit = proxy.maxConnectionDurationMilliseconds, limit > 0 {
            lifetime = worker.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(clamping: limit))) {
                [weak self] in self?.expire()
            }
        }
        connect()
    }

    private func choose() {
        var match = proxy.metadataMatch
        switch proxy.cluster {
        case .weighted(let all):
            let chosen = ClusterChoice.weighted(all, random: worker.decisions.next())
            clusterName = chosen?.name ?? ""
            match.merge(chosen?.metadataMatch ?? [:]) { $1 }
        case .cluster(let name): clusterName = name
        case .header: clusterName = ""
        }
        if !match.isEmpty { pick.subset = SubsetKey(match) }
        if proxy.hashesSource { pick.hash = XXHash64.hash(info.remoteIP) }
    }

    /// The connection has lasted as long as it may.
    private func expire() {
        flag = "DT"
        if let downstream, upstreamActivity != nil { downstream.closeAll() } else { channel.close(promise: nil) }
    }

    private func connect() {
        guard let cluster = worker.cluster(clusterName) else {
            counters.add(TCPCounter.noRoute)
            return refuse("NC")
        }
        pick.now = Int64(NIODeadline.now().uptimeNanoseconds)
        let picked = cluster.compiled.template == nil ? cluster.pick(pick) : cluster.dynamicHost(info.destination)
        guard let host = picked else { return refuse("UH") }
        let shared = cluster.compiled.shared
        guard SharedCluster.acquire(shared.connections, limit: cluster.compiled.cluster.circuitBreakers.maxConnections)
        else {
            shared.pendingOverflow.wrappingAdd(1, ordering: .relaxed)
            return refuse("UO")
        }
        self.host = host
        attempts += 1
        pick.tried.append(host.shared)
        if let tunnel = proxy.tunnel { return open(tunnel, cluster, host) }
        let preamble = cluster.compiled.proxyProtocol(for: host).map { info.proxyHeader($0) }
        UpstreamConnector.connect(to: host.targets.tcp, preamble: preamble, on: worker.eventLoop) { [self] result in
            switch result {
            case .failure(let error):
                self.record.transportFailure = UpstreamAttempt.text(error)
                SharedCluster.release(shared.connections)
                shared.connectFailures.wrappingAdd(1, ordering: .relaxed)
                record(.connectFailed, cluster, host)
                if attempts < max(1, proxy.maxConnectAttempts), channel.isActive { return connect() }
                refuse("UF")
            case .success(let connected):
                shared.connectionsTotal.wrappingAdd(1, ordering: .relaxed)
                // A stream has no answers to judge: the connection is the success.
                record(cluster.compiled.outlierSplits ? .connected : .response(status: 200), cluster, host)
                if connected.applicationProtocol == PeerMetadata.exchangeProtocol { introduce(connected.channel) }
                join(connected.channel, shared)
            }
        }
    }

    /// Tells a peer inside the mesh who we are, before the client says anything.
    private func introduce(_ other: any Channel) {
        let introduction = worker.metrics.node.introduction
        // Who agreed on the protocol waits for an introduction; an empty one names nobody.
        let bytes = introduction.isEmpty ? PeerMetadata.introduction(id: "", metadata: .object([:])) : introduction
        other.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }

    /// Asks an HTTP proxy for the connection. Its pool keeps the limits of connections.
    private func open(_ wanted: TCPProxy.Tunnel, _ cluster: WorkerCluster, _ host: CompiledHost) {
        let shared = cluster.compiled.shared
        SharedCluster.release(shared.connections)
        let version: HTTPVersion =
            switch cluster.compiled.cluster.httpProtocol {
            case .http2: .http2
            case .auto: host.targets.http2.tls == nil ? .http1 : .http2
            case .http1, .useDownstream: .http1
            }
        guard let downstream else { return }
        let tunnel = UpstreamTunnel(TunnelRequest(wanted, info, worker), downstream: downstream) { [self] outcome in
            switch outcome {
            case .opened(let local):
                self.record.upstreamLocal = local
                shared.requestsTotal.wrappingAdd(1, ordering: .relaxed)
                record(cluster.compiled.outlierSplits ? .connected : .response(status: 200), cluster, host)
                openReport()
                watchIdle()
            case .failed(let why):
                self.record.transportFailure = why
                record(.connectFailed, cluster, host)
                if attempts < max(1, proxy.maxConnectAttempts), channel.isActive { return connect() }
                refuse("UF")
            }
        }
        self.tunnel = tunnel
        tunnel.open(on: cluster.pool(for: host, version: version, of: info))
    }

    private func record(_ outcome: OutlierDetector.Outcome, _ cluster: WorkerCluster, _ host: CompiledHost) {
        cluster.compiled.outlier?.record(
            outcome, of: host.shared, in: cluster.compiled.shared, hostCount: cluster.compiled.hosts.count,
            now: Int64(NIODeadline.now().uptimeNanoseconds), random: &worker.decisions)
    }

    private func join(_ other: any Channel, _ shared: SharedCluster) {
        other.closeFuture.assumeIsolated().whenComplete { _ in SharedCluster.release(shared.connections) }
        self.record.upstreamLocal = other.localAddress.map { "\($0.ipAddress ?? ""):\($0.port ?? 0)" }
        guard let downstream, channel.isActive else { return other.close(promise: nil) }
        let relay = RelayHandler(isPlain: host?.targets.tcp.tls == nil)
        upstream = relay
        do {
            try other.pipeline.syncOperations.addHandler(relay)
            RelayHandler.join(downstream, relay)
        } catch {
            other.close(promise: nil)
            return refuse("UF")
        }
        openReport()
        watchIdle()
    }

    private func introduced(_ introduction: [UInt8]?) {
        self.introduction = introduction
        awaitsIntroduction = false
        if isJoined { openReport() }
    }

    /// The client: who it says it is, or who is known to have its address.
    private func peer(_ reporter: StatsFilter.Reporter) -> Int {
        guard reporter == .destination else { return 0 }
        let principal = info.peer?.uriNames.first
        if let introduction, let principal {
            let index = worker.metrics.peers.index(principal: principal, introduction: introduction)
            if !worker.metrics.peers.isNameless(index) { return index }
        }
        return worker.metrics.peer(at: info.remoteIP, principal: principal, in: worker.snapshot)
    }

    private func openReport() {
        isJoined = true
        guard let reporter, report == nil, !awaitsIntroduction else { return }
        let cluster = worker.snapshot.clusters[clusterName]
        var known = record
        known.cluster = clusterName.isEmpty ? nil : clusterName
        known.upstreamHost = host?.name
        let connection = WorkerMetrics.Connection(
            info: info, peer: peer(reporter), cluster: cluster, host: host, changes: changes,
            computed: changes?.computed(LogContext(info, known)) ?? [])
        report = worker.metrics.opened(reporter, connection) { [weak self] in
            (self?.downstream?.bytesReceived ?? 0, self?.bytesFromUpstream ?? 0)
        }
    }

    private func watchIdle() {
        let limit = proxy.idleTimeoutMilliseconds ?? 3_600_000
        guard limit > 0 else { return }
        let span = TimeAmount.milliseconds(Int64(clamping: limit))
        idleTask = worker.eventLoop.assumeIsolated().scheduleTask(
            in: .milliseconds(max(100, Int64(clamping: limit / 4)))
        ) {
            [weak self] in
            guard let self, let downstream = self.downstream, let other = self.upstreamActivity else { return }
            let last = max(downstream.lastActivity, other)
            guard NIODeadline.now() - last >= span else { return self.watchIdle() }
            self.counters.add(TCPCounter.idleTimeouts)
            downstream.closeAll()
        }
    }

    private func refuse(_ flag: String) {
        self.flag = flag
        channel.close(promise: nil)
    }

    private func closed() {
        idleTask?.cancel()
        lifetime?.cancel()
        awaitsIntroduction = false
        openReport()
        if let report { worker.metrics.closed(report, flag: flag) }
        counters.add(TCPCounter.receivedBytes, Int(clamping: downstream?.bytesReceived ?? 0))
        counters.add(TCPCounter.sentBytes, Int(clamping: bytesFromUpstream))
        record.type = .tcpConnectionEnd
        record.started = started
        record.cluster = clusterName.isEmpty ? nil : clusterName
        record.upstreamHost = host?.name
        record.flag = flag
        record.received = downstream?.bytesReceived ?? 0
        record.sent = bytesFromUpstream
        record.attempts = Int(attempts)
        worker.logs.connectionEnded(info, record, logs: logs, worker)
        tunnel?.abandon()
        tunnel = nil
        downstream = nil
        upstream = nil
    }
}

/// Chooses among the clusters of a selector.
enum ClusterChoice {
    static func name(_ selector: ClusterSelector, random: UInt64, header: (String) -> String?) -> String? {
        switch selector {
        case .cluster(let name): name
        case .header(let field): header(field)
        case .weighted(let all): weighted(all, random: random)?.name
        }
    }

    static func weighted(_ all: [WeightedCluster], random: UInt64) -> WeightedCluster? {
        let total = all.reduce(UInt64(0)) { $0 + UInt64($1.weight) }
        guard total > 0 else { return nil }
        var rest = random % total
        for candidate in all {
            if rest < UInt64(candidate.weight) { return candidate }
            rest -= UInt64(candidate.weight)
        }
        return nil
    }
}
