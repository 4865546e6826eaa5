import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting

/// What the filters of one exchange keep beyond their turn. Loop-confined; made when the first filter needs it.
final class FilterState {
    /// Dynamic metadata by filter name; routes can match on it.
    var metadata: [String: DynamicValue] = [:]
    var corsHeaders: HeaderBlock?
    var rateLimit: LocalRateLimiter.Decision?
    var rateLimitHeaders: HeaderMutations?
    /// Mutators of the response, in the order in which they apply.
    var responseMutators: [HeaderMutator] = []
    /// Those that change trailers, in the same order.
    var trailerMutators: [HeaderMutator] = []
    var grpcWeb: GRPCWebTranslator?
    /// Counts the exchange among its active faults.
    var fault: FaultEngine?
    /// While the whole body is awaited: how much of it may come.
    var bufferLimit: Int?
    /// A body that is longer is not refused: what has come by then is enough.
    var takesPartOfBody = false
    /// Goes on when the body is there; `nil` is the next filter.
    var bodyArrived: (() -> Void)?
    /// Headers of the response that authorization services asked for.
    var responseChanges: [HeaderChange] = []
    /// `x-ratelimit-*` and others that the rate limit service asked for.
    var limitHeaders: HeaderBlock?
    /// What an external processor is shown of the exchange.
    var processing: ProcessingSession?
    /// A call that a filter waits for; gives it up.
    var cancelCall: (() -> Void)?
    var healthCheck: HealthCheckResponder?
    /// Counts messages of gRPC.
    var grpcCall: GRPCCall?
    private(set) var compression: CompressionState?
    /// The session's rules, and the endpoint that the request named.
    var session: (engine: SessionEngine, address: String?)?

    /// Adds what a filter says to what filters of its name have said before.
    func tell(_ filter: String, _ values: [String: DynamicValue]) {
        var all = values
        if case .object(let earlier)? = metadata[filter] { all = earlier.merging(values) { $1 } }
        metadata[filter] = .object(all)
    }

    func keptCompression() -> CompressionState {
        let state = compression ?? CompressionState()
        compression = state
        return state
    }

    /// The exchange is over.
    func end() {
        fault?.release()
        fault = nil
        bodyArrived = nil
        cancelCall?()
        cancelCall = nil
        processing?.stop()
        processing = nil
    }
}

/// Whether the chain goes on at once. A filter that pauses calls ``Exchange/runFilters()`` when it is done.
enum FilterStep { case next, pause }

extension Exchange {
    /// Runs the chain from where it stands, until a filter pauses it, answers, or the router takes over.
    func runFilters() {
        while !isFinished, nextFilter < connection.manager.filters.count {
            let filter = connection.manager.filters[nextFilter]
            nextFilter += 1
            guard run(filter) == .next else { return }
        }
    }

    private func run(_ filter: CompiledManager.Filter) -> FilterStep {
        switch filter {
        case .rbac(let engine, let name): authorize(engine, name)
        case .fault(let engine, let name): return inject(engine, name)
        case .cors(let name): cors(name)
        case .stats:
            record.reporter = connection.manager.stats
            if original.isGRPC { countMessagesForMetrics() }
        case .localRateLimit(let limiter, let name): limit(limiter, name)
        case .headerMutation(let mutator, let name): mutate(mutator, name)
        case .buffer(let buffer, let name): return hold(buffer, name)
        case .healthCheck(let responder, let name): checkHealth(responder, name)
        case .grpcWeb(let name): translateGRPCWeb(name)
        case .grpcStats(let stats, let name): countCall(stats, name)
        case .jwt(let authenticator, let name): return authenticate(authenticator, name)
        case .externalAuthorization(let authorizer, let name): return askForPermission(authorizer, name)
        case .globalRateLimit(let limiter, let name): return askForQuota(limiter, name)
        case .externalProcessing(let processor, let name): return process(processor, name)
        case .dormant(let filter, let name): return isAwake(name) ? run(filter) : .next
        case .compressor(let engine, let name): compress(engine, name)
        case .decompressor(let engine, let name): decompress(engine, name)
        case .statefulSession(let engine, let name): keepSession(engine, name)
        case .router:
            forward()
            return .pause
        }
        return .next
    }

    /// The state of this exchange's filters, made now if there is none.
    func keptState() -> FilterState {
        if let filterState { return filterState }
        let made = FilterState()
        filterState = made
        return made
    }

    /// What the route says about a filter: its weighted cluster, the route, its virtual host, its table.
    func routeFilter(_ name: String) -> CompiledRouteFilter? {
        guard let decision = resolveRoute() else { return nil }
        if !decision.clusterFilters.isEmpty {
            if weightedIndex == nil { weightedIndex = decision.forward?.weightedChoice(worker.decisions.next()) }
            if let own = weightedIndex.flatMap({ decision.clusterFilters[$0][name] }) { return own }
        }
        return decision.filters[name]
    }

