import NIOCore
import NIOSSL
import WeftHTTP
package import WeftIR
import WeftJWT
package import WeftRouting
import WeftTransport

/// Everything a worker needs to serve, built once per configuration change and never changed afterwards.
///
/// Shared by all workers. A connection keeps the listener it was accepted by; a request keeps what it has looked up.
package final class Snapshot: Sendable {
    package let configuration: ProxyConfiguration
    package let listeners: [String: CompiledListener]
    package let routes: [String: RouteTable]
    /// Scopes that came by SRDS.
    let scopes: CompiledScope.Index
    package let clusters: [String: CompiledCluster]
    /// Listeners by the destination they stand for, `ip_port`.
    let byDestination: [String: CompiledListener]
    /// Grows with every snapshot.
    let generation: Int
    /// The same object in snapshots that follow each other with the same clusters, or the same listeners: what workers
    /// keep by cluster or listener needs no look then.
    let clusterLineage: Lineage
    let listenerLineage: Lineage
    /// Clusters that are checked for health or watched for outliers.
    let attended: [String: CompiledCluster]
    /// Clusters whose endpoints have names, which somebody must resolve.
    var named: [String: Cluster] {
        clusters.compactMapValues { compiled in
            switch compiled.cluster.discovery {
            case .strictDNS, .logicalDNS: compiled.cluster
            default: nil
            }
        }
    }
    /// For zone-aware balancing.
    let zone: LocalZone?

    /// - Parameter previous: The snapshot that this one takes the place of.
    init(
        configuration: ProxyConfiguration, listeners: [String: CompiledListener], routes: [String: RouteTable],
        clusters: [String: CompiledCluster], generation: Int = 0, zone: LocalZone? = nil,
        previous: Snapshot? = nil
    ) {
        self.zone = zone
        self.generation = generation
        if let previous, Self.areSame(previous.clusters, clusters) {
            clusterLineage = previous.clusterLineage
            attended = previous.attended
        } else {
            clusterLineage = Lineage()
            attended = clusters.filter { $0.value.outlier != nil || !$0.value.cluster.healthChecks.isEmpty }
        }
        if let previous, Self.areSame(previous.listeners, listeners) {
            listenerLineage = previous.listenerLineage
            byDestination = previous.byDestination
        } else {
            listenerLineage = Lineage()
            byDestination = Self.index(listeners)
        }
        self.configuration = configuration
        self.listeners = listeners
        self.routes = routes
        scopes = CompiledScope.index(configuration.scopes.values, reusing: previous?.scopes ?? [:])
        self.clusters = clusters
    }

    private static func areSame<Value: AnyObject>(_ left: [String: Value], _ right: [String: Value]) -> Bool {
        left.count == right.count && left.allSatisfy { right[$0.key] === $0.value }
    }

    private static func index(_ listeners: [String: CompiledListener]) -> [String: CompiledListener] {
        var index: [String: CompiledListener] = [:]
        for listener in listeners.values {
            for address in [listener.listener.address] + listener.listener.additionalAddresses {
                if case .ip(let ip, let port) = address { index["\(ip)_\(port)"] = listener }
            }
        }
        return index
    }

    /// The listener for a redirected connection: exact address, then any address, as Envoy looks it up.
    func virtualListener(ip: String, port: UInt16) -> CompiledListener? {
        byDestination["\(ip)_\(port)"] ?? byDestination["0.0.0.0_\(port)"]
    }
}

