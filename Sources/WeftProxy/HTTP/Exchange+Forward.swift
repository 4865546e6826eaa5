import NIOCore
import Synchronization
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// Why a try at an upstream gave no response.
enum AttemptFailure {
    /// - Parameter transport: What the operating system or TLS said.
    case reset(UpstreamResetReason, transport: String?)
    case perTryTimeout(idle: Bool)
    /// The cluster's `max_stream_duration` is over.
    case maxDuration
}

/// The router: from the route to an upstream's response, with retries.
extension Exchange {
    func forward() {
        connection.counters.add(HTTPCounter.routed)
        guard let decision = resolveRoute() else {
            return reply(.noRoute, provenance: routeTable?.refusing(head))
        }
        if let forwarding = decision.forward {
            self.forwarding = forwarding
            return select(forwarding, decision)
        }
        switch decision.route.action {
        case .directResponse(let direct):
            connection.counters.add(HTTPCounter.directResponses)
            answer(direct, decision)
        case .redirect(let redirect):
            connection.counters.add(HTTPCounter.redirects)
            redirectClient(redirect, decision)
        case .forward: break
        }
    }

    private func select(_ forwarding: CompiledForward, _ decision: RouteDecision) {
        guard let cluster = worker.recentCluster(of: forwarding) ?? chooseCluster(forwarding, decision) else { return }
        if isUpgrade, !upgradeAllowed(forwarding.action) {
            return reply(.upgradeRefused, provenance: decision.route.provenance)
        }
        if !forwarding.action.upgrades.isEmpty, !isUpgrade { terminatesConnect = endsPost(forwarding.action) }
        self.cluster = cluster
        let shared = cluster.compiled.shared
        let breaker = cluster.compiled.breaker(forwarding.action.priority)
        guard breaker.acquireRequest() else {
            shared.pendingOverflow.wrappingAdd(1, ordering: .relaxed)
            return reply(
                .overflow(isRetry: false), provenance: cluster.compiled.cluster.provenance ?? decision.route.provenance)
        }
        self.breaker = breaker
        holdsRequestSlot = true
        longest = StreamDuration.limit(
            forwarding, manager: connection.manager.manager.maxStreamDurationMilliseconds, head: &head)
        timeouts = RequestTimeouts(
            forwarding, head: &head, respectsExpected: connection.manager.manager.router.respectsExpectedTimeout)
        mutateRequest(forwarding)
        // After the mutations: what decides about retries, and hash policies, see the request as the upstream will.
        retries = RetryState(forwarding.retry, head: &head)
        preparePick(forwarding)
        startTimers()
        tryUpstream()
    }

    /// A cluster that depends on nothing but the route is found by the route's identity from then on.
    /// - Returns: `nil` when the request has been answered, because there is no such cluster.
    private func chooseCluster(_ forwarding: CompiledForward, _ decision: RouteDecision) -> WorkerCluster? {
        let name = clusterName(forwarding.action)
        guard let found = worker.cluster(name) else {
            let status = forwarding.action.clusterNotFoundStatus
            reply(.clusterNotFound(name, status: status), provenance: decision.route.provenance)
            return nil
        }
        if case .cluster = forwarding.action.cluster { worker.remember(found, of: forwarding) }
        return found
    }

    private func clusterName(_ action: RouteAction) -> String {
        if case .weighted(let clusters) = action.cluster {
            // A filter may have had to know it before.
            if weightedIndex == nil { weightedIndex = decision?.forward?.weightedChoice(worker.decisions.next()) }
            takesWeighted = true
            let weighted = weightedIndex.map { clusters[$0] }
            if let field = weighted?.clusterHeader { return header(field) ?? "" }
            return weighted?.name ?? ""
        }
        return ClusterChoice.name(action.cluster, random: 0, header: { header($0) }) ?? ""
    }

    /// What stays the same for every try: hash, subset, predicates.
    private func preparePick(_ compiled: CompiledForward) {
        pick.subset = compiled.subset(weighted: weightedIndex)
        if !compiled.hashPolicies.isEmpty {
            let info = connection.connection.info
            let hash = RequestHash(
                compiled.hashPolicies, head: head,
                client: RequestHash.Client(
                    ip: clientIP, address: "\(info.remoteIP):\(info.remotePort)",
                    localAddress: "\(info.localIP):\(info.localPort)"))
            pick.hash = hash.value
            hashCookies = hash.cookies
        }
        if let policy = compiled.retry?.policy {
            pick.maxReselections = Int(clamping: policy.hostSelectionRetryMaxAttempts)
        }
    }

