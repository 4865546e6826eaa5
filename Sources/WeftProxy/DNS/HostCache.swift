import NIOCore
import WeftIR

/// Addresses of the hosts that requests name (`dynamic_forward_proxy`), for one worker.
///
/// Loop-confined and bounded: when it is full, an unused name makes room or the request is refused.
final class HostCache {
    private struct Entry {
        var address: String?
        var waiting: [(Result<String, DNSFailure>) -> Void] = []
        var expires: NIODeadline
        var lastUse: NIODeadline
    }
    private let resolver: DNSResolver
    private var entries: [String: Entry] = [:]
    private var pending = 0
    static let shortestLife = TimeAmount.seconds(1)

    init(resolver: DNSResolver) { self.resolver = resolver }

    /// Calls back at once when the host is known.
    func address(
        of host: String, family: DNSOptions.Family, settings: DynamicForwardProxy,
        completion: @escaping (Result<String, DNSFailure>) -> Void
    ) {
        let now = NIODeadline.now()
        if var entry = entries[host] {
            entry.lastUse = now
            if let address = entry.address, entry.expires > now {
                entries[host] = entry
                return completion(.success(address))
            }
            if !entry.waiting.isEmpty {
                entry.waiting.append(completion)
                entries[host] = entry
                return
            }
        } else if entries.count >= Int(settings.maximumHosts) {
            forget(before: now - .milliseconds(Int64(clamping: settings.hostTimeToLiveMilliseconds)))
            guard entries.count < Int(settings.maximumHosts) else {
                return completion(.failure(DNSFailure(reason: "too many hosts")))
            }
        }
        guard pending < Int(settings.maximumPendingLookups) else {
            return completion(.failure(DNSFailure(reason: "too many look-ups under way")))
        }
        entries[host] = Entry(waiting: [completion], expires: now, lastUse: now)
        look(host, family)
    }

    private func look(_ host: String, _ family: DNSOptions.Family) {
        pending += 1
        resolver.resolve(host, family: family) { [self] result in
            pending -= 1
            guard var entry = entries[host] else { return }
            let waiting = entry.waiting
            entry.waiting = []
            switch result {
            case .failure(let failure):
                entries[host] = nil
                for completion in waiting { completion(.failure(failure)) }
            case .success(let found):
                let address = found.addresses[0]
                let life = max(Self.shortestLife, .seconds(Int64(min(found.timeToLive, 86_400))))
                entry.address = address
                entry.expires = NIODeadline.now() + life
                entries[host] = entry
                for completion in waiting { completion(.success(address)) }
            }
        }
    }

    private func forget(before deadline: NIODeadline) {
        entries = entries.filter { $1.lastUse >= deadline || !$1.waiting.isEmpty }
    }
}
