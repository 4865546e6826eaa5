import NIOCore
import Synchronization
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// One try of an exchange at one endpoint: takes a connection, sends the request, and hands back what comes.
///
/// Loop-confined. Counts its outcome for outlier detection exactly once.
final class UpstreamAttempt: ResponseReceiver {
    /// Until the try is over: a cycle that ``end()`` breaks.
    private var exchange: Exchange?
    private let worker: Worker
    let host: CompiledHost
    private let cluster: WorkerCluster
    private let pool: HTTPPool
    private var waiter: PoolWaiter?
    private var stream: UpstreamStream?
    private var perTry: Scheduled<Void>?
    private var sawHead = false
    private var isOver = false
    private(set) var isStreaming = false
    private let started: NIODeadline
    /// The outcome of a gRPC call, still to come in its trailers.
    private var awaitsStatus = false

    init(_ exchange: Exchange, host: CompiledHost, cluster: WorkerCluster, version: HTTPVersion) {
        self.exchange = exchange
        worker = exchange.worker
        started = exchange.pickedAt
        self.host = host
        self.cluster = cluster
        self.pool = cluster.pool(for: host, version: version, of: exchange.connection.connection.info)
        host.shared.activeRequests.wrappingAdd(1, ordering: .relaxed)
        host.shared.requestsTotal.wrappingAdd(1, ordering: .relaxed)
        cluster.compiled.shared.requestsTotal.wrappingAdd(1, ordering: .relaxed)
    }

    func start(perTryMilliseconds: UInt64?) {
        if let limit = perTryMilliseconds, limit > 0 {
            let span = TimeAmount.milliseconds(Int64(clamping: limit))
            perTry = worker.eventLoop.assumeIsolated().scheduleTask(in: span) { [self] in perTryTimedOut() }
        }
        if let free = pool.takeFree() { return connected(.success(free)) }
        let waiter = PoolWaiter { [self] result in connected(result) }
        self.waiter = waiter
        pool.acquire(waiter)
    }

    private func connected(_ result: Result<UpstreamHTTPConnection, PoolFailureError>) {
        waiter = nil
        guard let exchange, !isOver else { return }
        switch result {
        case .failure(let error):
            end()
            switch error.failure {
            case .overflow: exchange.attemptFailed(.overflow)
            case .connect(let reason):
                if case .timeout = reason { count(.timeout) } else { count(.connectFailed) }
                exchange.attemptFailed(.connect(Self.text(reason)))
            }
        case .success(let connection):
            guard let stream = connection.open(self) else {
                end()
                return exchange.attemptFailed(.connect("connection closed"))
            }
            self.stream = stream
            isStreaming = true
            if cluster.compiled.outlierSplits { count(.connected) }
            exchange.record.upstreamLocal = connection.localName
            exchange.send(on: stream)
        }
    }

    private static func text(_ error: UpstreamConnectError) -> String {
        switch error {
        case .timeout: "connection timeout"
        case .connect: "connection refused or unreachable"
        case .tls(let error): "TLS error: \(error)"
        case .peerNameRefused: "TLS error: the peer's certificate has none of the expected names"
        }
    }

    private func perTryTimedOut() {
        guard let exchange, !isOver else { return }
        recordTimeout()
        abandon()
        exchange.attemptFailed(.perTryTimeout)
    }

    /// - Parameter isMore: More follows at once, or a call of ``flush()``.
    func write(_ bytes: ByteBuffer, isMore: Bool) {
        stream?.write(body: bytes)
        if !isMore { stream?.flush() }
    }
    func flush() { stream?.flush() }
    func writeEnd(_ trailers: HeaderBlock?) { stream?.writeEnd(trailers: trailers) }
    func setReading(_ on: Bool) { stream?.setReading(on) }
    func startTunnel() { stream?.startTunnel() }
    var isWritable: Bool { stream?.isWritable ?? true }

    func recordTimeout() { if !sawHead { count(.timeout) } }

