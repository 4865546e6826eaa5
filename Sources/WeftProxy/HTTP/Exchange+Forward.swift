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
            reply(.redirect(status: redirect.status, location: location(redirect)), provenance: provenance)
        case .forward(let action):
            self.action = action
            select(action, provenance)
        }
    }

    private func select(_ action: RouteAction, _ provenance: Provenance?) {
        if case .weighted(let all) = action.cluster {
            weighted = ClusterChoice.weighted(all, random: worker.random.next())
        }
        let name =
            weighted?.name
            ?? ClusterChoice.name(action.cluster, random: 0, header: { head.headers.first($0) }) ?? ""
        guard let cluster = worker.cluster(name) else {
            return reply(.clusterNotFound(name, status: action.clusterNotFoundStatus), provenance: provenance)
        }
        if isUpgrade, !upgradeAllowed(action) { return reply(.upgradeRefused, provenance: provenance) }
        self.cluster = cluster
        let shared = cluster.compiled.shared
        guard SharedCluster.acquire(shared.requests, limit: cluster.compiled.cluster.circuitBreakers.maxRequests) else {
            shared.pendingOverflow.wrappingAdd(1, ordering: .relaxed)
            return reply(.overflow, provenance: cluster.compiled.cluster.provenance ?? provenance)
        }
        holdsRequestSlot = true
        let policy = action.retryPolicy ?? decision?.virtualHost.retryPolicy
        retriesLeft = policy.map { Int($0.numRetries) } ?? 0
        mutateRequest(action)
        mirror(action)
        startTimers(action)
        tryUpstream()
    }

    private var retryPolicy: RetryPolicy? { action?.retryPolicy ?? decision?.virtualHost.retryPolicy }

    private func tryUpstream() {
        guard let cluster, !isFinished else { return }
        let skip = retryPolicy?.avoidPreviousHosts == true ? tried : []
        let picked = cluster.pick(
            original: originalDestination(cluster), hash: requestHash(), tried: skip, random: worker.random.next())
        guard let host = picked else {
            let provenance = cluster.compiled.cluster.provenance ?? decision?.route.provenance
            return reply(.noHealthyUpstream(emptyReason: cluster.compiled.emptyReason), provenance: provenance)
        }
        attemptCount += 1
        tried.append(host.name)
        record.upstreamHost = host.name
        record.host = host
        let attempt = UpstreamAttempt(self, host: host, cluster: cluster, version: upstreamVersion(cluster))
        self.attempt = attempt
        attempt.start(perTryMilliseconds: retryPolicy?.perTryTimeoutMilliseconds)
    }

    private func originalDestination(_ cluster: WorkerCluster) -> SocketAddress? {
        if case .originalDestination(true) = cluster.compiled.cluster.discovery,
            let text = head.headers.first("x-envoy-original-dst-host"), let colon = text.lastIndex(of: ":"),
            let port = Int(text[text.index(after: colon)...])
        {
            return try? SocketAddress(ipAddress: String(text[..<colon]), port: port)
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
        var head = head
        if decision?.virtualHost.includeRequestAttemptCount == true {
            head.headers.set("x-envoy-attempt-count", String(attemptCount))
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
        if mayRetry(on: failure), takeRetry() { return retry() }
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

    private func mayRetry(on failure: AttemptFailure) -> Bool {
        guard let policy = retryPolicy, keepsBody else { return false }
        let on = policy.retryOn
        let general = on.contains("5xx") || on.contains("gateway-error")
        return switch failure {
        case .overflow: false
        case .connect: general || on.contains("connect-failure")
        case .refused: general || on.contains("refused-stream") || on.contains("reset")
        case .reset: on.contains("5xx") || on.contains("reset") || on.contains("reset-before-request")
        case .perTryTimeout: general || on.contains("reset")
        }
    }

    /// True when this response is to be thrown away and the request tried again.
    func retryInstead(of response: ResponseHead) -> Bool {
        guard let policy = retryPolicy, keepsBody, !responseStarted, policyMatches(policy, response) else {
            return false
        }
        return takeRetry()
    }

    private func policyMatches(_ policy: RetryPolicy, _ response: ResponseHead) -> Bool {
        for condition in policy.retryOn {
            switch condition {
            case "5xx" where response.status >= 500, "gateway-error" where (502...504).contains(response.status),
                "retriable-4xx" where response.status == 409:
                return true
            case "retriable-status-codes" where policy.retriableStatusCodes.contains(response.status): return true
            case "envoy-ratelimited" where response.headers.first("x-envoy-ratelimited") != nil: return true
            case "cancelled", "deadline-exceeded", "resource-exhausted", "internal", "unavailable":
                let codes = [
                    "cancelled": "1", "deadline-exceeded": "4", "resource-exhausted": "8", "internal": "13",
                    "unavailable": "14",
                ]
                if let status = response.headers.first("grpc-status"), status == codes[condition] { return true }
            default: break
            }
        }
        return false
    }

    private func takeRetry() -> Bool {
        guard retriesLeft > 0, let shared = cluster?.compiled.shared,
            let limits = cluster?.compiled.cluster.circuitBreakers
        else { return false }
        if !holdsRetrySlot {
            guard SharedCluster.acquire(shared.retries, limit: limits.maxRetries) else { return false }
            holdsRetrySlot = true
        }
        retriesLeft -= 1
        return true
    }

    /// After a random part of an interval that doubles with every try.
    func retry() {
        attempt = nil
        let base = max(1, retryPolicy?.backOffBaseMilliseconds ?? 25)
        let most = max(base, retryPolicy?.backOffMaxMilliseconds ?? base * 10)
        let span = min(most, base << UInt64(min(16, max(0, attemptCount - 1))))
        let pause = worker.random.next() % span
        schedule(.milliseconds(Int64(pause))) { [self] in tryUpstream() }
    }
}