    /// Whether a route turns on a filter that is off where it stands.
    private func isAwake(_ name: String) -> Bool {
        switch routeFilter(name) {
        case .disabled?: false
        case nil: (resolveRoute()?.accessPolicies[name] ?? nil) != nil
        default: true
        }
    }

    /// Forgets the route: what a filter has changed may lead to another one.
    func chooseRouteAnew() {
        forgetRoute()
        weightedIndex = nil
    }

    func draw() -> UInt32 { worker.decisions.next(upperBound: 1_000_000) }

    var monotonicNow: Int64 { Int64(clamping: NIODeadline.now().uptimeNanoseconds) }

    // MARK: Body and response

    /// - Returns: `nil` when the exchange has been answered.
    func filter(requestBody bytes: ByteBuffer, _ state: FilterState) -> ByteBuffer? {
        guard !isFinished else { return nil }
        var bytes = bytes
        if let compression = state.compression {
            guard let recoded = recode(requestBody: bytes, compression) else { return nil }
            bytes = recoded
        }
        if state.grpcWeb != nil {
            guard let decoded = state.grpcWeb?.decode(request: bytes) else {
                reply(.badGRPCWeb)
                return nil
            }
            bytes = decoded
        }
        if let call = state.grpcCall { call.add(request: bytes) }
        if let limit = state.bufferLimit, !state.takesPartOfBody, bodyBytes + bytes.readableBytes > limit {
            reply(.bodyTooLarge)
            return nil
        }
        if let session = state.processing, session.takes(bytes, .request) { return nil }
        return bytes
    }

    func requestEnded(_ state: FilterState) {
        if state.grpcWeb?.isComplete == false { return reply(.badGRPCWeb) }
        guard state.bufferLimit != nil else { return }
        bodyIsThere(state)
    }

    /// A piece of the body was added to what is kept.
    func bodyGrew(_ state: FilterState) {
        guard state.takesPartOfBody, let limit = state.bufferLimit, bodyBytes >= limit else { return }
        bodyIsThere(state)
    }

    /// Nobody wants the whole body any more.
    func forgetBodyWait() {
        filterState?.bufferLimit = nil
        filterState?.takesPartOfBody = false
        filterState?.bodyArrived = nil
    }

    private func bodyIsThere(_ state: FilterState) {
        state.bufferLimit = nil
        state.takesPartOfBody = false
        guard let goOn = state.bodyArrived else { return runFilters() }
        state.bodyArrived = nil
        goOn()
    }

    /// Waits for the body before a filter goes on.
    /// - Parameters:
    ///   - limit: A longer body is answered with 413, or part of it is enough.
    ///   - goOn: `nil` is the next filter.
    func awaitBody(limit: Int, takesPart: Bool = false, then goOn: (() -> Void)? = nil) {
        let announced = head.headers[.contentLength].flatMap(ASCII.decimal) ?? 0
        guard takesPart || bodyBytes <= limit && announced <= UInt64(limit) else { return reply(.bodyTooLarge) }
        let state = keptState()
        state.bufferLimit = limit
        state.takesPartOfBody = takesPart
        state.bodyArrived = goOn
        // A client that stops sending must not hold its buffer for ever.
        startTimers()
        bodyGrew(state)
    }

    /// - Returns: The whole body, when the filters made one of a response that had none.
    func filter(response: inout ResponseHead, _ endStream: Bool, _ state: FilterState) -> ByteBuffer? {
        state.healthCheck?.remember(response.status, now: monotonicNow)
        if let compression = state.compression { recode(response: &response, endStream: endStream, compression) }
        if let call = state.grpcCall { call.began(response, endStream: endStream) }
        return state.grpcWeb?.translate(response: &response, endStream: endStream)
    }

    /// - Returns: `nil` when the response had to be broken off.
    func filter(responseBody bytes: ByteBuffer, _ state: FilterState) -> ByteBuffer? {
        var bytes = bytes
        if let compression = state.compression {
            guard let recoded = recode(responseBody: bytes, compression) else { return nil }
            bytes = recoded
        }
        if let call = state.grpcCall { call.add(response: bytes) }
        return state.grpcWeb?.encode(response: bytes) ?? bytes
    }

    /// For upstream's answers and our own.
    func addHeaders(to response: inout ResponseHead, _ state: FilterState) {
        if let session = state.session { tellSession(session, &response.headers) }
        state.corsHeaders?.fields.forEach { response.headers.set($0.name, $0.value) }
        state.rateLimit?.add(to: &response.headers)
        if let mutations = state.rateLimitHeaders { apply(mutations, to: &response.headers) }
        if let fields = state.limitHeaders { response.headers.replace(with: fields) }
        for change in state.responseChanges { response.headers.apply(change) }
        for mutator in state.responseMutators {
            mutator.apply(toResponse: &response.headers) { Substitution.expand($0, self) }
        }
    }
}
