import NIOCore
import Synchronization
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// Why a try at an upstream gave no response.
enum AttemptFailure {
    case overflow
    case connect(String)
    case refused
    case reset
    case perTryTimeout
}

/// The router: from the route to an upstream's response, with retries.
extension Exchange {
    func forward() {
        guard let decision = resolveRoute() else {
            return reply(.noRoute, provenance: routeTable?.refusing(head))
        }
        let provenance = decision.route.provenance
        switch decision.route.action {
        case .directResponse(let direct):
            reply(.directResponse(status: direct.status, body: direct.body), provenance: provenance)
        case .redirect(let redirect):
            reply(.redirect(status: redirect.status, location: location(redirect, decision)), provenance: provenance)
        case .forward(let action):
            self.action = action
            select(action, provenance)
        }
    }

    private func select(_ action: RouteAction, _ provenance: Provenance?) {
        let name = clusterName(action)
        guard let cluster = worker.cluster(name) else {
            return reply(.clusterNotFound(name, status: action.clusterNotFoundStatus), provenance: provenance)
        }
        if isUpgrade, !upgradeAllowed(action) { return reply(.upgradeRefused, provenance: provenance) }
        self.cluster = cluster
        let shared = cluster.compiled.shared
        let breaker = CircuitBreaker(cluster.compiled.cluster, shared: shared, priority: action.priority)
        guard breaker.acquireRequest() else {
            shared.pendingOverflow.wrappingAdd(1, ordering: .relaxed)
            return reply(.overflow, provenance: cluster.compiled.cluster.provenance ?? provenance)
        }
        self.breaker = breaker
        holdsRequestSlot = true
        let compiled = decision?.forward
        timeouts = RequestTimeouts(action, retry: compiled?.retry?.policy, head: &head)
        retries = RetryState(compiled?.retry, head: &head)
        preparePick(compiled)
        mutateRequest(action)
        mirror(action)
        startTimers()
        tryUpstream()
    }

    private func clusterName(_ action: RouteAction) -> String {
        if case .weighted(let clusters) = action.cluster {
            // A filter may have had to know it before.
            if weightedIndex == nil { weightedIndex = decision?.forward?.weightedChoice(worker.decisions.next()) }
            weighted = weightedIndex.map { clusters[$0] }
            if let field = weighted?.clusterHeader { return header(field) ?? "" }
            return weighted?.name ?? ""
        }
        return ClusterChoice.name(action.cluster, random: 0, header: { header($0) }) ?? ""
    }

    /// What stays the same for every try: hash, subset, predicates.
    private func preparePick(_ compiled: CompiledForward?) {
        guard let compiled else { return }
        pick.subset = compiled.subset(weighted: weightedIndex)
        if !compiled.hashPolicies.isEmpty {
            let info = connection.connection.info
            let hash = RequestHash(
                compiled.hashPolicies, head: head,
                client: RequestHash.Client(
                    ip: info.remoteIP, address: "\(info.remoteIP):\(info.remotePort)",
                    localAddress: "\(info.localIP):\(info.localPort)"))
            pick.hash = hash.value
            hashCookies = hash.cookies
        }
        if let policy = compiled.retry?.policy {
            pick.maxReselections = Int(clamping: policy.hostSelectionRetryMaxAttempts)
        }
    }

    private func tryUpstream() {
        guard let cluster, !isFinished else { return }
        if case .dynamicForwardProxy(let settings) = cluster.compiled.cluster.discovery {
            return tryNamedHost(cluster, settings)
        }
        // The first try begins with the request.
        pickedAt = attemptCount == 0 ? record.started : .now()
        pick.now = Int64(pickedAt.uptimeNanoseconds)
        tryHost(
            cluster.compiled.template == nil ? cluster.pick(pick) : cluster.dynamicHost(originalDestination(cluster)))
    }

    /// Goes to the host that the request names, once its address is known.
    private func tryNamedHost(_ cluster: WorkerCluster, _ settings: DynamicForwardProxy) {
        let (name, port) = RequestAuthority.split(head.host)
        let usual = cluster.compiled.cluster.tls == nil ? 80 : 443
        worker.hostCache.address(of: name, family: cluster.compiled.cluster.dns.family, settings: settings) {
            [weak self] result in
            guard let self, !isFinished else { return }
            pickedAt = .now()
            switch result {
            case .failure(let failure):
                reply(.unresolvedHost(failure.reason), provenance: cluster.compiled.cluster.provenance)
            case .success(let ip):
                tryHost(cluster.dynamicHost(try? SocketAddress(ipAddress: ip, port: port ?? usual)))
            }
        }
    }

    private func tryHost(_ picked: CompiledHost?) {
        guard let cluster else { return }
        attemptCount += 1
        guard let host = picked else {
            let provenance = cluster.compiled.cluster.provenance ?? decision?.route.provenance
            return reply(.noHealthyUpstream(emptyReason: cluster.compiled.emptyReason), provenance: provenance)
        }
        remember(host)
        record.upstreamHost = host.name
        record.host = host
        let attempt = UpstreamAttempt(self, host: host, cluster: cluster, version: upstreamVersion(cluster))
        self.attempt = attempt
        attempt.start(perTryMilliseconds: timeouts?.perTry)
    }

