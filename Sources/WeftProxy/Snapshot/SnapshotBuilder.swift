import NIOCore
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
    private let tables: RouteTables
    private var listeners = ListenerBuilder()
    private var last: Last?
    /// Something was wrong with the clusters when they were last compiled; they are tried again each time.
    private var clusterProblems = false
    /// Addresses of DNS clusters, by host name; filled by the resolver.
    var resolved: [String: [String]] = [:]
    private var generation = 0
    var home = ProxyHome()

    /// What the clusters of the last snapshot were made from, when nothing was wrong with them.
    private struct Last {
        let configuration: ProxyConfiguration
        let workload: [String: Secret]
        let resolved: [String: [String]]
        let snapshot: Snapshot
        let hadProblems: Bool

        func hasClusters(like now: ProxyConfiguration, _ workload: [String: Secret], _ resolved: [String: [String]])
            -> Bool
        {
            !hadProblems && configuration.clusters == now.clusters && configuration.endpoints == now.endpoints
                && configuration.secrets == now.secrets && self.workload == workload && self.resolved == resolved
        }
    }

    /// - Parameter tables: Where route tables are compiled; shared with whoever checks resources before.
    init(tables: RouteTables = RouteTables()) { self.tables = tables }

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
        let routes = tables.serve(configuration.routes)
        for (name, table) in routes { problems += table.problems.map { "route table \(name): \($0)" } }
        let clusters = compileClusters(configuration, workload, factory, &problems)
        let content = { (reference: SecretReference) -> Secret.Content? in
            (reference.source == .workload ? workload[reference.name] : secrets[reference.name])?.content
        }
        let listeners = self.listeners.build(
            configuration.listeners, ListenerBuilder.Secrets(factory: factory, content: content), &problems)
        generation += 1
        let snapshot = Snapshot(
            configuration: configuration, listeners: listeners, routes: routes, clusters: clusters,
            generation: generation, zone: home.zone(clusters), previous: last?.snapshot)
        last = Last(
            configuration: configuration, workload: workload, resolved: resolved, snapshot: snapshot,
            hadProblems: clusterProblems)
        return (snapshot, problems)
    }

    /// The clusters of the last snapshot when nothing that they are made from has changed: most changes are of routes.
    private mutating func compileClusters(
        _ configuration: ProxyConfiguration, _ workload: [String: Secret], _ factory: TLSContextFactory,
        _ problems: inout [String]
    ) -> [String: CompiledCluster] {
        if let last, last.hasClusters(like: configuration, workload, resolved) { return last.snapshot.clusters }
        let before = problems.count
        var clusters: [String: CompiledCluster] = [:]
        clusters.reserveCapacity(configuration.clusters.count)
        for (name, cluster) in configuration.clusters {
            clusters[name] = reuseOrCompile(cluster, configuration, workload, factory, &problems)
        }
        clusterProblems = problems.count > before
        compiled = compiled.filter { clusters[$0.key] != nil }
        sharedClusters = sharedClusters.filter { configuration.clusters[$0.key] != nil }
        forgetHosts(clusters)
        return clusters
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
        let sources = CompiledEntry.Sources(
            assignment: assignment, secrets: secrets, resolved: addresses(behind: assignment))
        let known = compiled[cluster.name]
        if let known, known.isMade(of: cluster, sources) { return known.cluster }
        let before = problems.count
        var variants = TLSVariants(factory: factory)
        var reachability = Reachability()
        let lineage = known.flatMap { $0.differsInSecretsAlone(from: cluster, sources) ? $0.cluster.lineage : nil }
        if let known, known.isReachedLike(cluster, sources) {
            variants = known.variants
            reachability = known.cluster.reachability
        }
        let made = compile(
            cluster, assignment: assignment, &variants, (lineage ?? Lineage(), reachability), &problems)
        // What had problems is tried again each time, so that they are told each time.
        compiled[cluster.name] =
            problems.count == before ? CompiledEntry(made, of: sources, variants: variants) : nil
        return made
    }

    private mutating func compile(
        _ cluster: Cluster, assignment: ClusterLoadAssignment?, _ variants: inout TLSVariants,
        _ identity: (lineage: Lineage, reachability: Reachability), _ problems: inout [String]
    ) -> CompiledCluster {
        let shared = sharedClusters[cluster.name] ?? SharedCluster()
        sharedClusters[cluster.name] = shared
        var hosts: [CompiledHost] = []
        let check = cluster.healthChecks.first.flatMap { $0.hasOwnSocket ? $0 : nil }
        var checkTargets: [HostTargets] = []
        for locality in assignment?.localities ?? [] {
            for endpoint in locality.endpoints {
                for (address, name) in addresses(endpoint.address, of: cluster) {
                    let tls = variants.context(for: endpoint.transportSocketMatch, of: cluster, &problems)
                    if case .unusable = tls { continue }
                    let header = cluster.proxyProtocol(for: endpoint.transportSocketMatch)
                    var targets = Self.targets(cluster, address: address, tls: tls.contexts, header)
                    if variants.namesHost(endpoint.transportSocketMatch, of: cluster), !endpoint.hostname.isEmpty {
                        targets.nameServer(endpoint.hostname)
                    }
                    if let check {
                        checkTargets.append(
                            Self.checkTargets(check, endpoint, address, of: cluster, &variants, &problems))
                    }
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
            let tls = variants.context(for: [:], of: cluster, &problems).contexts
            template = Self.targets(cluster, address: any, tls: tls, cluster.proxyProtocol(for: [:]))
        }
        return CompiledCluster(
            cluster, hosts: hosts, assignment: assignment, shared: shared, template: template,
            checkTargets: check == nil ? nil : checkTargets, reachability: identity.reachability,
            lineage: identity.lineage)
    }

    /// Where the active checks of an endpoint go, when they have TLS options or a choice of transport sockets of their
    /// own.
    private static func checkTargets(
        _ check: HealthCheck, _ endpoint: Endpoint, _ address: SocketAddress, of cluster: Cluster,
        _ variants: inout TLSVariants, _ problems: inout [String]
    ) -> HostTargets {
        let metadata = check.transportSocketMatch ?? endpoint.transportSocketMatch
        let tls = variants.context(for: metadata, offering: check.alpnProtocols, of: cluster, &problems)
        var made = targets(cluster, address: address, tls: tls.contexts, cluster.proxyProtocol(for: metadata))
        if variants.namesHost(metadata, of: cluster), !endpoint.hostname.isEmpty { made.nameServer(endpoint.hostname) }
        return made
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

    /// Where an endpoint is, with the text that logs have for it.
    private func addresses(_ address: Address, of cluster: Cluster) -> [(SocketAddress, String)] {
        func named(_ places: [(String, UInt16)]) -> [(SocketAddress, String)] {
            places.compactMap { ip, port in
                let name = ip.contains(":") ? "[\(ip)]:\(port)" : "\(ip):\(port)"
                return (try? SocketAddress(ipAddress: ip, port: Int(port))).map { ($0, name) }
            }
        }
        switch address {
        case .ip(let ip, let port): return named([(ip, port)])
        case .hostname(let name, let port):
            let known = (resolved[name] ?? []).map { ($0, port) }
            // A logical cluster is one host behind a name: it has one address at a time.
            if case .logicalDNS = cluster.discovery { return named(Array(known.prefix(1))) }
            return named(known)
        case .unix(let path, _): return (try? SocketAddress(unixDomainSocketPath: path)).map { [($0, path)] } ?? []
        case .internalListener: return []
        }
    }

    private static func targets(
        _ cluster: Cluster, address: SocketAddress, tls: ContextSet?, _ header: UpstreamProxyProtocol?
    ) -> HostTargets {
        let own = header.map { ProxyHeader(version: $0.version, values: $0.added).encoded() }
        return HostTargets(
            tcp: target(cluster, address: address, tls: tls?.tcp, own),
            http1: target(cluster, address: address, tls: tls?.http1, own),
            http2: target(cluster, address: address, tls: tls?.http2, own))
    }

    private static func target(
        _ cluster: Cluster, address: SocketAddress, tls: UpstreamTLSContext?, _ ownHeader: ByteBuffer?
    ) -> UpstreamTarget {
        var target = UpstreamTarget(
            address: address, tls: tls,
            bindAddress: cluster.bindAddress.flatMap { try? SocketAddress(ipAddress: $0, port: 0) },
            connectTimeout: .milliseconds(Int64(clamping: cluster.connectTimeoutMilliseconds)),
            keepAlive: cluster.tcpKeepalive != nil, bufferLimit: cluster.perConnectionBufferLimit.map { Int($0) },
            ownHeader: ownHeader)
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

/// A compiled cluster and everything it was compiled from. An object: a table of these has no room for a cluster's
/// settings, which would lie in it once more.
private final class CompiledEntry {
    /// What a cluster is made of beside its settings.
    struct Sources: Equatable {
        let assignment: ClusterLoadAssignment?
        let secrets: [Secret.Content?]
        let resolved: [String: [String]]
    }
    let cluster: CompiledCluster
    let variants: TLSVariants
    private let sources: Sources

    init(_ cluster: CompiledCluster, of sources: Sources, variants: TLSVariants) {
        self.cluster = cluster
        self.sources = sources
        self.variants = variants
    }

    func isMade(of settings: Cluster, _ sources: Sources) -> Bool {
        cluster.cluster == settings && self.sources == sources
    }

    func differsInSecretsAlone(from settings: Cluster, _ sources: Sources) -> Bool {
        cluster.cluster == settings && self.sources.assignment == sources.assignment
            && self.sources.resolved == sources.resolved
    }

    /// Whether only endpoints differ.
    func isReachedLike(_ settings: Cluster, _ sources: Sources) -> Bool {
        func bare(_ cluster: Cluster) -> Cluster {
            var cluster = cluster
            cluster.endpoints = nil
            return cluster
        }
        return self.sources.secrets == sources.secrets && bare(cluster.cluster) == bare(settings)
    }
}

/// The TLS contexts for one endpoint, which differ in the protocols that they offer.
private struct ContextSet {
    let tcp: UpstreamTLSContext
    let http1: UpstreamTLSContext
    let http2: UpstreamTLSContext

    /// - Parameter isAuto: HTTP/1 or HTTP/2, whichever the peer takes (`auto_config`).
    /// - Parameter offered: Protocols that are offered whatever is spoken; empty leaves it to the rest.
    init(_ tls: UpstreamTLS, _ factory: TLSContextFactory, isAuto: Bool, offering offered: [String] = []) throws {
        let names = PeerNameMatcher(factory.rules(tls.common))
        func make(_ protocols: [String]) throws -> UpstreamTLSContext {
            var tls = tls
            tls.common.alpnProtocols = protocols
            var context = UpstreamTLSContext(
                context: try factory.client(tls), serverName: tls.sni, accepts: { names.accepts($0) },
                acceptsName: { names.accepts($0, name: $1) })
            context.validatesServerName = tls.validatesServerName
            return context
        }
        let stated = offered.isEmpty ? tls.common.alpnProtocols : offered
        tcp = try make(stated)
        switch stated {
        case _ where !offered.isEmpty: (http1, http2) = (tcp, tcp)
        case ["istio"]:
            http1 = try make(["istio-http/1.1", "istio"])
            http2 = try make(["istio-h2", "istio", "h2"])
        // Where nothing is stated, what will be spoken is, as Envoy does it.
        case []:
            http1 = try make(["http/1.1"])
            http2 = try make(isAuto ? ["h2", "http/1.1"] : ["h2"])
        default: (http1, http2) = (tcp, tcp)
        }
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

    let factory: TLSContextFactory
    private var made: [String: Choice] = [:]

    init(factory: TLSContextFactory) { self.factory = factory }

    /// Whether the hostname of an endpoint is its server name.
    func namesHost(_ metadata: [String: String], of cluster: Cluster) -> Bool {
        let match = cluster.transportSocketMatches.first { candidate in
            candidate.match.allSatisfy { metadata[$0.key] == $0.value }
        }
        return (match.map(\.tls) ?? cluster.tls)?.namesHost ?? false
    }

    mutating func context(
        for metadata: [String: String], offering protocols: [String] = [], of cluster: Cluster,
        _ problems: inout [String]
    ) -> Choice {
        let match = cluster.transportSocketMatches.first { candidate in
            candidate.match.allSatisfy { metadata[$0.key] == $0.value }
        }
        let key = (match.map { "match \($0.name)" } ?? "") + protocols.map { "\n" + $0 }.joined()
        if let known = made[key] { return known }
        var choice = Choice.plain
        if let tls = match.map(\.tls) ?? cluster.tls {
            do {
                choice = .tls(
                    try ContextSet(tls, factory, isAuto: cluster.httpProtocol == .auto, offering: protocols))
            } catch {
                problems.append("cluster \(cluster.name): \(error)")
                choice = .unusable
            }
        }
        made[key] = choice
        return choice
    }
}
