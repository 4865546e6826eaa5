import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting

/// Several tries at one time (`hedge_on_per_try_timeout`): the first good answer wins.
extension Exchange {
    /// A try has taken too long: it goes on beside another one.
    /// - Returns: False when the route does not hedge.
    func hedge(beside slow: UpstreamAttempt) -> Bool {
        guard timeouts?.hedgesOnPerTryTimeout == true else { return false }
        guard !responseStarted, !isFinished, retries != nil else { return true }
        guard retries?.takeHedge() == true else {
            record.note(flag: "URX")
            return true
        }
        guard keepsBody, let pause = takeRetry(.retry(afterMilliseconds: 0)) else { return true }
        slow.isHedged = true
        if attempt === slow {
            rivals.append(slow)
            attempt = nil
        }
        retriesTimeout = true
        retry(afterMilliseconds: pause)
        return true
    }

    /// Takes a failed try away.
    /// - Returns: False when another one may still be answered.
    func forget(_ failed: UpstreamAttempt) -> Bool {
        if attempt === failed { attempt = nil }
        rivals.removeAll { $0 === failed }
        return attempt == nil && rivals.isEmpty
    }

    /// The answer is this one's; all other tries end.
    func choose(_ winner: UpstreamAttempt) {
        guard attempt !== winner || !rivals.isEmpty else { return }
        for other in rivals + [attempt].compactMap(\.self) where other !== winner { other.abandon() }
        rivals = []
        attempt = winner
        backOff?.cancel()
        backOff = nil
        record.host = winner.host
    }

    /// Whether a bad answer may be dropped because another try goes on.
    func maySpare(_ answered: UpstreamAttempt, _ status: UInt16) -> Bool {
        guard status >= 500, attemptCount > 1 else { return false }
        return rivals.contains { $0 !== answered } || (attempt != nil && attempt !== answered)
            || answered.isHedged && backOff != nil
    }

    func abandonTries() {
        attempt?.abandon()
        attempt = nil
        guard !rivals.isEmpty else { return }
        for other in rivals { other.abandon() }
        rivals = []
    }

    /// `auto_host_rewrite`: the endpoint's own name, when it has one.
    func nameHost(_ host: CompiledHost) {
        guard let action else { return }
        var name = host.endpoint.hostname
        if name.isEmpty, case .hostname(let text, _) = host.endpoint.address { name = text }
        guard !name.isEmpty, name != head.host else { return }
        noteHost(head.host, action)
        head.host = name
    }

    /// The route's name for logs; `nil` when it has none.
    var routeName: String? {
        let name = record.extras?.routedName ?? decision?.route.name ?? ""
        return name.isEmpty ? nil : name
    }

    /// The cluster for logs: the one that was asked, or the one that the route names.
    var clusterName: String? {
        if let name = record.extras?.routedCluster { return name }
        if let cluster { return cluster.compiled.cluster.name }
        guard nextFilter > 0, case .forward(let action)? = resolveRoute()?.route.action else { return nil }
        let name = ClusterChoice.name(action.cluster, random: 0, header: { header($0) }) ?? ""
        return worker.snapshot.clusters[name] == nil ? nil : name
    }
}
