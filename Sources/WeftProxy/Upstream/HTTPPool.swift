import NIOCore
import Synchronization
import WeftIR
import WeftRouting
import WeftTransport

/// Why an exchange could not get a connection.
enum PoolFailure {
    case overflow
    case connect(UpstreamConnectError)
}

/// A request that waits for a connection. Cancelled when its owner gives up.
final class PoolWaiter {
    fileprivate var completion: ((Result<UpstreamHTTPConnection, PoolFailureError>) -> Void)?
    fileprivate var countsAsPending = false
    init(_ completion: @escaping (Result<UpstreamHTTPConnection, PoolFailureError>) -> Void) {
        self.completion = completion
    }
}

/// ``PoolFailure`` as an error.
struct PoolFailureError: Error { var failure: PoolFailure }

/// What an upstream is called by the requests to it (`auto_sni`, `auto_san_validation`).
struct UpstreamName: Hashable {
    /// `nil` is what the transport socket says.
    var serverName: String?
    /// The certificate must be for this name; `nil` is what the transport socket says.
    var expectedName: String?
}

/// The HTTP connections of one worker to one endpoint, for one codec.
///
/// Loop-confined. Idle connections are reused last-in first-out; a request that finds none waits while one is opened,
/// within the cluster's limits.
final class HTTPPool {
    private var host: CompiledHost
    private var cluster: CompiledCluster
    /// What its connections speak; with ``isAuto`` what the last one agreed on.
    private var version: HTTPVersion
    /// The protocol is the peer's choice by ALPN.
    private let isAuto: Bool
    /// What the server is called, when requests say it.
    private let name: UpstreamName?
    private let eventLoop: any EventLoop
    private let flushes: FlushBatch?
    private let counters: ClusterCounters
    /// What every connection begins with (PROXY protocol).
    private let preamble: ByteBuffer?
    private var connections: [ObjectIdentifier: UpstreamHTTPConnection] = [:]
    private var idle: [UpstreamHTTPConnection] = []
    /// Runs while something is idle, once per limit and not once per exchange.
    private var idleTimer: Scheduled<Void>?
    private var waiters: [PoolWaiter] = []
    private var connecting = 0
    private var isDraining = false

    init(
        host: CompiledHost, cluster: CompiledCluster, version: HTTPVersion, eventLoop: any EventLoop,
        flushes: FlushBatch?, counters: ClusterCounters, preamble: ByteBuffer? = nil, name: UpstreamName? = nil
    ) {
        isAuto = version == .http2 && cluster.cluster.httpProtocol == .auto
        self.name = name
        self.counters = counters
        self.flushes = flushes
        self.preamble = preamble
        self.host = host
        self.cluster = cluster
        self.version = version
        self.eventLoop = eventLoop
    }

    /// Where its connections go.
    var address: SocketAddress? { host.target.address }

    /// New connections are made as `host` says. It has the same address, counters and limits.
    func renew(_ host: CompiledHost, _ cluster: CompiledCluster) {
        self.host = host
        self.cluster = cluster
    }

    /// A connection that is free right now; the caller opens its exchange at once.
    func takeFree() -> UpstreamHTTPConnection? {
        while let connection = idle.last {
            if connection.capacity > 0 {
                take(connection)
                return connection
            }
            idle.removeLast()
            connection.isPooled = false
        }
        return nil
    }

    private func take(_ connection: UpstreamHTTPConnection) {
        connection.served &+= 1
        guard !connection.isMultiplexed, connection.isPooled else { return }
        connection.isPooled = false
        if idle.last === connection { idle.removeLast() } else { idle.removeAll { $0 === connection } }
    }

    /// Calls back at once when a connection is free.
    func acquire(_ waiter: PoolWaiter) {
        if let connection = takeFree() {
            finish(waiter, .success(connection))
            return preconnect()
        }
        let limits = cluster.cluster.circuitBreakers
        // What a connection can take is not known before the first one has agreed on a protocol.
        let mayConnect = version == .http1 || connecting == 0
        if mayConnect {
            let added = SharedCluster.acquire(cluster.shared.connections, limit: limits.maxConnections)
            // As Envoy: a worker with no connection at all may always have one.
            if !added { counters.add(.connectionOverflow) }
            if added || (connections.isEmpty && connecting == 0) {
                if !added { cluster.shared.connections.wrappingAdd(1, ordering: .relaxed) }
                guard enqueue(waiter, limit: limits.maxPendingRequests) else {
                    return SharedCluster.release(cluster.shared.connections)
                }
                connect()
                return preconnect()
            }
        }
        _ = enqueue(waiter, limit: limits.maxPendingRequests)
    }

