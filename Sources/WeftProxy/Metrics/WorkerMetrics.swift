import NIOCore
import WeftADS
import WeftHTTP
import WeftIR
import WeftMetrics
import WeftTransport

/// Counts what one worker does, under Istio's names.
///
/// Loop-confined. Label sets are built once and kept by small keys; a request that looks like an earlier one costs two
/// look-ups and a few additions.
final class WorkerMetrics {
    /// Identifies a set of base labels before it is built.
    struct BaseKey: Hashable {
        var reporter: StatsFilter.Reporter
        var cluster = ""
        var endpoint: ObjectIdentifier?
        var peer = 0
        var authority = ""
    }
    private struct HTTPKey: Hashable {
        var base: Int
        var status: Int
        var flag: String
        var grpcStatus: String
        var isGRPC: Bool
        var security: Security
    }
    private final class HTTPSeries {
        // `nil` where a configuration drops the metric.
        let requests: MetricSeries?
        let duration: MetricSeries?
        let requestBytes: MetricSeries?
        let responseBytes: MetricSeries?
        /// Of gRPC calls.
        let messages: MessageSeries?
        /// Kept, because its identity is part of the key.
        private let changes: MetricChanges?

        init(
            _ recorder: MetricRecorder, _ values: [String], isGRPC: Bool, _ changes: MetricChanges?,
            _ computed: [String]
        ) {
            func series(_ family: Int) -> MetricSeries? { recorder.series(family, values, changes, computed) }
            self.changes = changes
            requests = series(IstioMetrics.Index.requests)
            duration = series(IstioMetrics.Index.duration)
            requestBytes = series(IstioMetrics.Index.requestBytes)
            responseBytes = series(IstioMetrics.Index.responseBytes)
            let base = Array(values.prefix(IstioMetrics.baseLabels.count))
            messages = isGRPC ? MessageSeries(recorder, base, changes, computed) : nil
        }

        func count(milliseconds: UInt64, received: Int, sent: Int) {
            requests?.add()
            duration?.observe(milliseconds)
            requestBytes?.observe(UInt64(clamping: received))
            responseBytes?.observe(UInt64(clamping: sent))
        }
    }
    private struct MessageSeries {
        // `nil` where a configuration drops the metric.
        let requests: MetricSeries?
        let responses: MetricSeries?

        init(_ recorder: MetricRecorder, _ base: [String], _ changes: MetricChanges?, _ computed: [String]) {
            requests = recorder.series(IstioMetrics.Index.requestMessages, base, changes, computed)
            responses = recorder.series(IstioMetrics.Index.responseMessages, base, changes, computed)
        }

        func count(_ call: GRPCCall) {
            let new = call.unreported()
            requests?.add(new.requests)
            responses?.add(new.responses)
        }
    }
    /// An outcome under changed metrics, with what their expressions came to.
    private struct ChangedKey: Hashable {
        var changes: ObjectIdentifier
        var standard: HTTPKey
        var computed: [String]
    }
    /// A forwarded connection, as its metrics tell of it.
    struct Connection {
        var info: ConnectionInfo
        /// The client, in ``WorkerMetrics/peers``.
        var peer = 0
        var cluster: CompiledCluster?
        var host: CompiledHost?
        var changes: MetricChanges?
        /// What the expressions of `changes` came to.
        var computed: [String] = []
    }
    /// An outcome whose series were found lately. The host stands for its cluster too.
    private final class Recent {
        let host: ObjectIdentifier
        let reporter: StatsFilter.Reporter
        let peer: Int
        let status: Int
        let flag: String
        let isGRPC: Bool
        let grpcStatus: String?
        let security: Security
        let series: HTTPSeries

        init(
            host: ObjectIdentifier, exchange: Exchange, reporter: StatsFilter.Reporter, security: Security,
            series: HTTPSeries
        ) {
            self.host = host
            self.reporter = reporter
            peer = exchange.record.peer
            status = exchange.record.status
            flag = exchange.record.flag
            isGRPC = exchange.original.isGRPC
            grpcStatus = exchange.record.grpcStatus
            self.security = security
            self.series = series
        }

        func isLike(_ exchange: Exchange) -> Bool {
            peer == exchange.record.peer && status == exchange.record.status && isGRPC == exchange.original.isGRPC
                && flag == exchange.record.flag && grpcStatus == exchange.record.grpcStatus
        }
    }
    /// Values of `connection_security_policy`.
    enum Security: String { case mutualTLS = "mutual_tls", none, unknown }

