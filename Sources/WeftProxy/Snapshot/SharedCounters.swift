import Synchronization
import WeftIR

/// What all workers know together about one cluster: circuit-breaker counts. Lives across snapshots.
///
/// Thread-safe through atomics; a limit holds for the whole proxy, not per worker.
package final class SharedCluster: Sendable {
    let connections = Atomic<Int>(0)
    let pending = Atomic<Int>(0)
    let requests = Atomic<Int>(0)
    let retries = Atomic<Int>(0)
    let connectionsTotal = Atomic<Int>(0)
    let requestsTotal = Atomic<Int>(0)
    let pendingOverflow = Atomic<Int>(0)
    let connectFailures = Atomic<Int>(0)
    let ejected = Atomic<Int>(0)

    /// Takes one of `limit`; false when they are all taken.
    static func acquire(_ counter: borrowing Atomic<Int>, limit: UInt32) -> Bool {
        if counter.wrappingAdd(1, ordering: .relaxed).newValue <= Int(limit) { return true }
        counter.wrappingSubtract(1, ordering: .relaxed)
        return false
    }

    static func release(_ counter: borrowing Atomic<Int>) { counter.wrappingSubtract(1, ordering: .relaxed) }
}

/// What all workers know together about one endpoint: outlier state and counts. Lives across snapshots.
package final class SharedHost: Sendable {
    let consecutive5xx = Atomic<Int>(0)
    let consecutiveGatewayFailures = Atomic<Int>(0)
    let consecutiveLocalFailures = Atomic<Int>(0)
    /// Monotonic nanoseconds until which the host is out; 0 when it is in.
    let ejectedUntil = Atomic<Int64>(0)
    let ejections = Atomic<Int>(0)
    let activeRequests = Atomic<Int>(0)
    let activeConnections = Atomic<Int>(0)
    let connectionsTotal = Atomic<Int>(0)
    let connectFailures = Atomic<Int>(0)
    let requestsTotal = Atomic<Int>(0)
    let requestsError = Atomic<Int>(0)

    func isEjected(now: Int64) -> Bool { ejectedUntil.load(ordering: .relaxed) > now }
}

/// Decides on ejections from the outcomes of requests (`OutlierDetection`).
struct OutlierPolicy {
    enum Outcome { case response(status: Int), localFailure }

    let settings: OutlierDetection

    /// Counts an outcome and ejects the host when a limit is reached and enough others stay.
    func record(_ outcome: Outcome, host: SharedHost, cluster: SharedCluster, hostCount: Int, now: Int64) {
        let status: Int
        switch outcome {
        case .response(let code): status = code
        case .localFailure: status = 503
        }
        if status < 500 {
            host.consecutive5xx.store(0, ordering: .relaxed)
            host.consecutiveGatewayFailures.store(0, ordering: .relaxed)
            return
        }
        let all = host.consecutive5xx.wrappingAdd(1, ordering: .relaxed).newValue
        var out = settings.enforcingConsecutive5xxPercent > 0 && all >= Int(settings.consecutive5xx)
        if (502...504).contains(status) {
            let gateway = host.consecutiveGatewayFailures.wrappingAdd(1, ordering: .relaxed).newValue
            out =
                out
                || settings.enforcingConsecutiveGatewayFailurePercent > 0
                    && gateway >= Int(settings.consecutiveGatewayFailure)
        } else {
            host.consecutiveGatewayFailures.store(0, ordering: .relaxed)
        }
        if out { eject(host, cluster, hostCount: hostCount, now: now) }
    }

    private func eject(_ host: SharedHost, _ cluster: SharedCluster, hostCount: Int, now: Int64) {
        guard !host.isEjected(now: now) else { return }
        // As Envoy: one host may always go, further ones up to the share.
        let already = cluster.ejected.load(ordering: .relaxed)
        guard already == 0 || (already + 1) * 100 <= hostCount * Int(settings.maxEjectionPercent) else { return }
        let times = host.ejections.wrappingAdd(1, ordering: .relaxed).newValue
        let span = min(settings.baseEjectionMilliseconds * UInt64(times), settings.maxEjectionMilliseconds)
        host.ejectedUntil.store(now + Int64(span) * 1_000_000, ordering: .relaxed)
        host.consecutive5xx.store(0, ordering: .relaxed)
        host.consecutiveGatewayFailures.store(0, ordering: .relaxed)
        cluster.ejected.wrappingAdd(1, ordering: .relaxed)
    }

    /// Lets a host back in whose time is over.
    static func refresh(_ host: SharedHost, _ cluster: SharedCluster, now: Int64) {
        let until = host.ejectedUntil.load(ordering: .relaxed)
        guard until != 0, until <= now else { return }
        if host.ejectedUntil.compareExchange(expected: until, desired: 0, ordering: .relaxed).exchanged {
            cluster.ejected.wrappingSubtract(1, ordering: .relaxed)
        }
    }
}
