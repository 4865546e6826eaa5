import NIOCore
import NIOSSL
import WeftHTTP
import WeftIR
import WeftMetrics
import WeftRouting
import WeftTransport

/// One accepted connection, from accept to its filter chain's end: finds the listener, sniffs, chooses the chain,
/// does TLS, checks network policies, and hands over to HTTP or to plain forwarding.
///
/// Loop-confined; kept alive by its worker until the channel is gone.
final class DownstreamConnection {
    let worker: Worker
    let channel: any Channel
    var listener: CompiledListener?
    var info: ConnectionInfo
    var codec: DownstreamCodec?
    /// Takes the requests that come from now on.
    var http: HTTPConnection?
    /// For the listener's access logs.
    private var record = ConnectionRecord()
    /// Of the listener that accepted.
    private var counters: CounterBlock?
    var drain: DrainState?
    /// Told to end with the exchange that is under way.
    var isDrained = false
    /// What the filter chain was chosen by, and the chain, once it was chosen.
    private(set) var view: FilterChainView?
    var chain: CompiledChain?

    init(worker: Worker, channel: any Channel) {
        self.worker = worker
        self.channel = channel
        self.info = ConnectionInfo(channel, original: nil)
    }

    /// - Parameter name: The listener whose socket accepted.
    func start(acceptedBy name: String) {
        worker.add(self)
        info.id = worker.nextConnectionID()
        channel.closeFuture.assumeIsolated().whenComplete { [self] _ in
            // The codec's delegate knows this connection: neither would ever go.
            codec = nil
            http = nil
            worker.remove(self)
            self.counters?.add(ListenerCounter.activeConnections, -1)
            self.counters?.add(ListenerCounter.destroyedConnections)
            worker.logs.connectionEnded(info, record, logs: self.listener?.logs ?? [], worker)
        }
        guard let own = worker.snapshot.listeners[name] else { return channel.close(promise: nil) }
        let counters = worker.metrics.counters.listener(own.statName)
        self.counters = counters
        counters.add(ListenerCounter.connections)
        counters.add(ListenerCounter.activeConnections)
        var listener = own
        // The listener filter restores the address; only `use_original_dst` hands the connection to another listener.
        let restores =
            own.listener.useOriginalDestination || own.listener.listenerFilters.contains(.originalDestination)
        if restores, let original = OriginalDestination.of(channel) {
            let id = info.id
            info = ConnectionInfo(channel, original: original)
            info.id = id
            let found = worker.snapshot.virtualListener(ip: info.destinationIP, port: info.destinationPort)
            if own.listener.useOriginalDestination, let found, found.listener.name != name { listener = found }
        }
        self.listener = listener
        limitBuffers(listener.listener.perConnectionBufferLimit)
        if let filter = listener.proxyProtocol { takeProxyHeader(filter, listener) } else { sniff(listener) }
    }

    /// Envoy's watermarks: reading from the one side stops when so much waits for the other, and goes on at half of it.
    private func limitBuffers(_ limit: UInt32?) {
        guard let limit, limit > 0 else { return }
        let mark = ChannelOptions.Types.WriteBufferWaterMark(low: max(1, Int(limit) / 2), high: max(2, Int(limit)))
        try? channel.syncOptions?.setOption(.writeBufferWaterMark, value: mark)
    }

    private func takeProxyHeader(_ filter: ProxyProtocolFilter, _ listener: CompiledListener) {
        let handler = ProxyHeaderHandler(
            timeoutMilliseconds: listener.listener.listenerFiltersTimeoutMilliseconds
        ) { [self] channel, outcome in
            switch outcome {
            case .header(let header) where !filter.disallowedVersions.contains(header.version):
                info.apply(header, passing: filter.passThrough)
                sniff(listener)
            case .absent(isTimeout: false) where filter.allowsPlainConnections: sniff(listener)
            case .absent(isTimeout: true) where listener.listener.continueOnListenerFiltersTimeout: sniff(listener)
            case .header, .absent, .invalid:
                record.details = "proxy_protocol_error"
                channel.close(promise: nil)
            }
        }
        try? channel.pipeline.syncOperations.addHandler(handler)
    }

    private func sniff(_ listener: CompiledListener) {
        guard listener.inspectsTLS || listener.inspectsHTTP else { return choose(SniffResult(), listener) }
        let handler = SniffHandler(
            sniffer: ProtocolSniffer(inspectTLS: listener.inspectsTLS, inspectHTTP: listener.inspectsHTTP),
            timeoutMilliseconds: listener.listener.listenerFiltersTimeoutMilliseconds,
            continueOnTimeout: listener.listener.continueOnListenerFiltersTimeout
        ) { [self] _, result in choose(result, listener) }
        try? channel.pipeline.syncOperations.addHandler(handler)
    }

