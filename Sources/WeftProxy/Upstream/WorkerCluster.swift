import NIOCore
import WeftIR
import WeftRouting
import WeftTransport

/// A cluster as one worker uses it: its pools and its balancer.
///
/// Loop-confined. Survives snapshots in which nothing of the cluster changed.
final class WorkerCluster {
    let compiled: CompiledCluster
    private let eventLoop: any EventLoop
    private let balancer: ClusterBalancer
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

    init(_ compiled: CompiledCluster, eventLoop: any EventLoop, zone: LocalZone? = nil) {
        self.compiled = compiled
        self.eventLoop = eventLoop
        balancer = ClusterBalancer(
            compiled.rules, hosts: compiled.balanced, localities: compiled.localities, setRules: compiled.setRules,
            shared: compiled.shared, zone: zone)
        http1 = Array(repeating: nil, count: compiled.hosts.count)
        http2 = http1
    }

    func pool(for host: CompiledHost, version: HTTPVersion) -> HTTPPool {
        guard let index = host.index else { return dynamicPool(host, version) }
        if let known = version == .http1 ? http1[index] : http2[index] { return known }
        let pool = HTTPPool(host: host, cluster: compiled, version: version, eventLoop: eventLoop)
        if version == .http1 { http1[index] = pool } else { http2[index] = pool }
        return pool
    }

    private func dynamicPool(_ host: CompiledHost, _ version: HTTPVersion) -> HTTPPool {
        var entry = dynamicHosts[host.name] ?? DynamicHost(host: host)
        if let known = version == .http1 ? entry.http1 : entry.http2 { return known }
        let pool = HTTPPool(host: host, cluster: compiled, version: version, eventLoop: eventLoop)
        if version == .http1 { entry.http1 = pool } else { entry.http2 = pool }
        dynamicHosts[host.name] = entry
        return pool
    }

    /// - Returns: `nil` when no endpoint may be used.
    func pick(_ request: PickRequest) -> CompiledHost? { balancer.pick(request).map { compiled.hosts[$0] } }

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

    private func forgetDynamicHosts() {
        for entry in dynamicHosts.values {
            entry.http1?.drain()
            entry.http2?.drain()
        }
        dynamicHosts.removeAll()
    }

    func drain() {
        for pool in http1 { pool?.drain() }
        for pool in http2 { pool?.drain() }
        forgetDynamicHosts()
    }
}
