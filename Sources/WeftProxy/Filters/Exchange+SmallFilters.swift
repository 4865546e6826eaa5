import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// Faults, CORS, rate limits, header mutation, buffering, health checks and gRPC-Web.
extension Exchange {
    func inject(_ configured: FaultEngine, _ name: String) -> FilterStep {
        var engine = configured
        switch routeFilter(name) {
        case .fault(let own)?: engine = own
        case .disabled?: return .next
        default: break
        }
        let injection = engine.decide(head, cluster: faultCluster(engine.fault), draw: draw)
        guard !injection.isEmpty else { return .next }
        keptState().fault = engine
        if injection.delayMilliseconds != nil { connection.counters.add(HTTPCounter.delays) }
        if injection.abort != nil { connection.counters.add(HTTPCounter.aborts) }
        let provenance = engine.fault.provenance ?? decision?.route.provenance
        guard let span = injection.delayMilliseconds else {
            if let abort = injection.abort { answer(abort, provenance) }
            return .next
        }
        record.flag = "DI"
        schedule(.milliseconds(Int64(clamping: span))) { [self] in
            guard !isFinished else { return }
            if let abort = injection.abort { answer(abort, provenance) } else { runFilters() }
        }
        return .pause
    }

    private func faultCluster(_ fault: Fault) -> String {
        guard !fault.upstreamCluster.isEmpty, case .forward(let action)? = resolveRoute()?.route.action,
            case .cluster(let name) = action.cluster
        else { return "" }
        return name
    }

    private func answer(_ abort: FaultEngine.Abort, _ provenance: Provenance?) {
        switch abort {
        case .http(let status): reply(.faultAbort(status: status), provenance: provenance)
        case .grpc(let status):
            // As Envoy: HTTP status 200, and the gRPC status for who understands it.
            var headers = HeaderBlock()
            if original.isGRPC { headers.set(.grpcStatus, String(status)) }
            reply(.faultAbort(status: 200), provenance: provenance, headers: headers)
        }
    }

    func cors(_ name: String) {
        // A route that answers by itself shares nothing with other origins, whatever its virtual host says.
        guard head.headers.contains(.origin), case .cors(let engine)? = routeFilter(name), decision?.forward != nil
        else { return }
        let outcome = engine.decide(head, draw: draw)
        switch outcome {
        case .pass, .shadow: return
        case .unknownOrigin: connection.counters.add(HTTPCounter.originInvalid)
        case .allow(let headers):
            connection.counters.add(HTTPCounter.originValid)
            keptState().corsHeaders = headers
        case .preflight(let headers):
            connection.counters.add(HTTPCounter.originValid)
            answerPreflight(headers)
        }
    }

    /// The filter's own response is no local reply: neither the route nor the mappers change it.
    private func answerPreflight(_ headers: HeaderBlock) {
        var head = ResponseHead(status: 200)
        head.headers = headers
        record.status = 200
        record.details = "cors_response"
        finishResponse(&head)
        stream.respond(head, endStream: true)
        finish()
    }

    func limit(_ configured: LocalRateLimiter, _ name: String) {
        var limiter = configured
        switch routeFilter(name) {
        case .localRateLimit(let own)?: limiter = own
        case .disabled?: return
        default: break
        }
        guard limiter.settings.bucket != nil || !limiter.settings.descriptors.isEmpty else { return }
        let buckets = limiter.settings.perConnection ? connection.buckets(of: limiter) : limiter.buckets
        let decision = limiter.decide(descriptors(limiter), buckets: buckets, now: monotonicNow, draw: draw)
        guard let decision else { return }
        if decision.limit != nil { keptState().rateLimit = decision }
        if decision.isShadow { applyToRequest(limiter.settings.requestHeadersWhenNotEnforced) }
        guard !decision.allowed else { return }
        if !limiter.settings.responseHeaders.isEmpty {
            keptState().rateLimitHeaders = limiter.settings.responseHeaders
        }
        var headers = HeaderBlock()
        if original.isGRPC, limiter.settings.resourceExhausted { headers.set("grpc-status", "8") }
        reply(
            .rateLimited(status: limiter.status),
            provenance: limiter.settings.provenance ?? self.decision?.route.provenance, headers: headers)
    }

    /// By the filter's own rules, else by the route's.
    private func descriptors(_ limiter: LocalRateLimiter) -> [RateLimitDescriptor] {
        guard !limiter.settings.descriptors.isEmpty else { return [] }
        if !limiter.rules.isEmpty { return limiter.rules.descriptors(rateLimitView()) }
        guard let limits = resolveRoute()?.rateLimits else { return [] }
        let rules = limits.rules(stage: limiter.settings.stage, limiter.settings.virtualHostLimits)
        guard !rules.isEmpty else { return [] }
        let view = rateLimitView()
        return rules.flatMap { $0.descriptors(view) }
    }

