import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// Shadow traffic: a copy of the request whose answer nobody waits for.
extension Exchange {
    func mirror(_ forwarding: CompiledForward) {
        // Shadow traffic is nobody's session: it takes any host.
        var plain = PickRequest()
        plain.now = Int64(NIODeadline.now().uptimeNanoseconds)
        for mirror in forwarding.mirrors {
            guard mirror.fraction.partsPerMillion > 0,
                worker.decisions.next(upperBound: UInt32(1_000_000)) < mirror.fraction.partsPerMillion,
                let cluster = worker.cluster(mirror.clusterHeader.flatMap { header($0) } ?? mirror.cluster),
                let host = cluster.compiled.template == nil
                    ? cluster.pick(plain) : cluster.dynamicHost(connection.connection.info.destination)
            else { continue }
            var copy = head
            if decision?.countsAttemptsInRequest == true {
                copy.headers.set(.envoyAttemptCount, decimal: UInt64(attemptCount))
            }
            if !mirror.keepsHost { copy.host = Self.shadowAuthority(head.host) }
            copy.headers.set("x-envoy-internal", "true")
            let before = copy.headers.string(.forwardedFor)
            copy.headers.set(.forwardedFor, before.map { "\($0),\(OwnAddress.ip)" } ?? OwnAddress.ip)
            let shadow = ShadowRequest(head: copy)
            let pool = cluster.pool(
                for: host, version: upstreamVersion(cluster, host), named: upstreamName(of: host, in: cluster),
                of: connection.connection.info)
            shadow.start(on: pool, loop: worker.eventLoop)
            shadows.append(shadow)
            // What filters have waited for is there already.
            for bytes in body { shadow.add(bytes) }
            if requestEnded { shadow.end(requestTrailers) }
        }
    }

    /// Envoy appends `-shadow` to the host, so that the mirrored service can tell.
    private static func shadowAuthority(_ host: String) -> String {
        guard let colon = host.lastIndex(of: ":") else { return host + "-shadow" }
        return host[..<colon] + "-shadow" + host[colon...]
    }
}

/// One mirrored request. Loop-confined; sends when the original request is complete, and drops the response.
final class ShadowRequest: ResponseReceiver {
    private let head: RequestHead
    private var body: [ByteBuffer] = []
    private var trailers: HeaderBlock?
    private var isEnded = false
    private var stream: UpstreamStream?
    private var keep: ShadowRequest?
    private var waiter: PoolWaiter?

    init(head: RequestHead) { self.head = head }

    func start(on pool: HTTPPool, loop: any EventLoop) {
        keep = self
        let waiter = PoolWaiter { [weak self] result in
            guard let self else { return }
            self.waiter = nil
            guard case .success(let connection) = result, let stream = connection.open(self) else {
                return self.keep = nil
            }
            self.stream = stream
            self.send()
        }
        self.waiter = waiter
        pool.acquire(waiter)
    }

    func add(_ bytes: ByteBuffer) { if keep != nil { body.append(bytes) } }

    func end(_ trailers: HeaderBlock?) {
        self.trailers = trailers
        isEnded = true
        send()
    }

    private func send() {
        guard isEnded, let stream else { return }
        let isWhole = body.isEmpty && trailers == nil
        stream.send(head, endStream: isWhole)
        guard !isWhole else { return }
        for bytes in body { stream.write(body: bytes) }
        stream.writeEnd(trailers: trailers)
    }

    func abandon() {
        guard !isEnded else { return }
        stream?.reset()
        keep = nil
    }

    func receive(informational head: ResponseHead) {}
    func receive(head: ResponseHead, endStream: Bool) { if endStream { keep = nil } }
    func receive(body: ByteBuffer) {}
    func receiveEnd(trailers: HeaderBlock?) { keep = nil }
    func receive(reset: StreamReset) { keep = nil }
    func writabilityChanged(_ isWritable: Bool) {}
}