    let node: MetricsNode
    /// Under Envoy's names.
    let counters: WorkerCounters
    /// Whether peers inside the mesh are told who this is.
    let introducesItself: Bool
    var peers = PeerTable()
    /// Grows whenever addresses may belong to others than before.
    private(set) var addressEpoch = 0
    private let recorder: MetricRecorder
    private var baseByKey: [BaseKey: Int] = [:]
    /// Keeps endpoints alive whose identity is in ``baseByKey``.
    private var hosts: [CompiledHost] = []
    private var baseByValues: [[String]: Int] = [:]
    private var bases: [[String]] = []
    private var http: [HTTPKey: HTTPSeries] = [:]
    private var changed: [ChangedKey: HTTPSeries] = [:]
    /// By a few bits of host and status; a look here costs no hashing of text.
    private var recent = [Recent?](repeating: nil, count: 64)
    private var reports: [ObjectIdentifier: TCPReport] = [:]
    private var ticks = 0
    /// Who has which address, of the endpoints that this proxy is told of; made when first asked for.
    private var workloads: [String: WorkloadLabels]?
    private var askedClients = AskedClients()
    /// Seconds that an answer of the control plane holds.
    private static let askedAgain = 30
    private static let cacheLimit = 10_000

    init(
        recorder: MetricRecorder, node: MetricsNode, counters: WorkerCounters = WorkerCounters(CounterTables())
    ) {
        self.counters = counters
        self.recorder = recorder
        self.node = node
        introducesItself = !node.header.isEmpty
    }

    /// Endpoints and clusters may mean something else now.
    func snapshotChanged() {
        workloads = nil
        forgetAddresses()
        baseByKey.removeAll(keepingCapacity: true)
        for index in recent.indices { recent[index] = nil }
        hosts = []
    }

    /// A client that did not introduce itself, as the endpoint that has its address.
    func peer(at address: String, principal: String?, in snapshot: Snapshot) -> Int {
        peers.index(principal: principal, address: address) { address in
            let known = workloads ?? Self.workloads(in: snapshot)
            workloads = known
            return known[address] ?? askedClients.workload(at: address)
        }
    }

    /// The control plane can be asked who has an address from now on, or, with `nil`, cannot.
    func resolve(_ ask: (@Sendable (_ address: String) -> Bool)?) {
        askedClients.ask = ask
        if ask != nil { forgetAddresses() }
    }

    /// The control plane has said who has an address.
    func learn(_ answer: ClientAnswer) { if askedClients.learn(answer) { forgetAddresses() } }

    private func forgetAddresses() {
        peers.forgetAddresses()
        addressEpoch += 1
    }

    private static func workloads(in snapshot: Snapshot) -> [String: WorkloadLabels] {
        var found: [String: WorkloadLabels] = [:]
        for cluster in snapshot.clusters.values {
            for host in cluster.hosts {
                guard let workload = host.endpoint.workload, case .ip(let ip, _) = host.endpoint.address else {
                    continue
                }
                found[ip] = WorkloadLabels(workload)
            }
        }
        return found
    }

    // MARK: HTTP

    /// - Parameter now: When the exchange ended.
    func exchangeFinished(_ exchange: Exchange, now: NIODeadline) {
        guard let reporter = exchange.connection.manager.stats else { return }
        let security: Security =
            reporter != .destination ? .unknown : exchange.connection.hasPeer ? .mutualTLS : .none
        if let changes = exchange.connection.manager.metricChanges {
            return count(exchange, now, series(for: exchange, reporter, security, changes))
        }
        guard let host = exchange.record.host else {
            return count(exchange, now, series(for: exchange, reporter, security))
        }
        let id = ObjectIdentifier(host)
        let slot = (Int(bitPattern: UInt(bitPattern: id)) >> 4 ^ exchange.record.status) & 63
        if let known = recent[slot], known.host == id, known.reporter == reporter, known.security == security,
            known.isLike(exchange)
        {
            return count(exchange, now, known.series)
        }
        let series = series(for: exchange, reporter, security)
        count(exchange, now, series)
        // Without a known service the labels depend on the authority as well.
        guard reporter == .destination || exchange.cluster?.compiled.cluster.services.isEmpty == false else { return }
        recent[slot] = Recent(host: id, exchange: exchange, reporter: reporter, security: security, series: series)
    }

    private func count(_ exchange: Exchange, _ now: NIODeadline, _ series: HTTPSeries) {
        series.count(
            milliseconds: UInt64(clamping: (now - exchange.record.started).nanoseconds / 1_000_000),
            received: exchange.record.bytesReceived, sent: exchange.record.bytesSent)
        if let messages = series.messages, let call = exchange.filterState?.grpcCall { messages.count(call) }
    }

