import NIOCore
import Synchronization
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// One request and its response, from the first header to the access log.
///
/// Loop-confined. Owns the downstream half; each try at an upstream is an ``UpstreamAttempt``. Exactly one answer goes
/// downstream: an upstream's, or one ``LocalReply``.
final class Exchange: HTTPStreamReceiver {
    let connection: HTTPConnection
    let stream: DownstreamStream
    let original: OriginalRequest
    var head: RequestHead
    var worker: Worker { connection.worker }
    var manager: HTTPConnectionManager { connection.manager.manager }
    var record = ExchangeRecord()

    var decision: RouteDecision?
    var action: RouteAction?
    var weighted: WeightedCluster?
    var cluster: WorkerCluster?
    var attempt: UpstreamAttempt?
    /// Position of ``weighted`` among the route's clusters.
    var weightedIndex: Int?
    var breaker: CircuitBreaker?
    /// What balancing needs to know; grows with every try.
    var pick = PickRequest()
    var triedPriorities: UInt64 = 0
    /// `set-cookie` lines of generated hash cookies.
    var hashCookies: [String] = []
    var attemptCount = 0
    var retries: RetryState?
    var timeouts: RequestTimeouts?
    var holdsRequestSlot = false
    var holdsRetrySlot = false

    // The request's body as far as it came, kept for retries.
    var body: [ByteBuffer] = []
    var bodyBytes = 0
    var keepsBody = true
    var requestEnded: Bool
    var requestTrailers: HeaderBlock?
    var isTunnel = false
    /// Position of the filter that comes next.
    var nextFilter = 0
    /// What filters keep for the rest of the exchange; `nil` while none has anything to keep.
    var filterState: FilterState?
    var shadows: [ShadowRequest] = []
    var responseStarted = false
    var isFinished = false
    /// When the worker's sweep ends the request; `nil` is never. Short limits have ``timeout`` instead.
    private var deadline: NIODeadline?
    private var idleLimit = TimeAmount.zero
    private var lastSeen = NIODeadline.distantPast
    /// Something moved since the last sweep.
    private var hasMoved = false
    private var isSwept = false
    /// Neighbours in the worker's ``ExchangeList``.
    var next: Exchange?
    unowned(unsafe) var previous: Exchange?
    private var timeout: Scheduled<Void>?
    private var backOff: Scheduled<Void>?
    /// When the host of the current try was picked.
    var pickedAt = NIODeadline.distantPast

    /// More than this is not kept for another try (Envoy's default buffer limit).
    static let retryBufferLimit = 1 << 20

    init(_ connection: HTTPConnection, stream: DownstreamStream, head: RequestHead, endStream: Bool) {
        self.connection = connection
        self.stream = stream
        original = OriginalRequest(head)
        self.head = head
        requestEnded = endStream
    }

    func start() {
        prepareRequest()
        guard normalizePath() else { return }
        runFilters()
    }

    /// The route, looked up once; filters before the router ask for it too.
    func resolveRoute() -> RouteDecision? {
        if let decision { return decision }
        var context = RouteContext()
        context.presentedCertificate = connection.connection.info.peer != nil
        context.validatedCertificate = context.presentedCertificate
        if let state = filterState { context.metadata = state.metadata }
        decision = routeTable?.route(head, context: context, random: worker.decisions.next())
        return decision
    }

    var routeTable: RouteTable? {
        if let name = connection.manager.routesName { worker.snapshot.routes[name] } else { connection.manager.table }
    }

    // MARK: request body

    func receive(body bytes: ByteBuffer) {
        record.bytesReceived += bytes.readableBytes
        var bytes = bytes
        if let state = filterState, !isTunnel {
            guard let translated = filter(requestBody: bytes, state) else { return }
            bytes = translated
        }
        if isTunnel || attempt?.isStreaming == true {
            attempt?.write(bytes, isMore: stream.batchesReads)
            if !isTunnel, attempt?.isWritable == false { stream.setReading(false) }
        }
        if isTunnel { return }
        bodyBytes += bytes.readableBytes
        if !shadows.isEmpty { for shadow in shadows { shadow.add(bytes) } }
        if keepsBody { body.append(bytes) }
        if bodyBytes > max(Self.retryBufferLimit, filterState?.bufferLimit ?? 0) {
            if attempt?.isStreaming == true {
                keepsBody = false
                body = []
            } else {
                stream.setReading(false)
            }
        }
        hasMoved = true
        if let state = filterState { bodyGrew(state) }
    }