    /// Opens connections that nobody waits for yet (`per_upstream_preconnect_ratio`): as many as the requests under way
    /// and waiting, times the ratio, would take. No more than three at a time, as Envoy.
    func preconnect() {
        let ratio = cluster.cluster.preconnect.perUpstreamRatio
        guard ratio > 1, version == .http1, !isDraining else { return }
        for _ in 0..<3 {
            let busy = connections.count - idle.count + waiters.count
            guard Double(connections.count + connecting) < (Double(busy) * ratio).rounded(.up) else { return }
            let limit = cluster.cluster.circuitBreakers.maxConnections
            guard SharedCluster.acquire(cluster.shared.connections, limit: limit) else { return }
            connect()
        }
    }

    private func enqueue(_ waiter: PoolWaiter, limit: UInt32) -> Bool {
        guard SharedCluster.acquire(cluster.shared.pending, limit: limit) else {
            cluster.shared.pendingOverflow.wrappingAdd(1, ordering: .relaxed)
            finish(waiter, .failure(PoolFailureError(failure: .overflow)))
            return false
        }
        waiter.countsAsPending = true
        counters.add(.pendingTotal)
        waiters.append(waiter)
        return true
    }

    func cancel(_ waiter: PoolWaiter) {
        waiter.completion = nil
        waiters.removeAll { $0 === waiter }
        settle(waiter)
    }

    private func settle(_ waiter: PoolWaiter) {
        guard waiter.countsAsPending else { return }
        waiter.countsAsPending = false
        SharedCluster.release(cluster.shared.pending)
    }

    private func finish(_ waiter: PoolWaiter, _ result: Result<UpstreamHTTPConnection, PoolFailureError>) {
        settle(waiter)
        let callback = waiter.completion
        waiter.completion = nil
        callback?(result)
    }

    private func connect() {
        connecting += 1
        var target = version == .http2 || isAuto ? host.targets.http2 : host.targets.http1
        if let name {
            if let server = name.serverName { target.tls?.serverName = server }
            target.tls?.expectedName = name.expectedName
        }
        UpstreamConnector.connect(to: target, preamble: preamble, on: eventLoop) { [self] result in
            connecting -= 1
            switch result {
            case .failure(let error):
                if case .timeout = error { counters.add(.connectTimeouts) }
                if !waiters.isEmpty { counters.add(.pendingFailures, waiters.count) }
                SharedCluster.release(cluster.shared.connections)
                cluster.shared.connectFailures.wrappingAdd(1, ordering: .relaxed)
                host.shared.connectFailures.wrappingAdd(1, ordering: .relaxed)
                let failed = waiters
                waiters = []
                for waiter in failed { finish(waiter, .failure(PoolFailureError(failure: .connect(error)))) }
            case .success(let connected): adopt(connected, isPlain: target.tls == nil)
            }
        }
    }

    private func adopt(_ connected: UpstreamConnected, isPlain: Bool) {
        let channel = connected.channel
        if isAuto { version = connected.applicationProtocol == "h2" ? .http2 : .http1 }
        let streams = Int(cluster.cluster.http2MaxConcurrentStreams ?? 1 << 20)
        guard
            let connection = try? HTTPPipeline.configureUpstream(
                channel, version: version, maxStreams: streams, flushes: flushes, limits: cluster.cluster.headLimits,
                http2: HTTP2TransportOptions(cluster.cluster, statistics: cluster.shared.http2), isPlain: isPlain)
        else {
            SharedCluster.release(cluster.shared.connections)
            channel.close(promise: nil)
            return
        }
        cluster.shared.connectionsTotal.wrappingAdd(1, ordering: .relaxed)
        counters.add(version == .http2 ? .http2Connections : .http1Connections)
        host.shared.connectionsTotal.wrappingAdd(1, ordering: .relaxed)
        host.shared.activeConnections.wrappingAdd(1, ordering: .relaxed)
        connections[ObjectIdentifier(connection)] = connection
        connection.localName = channel.localAddress.map { "\($0.ipAddress ?? ""):\($0.port ?? 0)" }
        limitDuration(of: connection, channel)
        connection.onChange = { [self] connection, isClosed in changed(connection, isClosed) }
        try? channel.syncOptions?.setOption(.autoRead, value: true)
        channel.read()
        makeAvailable(connection)
        if isAuto, version == .http1 { connectForEachWaiter() }
    }

