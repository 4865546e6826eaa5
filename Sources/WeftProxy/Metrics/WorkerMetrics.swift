import NIOCore
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
        let requests: MetricSeries
        let duration: MetricSeries
        let requestBytes: MetricSeries
        let responseBytes: MetricSeries

        init(_ recorder: MetricRecorder, _ values: [String]) {
            requests = recorder.series(IstioMetrics.Index.requests, values)
            duration = recorder.series(IstioMetrics.Index.duration, values)
            requestBytes = recorder.series(IstioMetrics.Index.requestBytes, values)
            responseBytes = recorder.series(IstioMetrics.Index.responseBytes, values)
        }

        func count(milliseconds: UInt64, received: Int, sent: Int) {
            requests.add()
            duration.observe(milliseconds)
            requestBytes.observe(UInt64(clamping: received))
            responseBytes.observe(UInt64(clamping: sent))
        }
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
    private let recorder: MetricRecorder
    private var baseByKey: [BaseKey: Int] = [:]
    /// Keeps endpoints alive whose identity is in ``baseByKey``.
    private var hosts: [CompiledHost] = []
    private var baseByValues: [[String]: Int] = [:]
    private var bases: [[String]] = []
    private var http: [HTTPKey: HTTPSeries] = [:]
    /// By a few bits of host and status; a look here costs no hashing of text.
    private var recent = [Recent?](repeating: nil, count: 64)
    private var reports: [ObjectIdentifier: TCPReport] = [:]
    private var ticks = 0
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
        baseByKey.removeAll(keepingCapacity: true)
        for index in recent.indices { recent[index] = nil }
        hosts = []
    }

    // MARK: HTTP

    func exchangeFinished(_ exchange: Exchange) {
        guard let reporter = exchange.connection.manager.stats else { return }
        let security: Security =
            reporter != .destination ? .unknown : exchange.connection.hasPeer ? .mutualTLS : .none
        guard let host = exchange.record.host else {
            return count(exchange, series(for: exchange, reporter, security))
        }
        let id = ObjectIdentifier(host)
        let slot = (Int(bitPattern: UInt(bitPattern: id)) >> 4 ^ exchange.record.status) & 63
        if let known = recent[slot], known.host == id, known.reporter == reporter, known.security == security,
            known.isLike(exchange)
        {
            return count(exchange, known.series)
        }
        let series = series(for: exchange, reporter, security)
        count(exchange, series)
        // Without a known service the labels depend on the authority as well.
        guard reporter == .destination || exchange.cluster?.compiled.cluster.services.isEmpty == false else { return }
        recent[slot] = Recent(host: id, exchange: exchange, reporter: reporter, security: security, series: series)
    }

    private func count(_ exchange: Exchange, _ series: HTTPSeries) {
        series.count(
            milliseconds: UInt64(clamping: (NIODeadline.now() - exchange.record.started).nanoseconds / 1_000_000),
            received: exchange.record.bytesReceived, sent: exchange.record.bytesSent)
    }

    private func series(
        for exchange: Exchange, _ reporter: StatsFilter.Reporter, _ security: Security
    ) -> HTTPSeries {
        let record = exchange.record
        let authority = reporter == .source ? String(exchange.original.host.lowercased().prefix(253)) : ""
        let base = base(
            reporter, cluster: exchange.metricsCluster, host: record.host, peer: record.peer, authority: authority)
        let isGRPC = exchange.original.isGRPC
        let key = HTTPKey(
            base: base, status: record.status, flag: record.flag,
            grpcStatus: isGRPC ? Self.grpc(record.grpcStatus) : "", isGRPC: isGRPC, security: security)
        return http[key] ?? make(key)
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
        let values =
            bases[key.base] + [
                key.isGRPC ? "grpc" : "http", String(key.status), key.grpcStatus, key.flag, key.security.rawValue,
            ]
        let made = HTTPSeries(recorder, values)
        http[key] = made
        return made
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
        _ reporter: StatsFilter.Reporter, _ info: ConnectionInfo, cluster: CompiledCluster?, host: CompiledHost?,
        read: @escaping () -> (received: UInt64, sent: UInt64)
    ) -> TCPReport {
        let peer = peers.index(principal: reporter == .destination ? info.peer?.uriNames.first : nil)
        let base = bases[base(reporter, cluster: cluster, host: host, peer: peer, authority: "")]
        let security = security(reporter, info).rawValue
        let plain = base + ["tcp", "-", security]
        recorder.series(IstioMetrics.Index.opened, plain).add()
        let report = TCPReport(
            base: base, security: security, sent: recorder.series(IstioMetrics.Index.sent, plain),
            received: recorder.series(IstioMetrics.Index.received, plain), read: read)
        reports[ObjectIdentifier(report)] = report
        return report
    }

    func closed(_ report: TCPReport, flag: String) {
        report.update()
        reports[ObjectIdentifier(report)] = nil
        recorder.series(IstioMetrics.Index.closed, report.base + ["tcp", flag, report.security]).add()
    }

    /// Every second; long connections show their bytes every five.
    func tick() {
        ticks += 1
        guard ticks.isMultiple(of: 5) else { return }
        for report in reports.values { report.update() }
    }
}

/// The counts of one open TCP connection. Loop-confined.
final class TCPReport {
    fileprivate let base: [String]
    fileprivate let security: String
    private let sent: MetricSeries
    private let received: MetricSeries
    private let read: () -> (received: UInt64, sent: UInt64)
    private var last: (received: UInt64, sent: UInt64) = (0, 0)

    fileprivate init(
        base: [String], security: String, sent: MetricSeries, received: MetricSeries,
        read: @escaping () -> (received: UInt64, sent: UInt64)
    ) {
        self.base = base
        self.security = security
        self.sent = sent
        self.received = received
        self.read = read
    }

    /// Adds what came since the last time.
    fileprivate func update() {
        let now = read()
        if now.received > last.received { received.add(now.received - last.received) }
        if now.sent > last.sent { sent.add(now.sent - last.sent) }
        last = (max(now.received, last.received), max(now.sent, last.sent))
    }
}
