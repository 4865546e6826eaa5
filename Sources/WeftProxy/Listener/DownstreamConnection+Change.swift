import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// A standing connection when the configuration changes: it moves to the filter chain that it would be given now, or it
/// is asked to go.
extension DownstreamConnection {
    /// Whether the connection may go on under `snapshot`: its filter chain is what it was.
    func isServed(by snapshot: Snapshot) -> Bool {
        guard let listener, let chain else { return true }
        return snapshot.listeners[listener.listener.name]?.carries(chain) ?? false
    }

    /// Called when it is not served by `snapshot`. The next request is for the new filter chain if nothing that is
    /// settled by now is another there; else the connection drains. Requests under way end as they began.
    func follow(_ snapshot: Snapshot) {
        guard let listener, let chain else { return }
        let next = snapshot.listeners[listener.listener.name]
        guard let next, next.isSamePlace(as: listener), let view, let found = next.chain(for: view),
            !found.isWaitingForSecret, found.chain.tls == chain.chain.tls, found.acceptsPeer(info.peer)
        else { return leave(refused: false) }
        let policy = found.networkRBAC.isEmpty ? nil : policyView()
        if let policy, !found.networkRBAC.allSatisfy({ $0.evaluate(policy).allowed }) { return leave(refused: true) }
        guard found.limiters.elementsEqual(chain.limiters, by: ===) else { return leave(refused: false) }
        switch (found.terminal, http) {
        case (.tcp, nil): break
        case (.http(let manager), let known?):
            let isHeard = !found.wantsPeerChain || chain.wantsPeerChain
            guard isHeard, manager.manager.hasCodec(like: known.manager.manager) else { return leave(refused: false) }
            if manager !== known.manager {
                let moved = known.moved(to: manager)
                http = moved
                codec?.hand(to: moved)
            }
        default: return leave(refused: false)
        }
        self.listener = next
        self.chain = found
        info.filterChainName = found.chain.name
    }

    /// - Parameter refused: By the policies that are in force now.
    private func leave(refused: Bool) {
        // Nothing is closed that is plain forwarding and may still come in: its bytes have no place to end at.
        guard http != nil || refused else { return }
        drain(DrainState(settings: worker.drainSettings, started: .now()))
    }

    /// Whether the answer of this moment is to be the connection's last.
    var closesAfterResponse: Bool {
        if worker.failsHealthChecks { return true }
        guard let drain else { return false }
        return drain.closes(at: .now(), random: worker.decisions.next())
    }

    /// Asks the connection to go. HTTP is told with its answers, and what is idle with ``DrainStrategy/idleFirst`` at
    /// once; what is still there at the end of the drain time is closed. With ``DrainStrategy/idleFirst`` plain
    /// forwarding goes on until its ends close it.
    func drain(_ state: DrainState) {
        if state.settings.strategy == .idleFirst {
            drain = state
            isDrained = true
            codec?.drain()
            return
        }
        guard drain == nil else { return }
        drain = state
        if state.settings.strategy == .immediate { codec?.drain(closesIdle: false) }
        let rest = state.end - .now()
        worker.eventLoop.assumeIsolated().scheduleTask(in: max(rest, .zero)) { [weak self] in
            self?.channel.close(promise: nil)
        }
    }
}

extension HTTPConnectionManager {
    /// Whether a connection's codec, which is made once, would be the same for `other`.
    fileprivate func hasCodec(like other: HTTPConnectionManager) -> Bool {
        codec == other.codec && http2 == other.http2 && http2MaxConcurrentStreams == other.http2MaxConcurrentStreams
            && maxRequestHeadersKilobytes == other.maxRequestHeadersKilobytes
            && maxHeadersCount == other.maxHeadersCount && idleTimeoutMilliseconds == other.idleTimeoutMilliseconds
            && maxRequestsPerConnection == other.maxRequestsPerConnection
            && maxConnectionDurationMilliseconds == other.maxConnectionDurationMilliseconds
            && requestHeadersTimeoutMilliseconds == other.requestHeadersTimeoutMilliseconds
            && closeDelayMilliseconds == other.closeDelayMilliseconds
            && drainTimeoutMilliseconds == other.drainTimeoutMilliseconds
            && upgradeTypes.isEmpty == other.upgradeTypes.isEmpty
    }
}
