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
    private let worker: Worker
    private let channel: any Channel
    private(set) var listener: CompiledListener?
    private(set) var info: ConnectionInfo
    private var codec: DownstreamCodec?
    /// For the listener's access logs.
    private var record = ConnectionRecord()
    /// Of the listener that accepted.
    private var counters: CounterBlock?
    var listenerName: String? { listener?.listener.name }

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
        sniff(listener)
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
        let view = FilterChainView(
            destinationIP: info.destinationIP, destinationPort: info.destinationPort, sourceIP: info.remoteIP,
            sourcePort: info.remotePort, serverName: result.serverName, isTLS: result.isTLS,
            applicationProtocols: result.applicationProtocols)
        let chain = listener.matcher.match(view).map { listener.chains[$0] } ?? listener.defaultChain
        guard let chain, !chain.isWaitingForSecret else {
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
        let handshake = TLSHandshakeHandler { [self] channel, outcome in
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
            try channel.pipeline.syncOperations.addHandlers([NIOSSLServerHandler(context: tls), handshake])
        } catch { channel.close(promise: nil) }
    }

    private func run(_ chain: CompiledChain, applicationProtocol: String?) {
        for engine in chain.networkRBAC {
            let view = policyView()
            let decision = engine.evaluate(view)
            engine.counts.add(decision)
            if let shadow = engine.evaluateShadow(view) { engine.counts.add(shadow) }
            guard decision.allowed else {
                let code = "rbac_access_denied_matched_policy[\(decision.policy ?? "none")]"
                record.details = code
                record.termination = code
                worker.logs.connectionEnded(info, record, logs: chain.logs, worker)
                return channel.close(promise: nil)
            }
        }
        switch chain.terminal {
        case .none: channel.close(promise: nil)
        case .tcp(let proxy):
            let session = TCPSession(
                worker: worker, channel: channel, info: info, proxy: proxy, reporter: chain.statsReporter,
                logs: chain.logs)
            session.start()
        case .http(let manager):
            do { try runHTTP(manager, applicationProtocol: applicationProtocol) } catch { channel.close(promise: nil) }
        }
    }

    func policyView() -> RBACView {
        var view = RBACView()
        view.principals = (info.peer?.uriNames ?? []) + (info.peer?.dnsNames ?? [])
        view.isAuthenticated = info.peer != nil
        view.directRemoteIP = info.remoteIP
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
        limits.http2 = http2Options(manager.manager)
        let delegate = HTTPConnection(worker: worker, connection: self, manager: manager, version: version)
        codec = try HTTPPipeline.configureDownstream(
            channel, version: version, limits: limits, delegate: delegate, flushes: worker.flushes)
        if worker.isDraining { codec?.drain() }
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

    /// HTTP finishes its exchanges and closes; plain forwarding goes on until its ends close it.
    func drain() { codec?.drain() }
}
