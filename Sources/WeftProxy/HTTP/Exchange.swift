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
    var record: ExchangeRecord

    /// The table that this request is routed by.
    private var foundTable: RouteTable?
    var decision: RouteDecision?
    /// What the router does, from when it has taken over.
    var forwarding: CompiledForward?
    var action: RouteAction? { forwarding?.action }
    var cluster: WorkerCluster?
    var attempt: UpstreamAttempt?
    /// Position of ``weighted`` among the route's clusters.
    var weightedIndex: Int?
    /// The router has taken the weighted cluster at ``weightedIndex``.
    var takesWeighted = false
    var weighted: WeightedCluster? {
        guard takesWeighted, let weightedIndex,
            case .weighted(let clusters)? = (forwarding ?? decision?.forward)?.action.cluster
        else { return nil }
        return clusters[weightedIndex]
    }
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
    /// This proxy's span, while requests are traced, and that of the try under way.
    var span: Span?
    var upstreamSpan: Span?
    /// The upstream of a CONNECT speaks no HTTP.
    var terminatesConnect = false
    private var hasClientLeft = false
    /// Position of the filter that comes next.
    var nextFilter = 0
    /// What filters keep for the rest of the exchange; `nil` while none has anything to keep.
    var filterState: FilterState?
    var shadows: [ShadowRequest] = []
    /// Tries that took too long and go on beside ``attempt``.
    var rivals: [UpstreamAttempt] = []
    /// Who goes on with this request after an internal redirect.
    var successor: Exchange?
    /// Internal redirects before this exchange.
    var redirects: UInt32 = 0
    var responseStarted = false
    var isFinished = false
    /// When the worker's sweep ends the request; `nil` is never. Short limits have ``timeout`` instead.
    private var deadline: NIODeadline?
    /// When the whole request must have come (`request_timeout`).
    private var requestDeadline: NIODeadline?
    /// The end of `max_stream_duration`.
    private var lastMoment: NIODeadline?
    /// Milliseconds from the first header to the end, whatever happens; `nil` is no limit.
    var longest: UInt64?
    /// When the request was there as a whole.
    private(set) var completedAt = NIODeadline.distantPast
    private var idleLimit = TimeAmount.zero
    private var lastSeen = NIODeadline.distantPast
    /// Something moved since the last sweep.
    private var hasMoved = false
    private var isSwept = false
    /// Neighbours in the worker's ``ExchangeList``.
    var next: Exchange?
    unowned(unsafe) var previous: Exchange?
    private var timeout: Scheduled<Void>?
    var backOff: Scheduled<Void>?
    /// The try under way follows one that took too long.
    var retriesTimeout = false
    /// When the host of the current try was picked.
    var pickedAt = NIODeadline.distantPast

    /// More than this is not kept for another try (Envoy's default buffer limit).
    static let retryBufferLimit = 1 << 20

    init(_ connection: HTTPConnection, stream: DownstreamStream, head: consuming RequestHead, endStream: Bool) {
        self.connection = connection
        self.stream = stream
        original = OriginalRequest(head)
        self.head = head
        record = ExchangeRecord(started: connection.worker.now)
        requestEnded = endStream
        if endStream { completedAt = record.started }
    }

    func start() {
        countStart()
        if worker.overload.anything.load(ordering: .relaxed), isShed() { return }
        guard normalizePath() else { return }
        if !requestEnded, let limit = manager.requestTimeoutMilliseconds, limit > 0 {
            requestDeadline = record.started + .milliseconds(Int64(clamping: limit))
            beSwept()
        }
        normalizeHost()
        prepareRequest()
        if let tracing = connection.manager.tracing { startTrace(tracing) }
        runFilters()
    }

    /// The route, looked up once; filters before the router ask for it too.
    func resolveRoute() -> RouteDecision? {
        if let decision { return decision }
        var context = RouteContext()
        context.presentedCertificate = connection.connection.info.peer != nil
        context.validatedCertificate = context.presentedCertificate
        if let state = filterState { context.metadata = state.metadata }
        decision = routeTable?.route(
            inPlace: &head, context: context, random: worker.decisions.next(), recent: &connection.recentHost)
        return decision
    }

    var routeTable: RouteTable? {
        if let foundTable { return foundTable }
        let manager = connection.manager
        foundTable =
            if let name = manager.routesName { worker.snapshot.routes[name] } else {
                manager.table ?? scopedTable(of: head)
            }
        return foundTable
    }

    /// The route is looked for again, and the scope too: what its key is made of may have changed.
    func forgetRoute() {
        decision = nil
        if connection.manager.scopes != nil { foundTable = nil }
    }

    // MARK: request body

    func receive(body bytes: ByteBuffer) {
        record.bytesReceived += bytes.readableBytes
        guard let state = filterState, !isTunnel else { return deliver(bytes) }
        if let translated = filter(requestBody: bytes, state) { deliver(translated) }
    }

    /// Towards the upstream, and into what is kept for another try.
    func deliver(_ bytes: ByteBuffer) {
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

    func readComplete() {
        if let successor { return successor.readComplete() }
        if attempt?.isStreaming == true { attempt?.flush() }
    }

    func receiveEnd(trailers all: HeaderBlock?) {
        var trailers = takesTrailers(original.version, !manager.dropsTrailers) ? all : nil
        if let state = filterState { mutate(requestTrailers: &trailers, state.trailerMutators) }
        if let session = filterState?.processing, session.takesEnd(trailers, .request) { return }
        if let compressor = filterState?.compression?.requestCompressor, !isFinished {
            deliver(compressor.compress(ByteBuffer(), isLast: true))
        }
        requestEnded = true
        completedAt = worker.now
        requestTrailers = trailers
        for shadow in shadows { shadow.end(requestTrailers) }
        if isTunnel { noteClientLeft() }
        if isTunnel || attempt?.isStreaming == true { attempt?.writeEnd(upstreamTrailers) }
        if let state = filterState { requestEnded(state) }
        if timeouts != nil, !isTunnel { startRequestTimer() }
    }

    func receive(reset: StreamReset) {
        if let successor { return successor.receive(reset: reset) }
        guard !isFinished else { return }
        if original.version == .http2, case .remote = reset {
            hasClientLeft = true
            record.note(flag: "DR")
            record.details = "http2.remote_reset"
        } else {
            noteClientLeft()
        }
        finish()
    }

    func noteClientLeft() {
        hasClientLeft = true
        record.note(flag: "DC")
        record.details = "downstream_remote_disconnect"
    }

    func writabilityChanged(_ isWritable: Bool) {
        if let successor { return successor.writabilityChanged(isWritable) }
        attempt?.setReading(isWritable)
    }

    // MARK: timers

    /// Limits of a second and more are watched by the worker's sweep, which ends a request up to ``sweepInterval`` late.
    func startTimers() {
        if requestEnded { startRequestTimer() }
        if let limit = longest { lastMoment = record.started + .milliseconds(Int64(clamping: limit)) }
        let idle = forwarding?.action.idleTimeoutMilliseconds ?? connection.manager.streamIdleMilliseconds
        idleLimit = .milliseconds(Int64(clamping: idle))
        guard deadline != nil || lastMoment != nil || idle > 0, !isFinished else { return }
        hasMoved = true
        beSwept()
    }

    func beSwept() {
        guard !isSwept else { return }
        isSwept = true
        worker.exchanges.add(self)
    }

    /// The upstream's time begins when it may have the whole request.
    private func startRequestTimer() {
        guard let limit = timeouts?.request, limit > 0, deadline == nil, timeout == nil, !isFinished else { return }
        let span = TimeAmount.milliseconds(Int64(clamping: limit))
        if limit < 1_000 {
            timeout = worker.eventLoop.assumeIsolated().scheduleTask(in: span) { [self] in timedOut(.requestTimeout) }
        } else {
            deadline = completedAt + span
            beSwept()
        }
    }

    private func stopTimers() {
        if isSwept { worker.exchanges.remove(self) }
        isSwept = false
        timeout?.cancel()
        timeout = nil
    }

    /// The worker's look at what takes long.
    func sweep(now: NIODeadline) {
        if let call = filterState?.grpcCall { report(call, now: now) }
        if let deadline, now >= deadline { return timedOut(.requestTimeout) }
        if let requestDeadline, !requestEnded, now >= requestDeadline { return timedOut(.requestOverdue) }
        if let lastMoment, now >= lastMoment { return timedOut(.maxStreamDuration(requestComplete: requestEnded)) }
        guard idleLimit > .zero else { return }
        if hasMoved {
            hasMoved = false
            lastSeen = now
        } else if now - lastSeen >= idleLimit {
            timedOut(.streamIdleTimeout(requestComplete: requestEnded))
        }
    }

    func timedOut(_ reason: LocalReply.Reason) {
        guard !isFinished else { return }
        attempt?.recordTimeout()
        abandonTries()
        reply(reason, provenance: decision?.route.provenance)
    }

    func schedule(_ span: TimeAmount, _ work: @escaping () -> Void) {
        backOff = worker.eventLoop.assumeIsolated().scheduleTask(in: span) { [self] in
            backOff = nil
            work()
        }
    }

    // MARK: response

    /// Answers by itself; after a response began there is only the reset left.
    func reply(_ reason: LocalReply.Reason, provenance: Provenance? = nil, headers: HeaderBlock? = nil) {
        guard !isFinished else { return }
        var local = LocalReply(reason, provenance: provenance)
        record.note(flag: local.flag)
        record.details = local.code
        if provenance != nil || record.extras != nil { record.keptExtras().provenance = provenance }
        guard !responseStarted else {
            stream.reset()
            return finish()
        }
        // A message that is no good: what follows it is not to be trusted either.
        if local.status == 400, original.version != .http2 { stream.closeAfterResponse() }
        let headers = withAttempts(headers, reason)
        if connection.manager.keeps.contains(.body) { record.keptExtras().localReplyBody = local.body }
        let mapper = map(&local)
        if original.isGRPC { return replyTrailersOnly(local, mapper, headers) }
        var head = local.head(explain: connection.explainsRefusals)
        if let headers { head.headers.replace(with: headers) }
        addToOwnReply(local, &head.headers)
        format(&local, &head, mapper)
        finishResponse(&head)
        let hasBody = !local.body.isEmpty && original.method != .head
        var body = ByteBuffer(string: local.body)
        if let compression = filterState?.compression {
            recode(response: &head, endStream: !hasBody, compression)
            if let compressor = compression.responseCompressor { body = compressor.compress(body, isLast: true) }
        }
        stream.respond(head, endStream: !hasBody)
        if hasBody {
            record.bytesSent += body.readableBytes
            stream.write(body: body)
            stream.writeEnd(trailers: nil)
        }
        finish()
    }

    /// Of an answer that the router makes, how often it tried.
    private func withAttempts(_ headers: HeaderBlock?, _ reason: LocalReply.Reason) -> HeaderBlock? {
        guard let decision, decision.countsAttemptsInResponse else { return headers }
        switch reason {
        case .noHealthyUpstream, .overflow, .upstreamReset, .requestTimeout, .perTryTimeout:
            var all = headers ?? HeaderBlock()
            all.set(.envoyAttemptCount, decimal: UInt64(max(1, attemptCount)))
            return all
        default: return headers
        }
    }

    private func replyTrailersOnly(_ plain: LocalReply, _ mapper: LocalReplies.Mapper?, _ headers: HeaderBlock?) {
        var local = plain
        var mapped = ResponseHead(status: 200)
        format(&local, &mapped, mapper)
        if local.body.hasSuffix("\n"), mapped.headers.isExactly(.contentType, "application/json") {
            local.body.removeLast()
        }
        var head = local.grpcHead(explain: connection.explainsRefusals)
        if let headers { head.headers.replace(with: headers) }
        addToOwnReply(local, &head.headers)
        if let mapper { apply(mapper.headers, to: &head.headers) }
        local.finishGRPC(&head.headers, isHead: original.method == .head)
        record.status = 200
        record.grpcStatus = head.headers.string(.grpcStatus)
        finishResponse(&head)
        stream.respond(head, endStream: true)
        finish()
    }

    func receive(informational head: ResponseHead) {
        if !responseStarted, !manager.answersContinue { stream.inform(head) }
    }

    /// - Parameters:
    ///   - isMore: More follows at once, or a call to flush.
    ///   - now: When the head came.
    func receive(response upstream: consuming ResponseHead, endStream: Bool, isMore: Bool, now: NIODeadline) {
        responseStarted = true
        hasMoved = true
        var response = upstream
        if isUpgrade, attempt?.version == .http2 { acceptUpgrade(&response) }
        record.status = Int(response.status)
        record.details = "via_upstream"
        if connection.manager.keeps.contains(.times) { record.times.responseStart = now }
        // While the request still comes, the time would be the client's as well.
        let service = requestEnded && !isUpgrade ? (now - completedAt).nanoseconds / 1_000_000 : nil
        record.upstreamServiceMilliseconds = service
        mutateResponse(&response, serviceMilliseconds: service)
        if response.status == 101 || head.method.isConnect && (200...299).contains(response.status) {
            isTunnel = true
            stopTimers()
            finishResponse(&response)
            stream.respond(response, endStream: false)
            stream.flush()
            stream.startTunnel()
            attempt?.startTunnel()
            return
        }
        if let session = filterState?.processing, holds(&response, endStream: endStream, session) { return }
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
        if let session = filterState?.processing {
            if session.held != nil { return hold(bytes, session) }
            if session.takes(bytes, .response) { return }
        }
        pass(responseBody: bytes, isMore: isMore)
    }

    func pass(responseBody bytes: ByteBuffer, isMore: Bool) {
        var bytes = bytes
        if let state = filterState {
            guard let filtered = filter(responseBody: bytes, state) else { return }
            bytes = filtered
        }
        record.bytesSent += bytes.readableBytes
        stream.write(body: bytes)
        if !isMore { stream.flush() }
        if !stream.isWritable { attempt?.setReading(false) }
        hasMoved = true
    }

    func receiveResponseEnd(trailers: HeaderBlock?) {
        if let session = filterState?.processing {
            if session.held != nil { return holdEnd(trailers, session) }
            if session.takesEnd(trailers, .response) { return }
        }
        passResponseEnd(trailers: trailers)
    }

    func passResponseEnd(trailers upstream: HeaderBlock?) {
        var trailers = upstream
        if let state = filterState { mutate(responseTrailers: &trailers, state.trailerMutators) }
        if let status = trailers?.string(.grpcStatus) { record.grpcStatus = status }
        if connection.manager.keeps.contains(.trailers) { record.keptExtras().responseTrailers = trailers }
        if let compressor = filterState?.compression?.responseCompressor {
            let last = compressor.compress(ByteBuffer(), isLast: true)
            record.bytesSent += last.readableBytes
            stream.write(body: last)
        }
        if let state = filterState, state.grpcWeb?.translatesResponse == true, let last = state.grpcWeb?.end(trailers) {
            record.bytesSent += last.readableBytes
            stream.write(body: last)
            stream.writeEnd(trailers: nil)
        } else {
            stream.writeEnd(trailers: takesTrailers(original.version, !manager.dropsTrailers) ? trailers : nil)
        }
        finish()
    }

    /// The response broke off after it began.
    func responseBroken(_ why: UpstreamResetReason) {
        guard !isFinished else { return }
        // The end of a tunnel that the client has left is no failure.
        if !hasClientLeft {
            record.note(flag: why.flag)
            record.details = why.details("upstream_reset_after_response_started")
        }
        stream.reset()
        finish()
    }

    func finish() {
        guard !isFinished else { return }
        isFinished = true
        stopTimers()
        backOff?.cancel()
        backOff = nil
        if let state = filterState { endFilters(state) }
        abandonTries()
        if !shadows.isEmpty {
            for shadow in shadows { shadow.abandon() }
            shadows = []
        }
        if !body.isEmpty { body = [] }
        if holdsRequestSlot { breaker?.releaseRequest() }
        if holdsRetrySlot { breaker?.releaseRetry() }
        holdsRequestSlot = false
        holdsRetrySlot = false
        let now = worker.now
        countEnd(now: now)
        if span != nil { endTrace(now: now) }
        worker.logs.exchangeFinished(self, now: now)
        worker.metrics.exchangeFinished(self, now: now)
    }
}
