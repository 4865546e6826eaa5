import Synchronization
package import WeftIR

/// The limits on requests and retries of one routing priority of a cluster (`CircuitBreakers.Thresholds`).
package final class CircuitBreaker: Sendable {
    private let limits: Cluster.CircuitBreakers
    private let shared: SharedCluster
    private let isHigh: Bool

    package init(_ cluster: Cluster, shared: SharedCluster, priority: RouteAction.Priority) {
        isHigh = priority == .high
        limits =
            isHigh ? cluster.highPriorityCircuitBreakers ?? Cluster.CircuitBreakers() : cluster.circuitBreakers
        self.shared = shared
    }

    package func acquireRequest() -> Bool {
        isHigh
            ? SharedCluster.acquire(shared.highPriority.requests, limit: limits.maxRequests)
            : SharedCluster.acquire(shared.requests, limit: limits.maxRequests)
    }

    package func releaseRequest() {
        if isHigh {
            SharedCluster.release(shared.highPriority.requests)
        } else {
            SharedCluster.release(shared.requests)
        }
    }

    /// Counts a refusal when there is no room for another retry.
    package func acquireRetry() -> Bool {
        let limit = retryLimit
        let isFree =
            isHigh
            ? SharedCluster.acquire(shared.highPriority.retries, limit: limit)
            : SharedCluster.acquire(shared.retries, limit: limit)
        if !isFree { shared.retryOverflow.wrappingAdd(1, ordering: .relaxed) }
        return isFree
    }

    package func releaseRetry() {
        if isHigh { SharedCluster.release(shared.highPriority.retries) } else { SharedCluster.release(shared.retries) }
    }

    /// A fixed number, or a share of what is under way.
    private var retryLimit: UInt32 {
        guard let budget = limits.retryBudget else { return limits.maxRetries }
        var open = shared.pending.load(ordering: .relaxed)
        open +=
            isHigh ? shared.highPriority.requests.load(ordering: .relaxed) : shared.requests.load(ordering: .relaxed)
        let share = UInt32(clamping: Int(Double(max(0, open)) * max(0, min(100, budget.budgetPercent)) / 100))
        return max(budget.minimumRetryConcurrency, share)
    }
}
