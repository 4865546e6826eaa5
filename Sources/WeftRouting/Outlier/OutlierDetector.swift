import Synchronization
package import WeftIR

/// Decides which hosts are outliers from the outcomes of requests (`envoy.config.cluster.v3.OutlierDetection`).
///
/// Stateless: counts live in ``SharedHost``, so that all workers count together. ``record(_:of:in:hostCount:now:random:)``
/// runs per response on any worker, ``tick(_:in:now:random:)`` once per interval on one.
package struct OutlierDetector: Sendable {
    package enum Outcome: Sendable, Hashable {
        /// The upstream answered.
        case response(status: Int)
        /// A connection stands; says nothing about answers.
        case connected
        /// No connection, or it broke before an answer.
        case connectFailed
        /// No answer in time.
        case timeout
    }
    /// Why a host is found to be an outlier.
    package enum Cause: String, Sendable, Hashable, CaseIterable {
        case consecutive5xx, consecutiveGatewayFailure, consecutiveLocalOriginFailure
        case successRate, successRateLocalOrigin, failurePercentage, failurePercentageLocalOrigin
    }

    package let settings: OutlierDetection

    package init(settings: OutlierDetection) { self.settings = settings }

    // MARK: per outcome

    package func record(
        _ outcome: Outcome, of host: SharedHost, in cluster: SharedCluster, hostCount: Int, now: Int64,
        random: inout RandomStream
    ) {
        var context = Context(cluster: cluster, hostCount: hostCount, now: now, random: random)
        defer { random = context.random }
        switch (outcome, settings.splitExternalLocalOriginErrors) {
        case (.response(let status), _): response(status, host, &context)
        case (.connected, false): break
        case (.connectFailed, false): response(503, host, &context)
        case (.timeout, false): response(504, host, &context)
        case (.connected, true):
            host.intervalLocalTotal.wrappingAdd(1, ordering: .relaxed)
            host.intervalLocalSuccess.wrappingAdd(1, ordering: .relaxed)
            if host.consecutiveLocalFailures.load(ordering: .relaxed) != 0 {
                host.consecutiveLocalFailures.store(0, ordering: .relaxed)
            }
        case (.connectFailed, true), (.timeout, true):
            host.intervalLocalTotal.wrappingAdd(1, ordering: .relaxed)
            let count = host.consecutiveLocalFailures.wrappingAdd(1, ordering: .relaxed).newValue
            if count == Int(settings.consecutiveLocalOriginFailure) {
                found(.consecutiveLocalOriginFailure, host, &context)
                host.consecutiveLocalFailures.store(0, ordering: .relaxed)
            }
        }
    }

    private struct Context {
        let cluster: SharedCluster
        let hostCount: Int
        let now: Int64
        var random: RandomStream
    }

    private func response(_ status: Int, _ host: SharedHost, _ context: inout Context) {
        host.intervalTotal.wrappingAdd(1, ordering: .relaxed)
        guard status >= 500 else {
            host.intervalSuccess.wrappingAdd(1, ordering: .relaxed)
            if host.consecutive5xx.load(ordering: .relaxed) != 0 {
                host.consecutive5xx.store(0, ordering: .relaxed)
                host.consecutiveGatewayFailures.store(0, ordering: .relaxed)
            }
            return
        }
        if (502...504).contains(status) {
            let count = host.consecutiveGatewayFailures.wrappingAdd(1, ordering: .relaxed).newValue
            if count == Int(settings.consecutiveGatewayFailure) {
                found(.consecutiveGatewayFailure, host, &context)
                host.consecutiveGatewayFailures.store(0, ordering: .relaxed)
            }
        } else {
            host.consecutiveGatewayFailures.store(0, ordering: .relaxed)
        }
        if host.consecutive5xx.wrappingAdd(1, ordering: .relaxed).newValue == Int(settings.consecutive5xx) {
            found(.consecutive5xx, host, &context)
            host.consecutive5xx.store(0, ordering: .relaxed)
        }
    }

    private func found(_ cause: Cause, _ host: SharedHost, _ context: inout Context) {
        guard !host.isEjected else { return }
        let already = context.cluster.ejected.load(ordering: .relaxed)
        let share = 100 * Double(already + 1) / Double(max(1, context.hostCount))
        let mayEject =
            share <= Double(min(100, settings.maxEjectionPercent)) || settings.alwaysEjectsOneHost && already == 0
        guard mayEject else {
            context.cluster.ejectionsOverflow.wrappingAdd(1, ordering: .relaxed)
            return
        }
        let enforced = enforcingPercent(cause)
        guard enforced >= 100 || context.random.next() % 100 < UInt64(enforced) else { return }
        eject(host, &context)
    }

    private func enforcingPercent(_ cause: Cause) -> UInt32 {
        switch cause {
        case .consecutive5xx: settings.enforcingConsecutive5xxPercent
        case .consecutiveGatewayFailure: settings.enforcingConsecutiveGatewayFailurePercent
        case .consecutiveLocalOriginFailure: settings.enforcingConsecutiveLocalOriginFailurePercent
        case .successRate: settings.enforcingSuccessRatePercent
        case .successRateLocalOrigin: settings.enforcingLocalOriginSuccessRatePercent
        case .failurePercentage: settings.enforcingFailurePercentage
        case .failurePercentageLocalOrigin: settings.enforcingFailurePercentageLocalOrigin
        }
    }

    private var longest: UInt64 { max(settings.maxEjectionMilliseconds, settings.baseEjectionMilliseconds) }

    private func eject(_ host: SharedHost, _ context: inout Context) {
        guard context.cluster.set(.ejected, of: host, to: true) else { return }
        context.cluster.ejected.wrappingAdd(1, ordering: .relaxed)
        context.cluster.ejectionsEnforced.wrappingAdd(1, ordering: .relaxed)
        host.ejections.wrappingAdd(1, ordering: .relaxed)
        var times = UInt64(host.ejectionBackOff.load(ordering: .relaxed))
        let base = settings.baseEjectionMilliseconds
        if times.multipliedReportingOverflow(by: base).partialValue < longest + base {
            times += 1
            host.ejectionBackOff.store(Int(times), ordering: .relaxed)
        }
        var span = min(times.multipliedReportingOverflow(by: base).partialValue, longest)
        if settings.maxEjectionJitterMilliseconds > 0 {
            span += context.random.next() % (settings.maxEjectionJitterMilliseconds + 1)
        }
        host.ejectedFor.store(Int64(clamping: span) * 1_000_000, ordering: .relaxed)
        host.ejectedAt.store(context.now, ordering: .relaxed)
    }

    /// Lets a host back in: its time is over, or an active check has found it well.
    package func uneject(_ host: SharedHost, in cluster: SharedCluster, now: Int64) {
        guard cluster.set(.ejected, of: host, to: false) else { return }
        cluster.ejected.wrappingSubtract(1, ordering: .relaxed)
        host.consecutive5xx.store(0, ordering: .relaxed)
        host.consecutiveGatewayFailures.store(0, ordering: .relaxed)
        host.consecutiveLocalFailures.store(0, ordering: .relaxed)
        host.returnedAt.store(now, ordering: .relaxed)
    }

    // MARK: per interval

    /// Once per ``WeftIR/OutlierDetection/intervalMilliseconds``: lets hosts back whose time is over, and compares
    /// success rates.
    package func tick(_ hosts: [SharedHost], in cluster: SharedCluster, now: Int64, random: inout RandomStream) {
        for host in hosts where host.isEjected {
            let until = host.ejectedAt.load(ordering: .relaxed) + host.ejectedFor.load(ordering: .relaxed)
            if until <= now { uneject(host, in: cluster, now: now) }
        }
        var context = Context(cluster: cluster, hostCount: hosts.count, now: now, random: random)
        compare(
            hosts, hosts.map { rate($0.intervalTotal, $0.intervalSuccess) }, .successRate, .failurePercentage, &context)
        compare(
            hosts, hosts.map { rate($0.intervalLocalTotal, $0.intervalLocalSuccess) }, .successRateLocalOrigin,
            .failurePercentageLocalOrigin, &context)
        random = context.random
        for host in hosts where !host.isEjected { coolDown(host, now) }
    }

    private struct Rate {
        var percent: Double
        var volume: Int
    }

    private func rate(_ total: borrowing Atomic<Int>, _ success: borrowing Atomic<Int>) -> Rate? {
        let volume = total.exchange(0, ordering: .relaxed)
        let good = success.exchange(0, ordering: .relaxed)
        return volume > 0 ? Rate(percent: 100 * Double(good) / Double(volume), volume: volume) : nil
    }

    private func compare(
        _ hosts: [SharedHost], _ rates: [Rate?], _ byRate: Cause, _ byFailures: Cause, _ context: inout Context
    ) {
        let known = zip(hosts, rates).compactMap { host, rate in rate.map { (host: host, rate: $0) } }
            .filter { !$0.host.isEjected }
        let forRate = known.filter { $0.rate.volume >= Int(settings.successRateRequestVolume) }
        if !forRate.isEmpty, forRate.count >= Int(settings.successRateMinimumHosts) {
            let limit = threshold(forRate.map(\.rate.percent))
            for entry in forRate where entry.rate.percent < limit { found(byRate, entry.host, &context) }
        }
        let forFailures = known.filter { $0.rate.volume >= Int(settings.failurePercentageRequestVolume) }
        guard !forFailures.isEmpty, forFailures.count >= Int(settings.failurePercentageMinimumHosts) else { return }
        for entry in forFailures where 100 - entry.rate.percent >= Double(settings.failurePercentageThreshold) {
            found(byFailures, entry.host, &context)
        }
    }

    /// The mean less a multiple of the standard deviation.
    private func threshold(_ rates: [Double]) -> Double {
        let mean = rates.reduce(0, +) / Double(rates.count)
        let variance = rates.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(rates.count)
        return mean - Double(settings.successRateStandardDeviationFactor) / 1_000 * variance.squareRoot()
    }

    /// A host that stays well for an interval is ejected for a shorter time when it happens again.
    private func coolDown(_ host: SharedHost, _ now: Int64) {
        let returned = host.returnedAt.load(ordering: .relaxed)
        let interval = Int64(clamping: settings.intervalMilliseconds) * 1_000_000
        guard returned != 0, now - returned >= interval else { return }
        let times = host.ejectionBackOff.load(ordering: .relaxed)
        if times > 0 { host.ejectionBackOff.store(times - 1, ordering: .relaxed) }
    }
}