    /// What rate limits may count by.
    func rateLimitView() -> RateLimitView {
        var cluster = ""
        if case .forward(let action)? = resolveRoute()?.route.action { cluster = intendedCluster(action) }
        var view = RateLimitView(
            head: head, remoteIP: trustedClientIP(), destinationCluster: cluster,
            sourceCluster: worker.serviceCluster)
        if let state = filterState { view.metadata = state.metadata }
        return view
    }

    /// The cluster that the router would take now.
    func intendedCluster(_ action: RouteAction) -> String {
        switch action.cluster {
        case .cluster(let name): return name
        case .header(let name): return header(name) ?? ""
        case .weighted(let clusters):
            if weightedIndex == nil { weightedIndex = decision?.forward?.weightedChoice(worker.decisions.next()) }
            return weightedIndex.map { clusters[$0].name } ?? ""
        }
    }

    func mutate(_ configured: HeaderMutator, _ name: String) {
        var chain = [configured]
        switch routeFilter(name) {
        case .headerMutation(let levels)?:
            // The last one to touch a header wins.
            chain += configured.mostSpecificWins ? levels : levels.reversed()
        case .disabled?: return
        default: break
        }
        for mutator in chain {
            mutator.apply(toRequest: &head) { value, _ in Substitution.expand(value, self) }
        }
        let responding = chain.filter(\.changesResponse)
        if !responding.isEmpty { keptState().responseMutators += responding }
        let trailing = chain.filter(\.changesTrailers)
        guard !trailing.isEmpty else { return }
        keptState().trailerMutators += trailing
        // They may have come while a filter before this one waited.
        var trailers = requestTrailers
        mutate(requestTrailers: &trailers, trailing)
        requestTrailers = trailers
    }

    func mutate(requestTrailers: inout HeaderBlock?, _ mutators: [HeaderMutator]) {
        guard !mutators.isEmpty, var trailers = requestTrailers else { return }
        for mutator in mutators { mutator.apply(toRequestTrailers: &trailers) { Substitution.expand($0, self) } }
        requestTrailers = trailers
    }

    func mutate(responseTrailers: inout HeaderBlock?, _ mutators: [HeaderMutator]) {
        guard !mutators.isEmpty, var trailers = responseTrailers else { return }
        for mutator in mutators { mutator.apply(toResponseTrailers: &trailers) { Substitution.expand($0, self) } }
        responseTrailers = trailers
    }

    func hold(_ configured: BufferFilter, _ name: String) -> FilterStep {
        var buffer = configured
        switch routeFilter(name) {
        case .buffer(let own)?: buffer = own
        case .disabled?: return .next
        default: break
        }
        guard !requestEnded, !isUpgrade else { return .next }
        awaitBody(limit: Int(buffer.maxRequestBytes)) { [weak self] in
            guard let self else { return }
            // The length is known now.
            if requestTrailers == nil { head.headers.set(.contentLength, String(bodyBytes)) }
            runFilters()
        }
        return .pause
    }

    func checkHealth(_ responder: HealthCheckResponder, _ name: String) {
        if case .disabled? = routeFilter(name) { return }
        let decision = responder.decide(
            head, isDraining: worker.isDraining || worker.failsHealthChecks, now: monotonicNow
        ) { name in
            guard let hosts = worker.cluster(name)?.compiled.hosts else { return nil }
            let bad: SharedHost.Flags = [.failedActiveCheck, .ejected]
            return .init(healthy: hosts.count { $0.shared.flags.isDisjoint(with: bad) }, total: hosts.count)
        }
        if case .pass = decision {} else { record.isHealthCheck = true }
        switch decision {
        case .pass, .forward(remembers: false): return
        case .forward(remembers: true): keptState().healthCheck = responder
        case .answer(let status, let details):
            var headers = HeaderBlock()
            if !worker.serviceCluster.isEmpty {
                headers.set("x-envoy-upstream-healthchecked-cluster", worker.serviceCluster)
            }
            reply(.healthCheck(status: status, details: details), headers: headers)
        }
    }

    func translateGRPCWeb(_ name: String) {
        if case .disabled? = routeFilter(name) { return }
        guard let translator = GRPCWebTranslator(&head) else { return }
        keptState().grpcWeb = translator
    }
}
