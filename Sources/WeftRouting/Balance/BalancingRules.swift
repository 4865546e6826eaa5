import Synchronization
package import WeftIR

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What of a cluster's configuration a balancer obeys.
package struct BalancingRules: Sendable, Hashable {
    package var kind: Cluster.LoadBalancer
    package var balancing: LoadBalancing

    package init(kind: Cluster.LoadBalancer, balancing: LoadBalancing = LoadBalancing()) {
        self.kind = kind
        self.balancing = balancing
        // A table of no prime size could not be filled; the default can.
        if case .maglev(let size) = kind, !MaglevTable.isUsable(size: size) {
            self.kind = .maglev(tableSize: 65_537)
        }
    }

    var isHashing: Bool {
        switch kind {
        case .ringHash, .maglev: true
        default: false
        }
    }

    /// Whether unequal weights call for a schedule; random and peak EWMA know none.
    var usesWeights: Bool {
        switch kind {
        case .roundRobin, .leastRequest, .clientSideWeightedRoundRobin, .clusterProvided: true
        case .random, .peakEWMA, .ringHash, .maglev: false
        }
    }

    var failsOnPanic: Bool {
        if case .zoneAware(let settings) = balancing.locality { settings.failsTrafficOnPanic } else { false }
    }
}

/// Smoothed round-trip times, and what a host costs by them.
package enum PeakEWMA {
    /// Open requests times latency; a host that has requests and has never answered is put last.
    static func cost(_ host: SharedHost, _ settings: LoadBalancing.PeakEWMA) -> Double {
        let active = Double(host.activeRequests.load(ordering: .relaxed))
        let smoothed = Double(bitPattern: host.smoothedRoundTrip.load(ordering: .relaxed))
        if smoothed > 0 { return smoothed * (active + 1) }
        return active > 0
            ? settings.penalty + active : Double(settings.defaultRoundTripMilliseconds) * (active + 1)
    }

    /// Takes a response's time in. Concurrent updates may lose one sample, never more.
    package static func record(
        _ host: SharedHost, milliseconds: Double, settings: LoadBalancing.PeakEWMA, now: Int64
    ) {
        guard milliseconds > 0 else { return }
        let before = Double(bitPattern: host.smoothedRoundTrip.load(ordering: .relaxed))
        let last = host.roundTripUpdated.exchange(now, ordering: .relaxed)
        var value = milliseconds
        if before > 0, now > last {
            let decay = Double(max(1, settings.decayMilliseconds)) * 1_000_000
            let alpha = 1 - exp(-Double(now - last) / decay)
            value = alpha * milliseconds + (1 - alpha) * before
        }
        host.smoothedRoundTrip.store(value.bitPattern, ordering: .relaxed)
    }
}

/// Weights that endpoints report about themselves (ORCA, gRFC A58).
package enum ReportedWeight {
    /// - Returns: `nil` while there is no report that may be used.
    static func value(_ host: SharedHost, _ settings: LoadBalancing.ReportedWeights, now: Int64) -> Double? {
        let weight = Double(bitPattern: host.reportedWeight.load(ordering: .relaxed))
        guard weight > 0 else { return nil }
        let age = now - host.reportedAt.load(ordering: .relaxed)
        if settings.expirationMilliseconds > 0, age >= Int64(clamping: settings.expirationMilliseconds) * 1_000_000 {
            // Reports begin anew, with their blackout.
            host.reportedSince.store(0, ordering: .relaxed)
            return nil
        }
        let known = now - host.reportedSince.load(ordering: .relaxed)
        return known >= Int64(clamping: settings.blackoutMilliseconds) * 1_000_000 ? weight : nil
    }

    /// Takes a report in: requests per second over utilization, lowered by errors.
    package static func record(
        _ host: SharedHost, requestsPerSecond: Double, errorsPerSecond: Double, utilization: Double,
        settings: LoadBalancing.ReportedWeights, now: Int64
    ) {
        guard requestsPerSecond > 0, utilization > 0 else { return }
        let penalty = errorsPerSecond > 0 ? errorsPerSecond / requestsPerSecond * settings.errorUtilizationPenalty : 0
        let weight = requestsPerSecond / (utilization + penalty)
        host.reportedWeight.store(weight.bitPattern, ordering: .relaxed)
        host.reportedAt.store(now, ordering: .relaxed)
        _ = host.reportedSince.compareExchange(expected: 0, desired: now, ordering: .relaxed)
    }
}