    func readComplete() { if attempt?.isStreaming == true { attempt?.flush() } }

    func receiveEnd(trailers: HeaderBlock?) {
        requestEnded = true
        requestTrailers = trailers
        for shadow in shadows { shadow.end() }
        if isTunnel || attempt?.isStreaming == true { attempt?.writeEnd(trailers) }
        if let state = filterState { requestEnded(state) }
    }

    func receive(reset: StreamReset) {
        guard !isFinished else { return }
        record.flag = "DC"
        record.details = "downstream_remote_disconnect"
        finish()
    }

    func writabilityChanged(_ isWritable: Bool) { attempt?.setReading(isWritable) }

    // MARK: timers

    /// Limits of a second and more are watched by the worker's sweep, which ends a request up to ``sweepInterval`` late.
    func startTimers() {
        if let limit = timeouts?.request, limit > 0 {
            let span = TimeAmount.milliseconds(Int64(clamping: limit))
            if limit < 1_000 {
                timeout = worker.eventLoop.assumeIsolated().scheduleTask(in: span) { [self] in
                    timedOut(.requestTimeout)
                }
            } else {
                deadline = record.started + span
            }
        }
        let idle = action?.idleTimeoutMilliseconds ?? connection.manager.streamIdleMilliseconds
        idleLimit = .milliseconds(Int64(clamping: idle))
        guard deadline != nil || idle > 0, !isFinished else { return }
        hasMoved = true
        guard !isSwept else { return }
        isSwept = true
        worker.exchanges.add(self)
    }

    private func stopTimers() {
        if isSwept { worker.exchanges.remove(self) }
        isSwept = false
        timeout?.cancel()
        timeout = nil
    }

    /// The worker's look at what takes long.
    func sweep(now: NIODeadline) {
        if let deadline, now >= deadline { return timedOut(.requestTimeout) }
        guard idleLimit > .zero else { return }
        if hasMoved {
            hasMoved = false
            lastSeen = now
        } else if now - lastSeen >= idleLimit {
            timedOut(.streamIdleTimeout)
        }
    }

    func timedOut(_ reason: LocalReply.Reason) {
        guard !isFinished else { return }
        attempt?.recordTimeout()
        attempt?.abandon()
        attempt = nil
        reply(reason, provenance: decision?.route.provenance)
    }

    func schedule(_ span: TimeAmount, _ work: @escaping () -> Void) {
        backOff = worker.eventLoop.assumeIsolated().scheduleTask(in: span, work)
    }

    // MARK: response

    /// Answers by itself; after a response began there is only the reset left.
    func reply(_ reason: LocalReply.Reason, provenance: Provenance? = nil, headers: HeaderBlock? = nil) {
        guard !isFinished else { return }
        let local = LocalReply(reason, provenance: provenance)
        record.flag = record.retriesExhausted ? local.flag + ",URX" : local.flag
        record.details = local.code
        record.provenance = provenance
        guard !responseStarted else {
            stream.reset()
            return finish()
        }
        if original.isGRPC { return replyTrailersOnly(local, headers) }
        record.status = local.status
        var head = local.head(explain: connection.explainsRefusals)
        if let headers { head.headers.replace(with: headers) }
        applyResponseMutations(&head.headers)
        finishResponse(&head)
        stream.respond(head, endStream: local.body.isEmpty)
        if !local.body.isEmpty {
            if original.method != .head { record.bytesSent += local.body.utf8.count }
            stream.write(body: ByteBuffer(string: local.body))
            stream.writeEnd(trailers: nil)
        }
        finish()
    }

    private func replyTrailersOnly(_ local: LocalReply, _ headers: HeaderBlock?) {
        var head = local.grpcHead(explain: connection.explainsRefusals)
        if let headers { head.headers.replace(with: headers) }
        record.status = 200
        record.grpcStatus = head.headers.string(.grpcStatus)
        finishResponse(&head)
        stream.respond(head, endStream: true)
        finish()
    }

    func receive(informational head: ResponseHead) { if !responseStarted { stream.inform(head) } }

