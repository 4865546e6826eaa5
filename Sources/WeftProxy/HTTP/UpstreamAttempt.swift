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
    /// Lives as long as its event loop.
    private unowned(unsafe) let worker: Worker
    let host: CompiledHost
    private let cluster: WorkerCluster
    private let pool: HTTPPool
    /// What the peer chooses, where it may, is known with the connection.
    private(set) var version: HTTPVersion
    /// Another try was started because this one took too long.
    var isHedged = false
    private var idle: Scheduled<Void>?
    private var lastMoved = NIODeadline.distantPast
    private var waiter: PoolWaiter?
    private var stream: UpstreamStream?
    private var perTry: Scheduled<Void>?
    /// The end of the cluster's `max_stream_duration`.
    private var lastMoment: Scheduled<Void>?
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
        self.version = version
        self.pool = cluster.pool(
            for: host, version: version, named: exchange.upstreamName(of: host, in: cluster),
            of: exchange.connection.connection.info)
        host.shared.activeRequests.wrappingAdd(1, ordering: .relaxed)
        host.shared.requestsTotal.wrappingAdd(1, ordering: .relaxed)
        cluster.compiled.shared.requestsTotal.wrappingAdd(1, ordering: .relaxed)
    }

    /// - Parameter idleMilliseconds: Between two bytes of this try.
    func start(perTryMilliseconds: UInt64?, idleMilliseconds: UInt64?) {
        if let idleMilliseconds, idleMilliseconds > 0 { watchIdle(.milliseconds(Int64(clamping: idleMilliseconds))) }
        if let limit = perTryMilliseconds, limit > 0 {
            let span = TimeAmount.milliseconds(Int64(clamping: limit))
            perTry = worker.eventLoop.assumeIsolated().scheduleTask(in: span) { [self] in perTryTimedOut() }
        }
        if exchange?.terminatesConnect == true { return connectRaw() }
        if let free = pool.takeFree() {
            connected(.success(free))
            return pool.preconnect()
        }
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
            case .overflow: exchange.attemptFailed(.reset(.overflow, transport: nil), self)
            case .connect(.timeout):
                count(.timeout)
                exchange.attemptFailed(.reset(.connectionTimeout, transport: nil), self)
            case .connect(let reason):
                count(.connectFailed)
                exchange.attemptFailed(.reset(.connectionFailure, transport: Self.text(reason)), self)
            }
        case .success(let connection):
            guard let stream = connection.open(self) else {
                end()
                return exchange.attemptFailed(.reset(.connectionTermination, transport: nil), self)
            }
            self.stream = stream
            isStreaming = true
            if cluster.compiled.outlierSplits { count(.connected) }
            exchange.record.upstreamLocal = connection.localName
            if !exchange.connection.manager.keeps.isDisjoint(with: [.upstream, .attempts]) {
                exchange.record.keep(connection, to: host, since: started)
            }
            let agreed: HTTPVersion = connection.isMultiplexed ? .http2 : .http1
            if agreed != version {
                version = agreed
                exchange.record.upstreamProtocol = agreed == .http2 ? "HTTP/2" : "HTTP/1.1"
            }
            limitDuration()
            exchange.send(on: stream)
        }
    }

    /// Goes to the endpoint without HTTP: the end of a CONNECT.
    private func connectRaw() {
        let shared = cluster.compiled.shared
        guard SharedCluster.acquire(shared.connections, limit: cluster.compiled.cluster.circuitBreakers.maxConnections)
        else { return connected(.failure(PoolFailureError(failure: .overflow))) }
        UpstreamConnector.connect(to: host.targets.tcp, on: worker.eventLoop) { [self] result in
            switch result {
            case .failure(let error):
                SharedCluster.release(shared.connections)
                connected(.failure(PoolFailureError(failure: .connect(error))))
            case .success(let far):
                far.channel.closeFuture.assumeIsolated().whenComplete { _ in SharedCluster.release(shared.connections) }
                guard let exchange, !isOver,
                    let raw = try? RawUpstreamStream(
                        far.channel, framing: exchange.isUpgrade ? .tunnel : .chunked, receiver: self)
                else {
                    return far.channel.close(promise: nil)
                }
                stream = raw
                isStreaming = true
                exchange.send(on: raw)
            }
        }
    }

    static func text(_ error: UpstreamConnectError) -> String {
        switch error {
        case .timeout: "connection timeout"
        case .connect(let error): "delayed connect error: \(SystemErrorText.of(error))"
        case .tls(let error): "TLS error: \(error)"
        case .peerNameRefused: "TLS error: the peer's certificate has none of the expected names"
        }
    }

    private func limitDuration() {
        guard let limit = cluster.compiled.cluster.maxStreamDurationMilliseconds, limit > 0 else { return }
        let span = TimeAmount.milliseconds(Int64(clamping: limit))
        lastMoment = worker.eventLoop.assumeIsolated().scheduleTask(in: span) { [self] in
            guard let exchange, !isOver else { return }
            abandon()
            if sawHead {
                exchange.timedOut(.upstreamDuration(requestComplete: exchange.requestEnded))
            } else {
                exchange.attemptFailed(.maxDuration, self)
            }
        }
    }

    private func perTryTimedOut(idle: Bool = false) {
        guard let exchange, !isOver else { return }
        recordTimeout()
        cluster.counters.add(.perTryTimeouts)
        if exchange.hedge(beside: self) { return }
        abandon()
        exchange.attemptFailed(.perTryTimeout(idle: idle), self)
    }

    /// Looks again when the limit may have been reached, and not with every byte.
    private func watchIdle(_ limit: TimeAmount, after wait: TimeAmount? = nil) {
        idle = worker.eventLoop.assumeIsolated().scheduleTask(in: wait ?? limit) { [self] in
            guard !isOver else { return }
            let rest = lastMoved + limit - .now()
            if rest > .zero { watchIdle(limit, after: rest) } else { idleTooLong() }
        }
    }

    private func idleTooLong() {
        guard let exchange, !isOver else { return }
        guard sawHead else { return perTryTimedOut(idle: true) }
        recordTimeout()
        abandon()
        exchange.timedOut(.perTryTimeout(idle: true))
    }

    /// - Parameter isMore: More follows at once, or a call of ``flush()``.
    func write(_ bytes: ByteBuffer, isMore: Bool) {
        if idle != nil { lastMoved = .now() }
        stream?.write(body: bytes)
        if !isMore { stream?.flush() }
    }
    func flush() { stream?.flush() }
    func writeEnd(_ trailers: HeaderBlock?) { stream?.writeEnd(trailers: trailers) }
    func setReading(_ on: Bool) { stream?.setReading(on) }
    func startTunnel() { stream?.startTunnel() }
    var isWritable: Bool { stream?.isWritable ?? true }

    func recordTimeout() {
        cluster.counters.add(.timeouts)
        if !sawHead { count(.timeout) }
    }

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
        if let errors = cluster.compiled.errors {
            if let status = errors.status(of: head) { return count(.response(status: status)) }
            if !isGRPC { return count(.response(status: 200)) }
        }
        awaitsStatus = isGRPC && !endStream && !head.headers.contains(.grpcStatus)
        if !awaitsStatus { count(.response(status: GRPCOutcome.httpStatus(of: head))) }
    }

    private static var immediateFailure: HeaderName { "x-envoy-immediate-health-check-fail" }

    /// Gives the try up; nothing more is reported.
    func abandon() {
        guard !isOver else { return }
        end()
        if let waiter {
            cluster.counters.add(.cancelled)
            pool.cancel(waiter)
        }
        waiter = nil
        if stream != nil { cluster.counters.add(.ownResets) }
        stream?.reset()
        stream = nil
    }

    private func end() {
        guard !isOver else { return }
        isOver = true
        exchange = nil
        perTry?.cancel()
        perTry = nil
        idle?.cancel()
        idle = nil
        lastMoment?.cancel()
        lastMoment = nil
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
        let now = worker.now
        cluster.counters.responded(
            head.status, milliseconds: UInt64(clamping: (now - started).nanoseconds / 1_000_000))
        if idle != nil { lastMoved = now }
        learn(from: head, endStream: endStream)
        if !isHedged, let pause = exchange.retryPause(insteadOf: head) {
            if endStream { end() } else { abandon() }
            _ = exchange.forget(self)
            return exchange.retry(afterMilliseconds: pause)
        }
        if exchange.maySpare(self, head.status) {
            if endStream { end() } else { abandon() }
            _ = exchange.forget(self)
            return
        }
        exchange.choose(self)
        if exchange.redirectInternally(by: head) {
            if endStream { end() } else { abandon() }
            return
        }
        if exchange.attemptCount > 1, head.status < 500 { cluster.counters.add(.retrySuccesses) }
        let isMore = batchesReads
        if endStream { end() }
        exchange.receive(response: head, endStream: endStream, isMore: isMore, now: now)
    }

    func receive(body: ByteBuffer) {
        guard !isOver else { return }
        if idle != nil { lastMoved = .now() }
        exchange?.receive(responseBody: body, isMore: batchesReads)
    }

    func receiveEnd(trailers: HeaderBlock?) {
        guard let exchange, !isOver else { return }
        if awaitsStatus { count(.response(status: GRPCOutcome.httpStatus(ofTrailers: trailers))) }
        end()
        exchange.receiveResponseEnd(
            trailers: version == .http2 || !cluster.compiled.cluster.dropsTrailers ? trailers : nil)
    }

    func receive(reset: StreamReset) {
        guard let exchange, !isOver else { return }
        cluster.counters.add(.upstreamResets)
        end()
        let why: UpstreamResetReason =
            switch reset {
            // A message that breaks off is none; without a byte of it nothing was broken.
            case .connectionClosed:
                sawHead && version == .http1 && !exchange.isTunnel ? .protocolError : .connectionTermination
            case .remote: .remoteReset
            case .refused: .remoteRefused
            case .protocolError: .protocolError
            case .transportFailure: sawHead ? .connectionTermination : .connectionFailure
            }
        var transport: String?
        if case .transportFailure(let text) = reset { transport = "TLS error: \(text)" }
        if sawHead { return exchange.responseBroken(why) }
        count(.connectFailed)
        exchange.attemptFailed(.reset(why, transport: transport), self)
    }

    func writabilityChanged(_ isWritable: Bool) { exchange?.stream.setReading(isWritable) }
}