/// A listener with its chains compiled.
package final class CompiledListener: Sendable {
    let listener: Listener
    let matcher: FilterChainMatcher
    /// Of connections, whatever their chain.
    let logs: [CompiledAccessLog]
    let chains: [CompiledChain]
    let defaultChain: CompiledChain?
    let inspectsTLS: Bool
    let inspectsHTTP: Bool
    /// What its counters are called by: `0.0.0.0_8080`, colons replaced.
    let statName: String
    private let lineages: Set<ObjectIdentifier>
    let proxyProtocol: ProxyProtocolFilter?

    /// - Returns: `nil` when no chain is meant for such a connection.
    func chain(for view: FilterChainView) -> CompiledChain? { matcher.match(view).map { chains[$0] } ?? defaultChain }

    /// Whether the two differ in nothing but their filter chains.
    func isSamePlace(as other: CompiledListener) -> Bool {
        func bare(_ listener: Listener) -> Listener {
            var listener = listener
            listener.filterChains = []
            listener.defaultFilterChain = nil
            return listener
        }
        return self === other || bare(listener) == bare(other.listener)
    }

    /// Whether a connection that was accepted for `chain` may go on: the chain is still here and what it was, but for
    /// its certificates.
    func carries(_ chain: CompiledChain) -> Bool { lineages.contains(ObjectIdentifier(chain.lineage)) }

    init(
        _ listener: Listener, chains: [CompiledChain], defaultChain: CompiledChain?, logs: [CompiledAccessLog] = []
    ) {
        self.logs = logs
        self.listener = listener
        statName =
            switch listener.address {
            case .ip(let ip, let port) where ip.contains(":"): "[\(ip.replacing(":", with: "_"))]_\(port)"
            case .ip(let ip, let port): "\(ip)_\(port)"
            case .hostname(let name, let port): "\(name)_\(port)"
            case .unix(let path, _): path.replacing(":", with: "_")
            case .internalListener(let name): "envoy_internal_\(name)"
            }
        self.matcher = FilterChainMatcher(listener.filterChains)
        self.chains = chains
        self.defaultChain = defaultChain
        lineages = Set((chains + [defaultChain].compactMap { $0 }).map { ObjectIdentifier($0.lineage) })
        let all = listener.filterChains.map(\.match)
        let hasTLS = listener.filterChains.contains { $0.tls != nil }
        let everyChain = listener.filterChains + [listener.defaultFilterChain].compactMap { $0 }
        let asksForName = everyChain.contains { $0.filters.contains(.sniCluster) }
        proxyProtocol =
            listener.listenerFilters.lazy.compactMap { filter in
                if case .proxyProtocol(let settings) = filter { settings } else { nil }
            }.first
        // No chain asks: nobody waits for bytes, so server-first protocols start at once.
        inspectsTLS =
            listener.listenerFilters.contains(.tlsInspector)
            && (hasTLS || asksForName || all.contains { !$0.transportProtocol.isEmpty || !$0.serverNames.isEmpty })
        inspectsHTTP =
            listener.listenerFilters.contains(.httpInspector)
            && all.contains { !$0.applicationProtocols.isEmpty }
    }
}

/// One filter chain, ready to run.
package final class CompiledChain: Sendable {
    let chain: FilterChain
    let tls: NIOSSLContext?
    /// A chain whose secret has not come yet refuses connections.
    let isWaitingForSecret: Bool
    let acceptsPeer: @Sendable (PeerIdentity?) -> Bool
    /// URI names of the certificate that is shown.
    let ownNames: [String]
    /// Whether someone asks for all that the peer sent.
    let wantsPeerChain: Bool
    let networkRBAC: [RBACEngine]
    /// Asked one after the other, when no rule refuses.
    let authorizers: [ConnectionAuthorizer]
    let limiters: [ConnectionLimiter]
    /// Of TCP connections: what is not as Istio's metrics are; `nil` is nothing.
    let metricChanges: MetricChanges?
    let gates: [ConnectionRateGate]
    /// The TCP proxy's cluster is what the client asked for by SNI.
    let clusterIsServerName: Bool
    let terminal: Terminal
    /// Of TCP connections.
    let logs: [CompiledAccessLog]
    /// The same object in two chains that differ in nothing but certificates.
    let lineage: Lineage

    enum Terminal: Sendable {
        case tcp(TCPProxy)
        case http(CompiledManager)
        case none
    }

    init(
        _ chain: FilterChain, tls: NIOSSLContext?, isWaitingForSecret: Bool,
        acceptsPeer: @escaping @Sendable (PeerIdentity?) -> Bool, ownNames: [String], networkRBAC: [RBACEngine],
        authorizers: [ConnectionAuthorizer] = [],
        limiters: [ConnectionLimiter], gates: [ConnectionRateGate] = [], terminal: Terminal,
        logs: [CompiledAccessLog] = [],
        lineage: Lineage? = nil
    ) {
        self.logs = logs
        self.lineage = lineage ?? Lineage()
        self.limiters = limiters
        self.gates = gates
        self.ownNames = ownNames
        if case .http(let manager) = terminal {
            wantsPeerChain = manager.manager.clientCertDetails.chain
        } else {
            wantsPeerChain = false
        }
        metricChanges = chain.statsFilter.flatMap(MetricChanges.init)
        clusterIsServerName = chain.filters.contains(.sniCluster)
        self.chain = chain
        self.tls = tls
        self.isWaitingForSecret = isWaitingForSecret
        self.acceptsPeer = acceptsPeer
        self.networkRBAC = networkRBAC
        self.authorizers = authorizers
        self.terminal = terminal
    }
}