    /// For the next try, as far as its policy cares about what was tried.
    private func remember(_ host: CompiledHost) {
        guard retries != nil, let policy = decision?.forward?.retry?.policy else { return }
        if policy.avoidPreviousHosts { pick.tried.append(host.shared) }
        pick.omitsCanaryHosts = policy.omitsCanaryHosts
        pick.omittedMetadata = policy.omittedMetadata
        if let frequency = policy.previousPrioritiesFrequency, frequency > 0 {
            triedPriorities |= 1 << UInt64(min(63, host.priority))
            if attemptCount % Int(frequency) == 0 { pick.excludedPriorities = triedPriorities }
        }
    }

    private func originalDestination(_ cluster: WorkerCluster) -> SocketAddress? {
        if case .originalDestination(true) = cluster.compiled.cluster.discovery,
            let text = head.headers.first(
                cluster.compiled.cluster.originalDestinationHeader ?? "x-envoy-original-dst-host"),
            let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...])
        {
            return try? SocketAddress(ipAddress: String(text[..<colon].filter { $0 != "[" && $0 != "]" }), port: port)
        }
        return connection.connection.info.destination
    }

    private func upstreamVersion(_ cluster: WorkerCluster) -> HTTPVersion {
        if isUpgrade { return .http1 }
        return switch cluster.compiled.cluster.httpProtocol {
        case .http1: .http1
        case .http2: .http2
        case .useDownstream, .auto: connection.version
        }
    }

    /// Sends the request as far as it has come.
    func send(on stream: UpstreamStream) {
        // What differs between tries is replaced in place.
        if decision?.virtualHost.includeRequestAttemptCount == true {
            head.headers.set(.envoyAttemptCount, String(attemptCount))
        }
        addPeerMetadata(to: &head, host: record.host)
        let isComplete = requestEnded && body.isEmpty && requestTrailers == nil
        stream.send(head, endStream: isComplete && !isUpgrade)
        if isUpgrade { return stream.flush() }
        guard !isComplete else { return }
        for bytes in body { stream.write(body: bytes) }
        if requestEnded { stream.writeEnd(trailers: requestTrailers) } else { stream.flush() }
        if bodyBytes > Self.retryBufferLimit {
            keepsBody = false
            body = []
        }
        self.stream.setReading(true)
    }

    // MARK: retries

    func attemptFailed(_ failure: AttemptFailure) {
        attempt = nil
        guard !isFinished else { return }
        if keepsBody, let pause = takeRetry(retryVerdict(on: failure)) { return retry(afterMilliseconds: pause) }
        let provenance = decision?.route.provenance
        switch failure {
        case .overflow: reply(.overflow, provenance: cluster?.compiled.cluster.provenance ?? provenance)
        case .connect(let why):
            record.transportFailure = why
            reply(.connectFailure(why), provenance: provenance)
        case .refused, .reset: reply(.upstreamReset(beforeResponse: true), provenance: provenance)
        case .perTryTimeout: reply(.perTryTimeout, provenance: provenance)
        }
    }

    private func retryVerdict(on failure: AttemptFailure) -> RetryState.Verdict {
        let kind: RetryState.Failure =
            switch failure {
            case .overflow: .overflow
            case .connect: .connect
            case .refused: .refusedStream
            case .reset: .reset
            case .perTryTimeout: .perTryTimeout
            }
        let started = if case .connect = failure { false } else { true }
        return retries?.verdict(on: kind, requestStarted: started, random: &worker.decisions) ?? .no
    }

    /// - Returns: The pause in milliseconds after which the request is tried again instead of passing this response on.
    func retryPause(insteadOf response: ResponseHead) -> UInt64? {
        guard keepsBody, !responseStarted, retries != nil else { return nil }
        let verdict = retries?.verdict(on: response, now: worker.unixTime(), random: &worker.decisions)
        return takeRetry(verdict ?? .no)
    }

    private func takeRetry(_ verdict: RetryState.Verdict) -> UInt64? {
        guard let shared = cluster?.compiled.shared else { return nil }
        switch verdict {
        case .no: return nil
        case .limitExceeded:
            shared.retryLimitExceeded.wrappingAdd(1, ordering: .relaxed)
            record.retriesExhausted = true
            record.flag = "URX"
            return nil
        case .retry(let pause):
            if !holdsRetrySlot {
                guard breaker?.acquireRetry() == true else { return nil }
                holdsRetrySlot = true
            }
            shared.retriesTotal.wrappingAdd(1, ordering: .relaxed)
            return pause
        }
    }

    func retry(afterMilliseconds pause: UInt64) {
        attempt = nil
        schedule(.milliseconds(Int64(clamping: pause))) { [self] in tryUpstream() }
    }
}
