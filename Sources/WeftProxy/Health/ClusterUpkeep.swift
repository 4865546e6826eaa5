import NIOCore
import WeftIR
import WeftRouting

/// What one worker does for all: runs the intervals of outlier detection and the active health checks.
///
/// Loop-confined to that worker. What it finds goes into shared state, which the others read.
final class ClusterUpkeep {
    private final class Entry {
        let cluster: CompiledCluster
        var outlier: Scheduled<Void>?
        var probers: [HostProber] = []
        var random = RandomStream()
        init(_ cluster: CompiledCluster) { self.cluster = cluster }
    }

    private let eventLoop: any EventLoop
    private var entries: [String: Entry] = [:]

    /// For the events of health checks.
    private let logs: AccessLogWriter?

    init(eventLoop: any EventLoop, logs: AccessLogWriter? = nil) {
        self.eventLoop = eventLoop
        self.logs = logs
    }

    /// Takes up what is new in a snapshot, and leaves what is gone. Clusters that did not change go on undisturbed.
    /// - Parameter clusters: ``Snapshot/attended``.
    func update(_ clusters: [String: CompiledCluster]) {
        for (name, entry) in entries where clusters[name] !== entry.cluster {
            stop(entry)
            entries[name] = nil
        }
        for (name, cluster) in clusters where entries[name] == nil {
            let entry = Entry(cluster)
            entries[name] = entry
            start(entry)
        }
    }

    func stop() {
        for entry in entries.values { stop(entry) }
        entries = [:]
    }

    private func stop(_ entry: Entry) {
        entry.outlier?.cancel()
        for prober in entry.probers { prober.stop() }
    }

    private func start(_ entry: Entry) {
        let cluster = entry.cluster
        if let outlier = cluster.outlier { scheduleTick(entry, outlier, cluster.hosts.map(\.shared)) }
        guard let check = cluster.cluster.healthChecks.first else { return }
        for host in cluster.hosts where !host.endpoint.skipsActiveHealthCheck {
            let prober = HostProber(cluster: cluster, host: host, check: check, eventLoop: eventLoop, logs: logs)
            entry.probers.append(prober)
            prober.start()
        }
    }

    private func scheduleTick(_ entry: Entry, _ outlier: OutlierDetector, _ hosts: [SharedHost]) {
        let interval = TimeAmount.milliseconds(Int64(clamping: max(1, outlier.settings.intervalMilliseconds)))
        entry.outlier = eventLoop.assumeIsolated().scheduleTask(in: interval) { [weak self, weak entry] in
            guard let self, let entry else { return }
            outlier.tick(
                hosts, in: entry.cluster.shared, now: Int64(NIODeadline.now().uptimeNanoseconds),
                random: &entry.random)
            self.scheduleTick(entry, outlier, hosts)
        }
    }
}