/// An HTTP connection manager with its filters compiled.
package final class CompiledManager: Sendable {
    /// Indirect: running one copies a reference, not the whole of the largest engine.
    indirect enum Filter: Sendable {
        case rbac(RBACEngine, name: String)
        case fault(FaultEngine, name: String)
        case cors(name: String)
        case stats(StatsFilter)
        case localRateLimit(LocalRateLimiter, name: String)
        case headerMutation(HeaderMutator, name: String)
        case buffer(BufferFilter, name: String)
        case healthCheck(HealthCheckResponder, name: String)
        case grpcWeb(name: String)
        case grpcStats(GRPCStats, name: String)
        case jwt(JWTAuthenticator, name: String)
        case externalAuthorization(ExternalAuthorizer, name: String)
        case globalRateLimit(GlobalRateLimiter, name: String)
        case externalProcessing(ExternalProcessor, name: String)
        /// Runs only where a route says so.
        case dormant(Filter, name: String)
        case compressor(CompressionEngine, name: String)
        case decompressor(DecompressionEngine, name: String)
        case statefulSession(SessionEngine, name: String)
        case router
    }

    let manager: HTTPConnectionManager
    let filters: [Filter]
    /// For inline routes.
    let table: RouteTable?
    /// For tables by scope.
    let scopes: CompiledScopes?
    let stats: StatsFilter.Reporter?
    /// What is not as Istio's metrics are; `nil` is nothing.
    let metricChanges: MetricChanges?
    let direction: TrafficDirection
    /// The route table's name, when it does not stand in the listener.
    let routesName: String?
    /// `nil` when paths stay as they are.
    let normalizer: PathNormalizer?
    let serverName: String
    let trust: CallerTrust
    let admission: RequestAdmission?
    let localReplies: CompiledLocalReplies?
    /// 0 is none.
    let streamIdleMilliseconds: UInt64
    let logs: [CompiledAccessLog]
    /// Some of ``logs`` do not take every request.
    let filtersLogs: Bool
    /// What exchanges keep for the access logs.
    let keeps: KeptForLogs
    /// `nil` traces nothing.
    let tracing: CompiledTracing?
    let traceCounts = TraceReasonCounts()
    /// Matchers that cannot be compiled: their policies refuse and their routes match nothing.
    let problems: [String]

    /// - Parameter previous: The manager that this one takes the place of: filters and route tables that did not change
    ///   are taken from it, with what they count.
    init(_ manager: HTTPConnectionManager, direction: TrafficDirection, reusing previous: CompiledManager? = nil) {
        self.manager = manager
        self.direction = direction
        let before = previous.map { Array(zip($0.manager.filters, $0.filters)) } ?? []
        filters = manager.filters.map { filter in
            if let known = before.first(where: { $0.0 == filter })?.1 { return known }
            let compiled = Self.compile(filter)
            return filter.disabled ? .dormant(compiled, name: filter.name) : compiled
        }
        var statsFilter: StatsFilter?
        for case .stats(let filter) in filters { statsFilter = filter }
        stats = statsFilter?.reporter
        metricChanges = statsFilter.flatMap(MetricChanges.init)
        switch manager.routes {
        case .inline(let routes):
            let known = previous?.table
            let table = known?.configuration == routes ? known : nil
            (self.table, scopes, routesName) = (table ?? RouteTable(routes, reusing: known), nil, nil)
        case .rds(let name): (table, scopes, routesName) = (nil, nil, name)
        case .scoped(let routes):
            (table, scopes, routesName) = (nil, CompiledScopes(routes, reusing: previous?.scopes), nil)
        }
        normalizer = Self.normalizer(manager)
        serverName = manager.serverName ?? "envoy"
        trust = CallerTrust(manager)
        admission = RequestAdmission(manager)
        localReplies = manager.localReplies.map(CompiledLocalReplies.init)
        streamIdleMilliseconds = manager.streamIdleTimeoutMilliseconds ?? 300_000
        var problems: [String] = []
        logs = CompiledAccessLog.compile(manager.accessLogs, &problems)
        filtersLogs = logs.contains { $0.filter != nil }
        keeps = CompiledAccessLog.needs(logs).union(metricChanges?.needs ?? [])
        tracing = manager.tracing.map { CompiledTracing($0, direction: direction) }
        let policies = filters.flatMap { filter in
            switch filter {
            case .rbac(let engine, _): engine.problems
            case .jwt(let authenticator, _): authenticator.problems
            case .externalAuthorization(let authorizer, _): authorizer.problems
            case .externalProcessing(let processor, _): processor.problems
            default: [String]()
            }
        }
        self.problems = problems + policies + (table?.problems ?? []) + (scopes?.problems ?? [])
    }

    private static func compile(_ filter: HTTPFilter) -> Filter {
        switch filter.kind {
        case .rbac(let rules): .rbac(RBACEngine(rules), name: filter.name)
        case .fault(let fault): .fault(FaultEngine(fault), name: filter.name)
        case .cors: .cors(name: filter.name)
        case .stats(let stats): .stats(stats)
        case .localRateLimit(let limit): .localRateLimit(LocalRateLimiter(limit), name: filter.name)
        case .headerMutation(let steps): .headerMutation(HeaderMutator(steps), name: filter.name)
        case .buffer(let buffer): .buffer(buffer, name: filter.name)
        case .healthCheck(let check): .healthCheck(HealthCheckResponder(check), name: filter.name)
        case .grpcWeb: .grpcWeb(name: filter.name)
        case .grpcStats(let stats): .grpcStats(stats, name: filter.name)
        case .jwt(let tokens): .jwt(JWTAuthenticator(tokens), name: filter.name)
        case .externalAuthorization(let check): .externalAuthorization(ExternalAuthorizer(check), name: filter.name)
        case .globalRateLimit(let limit): .globalRateLimit(GlobalRateLimiter(limit), name: filter.name)
        case .externalProcessing(let settings): .externalProcessing(ExternalProcessor(settings), name: filter.name)
        case .compressor(let settings): .compressor(CompressionEngine(settings), name: filter.name)
        case .decompressor(let settings): .decompressor(DecompressionEngine(settings), name: filter.name)
        case .statefulSession(let session): .statefulSession(SessionEngine(session), name: filter.name)
        case .router: .router
        }
    }

    private static func normalizer(_ manager: HTTPConnectionManager) -> PathNormalizer? {
        guard manager.normalizePath || manager.mergeSlashes || manager.escapedSlashes != .keepUnchanged else {
            return nil
        }
        let slashes: PathNormalizer.EscapedSlashes =
            switch manager.escapedSlashes {
            case .keepUnchanged: .keep
            case .rejectRequest: .reject
            case .unescapeAndRedirect: .unescapeAndRedirect
            case .unescapeAndForward: .unescape
            }
        return PathNormalizer(
            normalize: manager.normalizePath, mergeSlashes: manager.mergeSlashes, escapedSlashes: slashes)
    }
}

