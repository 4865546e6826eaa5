import CWeftLinux
import NIOCore
import WeftIR
import WeftRouting

/// Keeps the addresses of DNS clusters fresh (`STRICT_DNS`, `LOGICAL_DNS`).
///
/// Loop-confined. A name that cannot be resolved keeps the addresses that it had: an outage of DNS is no outage of the
/// service.
final class ClusterNames {
    private final class Entry {
        let options: DNSOptions
        let refresh: UInt64
        var timer: Scheduled<Void>?
        var addresses: [String]?
        init(options: DNSOptions, refresh: UInt64) {
            self.options = options
            self.refresh = refresh
        }
    }

    private let eventLoop: any EventLoop
    private let resolver: DNSResolver
    /// Called with all that is known of a name, when that has changed.
    private let changed: (_ name: String, _ addresses: [String]) -> Void
    private var entries: [String: Entry] = [:]
    private var random = RandomStream()

    init(
        eventLoop: any EventLoop, resolver: DNSResolver,
        changed: @escaping (_ name: String, _ addresses: [String]) -> Void
    ) {
        self.eventLoop = eventLoop
        self.resolver = resolver
        self.changed = changed
    }

    /// Takes up the names of new clusters, and forgets those that nobody uses.
    func update(_ clusters: some Sequence<Cluster>) {
        var wanted: [String: (DNSOptions, UInt64)] = [:]
        for cluster in clusters {
            switch cluster.discovery {
            case .strictDNS, .logicalDNS: break
            default: continue
            }
            for endpoint in (cluster.endpoints?.localities ?? []).lazy.flatMap(\.endpoints) {
                guard case .hostname(let name, _) = endpoint.address else { continue }
                wanted[name] = (cluster.dns, max(1, cluster.dnsRefreshMilliseconds))
            }
        }
        for (name, entry) in entries where wanted[name] == nil {
            entry.timer?.cancel()
            entries[name] = nil
        }
        for (name, (options, refresh)) in wanted where entries[name] == nil {
            let entry = Entry(options: options, refresh: refresh)
            entries[name] = entry
            resolve(name, entry)
        }
    }

    func stop() {
        for entry in entries.values { entry.timer?.cancel() }
        entries = [:]
    }

    private func resolve(_ name: String, _ entry: Entry) {
        resolver.resolve(name, family: entry.options.family) { [weak self, weak entry] result in
            guard let self, let entry, entries[name] === entry else { return }
            var pause = entry.refresh
            switch result {
            case .failure: pause = entry.options.failureRefreshMilliseconds ?? entry.refresh
            case .success(let found):
                if entry.options.respectsTTL, found.timeToLive != .max {
                    pause = max(1_000, UInt64(found.timeToLive) * 1_000)
                }
                let addresses = found.addresses.sorted()
                if addresses != entry.addresses {
                    entry.addresses = addresses
                    changed(name, addresses)
                }
            }
            let jitter = entry.options.jitterMilliseconds
            if jitter > 0 { pause += random.next() % jitter }
            entry.timer = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(clamping: pause))) {
                [weak self, weak entry] in
                guard let self, let entry else { return }
                resolve(name, entry)
            }
        }
    }
}