    /// - Parameter isMore: More follows at once, or a call to flush.
    func receive(response: ResponseHead, endStream: Bool, isMore: Bool) {
        responseStarted = true
        hasMoved = true
        var response = response
        record.status = Int(response.status)
        record.details = "via_upstream"
        let service = (NIODeadline.now() - record.started).nanoseconds / 1_000_000
        record.upstreamServiceMilliseconds = service
        mutateResponse(&response, serviceMilliseconds: service)
        if response.status == 101 || head.method == .connect && (200...299).contains(response.status) {
            isTunnel = true
            stopTimers()
            finishResponse(&response)
            stream.respond(response, endStream: false)
            stream.flush()
            stream.startTunnel()
            attempt?.startTunnel()
            return
        }
        if let session = filterState?.processing, holds(response, endStream: endStream, session) { return }
        deliver(&response, endStream: endStream, isMore: isMore)
    }

    /// Passes a response on, after all who wanted to see it.
    func deliver(_ response: inout ResponseHead, endStream: Bool, isMore: Bool) {
        finishResponse(&response)
        if let state = filterState, let body = filter(response: &response, endStream, state) {
            stream.respond(response, endStream: false)
            record.bytesSent += body.readableBytes
            stream.write(body: body)
            stream.writeEnd(trailers: nil)
            return finish()
        }
        stream.respond(response, endStream: endStream)
        if endStream { finish() } else if !isMore { stream.flush() }
    }

    func receive(responseBody bytes: ByteBuffer, isMore: Bool) {
        if let session = filterState?.processing, session.held != nil { return hold(bytes, session) }
        let bytes = filterState?.grpcWeb?.encode(response: bytes) ?? bytes
        record.bytesSent += bytes.readableBytes
        stream.write(body: bytes)
        if !isMore { stream.flush() }
        if !stream.isWritable { attempt?.setReading(false) }
        hasMoved = true
    }

    func receiveResponseEnd(trailers: HeaderBlock?) {
        if let session = filterState?.processing, session.held != nil { return holdEnd(trailers, session) }
        if let status = trailers?.string(.grpcStatus) { record.grpcStatus = status }
        if let state = filterState, state.grpcWeb?.translatesResponse == true, let last = state.grpcWeb?.end(trailers) {
            record.bytesSent += last.readableBytes
            stream.write(body: last)
            stream.writeEnd(trailers: nil)
        } else {
            stream.writeEnd(trailers: trailers)
        }
        finish()
    }

    /// The response broke off after it began.
    func responseBroken() {
        guard !isFinished else { return }
        record.flag = "UC"
        record.details = "upstream_reset_after_response_started{connection_termination}"
        stream.reset()
        finish()
    }

    func finish() {
        guard !isFinished else { return }
        isFinished = true
        stopTimers()
        backOff?.cancel()
        backOff = nil
        filterState?.end()
        attempt?.abandon()
        attempt = nil
        if !shadows.isEmpty {
            for shadow in shadows { shadow.abandon() }
            shadows = []
        }
        if !body.isEmpty { body = [] }
        if holdsRequestSlot { breaker?.releaseRequest() }
        if holdsRetrySlot { breaker?.releaseRetry() }
        holdsRequestSlot = false
        holdsRetrySlot = false
        worker.logs.exchangeFinished(self)
        worker.metrics.exchangeFinished(self)
    }
}

/// The request as it came, as far as somebody asks for it later. Its headers are changed in place, not copied.
struct OriginalRequest {
    let method: HTTPMethod
    let path: ByteBuffer
    let authority: ByteBuffer
    let version: HTTPProtocolVersion
    let isUpgrade: Bool
    let isGRPC: Bool
    var target: String { String(buffer: path) }
    var host: String { String(buffer: authority) }

    init(_ head: RequestHead) {
        method = head.method
        path = head.path
        authority = head.authority
        version = head.version
        isUpgrade = head.method == .connect || head.headers.contains(.upgrade)
        isGRPC = head.isGRPC
    }
}

/// What the access log and the metrics say about an exchange.
struct ExchangeRecord {
    let started = NIODeadline.now()
    var reporter: StatsFilter.Reporter?
    var status = 0
    var flag = "-"
    var details = "-"
    var bytesReceived = 0
    var bytesSent = 0
    var upstreamServiceMilliseconds: Int64?
    var upstreamHost: String?
    /// The endpoint tried last.
    var host: CompiledHost?
    /// The client, in the worker's ``PeerTable``.
    var peer = 0
    var upstreamLocal: String?
    var transportFailure: String?
    var grpcStatus: String?
    var provenance: Provenance?
    /// It would have been tried again, but for the limit.
    var retriesExhausted = false
    /// What shadow rules would have decided; not enforced.
    var shadowPolicies: [RBACShadow] = []
}
