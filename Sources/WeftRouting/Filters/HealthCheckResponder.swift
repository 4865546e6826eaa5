import Synchronization
package import WeftHTTP
package import WeftIR

/// Recognises health checks and knows what to answer (`envoy.extensions.filters.http.health_check.v3.HealthCheck`).
///
/// Thread-safe: the remembered answer of the application is shared by all workers.
package final class HealthCheckResponder: Sendable {
    package let filter: HealthCheckFilter
    private let matchers: [CompiledHeaderMatcher]
    private let cached = Mutex<(status: UInt16, until: Int64)?>(nil)

    /// What the filter needs to know of a cluster.
    package struct ClusterHealth: Sendable {
        package var healthy: Int
        package var total: Int
        package init(healthy: Int, total: Int) {
            self.healthy = healthy
            self.total = total
        }
    }
    package enum Decision: Sendable, Hashable {
        /// Not a health check.
        case pass
        /// A health check for the application, whose answer is to be remembered when `remembers`.
        case forward(remembers: Bool)
        case answer(status: UInt16, details: String)
    }

    package init(_ filter: HealthCheckFilter) {
        self.filter = filter
        matchers = filter.headers.map(CompiledHeaderMatcher.init)
    }

    /// - Parameters:
    ///   - isDraining: The proxy was told to fail its health checks.
    ///   - now: Monotonic nanoseconds.
    ///   - cluster: The health of a cluster, `nil` when there is none of this name.
    package func decide(
        _ head: RequestHead, isDraining: Bool, now: Int64, cluster: (String) -> ClusterHealth?
    ) -> Decision {
        guard !matchers.contains(where: { $0.isBroken }), matchers.allSatisfy({ $0.matches(head) }) else {
            return .pass
        }
        if isDraining { return .answer(status: 503, details: "health_check_failed") }
        if filter.passesThrough {
            guard filter.cacheMilliseconds != nil else { return .forward(remembers: false) }
            if let known = cached.withLock({ $0 }), known.until > now {
                return .answer(status: known.status, details: "health_check_cached")
            }
            return .forward(remembers: true)
        }
        for (name, percent) in filter.minimumHealthyPercent.sorted(by: { $0.key < $1.key }) {
            guard let health = cluster(name), percent == 0 || health.total > 0,
                Double(health.healthy) * 100 >= percent * Double(health.total)
            else { return .answer(status: 503, details: "health_check_failed_cluster_unhealthy") }
        }
        return .answer(status: 200, details: "health_check_ok")
    }

    package func remember(_ status: UInt16, now: Int64) {
        guard let span = filter.cacheMilliseconds else { return }
        let until = now.addingReportingOverflow(
            Int64(clamping: span.multipliedReportingOverflow(by: 1_000_000).partialValue))
        cached.withLock { $0 = (status, until.overflow ? .max : until.partialValue) }
    }
}
