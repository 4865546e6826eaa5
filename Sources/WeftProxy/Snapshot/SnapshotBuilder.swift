import NIOCore
import NIOSSL
import Synchronization
import WeftIR
import WeftRouting
import WeftTransport

/// Compiles configurations into snapshots. Owned by the configuration side, never by a worker.
///
/// Keeps what must outlive a snapshot: circuit-breaker counts and outlier state, by cluster and endpoint.
struct SnapshotBuilder {
    private var sharedClusters: [String: SharedCluster] = [:]
    private var sharedHosts: [String: SharedHost] = [:]
    /// What was compiled last, with all that it was made from: the same input gives the same object, so pools stay.
    private var compiled: [String: CompiledEntry] = [:]
    /// Route tables that were compiled last, by name.
    private var tables: [String: RouteTable] = [:]
    /// Addresses of DNS clusters, by host name; filled by the resolver.
    var resolved: [String: [String]] = [:]
    private var generation = 0
    var home = ProxyHome()

    /// - Parameter workload: Secrets of the proxy's own agent.
    /// - Returns: The snapshot, and what could not be used, as sentences.
    mutating func build(_ configuration: ProxyConfiguration, workload: [String: Secret]) -> (Snapshot, [String]) {
        var problems: [String] = []
        let secrets = configuration.secrets
        let factory = TLSContextFactory { reference in
            switch reference.source {
            case .workload: workload[reference.name]?.content
            case .ads, .path, .bootstrap, .inline: secrets[reference.name]?.content
            }
        }
        let known = tables
        // A table that stays the same keeps what its filters count.
        let routes = configuration.routes.mapValues { routes in
            if let table = known[routes.name], table.configuration == routes { return table }
            return RouteTable(routes)
        }
        tables = Dictionary(routes.values.map { ($0.configuration.name, $0) }) { first, _ in first }
        for (name, table) in routes { problems += table.problems.map { "route table \(name): \($0)" } }
        var clusters: [String: CompiledCluster] = [:]
        for (name, cluster) in configuration.clusters {
            clusters[name] = reuseOrCompile(cluster, configuration, workload, factory, &problems)
        }
        compiled = compiled.filter { clusters[$0.key] != nil }
        var listeners: [String: CompiledListener] = [:]
        for (name, listener) in configuration.listeners {
            let chains = listener.filterChains.map { compile($0, of: listener, factory, &problems) }
            let last = listener.defaultFilterChain.map { compile($0, of: listener, factory, &problems) }
            var logProblems: [String] = []
            let logs = CompiledAccessLog.compile(listener.accessLogs, &logProblems)
            problems += logProblems.map { "listener \(name): \($0)" }
            let compiled = CompiledListener(listener, chains: chains, defaultChain: last, logs: logs)
            problems += compiled.matcher.problems.map { "listener \(name): \($0)" }
            listeners[name] = compiled
        }
        sharedClusters = sharedClusters.filter { configuration.clusters[$0.key] != nil }
        forgetHosts(clusters)
        generation += 1
        let snapshot = Snapshot(
            configuration: configuration, listeners: listeners, routes: routes, clusters: clusters,
            generation: generation, zone: home.zone(clusters))
        return (snapshot, problems)
    }

    /// Counts of endpoints that are gone go too, or a cluster whose pods come and go would grow without end.
    private mutating func forgetHosts(_ clusters: [String: CompiledCluster]) {
        let known = clusters.values.reduce(0) { $0 + $1.hosts.count }
        guard sharedHosts.count > 2 * known + 64 else { return }
        var kept: [String: SharedHost] = [:]
        for (name, cluster) in clusters {
            for host in cluster.hosts { kept["\(name) \(host.name)"] = host.shared }
        }
        sharedHosts = kept
    }