/// A cluster with its endpoints resolved to targets.
package final class CompiledCluster: Sendable {
    let cluster: Cluster
    let hosts: [CompiledHost]
    /// The same hosts in the same order, as balancers see them.
    let balanced: [BalancedHost]
    let localities: [LocalitySetting]
    let setRules: HostSet.Rules
    let rules: BalancingRules
    /// Why there are no hosts, in words, when the control plane said so.
    let emptyReason: String?
    let shared: SharedCluster
    let outlier: OutlierDetector?
    /// Which answers count as errors, if not those of status 500 and above.
    let errors: ErrorCondition?
    /// For clusters whose address comes with the connection or the request.
    let template: HostTargets?
    /// Where active checks go, by position of the host; `nil` when they go where requests go.
    let checkTargets: [HostTargets]?
    /// The same object in two clusters that differ in nothing but the certificates for new connections.
    let lineage: Lineage
    /// The same object as long as nothing but the endpoints has changed: connections to those that stay may stay.
    let reachability: Reachability
    /// The header that connections to an endpoint begin with.
    func proxyProtocol(for host: CompiledHost) -> UpstreamProxyProtocol? {
        usesProxyProtocol ? cluster.proxyProtocol(for: host.endpoint.transportSocketMatch) : nil
    }
    private let usesProxyProtocol: Bool
    let outlierSplits: Bool
    var isZoneAware: Bool { if case .zoneAware = cluster.balancing.locality { true } else { false } }
    /// By position of the host: whether its connections have the mesh's own TLS.
    let meshPeers: [Bool]
    private let defaultBreaker: CircuitBreaker
    private let highBreaker: CircuitBreaker

    func breaker(_ priority: RouteAction.Priority) -> CircuitBreaker {
        priority == .high ? highBreaker : defaultBreaker
    }

    init(
        _ cluster: Cluster, hosts: [CompiledHost], assignment: ClusterLoadAssignment?, shared: SharedCluster,
        template: HostTargets?, checkTargets: [HostTargets]? = nil, reachability: Reachability, lineage: Lineage
    ) {
        self.checkTargets = checkTargets
        self.lineage = lineage
        self.cluster = cluster
        usesProxyProtocol = cluster.usesProxyProtocol
        self.hosts = hosts
        balanced = hosts.map {
            BalancedHost(
                address: $0.name, endpoint: $0.endpoint, priority: $0.priority, locality: $0.locality,
                shared: $0.shared)
        }
        meshPeers = hosts.map { Self.meshTLS(for: $0, of: cluster) != nil }
        localities = (assignment?.localities ?? []).map {
            LocalitySetting(locality: $0.locality, priority: $0.priority, weight: $0.weight)
        }
        var setRules = HostSet.Rules()
        setRules.overprovisioningFactor = assignment?.overprovisioningFactor ?? 140
        setRules.panicThresholdPercent = cluster.healthyPanicThresholdPercent
        self.setRules = setRules
        rules = BalancingRules(kind: cluster.loadBalancer, balancing: cluster.balancing)
        emptyReason = assignment?.emptyReason
        self.shared = shared
        outlier = cluster.outlierDetection.map(OutlierDetector.init)
        errors = cluster.errorCondition.map(ErrorCondition.init)
        outlierSplits = cluster.outlierDetection?.splitExternalLocalOriginErrors == true
        defaultBreaker = CircuitBreaker(cluster, shared: shared, priority: .default)
        highBreaker = CircuitBreaker(cluster, shared: shared, priority: .high)
        self.template = template
        self.reachability = reachability
    }
}

