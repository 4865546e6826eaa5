import NIOCore
import WeftIR
import WeftRouting
import WeftTransport

/// A cluster as one worker uses it: its pools and its balancer.
///
/// Loop-confined. Survives snapshots in which nothing of the cluster changed, or nothing but certificates.
final class WorkerCluster {
    private(set) var compiled: CompiledCluster
    private let eventLoop: any EventLoop
    private let flushes: FlushBatch?
    private let balancer: ClusterBalancer
    let counters: ClusterCounters
    /// Another has taken its place: connections that late retries open end with them.
    private var isRetired = false
    /// By position of the host.
    private var http1: [HTTPPool?]
    private var http2: [HTTPPool?]
    /// Hosts that requests brought along, by address.
    private var dynamicHosts: [String: DynamicHost] = [:]

    private struct DynamicHost {
        let host: CompiledHost
        var http1: HTTPPool?
        var http2: HTTPPool?
    }

    init(
        _ compiled: CompiledCluster, eventLoop: any EventLoop, flushes: FlushBatch? = nil, zone: LocalZone? = nil,
        counters: ClusterCounters? = nil
    ) {
        self.counters = counters ?? ClusterCounters(compiled.cluster.name, CounterTables())
        self.compiled = compiled
        self.eventLoop = eventLoop
        self.flushes = flushes
        balancer = ClusterBalancer(
            compiled.rules, hosts: compiled.balanced, localities: compiled.localities, setRules: compiled.setRules,
            shared: compiled.shared, zone: zone)
        http1 = Array(repeating: nil, count: compiled.hosts.count)
        http2 = http1
    }

    /// Takes over the pools of endpoints that stay, so that their connections outlive a change of the others. What is
    /// left in `previous` is for it to drain.
    func adopt(_ previous: WorkerCluster) {
        guard previous.compiled.reachability === compiled.reachability else { return }
        dynamicHosts = previous.dynamicHosts
        previous.dynamicHosts = [:]
        var places: [String: Int] = [:]
        for (index, host) in previous.compiled.hosts.enumerated() { places[host.name] = index }
        for (index, host) in compiled.hosts.enumerated() {
            guard let place = places[host.name],
                previous.compiled.hosts[place].endpoint.transportSocketMatch == host.endpoint.transportSocketMatch
            else { continue }
            (http1[index], previous.http1[place]) = (previous.http1[place], nil)
            (http2[index], previous.http2[place]) = (previous.http2[place], nil)
        }
    }

    /// Pools of a cluster whose connections begin with a PROXY header, or have a name that requests say: one for each.
    private var headedPools: [HeadedKey: HTTPPool] = [:]

    private struct HeadedKey: Hashable {
        let host: String
        let version: HTTPVersion
        let header: ByteBuffer?
        let name: UpstreamName?
    }

    /// The pool for requests of one downstream connection.
    func pool(
        for host: CompiledHost, version: HTTPVersion, named name: UpstreamName? = nil,
        of connection: @autoclosure () -> ConnectionInfo? = nil
    ) -> HTTPPool {
        let header = compiled.proxyProtocol(for: host).flatMap { connection()?.proxyHeader($0) }
        guard header != nil || name != nil else { return sharedPool(for: host, version: version) }
        let key = HeadedKey(host: host.name, version: version, header: header, name: name)
        if let known = headedPools[key] { return known }
        // A header names a client's port: old ones do not come back.
        if headedPools.count > 1024 { drainHeadedPools() }
        let pool = HTTPPool(
            host: host, cluster: compiled, version: version, eventLoop: eventLoop, flushes: flushes,
            counters: counters, preamble: header, name: name)
        headedPools[key] = pool
        return pool
    }

    private func drainHeadedPools() {
        for pool in headedPools.values { pool.drain() }
        headedPools.removeAll()
    }

    private func sharedPool(for host: CompiledHost, version: HTTPVersion) -> HTTPPool {
        guard let index = host.index else { return dynamicPool(host, version) }
        if let known = version == .http1 ? http1[index] : http2[index] { return known }
        let pool = HTTPPool(
            host: host, cluster: compiled, version: version, eventLoop: eventLoop, flushes: flushes,
            counters: counters)
        if isRetired { pool.drain() }
        if version == .http1 { http1[index] = pool } else { http2[index] = pool }
        return pool
    }

    private func dynamicPool(_ host: CompiledHost, _ version: HTTPVersion) -> HTTPPool {
        var entry = dynamicHosts[host.name] ?? DynamicHost(host: host)
        if let known = version == .http1 ? entry.http1 : entry.http2 { return known }
        let pool = HTTPPool(
            host: host, cluster: compiled, version: version, eventLoop: eventLoop, flushes: flushes,
            counters: counters)
        if version == .http1 { entry.http1 = pool } else { entry.http2 = pool }
        dynamicHosts[host.name] = entry
        return pool
    }

    /// - Returns: `nil` when no endpoint may be used.
    func pick(_ request: PickRequest) -> CompiledHost? { balancer.pick(request).map { compiled.hosts[$0] } }

    /// - Parameter request: Stays as it is, and is not copied.
    func pick(inPlace request: inout PickRequest) -> CompiledHost? {
        balancer.pick(inPlace: &request).map { compiled.hosts[$0] }
    }

    /// The endpoint at an address that the connection or the request names.
    func dynamicHost(_ named: SocketAddress?) -> CompiledHost? {
        guard let template = compiled.template, var address = named, let ip = address.ipAddress, var port = address.port
        else { return nil }
        if let fixed = compiled.cluster.originalDestinationPort {
            port = Int(fixed)
            address.port = port
        }
        let name = ip.contains(":") ? "[\(ip)]:\(port)" : "\(ip):\(port)"
        if let known = dynamicHosts[name] { return known.host }
        if dynamicHosts.count > 4096 { forgetDynamicHosts() }
        let host = CompiledHost(
            endpoint: Endpoint(address: .ip(ip, port: UInt16(port))), targets: template.moved(to: address),
            shared: SharedHost(), name: name)
        dynamicHosts[name] = DynamicHost(host: host)
        return host
    }

    /// Takes the certificates of `next` for new connections; those that stand stay in use, as in Envoy. The hosts are the
    /// same in the same order.
    func renew(_ next: CompiledCluster) {
        compiled = next
        drainHeadedPools()
        for (index, host) in next.hosts.enumerated() where index < http1.count {
            http1[index]?.renew(host, next)
            http2[index]?.renew(host, next)
        }
        for (name, entry) in dynamicHosts {
            dynamicHosts[name] = nil
            guard let address = (entry.http1 ?? entry.http2)?.address, let host = dynamicHost(address) else { continue }
            entry.http1?.renew(host, next)
            entry.http2?.renew(host, next)
            dynamicHosts[name] = DynamicHost(host: host, http1: entry.http1, http2: entry.http2)
        }
    }

    private func forgetDynamicHosts() {
        for entry in dynamicHosts.values {
            entry.http1?.drain()
            entry.http2?.drain()
        }
        dynamicHosts.removeAll()
    }

    func drain() {
        isRetired = true
        for pool in http1 { pool?.drain() }
        for pool in http2 { pool?.drain() }
        forgetDynamicHosts()
        drainHeadedPools()
    }
}