    private func compile(
        _ chain: FilterChain, of listener: Listener, _ factory: TLSContextFactory, _ problems: inout [String]
    ) -> CompiledChain {
        var context: NIOSSLContext?
        var isWaiting = false
        if let tls = chain.tls {
            do { context = try factory.server(tls) } catch {
                isWaiting = true
                problems.append("listener \(listener.name), chain \(chain.name): \(error)")
            }
        }
        var engines: [RBACEngine] = []
        var terminal = CompiledChain.Terminal.none
        var logs: [CompiledAccessLog] = []
        var logProblems: [String] = []
        for filter in chain.filters {
            switch filter {
            case .rbac(let rules):
                let engine = RBACEngine(rules)
                problems += engine.problems.map { "listener \(listener.name), chain \(chain.name): \($0)" }
                engines.append(engine)
            case .tcpProxy(let proxy):
                terminal = .tcp(proxy)
                logs = CompiledAccessLog.compile(proxy.accessLogs, &logProblems)
            case .httpConnectionManager(let manager):
                let compiled = CompiledManager(manager, direction: listener.trafficDirection)
                problems += compiled.problems.map { "listener \(listener.name), chain \(chain.name): \($0)" }
                terminal = .http(compiled)
            case .stats: break
            }
        }
        problems += logProblems.map { "listener \(listener.name), chain \(chain.name): \($0)" }
        let names = PeerNameMatcher(chain.tls?.common.subjectAltNames ?? [])
        return CompiledChain(
            chain, tls: context, isWaitingForSecret: isWaiting, acceptsPeer: { names.accepts($0) },
            networkRBAC: engines,
            terminal: terminal, logs: logs)
    }

    private mutating func reuseOrCompile(
        _ cluster: Cluster, _ configuration: ProxyConfiguration, _ workload: [String: Secret],
        _ factory: TLSContextFactory,
        _ problems: inout [String]
    ) -> CompiledCluster {
        var assignment = cluster.endpoints
        if case .eds(let service) = cluster.discovery {
            assignment = configuration.endpoints[service.isEmpty ? cluster.name : service]
        }
        var secrets: [Secret.Content?] = []
        for tls in [cluster.tls].compactMap({ $0 }) + cluster.transportSocketMatches.compactMap(\.tls) {
            for reference in tls.common.certificates + [tls.common.validation].compactMap({ $0 }) {
                let isOwn = reference.source == .workload
                secrets.append((isOwn ? workload[reference.name] : configuration.secrets[reference.name])?.content)
            }
        }
        let key = CompiledEntry.Key(
            cluster: cluster, assignment: assignment, secrets: secrets, resolved: addresses(behind: assignment))
        if let known = compiled[cluster.name], known.key == key { return known.cluster }
        let before = problems.count
        var variants = TLSVariants(cluster: cluster, factory: factory)
        var reachability = Reachability()
        let lineage = compiled[cluster.name].flatMap {
            $0.key.differsInSecretsAlone(from: key) ? $0.cluster.lineage : nil
        }
        if let known = compiled[cluster.name], known.key.isReachedLike(key) {
            variants = known.variants
            reachability = known.cluster.reachability
        }
        let made = compile(
            cluster, assignment: assignment, &variants, (lineage ?? Lineage(), reachability), &problems)
        // What had problems is tried again each time, so that they are told each time.
        compiled[cluster.name] =
            problems.count == before ? CompiledEntry(key: key, cluster: made, variants: variants) : nil
        return made
    }