/// Compared by identity alone.
final class Lineage: Sendable {}

/// Stands for one way to reach a cluster's endpoints: its settings and secrets.
final class Reachability: Sendable {}

/// One endpoint of a cluster.
package final class CompiledHost: Sendable {
    let endpoint: Endpoint
    let targets: HostTargets
    /// Without any claim about what is spoken.
    var target: UpstreamTarget { targets.tcp }
    let shared: SharedHost
    /// Text of the address, for logs: made once.
    let name: String
    let priority: UInt32
    let locality: Locality
    /// Position in the cluster's list; `nil` for hosts that a request brought along.
    let index: Int?

    init(
        endpoint: Endpoint, targets: HostTargets, shared: SharedHost, name: String, priority: UInt32 = 0,
        locality: Locality = Locality(), index: Int? = nil
    ) {
        self.endpoint = endpoint
        self.targets = targets
        self.shared = shared
        self.name = name
        self.priority = priority
        self.locality = locality
        self.index = index
    }
}

/// How to reach one endpoint, by what will be spoken: mesh peers learn from ALPN whether HTTP comes.
struct HostTargets: Sendable {
    var tcp: UpstreamTarget
    var http1: UpstreamTarget
    var http2: UpstreamTarget

    mutating func nameServer(_ name: String) {
        tcp.tls?.serverName = name
        http1.tls?.serverName = name
        http2.tls?.serverName = name
    }

    func moved(to address: SocketAddress) -> HostTargets {
        var copy = self
        copy.tcp.address = address
        copy.http1.address = address
        copy.http2.address = address
        return copy
    }
}
