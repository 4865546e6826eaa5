package import Synchronization
package import WeftHTTP

/// What all workers know together about one cluster: circuit-breaker counts and totals. Lives across snapshots.
///
/// Thread-safe through atomics; a limit holds for the whole proxy, not per worker.
package final class SharedCluster: Sendable {
    package let connections = Atomic<Int>(0)
    package let pending = Atomic<Int>(0)
    package let requests = Atomic<Int>(0)
    package let retries = Atomic<Int>(0)
    package let connectionsTotal = Atomic<Int>(0)
    package let requestsTotal = Atomic<Int>(0)
    package let pendingOverflow = Atomic<Int>(0)
    package let retriesTotal = Atomic<Int>(0)
    package let retryOverflow = Atomic<Int>(0)
    package let retryLimitExceeded = Atomic<Int>(0)
    package let connectFailures = Atomic<Int>(0)
    /// Hosts that outlier detection holds out now.
    package let ejected = Atomic<Int>(0)
    /// Failures of HTTP/2 connections.
    package let http2 = HTTP2Statistics()
    package let ejectionsEnforced = Atomic<Int>(0)
    package let ejectionsOverflow = Atomic<Int>(0)
    /// Picks made while a priority was in panic.
    package let panicPicks = Atomic<Int>(0)
    package let healthCheckAttempts = Atomic<Int>(0)
    package let healthCheckFailures = Atomic<Int>(0)
    /// Grows with every change of any host's health; a balancer that has seen another value rebuilds its host set.
    package let healthGeneration = Atomic<Int>(0)
    /// Counts of routes with priority `HIGH`.
    package let highPriority = PriorityCounts()

    package init() {}

    /// Takes one of `limit`; false when they are all taken.
    package static func acquire(_ counter: borrowing Atomic<Int>, limit: UInt32) -> Bool {
        if counter.wrappingAdd(1, ordering: .relaxed).newValue <= Int(limit) { return true }
        counter.wrappingSubtract(1, ordering: .relaxed)
        return false
    }

    package static func release(_ counter: borrowing Atomic<Int>) { counter.wrappingSubtract(1, ordering: .relaxed) }

    /// Sets or clears a health flag of one of the cluster's hosts.
    /// - Returns: Whether that changed anything.
    @discardableResult
    package func set(_ flag: SharedHost.Flags, of host: SharedHost, to isSet: Bool) -> Bool {
        let before =
            isSet
            ? host.flagBits.bitwiseOr(flag.rawValue, ordering: .relaxed).oldValue
            : host.flagBits.bitwiseAnd(~flag.rawValue, ordering: .relaxed).oldValue
        guard (before & flag.rawValue != 0) != isSet else { return false }
        healthGeneration.wrappingAdd(1, ordering: .releasing)
        return true
    }
}

/// Open requests and retries of one routing priority.
package final class PriorityCounts: Sendable {
    package let requests = Atomic<Int>(0)
    package let retries = Atomic<Int>(0)
    package init() {}
}

/// What all workers know together about one endpoint: health, outlier counts, load. Lives across snapshots.
package final class SharedHost: Sendable {
    /// Reasons to keep a host out, found while running.
    package struct Flags: OptionSet, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }
        /// An active health check says that it is down.
        package static let failedActiveCheck = Flags(rawValue: 1)
        /// Ejected by outlier detection.
        package static let ejected = Flags(rawValue: 2)
        /// An active health check says that it is degraded.
        package static let degraded = Flags(rawValue: 4)
        /// Not checked yet: counts neither as up nor as down.
        package static let pendingCheck = Flags(rawValue: 8)
        /// Has told us by itself that it wants no traffic (`x-envoy-immediate-health-check-fail`).
        package static let excluded = Flags(rawValue: 16)
    }

    package let flagBits = Atomic<UInt32>(0)
    package let consecutive5xx = Atomic<Int>(0)
    package let consecutiveGatewayFailures = Atomic<Int>(0)
    package let consecutiveLocalFailures = Atomic<Int>(0)
    /// Outcomes of the running interval, for success rates: those of the upstream, and those of reaching it.
    package let intervalTotal = Atomic<Int>(0)
    package let intervalSuccess = Atomic<Int>(0)
    package let intervalLocalTotal = Atomic<Int>(0)
    package let intervalLocalSuccess = Atomic<Int>(0)
    /// Monotonic nanoseconds of the last ejection, and for how long it holds.
    package let ejectedAt = Atomic<Int64>(0)
    package let ejectedFor = Atomic<Int64>(0)
    /// Monotonic nanoseconds of the last return; 0 is never.
    package let returnedAt = Atomic<Int64>(0)
    /// How many ejections the next one's time is multiplied by.
    package let ejectionBackOff = Atomic<Int>(0)
    package let ejections = Atomic<Int>(0)
    /// Monotonic nanoseconds since when the host is in service, for slow start; 0 is unknown.
    package let inServiceSince = Atomic<Int64>(0)
    /// Smoothed round-trip time in milliseconds as the bits of a `Double`, and when it was last updated.
    package let smoothedRoundTrip = Atomic<UInt64>(0)
    package let roundTripUpdated = Atomic<Int64>(0)
    /// The weight from the endpoint's own load reports (bits of a `Double`; 0 is none), and when it came.
    package let reportedWeight = Atomic<UInt64>(0)
    package let reportedSince = Atomic<Int64>(0)
    package let reportedAt = Atomic<Int64>(0)

    package let activeRequests = Atomic<Int>(0)
    package let activeConnections = Atomic<Int>(0)
    package let connectionsTotal = Atomic<Int>(0)
    package let connectFailures = Atomic<Int>(0)
    package let requestsTotal = Atomic<Int>(0)
    package let requestsError = Atomic<Int>(0)

    package init() {}

    package var flags: Flags { Flags(rawValue: flagBits.load(ordering: .relaxed)) }
    package var isEjected: Bool { flags.contains(.ejected) }
}