    /// Tells of the messages of a call that goes on.
    func report(_ call: GRPCCall, of exchange: Exchange) {
        guard let reporter = exchange.connection.manager.stats else { return }
        let changes = exchange.connection.manager.metricChanges
        let base = bases[key(for: exchange, reporter, .unknown).base]
        let computed = changes?.computed(LogContext(exchange)) ?? []
        MessageSeries(recorder, base, changes, computed).count(call)
    }

    private func series(
        for exchange: Exchange, _ reporter: StatsFilter.Reporter, _ security: Security
    ) -> HTTPSeries {
        let key = key(for: exchange, reporter, security)
        return http[key] ?? make(key)
    }

    /// Expressions are evaluated for every exchange: their values may differ where nothing else does.
    private func series(
        for exchange: Exchange, _ reporter: StatsFilter.Reporter, _ security: Security, _ changes: MetricChanges
    ) -> HTTPSeries {
        let key = ChangedKey(
            changes: ObjectIdentifier(changes), standard: key(for: exchange, reporter, security),
            computed: changes.computed(LogContext(exchange)))
        if let known = changed[key] { return known }
        if changed.count >= Self.cacheLimit { changed.removeAll() }
        let made = HTTPSeries(
            recorder, values(key.standard), isGRPC: key.standard.isGRPC, changes, key.computed)
        changed[key] = made
        return made
    }

    private func key(
        for exchange: Exchange, _ reporter: StatsFilter.Reporter, _ security: Security
    ) -> HTTPKey {
        let record = exchange.record
        let authority = reporter == .source ? String(exchange.original.host.lowercased().prefix(253)) : ""
        let base = base(
            reporter, cluster: exchange.metricsCluster, host: record.host, peer: record.peer, authority: authority)
        let isGRPC = exchange.original.isGRPC
        return HTTPKey(
            base: base, status: record.status, flag: record.flag,
            grpcStatus: isGRPC ? Self.grpc(record.grpcStatus) : "", isGRPC: isGRPC, security: security)
    }

    /// A server may write anything into its status; only numbers become labels.
    private static func grpc(_ status: String?) -> String {
        guard let status, status.utf8.count <= 2, UInt8(status) != nil else { return "" }
        return status
    }

    private func security(_ reporter: StatsFilter.Reporter, _ info: ConnectionInfo) -> Security {
        guard reporter == .destination else { return .unknown }
        return info.peer == nil ? .none : .mutualTLS
    }

    private func make(_ key: HTTPKey) -> HTTPSeries {
        if http.count >= Self.cacheLimit { http.removeAll() }
        let made = HTTPSeries(recorder, values(key), isGRPC: key.isGRPC, nil, [])
        http[key] = made
        return made
    }

    private func values(_ key: HTTPKey) -> [String] {
        bases[key.base] + [
            key.isGRPC ? "grpc" : "http", String(key.status), key.grpcStatus, key.flag, key.security.rawValue,
        ]
    }

    // MARK: labels

    private func base(
        _ reporter: StatsFilter.Reporter, cluster: CompiledCluster?, host: CompiledHost?, peer: Int, authority: String
    ) -> Int {
        // With a known service the authority says nothing more.
        let authority = cluster?.cluster.services.isEmpty == false ? "" : authority
        let key = BaseKey(
            reporter: reporter, cluster: cluster?.cluster.name ?? "", endpoint: host.map { ObjectIdentifier($0) },
            peer: peer,
            authority: authority)
        if let known = baseByKey[key] { return known }
        if baseByKey.count >= Self.cacheLimit { snapshotChanged() }
        if bases.count >= Self.cacheLimit {
            snapshotChanged()
            baseByValues = [:]
            bases = []
            http = [:]
            changed = [:]
        }
        let values = labels(reporter, cluster, host, peer: peer, authority: authority).values
        let index = baseByValues[values] ?? bases.count
        if index == bases.count {
            bases.append(values)
            baseByValues[values] = index
        }
        baseByKey[key] = index
        if let host { hosts.append(host) }
        return index
    }

    /// Who called whom, as metrics tell it; made anew at each call.
    func labels(
        _ reporter: StatsFilter.Reporter, _ cluster: CompiledCluster?, _ host: CompiledHost?, peer: Int,
        authority: String
    ) -> BaseLabels {
        var labels = reporter == .source ? source(cluster, host) : destination(peers[peer])
        labels.reporter = reporter.rawValue
        name(cluster, authority, reporter, &labels)
        return labels
    }