    private func count(_ outcome: OutlierDetector.Outcome) {
        guard let outlier = cluster.compiled.outlier else { return }
        outlier.record(
            outcome, of: host.shared, in: cluster.compiled.shared, hostCount: cluster.compiled.hosts.count,
            now: Int64(NIODeadline.now().uptimeNanoseconds), random: &worker.decisions)
    }

    /// What a response's head says about its host.
    private func learn(from head: ResponseHead, endStream: Bool) {
        if head.status >= 500 { host.shared.requestsError.wrappingAdd(1, ordering: .relaxed) }
        judge(head, endStream: endStream)
        let kind = cluster.compiled.rules.kind
        if kind == .peakEWMA {
            let now = NIODeadline.now()
            PeakEWMA.record(
                host.shared, milliseconds: Double((now - started).nanoseconds) / 1_000_000,
                settings: cluster.compiled.rules.balancing.peakEWMA, now: Int64(now.uptimeNanoseconds))
        }
        if kind == .clientSideWeightedRoundRobin, let report = LoadReport(head.headers) {
            report.record(
                for: host.shared, settings: cluster.compiled.rules.balancing.reportedWeights,
                now: Int64(NIODeadline.now().uptimeNanoseconds))
        }
        if !cluster.compiled.cluster.healthChecks.isEmpty, head.headers.contains(Self.immediateFailure) {
            cluster.compiled.shared.set([.failedActiveCheck, .excluded], of: host.shared, to: true)
        }
    }

    /// Counts the answer for outlier detection; of gRPC, whose answer is in its trailers, when those have come.
    private func judge(_ head: ResponseHead, endStream: Bool) {
        guard cluster.compiled.outlier != nil else { return }
        let isGRPC = head.status == 200 && exchange?.original.isGRPC == true
        awaitsStatus = isGRPC && !endStream && !head.headers.contains(.grpcStatus)
        if !awaitsStatus { count(.response(status: GRPCOutcome.httpStatus(of: head))) }
    }

    private static let immediateFailure: HeaderName = "x-envoy-immediate-health-check-fail"

    /// Gives the try up; nothing more is reported.
    func abandon() {
        guard !isOver else { return }
        end()
        if let waiter { pool.cancel(waiter) }
        waiter = nil
        stream?.reset()
        stream = nil
    }

    private func end() {
        guard !isOver else { return }
        isOver = true
        exchange = nil
        perTry?.cancel()
        perTry = nil
        host.shared.activeRequests.wrappingSubtract(1, ordering: .relaxed)
    }

    // MARK: response

    func readComplete() { exchange?.stream.flush() }
    var batchesReads: Bool { stream?.batchesReads ?? false }

    func receive(informational head: ResponseHead) { exchange?.receive(informational: head) }

    func receive(head: consuming ResponseHead, endStream: Bool) {
        guard let exchange, !isOver else { return }
        sawHead = true
        perTry?.cancel()
        perTry = nil
        learn(from: head, endStream: endStream)
        if let pause = exchange.retryPause(insteadOf: head) {
            if endStream { end() } else { abandon() }
            return exchange.retry(afterMilliseconds: pause)
        }
        let isMore = batchesReads
        if endStream { end() }
        exchange.receive(response: head, endStream: endStream, isMore: isMore)
    }

    func receive(body: ByteBuffer) {
        if !isOver { exchange?.receive(responseBody: body, isMore: batchesReads) }
    }

    func receiveEnd(trailers: HeaderBlock?) {
        guard let exchange, !isOver else { return }
        if awaitsStatus { count(.response(status: GRPCOutcome.httpStatus(ofTrailers: trailers))) }
        end()
        exchange.receiveResponseEnd(trailers: trailers)
    }

    func receive(reset: StreamReset) {
        guard let exchange, !isOver else { return }
        end()
        if sawHead { return exchange.responseBroken() }
        count(.connectFailed)
        exchange.attemptFailed(reset == .refused ? .refused : .reset)
    }

    func writabilityChanged(_ isWritable: Bool) { exchange?.stream.setReading(isWritable) }
}