    private mutating func compile(
        _ cluster: Cluster, assignment: ClusterLoadAssignment?, _ variants: inout TLSVariants,
        _ identity: (lineage: Lineage, reachability: Reachability), _ problems: inout [String]
    ) -> CompiledCluster {
        let shared = sharedClusters[cluster.name] ?? SharedCluster()
        sharedClusters[cluster.name] = shared
        var hosts: [CompiledHost] = []
        for locality in assignment?.localities ?? [] {
            for endpoint in locality.endpoints {
                for (ip, port) in addresses(endpoint.address, of: cluster) {
                    guard let address = try? SocketAddress(ipAddress: ip, port: Int(port)) else { continue }
                    let tls = variants.context(for: endpoint.transportSocketMatch, &problems)
                    if case .unusable = tls { continue }
                    let targets = Self.targets(cluster, address: address, tls: tls.contexts)
                    let name = ip.contains(":") ? "[\(ip)]:\(port)" : "\(ip):\(port)"
                    hosts.append(
                        CompiledHost(
                            endpoint: endpoint, targets: targets,
                            shared: sharedHost(name, of: cluster, endpoint), name: name,
                            priority: locality.priority, locality: locality.locality, index: hosts.count))
                }
            }
        }
        var template: HostTargets?
        if cluster.discovery.takesAddressFromRequest, let any = try? SocketAddress(ipAddress: "0.0.0.0", port: 0) {
            template = Self.targets(cluster, address: any, tls: variants.context(for: [:], &problems).contexts)
        }
        return CompiledCluster(
            cluster, hosts: hosts, assignment: assignment, shared: shared, template: template,
            reachability: identity.reachability, lineage: identity.lineage)
    }

    /// The counts of a host, which outlive snapshots. A new host whose cluster is health-checked is out until a check
    /// has found it well.
    private mutating func sharedHost(_ name: String, of cluster: Cluster, _ endpoint: Endpoint) -> SharedHost {
        let key = "\(cluster.name) \(name)"
        if let known = sharedHosts[key] { return known }
        let made = SharedHost()
        sharedHosts[key] = made
        made.inServiceSince.store(Int64(NIODeadline.now().uptimeNanoseconds), ordering: .relaxed)
        if !cluster.healthChecks.isEmpty, !endpoint.skipsActiveHealthCheck {
            let out: SharedHost.Flags = [.failedActiveCheck, .pendingCheck]
            made.flagBits.store(out.rawValue, ordering: .relaxed)
        }
        return made
    }

    /// What is known of the names that a cluster uses; another cluster's news change nothing here.
    private func addresses(behind assignment: ClusterLoadAssignment?) -> [String: [String]] {
        var known: [String: [String]] = [:]
        for endpoint in (assignment?.localities ?? []).lazy.flatMap(\.endpoints) {
            if case .hostname(let name, _) = endpoint.address { known[name] = resolved[name] }
        }
        return known
    }

    private func addresses(_ address: Address, of cluster: Cluster) -> [(String, UInt16)] {
        switch address {
        case .ip(let ip, let port): return [(ip, port)]
        case .hostname(let name, let port):
            let known = (resolved[name] ?? []).map { ($0, port) }
            // A logical cluster is one host behind a name: it has one address at a time.
            if case .logicalDNS = cluster.discovery { return Array(known.prefix(1)) }
            return known
        case .unix, .internalListener: return []
        }
    }

    private static func targets(_ cluster: Cluster, address: SocketAddress, tls: ContextSet?) -> HostTargets {
        HostTargets(
            tcp: target(cluster, address: address, tls: tls?.tcp),
            http1: target(cluster, address: address, tls: tls?.http1),
            http2: target(cluster, address: address, tls: tls?.http2))
    }

    private static func target(_ cluster: Cluster, address: SocketAddress, tls: UpstreamTLSContext?) -> UpstreamTarget {
        var target = UpstreamTarget(
            address: address, tls: tls,
            bindAddress: cluster.bindAddress.flatMap { try? SocketAddress(ipAddress: $0, port: 0) },
            connectTimeout: .milliseconds(Int64(clamping: cluster.connectTimeoutMilliseconds)),
            keepAlive: cluster.tcpKeepalive != nil)
        target.keepAliveProbes = cluster.tcpKeepalive?.probes
        target.keepAliveTime = cluster.tcpKeepalive?.timeSeconds
        target.keepAliveInterval = cluster.tcpKeepalive?.intervalSeconds
        return target
    }
}