    private func choose(_ result: SniffResult, _ listener: CompiledListener) {
        info.serverName = result.serverName
        var view = FilterChainView(
            destinationIP: info.destinationIP, destinationPort: info.destinationPort, sourceIP: info.remoteIP,
            sourcePort: info.remotePort, serverName: result.serverName, isTLS: result.isTLS,
            applicationProtocols: result.applicationProtocols)
        view.directSourceIP = info.directRemoteIP
        self.view = view
        guard let chain = listener.chain(for: view), !chain.isWaitingForSecret else {
            counters?.add(ListenerCounter.noChain)
            record.flag = "NR"
            record.details = "filter_chain_not_found"
            return channel.close(promise: nil)
        }
        info.filterChainName = chain.chain.name
        guard let tls = chain.tls else { return run(chain, applicationProtocol: result.applicationProtocols.first) }
        secure(chain, tls)
    }

    private func secure(_ chain: CompiledChain, _ tls: NIOSSLContext) {
        info.isTLS = true
        info.ownNames = chain.ownNames
        let handshake = TLSHandshakeHandler(wantsChain: chain.wantsPeerChain) { [self] channel, outcome in
            switch outcome {
            case .failed:
                counters?.add(ListenerCounter.handshakeErrors)
                channel.close(promise: nil)
            case .established(let name, let peer):
                guard chain.acceptsPeer(peer) else {
                    counters?.add(ListenerCounter.refusedNames)
                    return channel.close(promise: nil)
                }
                counters?.add(ListenerCounter.handshakes)
                info.peer = peer
                run(chain, applicationProtocol: name)
            }
        }
        do {
            try channel.pipeline.syncOperations.addHandlers([
                TLSOutputHandler(), NIOSSLServerHandler(context: tls), handshake,
            ])
        } catch { channel.close(promise: nil) }
    }

    private func run(_ chain: CompiledChain, applicationProtocol: String?) {
        self.chain = chain
        var told: [String: DynamicValue] = [:]
        for engine in chain.networkRBAC {
            let view = policyView()
            let decision = engine.evaluate(view)
            engine.counts.add(decision)
            if let shadow = engine.evaluateShadow(view) {
                engine.counts.add(shadow)
                told.merge(shadow.metadata(prefix: engine.shadowStatPrefix)) { $1 }
            }
            guard decision.allowed else {
                return refuse(chain, "rbac_access_denied_matched_policy[\(decision.policy ?? "none")]")
            }
        }
        let metadata: [String: DynamicValue] = told.isEmpty ? [:] : ["envoy.filters.network.rbac": .object(told)]
        authorize(chain.authorizers[...], metadata, chain, applicationProtocol)
    }

    /// Asks one service after the other.
    private func authorize(
        _ authorizers: ArraySlice<ConnectionAuthorizer>, _ metadata: [String: DynamicValue], _ chain: CompiledChain,
        _ applicationProtocol: String?
    ) {
        guard let authorizer = authorizers.first else { return enter(chain, applicationProtocol) }
        authorizer.ask(self, metadata) { [self] mayPass in
            guard mayPass else {
                record.flag = "UAEX"
                return refuse(chain, ConnectionAuthorizer.refusal)
            }
            authorize(authorizers.dropFirst(), metadata, chain, applicationProtocol)
        }
    }

    private func refuse(_ chain: CompiledChain, _ code: String) {
        record.details = code
        record.termination = code
        worker.logs.connectionEnded(info, record, logs: chain.logs, worker)
        channel.close(promise: nil)
    }

    private func enter(_ chain: CompiledChain, _ applicationProtocol: String?) {
        guard admit(chain.limiters) else { return }
        guard chain.gates.isEmpty else { return pass(chain.gates[...], chain, applicationProtocol) }
        serve(chain, applicationProtocol)
    }

    /// Through one gate after the other.
    private func pass(_ gates: ArraySlice<ConnectionRateGate>, _ chain: CompiledChain, _ applicationProtocol: String?) {
        guard let gate = gates.first else { return serve(chain, applicationProtocol) }
        gate.ask(info, worker, channel) { [self] verdict in
            if let refusal = verdict {
                record.flag = "RL"
                record.details = refusal
                record.termination = refusal
                worker.logs.connectionEnded(info, record, logs: chain.logs, worker)
                return channel.close(promise: nil)
            }
            pass(gates.dropFirst(), chain, applicationProtocol)
        }
    }

    private func serve(_ chain: CompiledChain, _ applicationProtocol: String?) {
        switch chain.terminal {
        case .none: channel.close(promise: nil)
        case .tcp(let proxy):
            var proxy = proxy
            if chain.clusterIsServerName, !info.serverName.isEmpty { proxy.cluster = .cluster(info.serverName) }
            let session = TCPSession(
                worker: worker, channel: channel, info: info, proxy: proxy, reporter: chain.chain.statsFilter?.reporter,
                changes: chain.metricChanges, logs: chain.logs, applicationProtocol: applicationProtocol)
            session.start()
            if !isServed(by: worker.snapshot) { follow(worker.snapshot) }
        case .http(let manager):
            do { try runHTTP(manager, applicationProtocol: applicationProtocol) } catch { channel.close(promise: nil) }
        }
    }

