import NIOCore
import WeftCore
import WeftHTTP
import WeftIR
import WeftMetrics
import WeftRouting
import WeftTransport

/// The HTTP connection manager on one downstream connection: makes an ``Exchange`` of every request.
final class HTTPConnection: DownstreamConnectionDelegate {
    let worker: Worker
    let connection: DownstreamConnection
    let manager: CompiledManager
    let version: HTTPVersion
    /// `http.STAT_PREFIX.…` of this worker.
    let counters: CounterBlock
    /// Callers inside the mesh may be told why they were refused: our own pod, or a peer with an identity.
    let explainsRefusals: Bool
    /// The client has proved who it is.
    let hasPeer: Bool

    /// What `x-forwarded-client-cert` says about this connection's peer; made once, when first asked for.
    private(set) lazy var clientCertificateElement = makeClientCertificateElement()

    /// What policies see of the connection, with the request that is judged.
    private(set) lazy var policyView = PolicyView(connection.policyView())

    final class PolicyView {
        var view: RBACView
        init(_ view: RBACView) { self.view = view }
    }

    /// What log lines say of the connection.
    private(set) lazy var logTexts = ConnectionLogTexts(connection.info)

    /// The virtual host of the last request.
    var recentHost: RouteTable.RecentHost?

    /// What judging a request's caller takes of the connection.
    private(set) lazy var caller = makeCaller()

    /// Who the client said it was, last time.
    var recentPeer: PeerTable.Recent?

    /// Who has the client's address, as far as ``WorkerMetrics/addressEpoch`` is the same.
    var addressPeer: (told: Int, epoch: Int, index: Int)?

    /// Rate limits that are counted for this connection alone.
    private var ownBuckets: [ObjectIdentifier: RateLimitBuckets] = [:]

    func buckets(of limiter: LocalRateLimiter) -> RateLimitBuckets {
        let id = ObjectIdentifier(limiter.buckets)
        if let known = ownBuckets[id] { return known }
        let made = limiter.makeBuckets()
        ownBuckets[id] = made
        return made
    }

    /// - Parameter isNew: False for a connection that was counted when it opened.
    init(
        worker: Worker, connection: DownstreamConnection, manager: CompiledManager, version: HTTPVersion,
        isNew: Bool = true
    ) {
        self.worker = worker
        self.connection = connection
        self.manager = manager
        self.version = version
        counters = worker.metrics.counters.http(manager.manager.statPrefix)
        hasPeer = connection.info.peer != nil
        explainsRefusals =
            hasPeer || manager.direction == .outbound && !manager.manager.useRemoteAddress
        if isNew { countConnection(1) } else { countActive(1) }
    }

    /// The same connection for another manager: what this one knows of the peer is found out anew there.
    func moved(to manager: CompiledManager) -> HTTPConnection {
        countActive(-1)
        return HTTPConnection(
            worker: worker, connection: connection, manager: manager, version: version, isNew: false)
    }

    private func makeCaller() -> CallerTrust.Peer {
        let info = connection.info
        return CallerTrust.Peer(
            ip: info.remoteIP, isTLS: info.isTLS && manager.direction != .inbound, localPort: info.destinationPort,
            ownIP: OwnAddress.ip)
    }

    /// - Parameter change: 1 for a connection that opens, -1 for one that is over.
    private func countConnection(_ change: Int) {
        let isSecure = connection.info.isTLS
        countActive(change)
        guard change > 0 else { return counters.add(HTTPCounter.destroyedConnections) }
        counters.add(HTTPCounter.connections)
        counters.add(version == .http2 ? HTTPCounter.http2Connections : .http1Connections)
        if isSecure { counters.add(HTTPCounter.secureConnections) }
    }

    private func countActive(_ change: Int) {
        counters.add(HTTPCounter.activeConnections, change)
        counters.add(version == .http2 ? HTTPCounter.activeHTTP2Connections : .activeHTTP1Connections, change)
        if connection.info.isTLS { counters.add(HTTPCounter.activeSecureConnections, change) }
    }

    private func makeClientCertificateElement() -> String? {
        guard let peer = connection.info.peer else { return nil }
        let details = manager.manager.clientCertDetails
        var parts: [String] = []
        let own =
            connection.info.ownNames.isEmpty ? [worker.localPrincipal].compactMap { $0 } : connection.info.ownNames
        parts += own.map { "By=\($0)" }
        parts.append("Hash=\(peer.fingerprint)")
        if details.cert { parts.append("Cert=\"\(peer.certificatePEM.pathEscaped)\"") }
        if details.chain { parts.append("Chain=\"\(peer.chainPEM.pathEscaped)\"") }
        if details.subject { parts.append("Subject=\"\(peer.subject)\"") }
        if details.uri { parts += peer.uriNames.map { "URI=\($0)" } }
        if details.dns { parts += peer.dnsNames.map { "DNS=\($0)" } }
        return parts.joined(separator: ";")
    }

    func open(stream: DownstreamStream, head: consuming RequestHead, endStream: Bool) -> any HTTPStreamReceiver {
        if let refusal = manager.admission?.check(&head) {
            stream.closeAfterResponse()
            let exchange = Exchange(self, stream: stream, head: head, endStream: endStream)
            // As for Envoy, whose codec refuses it: what was never a request has no head in the log.
            exchange.record.hasNoHead = true
            exchange.refuse(refusal)
            return RefusedRequest()
        }
        let exchange = Exchange(self, stream: stream, head: head, endStream: endStream)
        exchange.start()
        return exchange
    }

    func refuse(stream: DownstreamStream, error: RequestError) {
        let reason: LocalReply.Reason
        switch error {
        case .headersTooLarge:
            counters.add(HTTPCounter.tooLarge)
            reason = .headersTooLarge
        case .malformed:
            counters.add(HTTPCounter.protocolErrors)
            reason = .badRequest
        case .timeout:
            counters.add(HTTPCounter.headTimeouts)
            reason = .headersOverdue
        }
        stream.closeAfterResponse()
        // Nothing is known of what was to come.
        var head = RequestHead(method: .other("-"), path: ByteBuffer(), authority: ByteBuffer())
        head.version = version == .http2 ? .http2 : .http11
        let exchange = Exchange(self, stream: stream, head: head, endStream: true)
        exchange.record.hasNoHead = true
        exchange.refuse(reason)
    }

    func connectionClosed() { countConnection(-1) }
}
