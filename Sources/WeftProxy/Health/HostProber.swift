import NIOCore
import Synchronization
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// Checks one host's health again and again, and writes what it finds where every worker reads it.
///
/// Loop-confined to one worker; ``HealthCheckState`` decides, this class probes.
final class HostProber {
    private let cluster: CompiledCluster
    private let host: CompiledHost
    private let check: HealthCheck
    private let eventLoop: any EventLoop
    private var state: HealthCheckState
    private var random = RandomStream()
    private var next: Scheduled<Void>?
    private var probe: HealthProbe?
    private var isStopped = false
    /// Kept between probes when the check reuses connections.
    private var connection: UpstreamHTTPConnection?

    private let events: HealthEventLog?
    /// No result has come since the check began.
    private var isFirst = true

    /// - Parameter logs: Where events go; `nil` writes none.
    init(
        cluster: CompiledCluster, host: CompiledHost, check: HealthCheck, eventLoop: any EventLoop,
        logs: AccessLogWriter? = nil
    ) {
        events = logs.flatMap { HealthEventLog(check, host, cluster: cluster.cluster.name, $0) }
        self.cluster = cluster
        self.host = host
        self.check = check
        self.eventLoop = eventLoop
        // Known already from an earlier snapshot: not to be put out for being looked at anew.
        state = HealthCheckState(check, isUp: host.shared.flags.isDisjoint(with: [.failedActiveCheck, .pendingCheck]))
    }

    func start() { schedule(state.initialDelay(random: &random)) }

    func stop() {
        isStopped = true
        next?.cancel()
        probe?.cancel()
        probe = nil
        connection?.close()
        connection = nil
    }

    private func schedule(_ milliseconds: UInt64) {
        guard !isStopped else { return }
        next = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(clamping: milliseconds))) {
            [weak self] in
            self?.run()
        }
    }

    private func run() {
        guard !isStopped else { return }
        if state.isUp, host.shared.flags.contains(.failedActiveCheck) { state.setDown() }
        cluster.shared.healthCheckAttempts.wrappingAdd(1, ordering: .relaxed)
        let targets = host.index.flatMap { cluster.checkTargets?[$0] }
        let probe = HealthProbe(
            check, host: host, targets: targets, clusterName: cluster.cluster.name, eventLoop: eventLoop)
        self.probe = probe
        probe.start(reusing: connection) { [weak self] result, connection in self?.finished(result, connection) }
    }

    private func finished(_ result: HealthCheckState.Result, _ connection: UpstreamHTTPConnection?) {
        let asked = probe
        probe = nil
        guard !isStopped else {
            connection?.close()
            return
        }
        if check.reusesConnection { self.connection = connection } else { connection?.close() }
        let (wasPending, wasDegraded) = (state.isPending, state.isDegraded)
        let change = state.record(result)
        apply(result, change, wasPending: wasPending)
        if let events {
            let failure = HealthEventLog.Failure(result, hasTimedOut: asked?.hasTimedOut ?? false, asked?.status ?? 0)
            events.record(
                failure, change, isFirst: isFirst, degraded: wasDegraded == state.isDegraded ? nil : state.isDegraded)
        }
        isFirst = false
        schedule(
            state.interval(
                after: change, hasTraffic: cluster.shared.connectionsTotal.load(ordering: .relaxed) > 0,
                random: &random))
    }

    private func apply(_ result: HealthCheckState.Result, _ change: HealthCheckState.Change, wasPending: Bool) {
        let now = Int64(NIODeadline.now().uptimeNanoseconds)
        let shared = cluster.shared
        if wasPending { shared.set(.pendingCheck, of: host.shared, to: false) }
        if change == .up {
            host.shared.inServiceSince.store(now, ordering: .relaxed)
            shared.set(.failedActiveCheck, of: host.shared, to: false)
            shared.set(.excluded, of: host.shared, to: false)
        }
        if change == .down { shared.set(.failedActiveCheck, of: host.shared, to: true) }
        shared.set(.degraded, of: host.shared, to: state.isDegraded)
        guard case .passed = result else {
            shared.healthCheckFailures.wrappingAdd(1, ordering: .relaxed)
            return
        }
        if state.isUp, let outlier = cluster.outlier, outlier.settings.activeHealthCheckUnejects {
            outlier.uneject(host.shared, in: shared, now: now)
        }
    }
}