extension Cluster.Discovery {
    /// Whether the endpoints are not configured but named by connections or requests.
    var takesAddressFromRequest: Bool {
        switch self {
        case .originalDestination, .dynamicForwardProxy: true
        case .static, .eds, .strictDNS, .logicalDNS: false
        }
    }
}

/// A compiled cluster and everything it was compiled from.
private struct CompiledEntry {
    struct Key: Equatable {
        let cluster: Cluster
        let assignment: ClusterLoadAssignment?
        let secrets: [Secret.Content?]
        let resolved: [String: [String]]

        func differsInSecretsAlone(from other: Key) -> Bool {
            cluster == other.cluster && assignment == other.assignment && resolved == other.resolved
        }

        /// Whether only endpoints differ.
        func isReachedLike(_ other: Key) -> Bool {
            func bare(_ cluster: Cluster) -> Cluster {
                var cluster = cluster
                cluster.endpoints = nil
                return cluster
            }
            return secrets == other.secrets && bare(cluster) == bare(other.cluster)
        }
    }
    let key: Key
    let cluster: CompiledCluster
    let variants: TLSVariants
}

/// The TLS contexts for one endpoint, which differ in the protocols that they offer.
private struct ContextSet {
    let tcp: UpstreamTLSContext
    let http1: UpstreamTLSContext
    let http2: UpstreamTLSContext

    init(_ tls: UpstreamTLS, _ factory: TLSContextFactory) throws {
        let names = PeerNameMatcher(tls.common.subjectAltNames)
        func make(_ protocols: [String]) throws -> UpstreamTLSContext {
            var tls = tls
            tls.common.alpnProtocols = protocols
            return UpstreamTLSContext(
                context: try factory.client(tls), serverName: tls.sni, accepts: { names.accepts($0) })
        }
        tcp = try make(tls.common.alpnProtocols)
        let isMesh = tls.common.alpnProtocols == ["istio"]
        http1 = isMesh ? try make(["istio-http/1.1", "istio"]) : tcp
        http2 = isMesh ? try make(["istio-h2", "istio", "h2"]) : tcp
    }
}

/// The TLS contexts of one cluster: one per transport socket match, made when first needed.
private struct TLSVariants {
    enum Choice {
        case plain
        case tls(ContextSet)
        case unusable
        var contexts: ContextSet? { if case .tls(let contexts) = self { contexts } else { nil } }
    }

    let cluster: Cluster
    let factory: TLSContextFactory
    private var made: [String: Choice] = [:]

    init(cluster: Cluster, factory: TLSContextFactory) {
        self.cluster = cluster
        self.factory = factory
    }

    mutating func context(for metadata: [String: String], _ problems: inout [String]) -> Choice {
        let match = cluster.transportSocketMatches.first { candidate in
            candidate.match.allSatisfy { metadata[$0.key] == $0.value }
        }
        let key = match.map { "match \($0.name)" } ?? ""
        if let known = made[key] { return known }
        var choice = Choice.plain
        if let tls = match.map(\.tls) ?? cluster.tls {
            do {
                choice = .tls(try ContextSet(tls, factory))
            } catch {
                problems.append("cluster \(cluster.name): \(error)")
                choice = .unusable
            }
        }
        made[key] = choice
        return choice
    }
}

/// Which certificate names a TLS peer may have; no matchers accept everyone who chains to the bundle.
struct PeerNameMatcher: Sendable {
    private let matchers: [CompiledStringMatcher]

    init(_ matchers: [StringMatcher]) { self.matchers = matchers.map { CompiledStringMatcher($0) } }

    func accepts(_ peer: PeerIdentity?) -> Bool {
        guard !matchers.isEmpty else { return true }
        guard let peer else { return false }
        return (peer.uriNames + peer.dnsNames).contains { name in matchers.contains { $0.matches(name) } }
    }
}