    /// - Returns: False when one of the limits is reached; the connection is closed then, at once or after the delay.
    private func admit(_ limiters: [ConnectionLimiter]) -> Bool {
        for limiter in limiters {
            if limiter.acquire() {
                channel.closeFuture.assumeIsolated().whenComplete { _ in limiter.release() }
                continue
            }
            record.details = "connection_limit"
            let delay = limiter.limit.delayMilliseconds
            guard delay > 0 else {
                channel.close(promise: nil)
                return false
            }
            try? channel.syncOptions?.setOption(.autoRead, value: false)
            let channel = channel
            worker.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(clamping: delay))) {
                channel.close(promise: nil)
            }
            return false
        }
        return true
    }

    func policyView() -> RBACView {
        var view = RBACView()
        view.principals = (info.peer?.uriNames ?? []) + (info.peer?.dnsNames ?? [])
        view.isAuthenticated = info.peer != nil
        view.directRemoteIP = info.directRemoteIP
        view.remoteIP = info.remoteIP
        view.destinationIP = info.destinationIP
        view.destinationPort = info.destinationPort
        view.serverName = info.serverName
        return view
    }

    private func runHTTP(_ manager: CompiledManager, applicationProtocol: String?) throws {
        switch (manager.manager.codec, applicationProtocol) {
        case (.http2, _), (.auto, "h2"), (.auto, "h2c"), (.auto, "istio-h2"): try startHTTP(manager, .http2)
        case (.http1, _), (.auto, "http/1.1"), (.auto, "http/1.0"), (.auto, "istio-http/1.1"),
            (.auto, "istio-http/1.0"):
            try startHTTP(manager, .http1)
        case (.auto, _):
            // ALPN did not say; the preface will.
            let sniffer = SniffHandler(
                sniffer: ProtocolSniffer(inspectTLS: false, inspectHTTP: true), timeoutMilliseconds: 0,
                continueOnTimeout: true
            ) { [self] channel, result in
                let version = result.applicationProtocols.first == "h2c" ? HTTPVersion.http2 : .http1
                do { try startHTTP(manager, version) } catch { channel.close(promise: nil) }
            }
            try channel.pipeline.syncOperations.addHandler(sniffer)
        }
    }

    private func startHTTP(_ manager: CompiledManager, _ version: HTTPVersion) throws {
        var limits = DownstreamLimits()
        limits.head.headBytes = Int(manager.manager.maxRequestHeadersKilobytes) << 10
        limits.head.headerCount = Int(manager.manager.maxHeadersCount)
        let idle = manager.manager.idleTimeoutMilliseconds ?? 3_600_000
        limits.idleTimeout = idle > 0 ? .milliseconds(Int64(clamping: idle)) : nil
        limits.maximumRequests = manager.manager.maxRequestsPerConnection.flatMap { $0 > 0 ? Int($0) : nil }
        if let span = manager.manager.maxConnectionDurationMilliseconds, span > 0 {
            limits.maximumDuration = .milliseconds(Int64(clamping: span))
        }
        if let span = manager.manager.requestHeadersTimeoutMilliseconds, span > 0 {
            limits.headTimeout = .milliseconds(Int64(clamping: span))
        }
        if let span = manager.manager.closeDelayMilliseconds {
            limits.closeDelay = .milliseconds(Int64(clamping: span))
        }
        limits.http2 = http2Options(manager.manager)
        let delegate = HTTPConnection(worker: worker, connection: self, manager: manager, version: version)
        http = delegate
        codec = try HTTPPipeline.configureDownstream(
            channel, version: version, limits: limits, delegate: delegate, flushes: worker.flushes,
            isPlain: !info.isTLS)
        if isDrained {
            codec?.drain()
        } else if drain == nil, let listener, let state = worker.drainState(for: listener.listener) {
            // Its first answer tells it to go; it was let in for that one.
            drain = state
        }
        // The configuration may have changed during the handshake.
        if !isServed(by: worker.snapshot) { follow(worker.snapshot) }
    }

    private func http2Options(_ manager: HTTPConnectionManager) -> HTTP2TransportOptions {
        var options = HTTP2TransportOptions(manager.http2, statistics: worker.http2)
        if let most = manager.http2MaxConcurrentStreams { options.codec.maximumStreams = most }
        options.codec.maximumHeaderListSize = Int(manager.maxRequestHeadersKilobytes) << 10
        options.codec.maximumHeaderCount = Int(manager.maxHeadersCount)
        if !manager.upgradeTypes.isEmpty { options.codec.allowsExtendedConnect = true }
        if let span = manager.drainTimeoutMilliseconds { options.drainTimeout = .milliseconds(Int64(clamping: span)) }
        return options
    }
}