    /// Those that waited for one connection to tell the protocol each need their own, now that it is HTTP/1.
    private func connectForEachWaiter() {
        let limit = cluster.cluster.circuitBreakers.maxConnections
        while waiters.count > connecting, SharedCluster.acquire(cluster.shared.connections, limit: limit) { connect() }
    }

    /// What has lived for `max_connection_duration` takes no more requests, and goes when those under way are done.
    private func limitDuration(of connection: UpstreamHTTPConnection, _ channel: any Channel) {
        guard let span = cluster.cluster.maxConnectionDurationMilliseconds, span > 0 else { return }
        let timer = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(clamping: span))) {
            [weak self, weak connection] in
            guard let self, let connection else { return }
            counters.add(.maxDuration)
            connection.drain()
        }
        channel.closeFuture.assumeIsolated().whenComplete { _ in timer.cancel() }
    }

    private func changed(_ connection: UpstreamHTTPConnection, _ isClosed: Bool) {
        guard isClosed else { return makeAvailable(connection) }
        let id = ObjectIdentifier(connection)
        connection.onChange = nil  // breaks the cycle
        guard connections.removeValue(forKey: id) != nil else { return }
        counters.add(.closedConnections)
        if connection.isPooled { idle.removeAll { $0 === connection } }
        connection.isPooled = false
        if connections.isEmpty {
            idleTimer?.cancel()
            idleTimer = nil
        }
        SharedCluster.release(cluster.shared.connections)
        host.shared.activeConnections.wrappingSubtract(1, ordering: .relaxed)
        connectForWaiters()
    }

    private func connectForWaiters() {
        guard !waiters.isEmpty, connecting == 0, connections.isEmpty else { return }
        cluster.shared.connections.wrappingAdd(1, ordering: .relaxed)
        connect()
    }

    private func makeAvailable(_ connection: UpstreamHTTPConnection) {
        if let limit = cluster.cluster.maxRequestsPerConnection, limit > 0, connection.served >= limit {
            counters.add(.maxRequests)
            connection.drain()
            return
        }
        while !waiters.isEmpty, connection.capacity > 0 {
            take(connection)
            finish(waiters.removeFirst(), .success(connection))
        }
        guard connection.capacity > 0 else { return }
        if isDraining { return connection.drain() }
        if !connection.isPooled {
            connection.isPooled = true
            idle.append(connection)
        }
        connection.idleSince = flushes?.clock.now ?? .now()
        if idleTimer == nil { watchIdle(after: idleLimit) }
    }

    /// 0 is none.
    private var idleLimit: Int64 { Int64(clamping: cluster.cluster.idleTimeoutMilliseconds ?? 3_600_000) }

    private func watchIdle(after milliseconds: Int64) {
        guard milliseconds > 0 else { return }
        idleTimer = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(milliseconds)) { [self] in
            idleTimer = nil
            closeIdle()
        }
    }

    /// Closes what has been idle for the limit, and comes back when the next one will have been.
    private func closeIdle() {
        let now = NIODeadline.now()
        var rest = idleLimit
        for connection in idle where connection.activeStreams == 0 {
            let left = idleLimit - (now - connection.idleSince).nanoseconds / 1_000_000
            if left <= 0 { connection.close() } else { rest = min(rest, left) }
        }
        if !connections.isEmpty, idleTimer == nil { watchIdle(after: max(1, rest)) }
    }

    /// Idle connections close now, busy ones when they are done.
    func drain() {
        isDraining = true
        for connection in Array(connections.values) { connection.drain() }
    }
}
