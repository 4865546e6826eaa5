import NIOCore
import Synchronization
import WeftIR
import WeftTransport

/// A cluster as one worker uses it: its pools and its place in the round.
///
/// Loop-confined. Survives snapshots in which nothing of the cluster changed, or nothing but certificates.
final class WorkerCluster {
    private(set) var compiled: CompiledCluster
    private let eventLoop: any EventLoop
    private var http1: [String: HTTPPool] = [:]
    private var http2: [String: HTTPPool] = [:]
    private var dynamicHosts: [String: CompiledHost] = [:]
    private var turn = 0

    init(_ compiled: CompiledCluster, eventLoop: any EventLoop, turn: Int) {
        self.compiled = compiled
        self.eventLoop = eventLoop
        self.turn = turn
    }

    func pool(for host: CompiledHost, version: HTTPVersion) -> HTTPPool {
        let known = version == .http1 ? http1[host.name] : http2[host.name]
        if let known { return known }
        let pool = HTTPPool(host: host, cluster: compiled, version: version, eventLoop: eventLoop)
        if version == .http1 { http1[host.name] = pool } else { http2[host.name] = pool }
        return pool
    }

    /// Picks an endpoint: of the best priority, in service, not already tried when that can be helped.
    func pick(original: SocketAddress?, hash: UInt64?, tried: [String], random: UInt64) -> CompiledHost? {
        if compiled.template != nil { return original.flatMap(dynamicHost) }
        let now = Int64(NIODeadline.now().uptimeNanoseconds)
        guard let best = usable(now: now) else { return nil }
        let fresh = tried.isEmpty ? best : best.filter { !tried.contains($0.name) }
        return choose(from: fresh.isEmpty ? best : fresh, hash: hash, random: random)
    }

    private func usable(now: Int64) -> [CompiledHost]? {
        let hosts = compiled.hosts
        guard !hosts.isEmpty else { return nil }
        for host in hosts { OutlierPolicy.refresh(host.shared, compiled.shared, now: now) }
        let healthy = hosts.filter { $0.endpoint.health != .unhealthy && !$0.shared.isEjected(now: now) }
        if Double(healthy.count) * 100 < compiled.cluster.healthyPanicThresholdPercent * Double(hosts.count) {
            return hosts
        }
        guard let priority = healthy.map(\.priority).min() else { return nil }
        return healthy.filter { $0.priority == priority }
    }

    private func choose(from hosts: [CompiledHost], hash: UInt64?, random: UInt64) -> CompiledHost? {
        guard hosts.count > 1 else { return hosts.first }
        switch compiled.cluster.loadBalancer {
        case .ringHash, .maglev:
            guard let hash else { fallthrough }
            return hosts.max { rendezvous($0.name, hash) < rendezvous($1.name, hash) }
        case .random: return hosts[Int(random % UInt64(hosts.count))]
        case .leastRequest:
            let one = hosts[Int(random % UInt64(hosts.count))]
            let other = hosts[Int((random >> 32) % UInt64(hosts.count))]
            let isLess =
                other.shared.activeRequests.load(ordering: .relaxed)
                < one.shared.activeRequests.load(ordering: .relaxed)
            return isLess ? other : one
        case .roundRobin, .clientSideWeightedRoundRobin, .peakEWMA, .clusterProvided:
            turn &+= 1
            let total = hosts.reduce(0) { $0 + Int(max(1, $1.endpoint.weight)) }
            var rest = abs(turn) % total
            for host in hosts {
                rest -= Int(max(1, host.endpoint.weight))
                if rest < 0 { return host }
            }
            return hosts.last
        }
    }

    /// Highest random weight: consistent like a ring, with no table to build.
    private func rendezvous(_ name: String, _ hash: UInt64) -> UInt64 {
        var value = hash ^ 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        value ^= value >> 33
        value &*= 0xff51_afd7_ed55_8ccd
        return value ^ (value >> 33)
    }

    private func dynamicHost(_ address: SocketAddress) -> CompiledHost? {
        guard let template = compiled.template, let ip = address.ipAddress, let port = address.port else { return nil }
        let name = "\(ip):\(port)"
        if let known = dynamicHosts[name] { return known }
        if dynamicHosts.count > 4096 { dynamicHosts.removeAll() }
        let host = CompiledHost(
            endpoint: Endpoint(address: .ip(ip, port: UInt16(port))), targets: template.moved(to: address),
            shared: SharedHost(), name: name,
            priority: 0)
        dynamicHosts[name] = host
        return host
    }

    /// Takes the certificates of `next` for new connections; those that stand stay in use, as in Envoy.
    func renew(_ next: CompiledCluster) {
        compiled = next
        dynamicHosts = [:]
        let hosts = Dictionary(next.hosts.map { ($0.name, $0) }) { first, _ in first }
        for pools in [http1, http2] {
            for (name, pool) in pools {
                if let host = hosts[name] ?? pool.address.flatMap(dynamicHost) { pool.renew(host, next) }
            }
        }
    }

    func drain() {
        for pool in http1.values { pool.drain() }
        for pool in http2.values { pool.drain() }
    }
}