    private func source(_ cluster: CompiledCluster?, _ host: CompiledHost?) -> BaseLabels {
        var labels = BaseLabels()
        labels.source = node.labels
        if let workload = host?.endpoint.workload { labels.destination = WorkloadLabels(workload) }
        guard let cluster, let host, let tls = cluster.meshTLS(for: host) else { return labels }
        labels.sourcePrincipal = node.principal ?? ""
        // The one name that the peer's certificate was verified to have.
        if tls.common.subjectAltNames.count == 1,
            case .exact(let name)? = tls.common.subjectAltNames.first?.matcher.pattern
        {
            labels.destinationPrincipal = name
        }
        return labels
    }

    private func destination(_ peer: PeerTable.Peer) -> BaseLabels {
        var labels = BaseLabels()
        labels.source = peer.labels
        labels.sourcePrincipal = peer.principal
        labels.destination = node.labels
        if !peer.principal.isEmpty { labels.destinationPrincipal = node.principal ?? "" }
        return labels
    }

    private func name(
        _ cluster: CompiledCluster?, _ authority: String, _ reporter: StatsFilter.Reporter, _ labels: inout BaseLabels
    ) {
        if let service = cluster?.cluster.services.first {
            labels.service = service.host
            labels.serviceName = service.name
            labels.serviceNamespace = service.namespace
            return
        }
        labels.service = authority
        labels.serviceName = authority
        let name = cluster?.cluster.name ?? ""
        if name == "PassthroughCluster" || name == "BlackHoleCluster" || name.hasPrefix("InboundPassthrough") {
            labels.serviceName = name
        }
        labels.serviceNamespace = reporter == .destination ? node.labels.namespace : labels.destination.namespace
    }

    // MARK: TCP

    /// A forwarded connection begins to count.
    /// - Parameter read: Bytes received from and sent to the client until now.
    func opened(
        _ reporter: StatsFilter.Reporter, _ connection: Connection,
        read: @escaping () -> (received: UInt64, sent: UInt64)
    ) -> TCPReport {
        let base = bases[
            base(reporter, cluster: connection.cluster, host: connection.host, peer: connection.peer, authority: "")]
        let security = security(reporter, connection.info).rawValue
        let plain = base + ["tcp", "-", security]
        func series(_ family: Int) -> MetricSeries? {
            recorder.series(family, plain, connection.changes, connection.computed)
        }
        series(IstioMetrics.Index.opened)?.add()
        let report = TCPReport(
            base: base, security: security, connection: connection, sent: series(IstioMetrics.Index.sent),
            received: series(IstioMetrics.Index.received), read: read)
        reports[ObjectIdentifier(report)] = report
        return report
    }

    func closed(_ report: TCPReport, flag: String) {
        report.update()
        reports[ObjectIdentifier(report)] = nil
        recorder.series(
            IstioMetrics.Index.closed, report.base + ["tcp", flag, report.security], report.connection.changes,
            report.connection.computed)?.add()
    }

    /// Every second; long connections show their bytes every five.
    func tick() {
        ticks += 1
        if ticks.isMultiple(of: Self.askedAgain), askedClients.renew() { forgetAddresses() }
        guard ticks.isMultiple(of: 5) else { return }
        for report in reports.values { report.update() }
    }
}

/// The counts of one open TCP connection. Loop-confined.
final class TCPReport {
    fileprivate let base: [String]
    fileprivate let security: String
    fileprivate let connection: WorkerMetrics.Connection
    private let sent: MetricSeries?
    private let received: MetricSeries?
    private let read: () -> (received: UInt64, sent: UInt64)
    private var last: (received: UInt64, sent: UInt64) = (0, 0)

    fileprivate init(
        base: [String], security: String, connection: WorkerMetrics.Connection, sent: MetricSeries?,
        received: MetricSeries?,
        read: @escaping () -> (received: UInt64, sent: UInt64)
    ) {
        self.base = base
        self.security = security
        self.connection = connection
        self.sent = sent
        self.received = received
        self.read = read
    }

    /// Adds what came since the last time.
    fileprivate func update() {
        let now = read()
        if now.received > last.received { received?.add(now.received - last.received) }
        if now.sent > last.sent { sent?.add(now.sent - last.sent) }
        last = (max(now.received, last.received), max(now.sent, last.sent))
    }
}

extension MetricRecorder {
    /// The series of a metric as a configuration has changed it; `nil` when it is dropped.
    fileprivate func series(
        _ family: Int, _ values: [String], _ changes: MetricChanges?, _ computed: [String]
    ) -> MetricSeries? {
        guard let change = changes?.changes[family] else { return series(family, values) }
        return change.isDropped ? nil : series(family, change.values(values, computed), names: change.names)
    }
}