    func tryUpstream() {
        guard let cluster, !isFinished else { return }
        if case .dynamicForwardProxy(let settings) = cluster.compiled.cluster.discovery {
            return tryNamedHost(cluster, settings)
        }
        // The first try begins with the request.
        pickedAt = attemptCount == 0 ? record.started : .now()
        pick.now = Int64(pickedAt.uptimeNanoseconds)
        tryHost(
            cluster.compiled.template == nil
                ? cluster.pick(inPlace: &pick) : cluster.dynamicHost(originalDestination(cluster)))
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
        guard let host = picked, !isAstray(host) else {
            cluster.counters.add(.noneHealthy)
            // A hedged try may still be answered.
            if attempt != nil || !rivals.isEmpty { return }
            let provenance = cluster.compiled.cluster.provenance ?? decision?.route.provenance
            return reply(.noHealthyUpstream(emptyReason: cluster.compiled.emptyReason), provenance: provenance)
        }
        remember(host)
        record.host = host
        if let forwarding, forwarding.rewritesHost, forwarding.action.hostRewrite == .auto, weighted?.hostRewrite == nil
        {
            nameHost(host)
        }
        let version = upstreamVersion(cluster, host)
        record.upstreamProtocol = version == .http2 ? "HTTP/2" : "HTTP/1.1"
        let attempt = UpstreamAttempt(self, host: host, cluster: cluster, version: version)
        self.attempt = attempt
        // Only what is forwarded is mirrored.
        if attemptCount == 1, let forwarding, !forwarding.mirrors.isEmpty { mirror(forwarding) }
        attempt.start(perTryMilliseconds: timeouts?.perTry, idleMilliseconds: timeouts?.perTryIdle)
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

    func upstreamVersion(_ cluster: WorkerCluster, _ host: CompiledHost) -> HTTPVersion {
        if isUpgrade {
            // HTTP/2 carries it as extended CONNECT (RFC 8441).
            return cluster.compiled.cluster.httpProtocol == .http2 ? .http2 : .http1
        }
        return switch cluster.compiled.cluster.httpProtocol {
        case .http1: .http1
        case .http2: .http2
        case .useDownstream: connection.version
        // The peer chooses by ALPN, which only TLS has.
        case .auto: host.targets.http2.tls == nil ? .http1 : .http2
        }
    }

    /// Sends the request as far as it has come.
    func send(on stream: UpstreamStream) {
        // What differs between tries is replaced in place.
        if decision?.countsAttemptsInRequest == true {
            head.headers.set(.envoyAttemptCount, decimal: UInt64(attemptCount))
        }
        if decision?.virtualHost.includeTimeoutRetryHeader == true, attemptCount > 1 {
            head.headers.set("x-envoy-is-timeout-retry", retriesTimeout ? "true" : "false")
        }
        addPeerMetadata(to: &head, host: record.host)
        if span != nil { carryTrace() }
        if connection.manager.keeps.contains(.times) {
            record.times.upstreamStart = .now()
        }
        let isComplete = requestEnded && body.isEmpty && requestTrailers == nil
        if cluster?.compiled.cluster.properCaseHeaders == true { head.headers.useProperCase() }
        stream.write(head: &head, endStream: isComplete && !isUpgrade)
        stream.headWritten(endStream: isComplete && !isUpgrade)
        if isUpgrade { return stream.flush() }
        guard !isComplete else { return }
        for bytes in body { stream.write(body: bytes) }
        if requestEnded { stream.writeEnd(trailers: upstreamTrailers) } else { stream.flush() }
        if bodyBytes > Self.retryBufferLimit {
            keepsBody = false
            body = []
        }
        self.stream.setReading(true)
    }

    // MARK: retries

    func attemptFailed(_ failure: AttemptFailure, _ failed: UpstreamAttempt) {
        guard !isFinished else { return }
        guard forget(failed) else { return }
        let isRetry = attemptCount > 1
        if keepsBody, let pause = takeRetry(retryVerdict(on: failure)) {
            if case .perTryTimeout = failure { retriesTimeout = true } else { retriesTimeout = false }
            return retry(afterMilliseconds: pause)
        }
        let provenance = decision?.route.provenance
        switch failure {
        case .reset(.overflow, _):
            record.host = nil
            reply(.overflow(isRetry: isRetry), provenance: cluster?.compiled.cluster.provenance ?? provenance)
        case .reset(let why, let transport):
            record.keptExtras().transportFailure = transport
            reply(.upstreamReset(why, transport: transport, isRetry: isRetry), provenance: provenance)
        case .perTryTimeout(let idle):
            reply(.perTryTimeout(idle: idle), provenance: provenance)
        case .maxDuration:
            reply(
                .upstreamDuration(requestComplete: requestEnded),
                provenance: cluster?.compiled.cluster.provenance ?? provenance)
        }
    }

    private func retryVerdict(on failure: AttemptFailure) -> RetryState.Verdict {
        var requestStarted = true
        let kind: RetryState.Failure
        switch failure {
        case .reset(.overflow, _): kind = .overflow
        case .reset(.connectionFailure, _), .reset(.connectionTimeout, _): (kind, requestStarted) = (.connect, false)
        case .reset(.remoteRefused, _): kind = .refusedStream
        case .reset: kind = .reset
        case .perTryTimeout: kind = .perTryTimeout
        case .maxDuration: kind = .reset
        }
        return retries?.verdict(on: kind, requestStarted: requestStarted, random: &worker.decisions) ?? .no
    }

    /// - Returns: The pause in milliseconds after which the request is tried again instead of passing this response on.
    func retryPause(insteadOf response: ResponseHead) -> UInt64? {
        guard keepsBody, !responseStarted, retries != nil else { return nil }
        let verdict = retries?.verdict(on: response, now: worker.unixTime(), random: &worker.decisions)
        return takeRetry(verdict ?? .no)
    }

    func takeRetry(_ verdict: RetryState.Verdict) -> UInt64? {
        guard let shared = cluster?.compiled.shared else { return nil }
        switch verdict {
        case .no: return nil
        case .limitExceeded:
            shared.retryLimitExceeded.wrappingAdd(1, ordering: .relaxed)
            record.note(flag: "URX")
            return nil
        case .retry(let pause):
            if !holdsRetrySlot {
                guard breaker?.acquireRetry() == true else {
                    record.note(flag: "UO")
                    return nil
                }
                holdsRetrySlot = true
            }
            shared.retriesTotal.wrappingAdd(1, ordering: .relaxed)
            return pause
        }
    }

    func retry(afterMilliseconds pause: UInt64) {
        schedule(.milliseconds(Int64(clamping: pause))) { [self] in tryUpstream() }
    }
}
