import SwiftProtobuf
import Testing
import WeftCore
import WeftIR
import WeftProto

@testable import WeftXDS

/// Fields of clusters and routes beyond what Istio's usual configuration holds: through the wire and back.
@Suite struct WideFieldTests {
    private func roundTrip(_ resource: DecodedResource) throws -> DecodedResource {
        try XDSDecoder().decode(XDSEncoder(target: .weft).encode(resource)).value
    }

    static let balancers: [(Cluster.LoadBalancer, @Sendable (inout LoadBalancing) -> Void)] = [
        (.roundRobin, { $0.slowStart = .init(windowMilliseconds: 30_000) }),
        (
            .leastRequest(choiceCount: 4),
            {
                $0.activeRequestBias = 0.5
                $0.locality = .weighted
            }
        ),
        (
            .ringHash(minimumRingSize: 16),
            {
                $0.hashFunction = .murmurHash2
                $0.maximumRingSize = 4_096
                $0.hashesHostname = true
                $0.hashBalanceFactorPercent = 150
            }
        ),
        (
            .maglev(tableSize: 101),
            {
                var zone = LoadBalancing.ZoneAware()
                zone.routingEnabledPercent = 50
                zone.minimumClusterSize = 3
                zone.failsTrafficOnPanic = true
                $0.locality = .zoneAware(zone)
            }
        ),
        (.clientSideWeightedRoundRobin, { $0.reportedWeights.blackoutMilliseconds = 5_000 }),
        (
            .random,
            {
                var subsets = Subsets()
                subsets.fallback = .defaultSubset
                subsets.defaultSubset = ["stage": .string("prod"), "canary": .bool(false), "n": .number(2)]
                var selector = Subsets.Selector(keys: ["stage", "version"])
                selector.fallback = .keysSubset
                selector.fallbackKeys = ["stage"]
                subsets.selectors = [selector]
                subsets.panicModeAny = true
                subsets.listAsAny = true
                subsets.triesFallbackList = true
                $0.subsets = subsets
            }
        ),
    ]

    @Test(arguments: balancers.indices) func balancing(index: Int) throws {
        var cluster = Cluster(name: "c", discovery: .static)
        cluster.loadBalancer = Self.balancers[index].0
        Self.balancers[index].1(&cluster.balancing)
        #expect(try roundTrip(.cluster(cluster)) == .cluster(cluster))
    }

    @Test func clusterParts() throws {
        var cluster = Cluster(name: "c", discovery: .strictDNS)
        cluster.circuitBreakers.retryBudget = .init()
        cluster.circuitBreakers.retryBudget?.budgetPercent = 30
        var high = Cluster.CircuitBreakers()
        high.maxRequests = 5
        cluster.highPriorityCircuitBreakers = high
        cluster.preconnect.perUpstreamRatio = 1.5
        cluster.dns.family = .v4Preferred
        cluster.dns.respectsTTL = true
        cluster.dns.failureRefreshMilliseconds = 100
        var outlier = OutlierDetection()
        outlier.failurePercentageThreshold = 40
        outlier.successRateMinimumHosts = 2
        outlier.alwaysEjectsOneHost = true
        cluster.outlierDetection = outlier
        let status = HeaderMatcher(name: ":status", test: .range(start: 429, end: 430))
        cluster.errorCondition = .or([.headers([status]), .and([.any, .not(.headers([status]))])])
        var endpoint = Endpoint(address: .hostname("a.example", port: 80))
        endpoint.balancingMetadata = ["version": .string("v1"), "tags": .list([.string("x"), .string("y")])]
        endpoint.healthCheckPort = 81
        endpoint.healthCheckHostname = "health.example"
        endpoint.skipsActiveHealthCheck = true
        cluster.endpoints = ClusterLoadAssignment(
            clusterName: "c", localities: [LocalityEndpoints(endpoints: [endpoint])])
        cluster.endpoints?.weighsPriorityHealth = true
        #expect(try roundTrip(.cluster(cluster)) == .cluster(cluster))
    }

    @Test(
        arguments: [
            ([:], "without a rule"), (["http_request_headers_match": ["headers": []]], "only heads of responses"),
            (["or_match": ["rules": [["any_match": true]]]], "two rules"), (["any_match": false], "must be true"),
        ] as [(JSONValue, String)])
    func errorConditionsThatCannotBeRead(matcher: JSONValue, reason: String) throws {
        let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        let value: JSONValue = [
            "name": "c",
            "typed_extension_protocol_options": .object([
                options: [
                    "@type": .string("type.googleapis.com/\(options)"),
                    "explicit_http_config": ["http_protocol_options": [:]],
                    "outlier_detection": ["error_matcher": matcher],
                ]
            ]),
        ]
        var encoder = JSONMessageEncoder()
        let bytes = encoder.encode(value, as: "envoy.config.cluster.v3.Cluster", path: "")
        let any = ResourcePatcher.any(bytes, .cluster)
        let error = #expect(throws: XDSDecodingError.self) { try XDSDecoder().decode(any) }
        #expect(error?.reason.contains(reason) == true, "\(String(describing: error))")
    }

    static let checks: [HealthCheck.Kind] = {
        var http = HealthCheck.HTTP(path: "/healthz")
        http.method = "HEAD"
        http.expectedStatuses = [.init(start: 200, end: 300)]
        http.serviceName = StringMatcher(.prefix("s"))
        var tcp = HealthCheck.TCP()
        tcp.send = [0x70, 0x0A]
        tcp.receive = [[0xFF], [1, 2]]
        var posted = HealthCheck.HTTP(path: "/check")
        posted.method = "POST"
        posted.send = [1, 0xA0]
        posted.receive = [[2], [3, 4]]
        posted.maxAnswerBytes = 0
        var grpc = HealthCheck.GRPC()
        grpc.serviceName = "svc"
        grpc.requestHeaders = HeaderMutations(append: [.init(name: "x-a", value: "b", action: .appendIfExistsOrAdd)])
        return [.http(http), .http(posted), .tcp(tcp), .grpc(grpc)]
    }()

    @Test(arguments: checks) func healthChecks(kind: HealthCheck.Kind) throws {
        var check = HealthCheck(kind, timeoutMilliseconds: 500, intervalMilliseconds: 2_000)
        check.unhealthyIntervalMilliseconds = 250
        check.intervalJitterPercent = 10
        check.alpnProtocols = ["h2", "x"]
        check.transportSocketMatch = ["tlsMode": "istio"]
        check.eventLogs = ["/tmp/a", "/tmp/b"]
        check.alwaysLogsSuccess = true
        var cluster = Cluster(name: "c", discovery: .static)
        cluster.healthChecks = [check]
        #expect(try roundTrip(.cluster(cluster)) == .cluster(cluster))
    }

    @Test func aCheckSendsABodyWithMethodsThatHaveOne() throws {
        var http = HealthCheck.HTTP(path: "/")
        http.send = [1]
        var cluster = Cluster(name: "c", discovery: .static)
        cluster.healthChecks = [HealthCheck(.http(http))]
        #expect(throws: XDSDecodingError.self) { try roundTrip(.cluster(cluster)) }
    }

    @Test func redirectPredicates() throws {
        var policy = RouteAction.InternalRedirect()
        policy.predicates = [.allowListedRoutes(["a", "b"]), .previousRoutes, .safeCrossScheme]
        var action = RouteAction(cluster: .cluster("c"))
        action.internalRedirect = policy
        var connect = RouteAction.UpgradeConfig(type: "CONNECT")
        connect.terminatesConnect = true
        connect.terminatesPost = true
        action.upgrades = [connect]
        action.metadataMatch = [
            Subsets.fallbackListKey: .list([.object(["version": .string("v1")]), .object(["n": .number(1)])])
        ]
        let host = VirtualHost(
            name: "h", domains: ["*"], routes: [Route(match: RouteMatch(path: .prefix("/")), action: .forward(action))])
        let table = RouteConfiguration(name: "r", virtualHosts: [host])
        #expect(try roundTrip(.route(table)) == .route(table))
    }

    @Test func socketOptions() throws {
        var listener = Listener(name: "l", address: .ip("127.0.0.1", port: 80))
        listener.socketOptions = [
            SocketOption(level: 1, name: 9, value: 1, moment: .beforeBind),
            SocketOption(level: 6, name: 6, value: [1, 2], moment: .bound),
            SocketOption(level: 6, name: 23, value: -1, moment: .listening),
        ]
        listener.backlog = 77
        #expect(try roundTrip(.listener(listener)) == .listener(listener))
    }

    private static func guarded(_ permission: Permission) -> DecodedResource {
        let rules = RBAC(
            action: .allow, policies: [.init(name: "p", permissions: [permission], principals: [.any])])
        var listener = Listener(name: "l", address: .ip("127.0.0.1", port: 80))
        listener.filterChains = [
            FilterChain(
                name: "c", filters: [.rbac(rules), .tcpProxy(TCPProxy(statPrefix: "t", cluster: .cluster("c")))])
        ]
        return .listener(listener)
    }

    @Test(arguments: [Permission.destinationPorts(from: 0, to: 65_536), .pathTemplate("/a/{b=*}/**")])
    func permissions(_ permission: Permission) throws {
        guard case .listener(let listener) = try roundTrip(Self.guarded(permission)),
            case .rbac(let rules)? = listener.filterChains.first?.filters.first
        else { throw Missing() }
        #expect(rules.policies.first?.permissions == [permission])
    }

    @Test(arguments: [(5, 5), (6, 5), (0, 65_537)])
    func badPortRanges(_ first: UInt32, _ end: UInt32) {
        #expect(throws: XDSDecodingError.self) {
            try roundTrip(Self.guarded(.destinationPorts(from: first, to: end)))
        }
    }

    @Test func dynamicForwardProxy() throws {
        var proxy = DynamicForwardProxy()
        proxy.maximumHosts = 5
        var cluster = Cluster(name: "c", discovery: .dynamicForwardProxy(proxy))
        cluster.loadBalancer = .clusterProvided
        #expect(try roundTrip(.cluster(cluster)) == .cluster(cluster))
    }

    @Test func routeParts() throws {
        var match = RouteMatch(path: .template("/v1/{id=*}/**"))
        match.tls = TLSContextMatch(presented: true)
        match.dynamicMetadata = [
            DynamicMetadataMatcher(filter: "f", path: ["a", "b"], test: .number(start: 1, end: 2)),
            DynamicMetadataMatcher(filter: "f", path: ["c"], test: .string(StringMatcher(.exact("x"))), invert: true),
        ]
        var weighted = WeightedCluster(name: "a", weight: 3)
        weighted.metadataMatch = ["version": .string("v2")]
        weighted.hostRewrite = "a.example"
        weighted.perFilter = ["envoy.filters.http.cors": .disabled]
        var byHeader = WeightedCluster(name: "", weight: 1)
        byHeader.clusterHeader = "x-cluster"
        var action = RouteAction(cluster: .weighted([weighted, byHeader]))
        action.pathRewrite = .template("/v2/{id}")
        action.hostRewrite = .pathRegex(pattern: "^/(.+)/.+$", substitution: "\\1")
        action.priority = .high
        action.metadataMatch = ["stage": .string("prod")]
        action.hedge = RouteAction.Hedge()
        action.hedge?.onPerTryTimeout = true
        action.hashPolicies = [
            .rewrittenHeader("x", pattern: "a", substitution: "b", terminal: true), .filterState("k", terminal: false),
        ]
        var retry = RetryPolicy(retryOn: ["5xx", "envoy-ratelimited"])
        retry.avoidPreviousHosts = true
        retry.omitsCanaryHosts = true
        retry.omittedMetadata = ["spot": .bool(true)]
        retry.previousPrioritiesFrequency = 2
        retry.retriableRequestHeaders = [HeaderMatcher(name: "x-retry", test: .present(true))]
        retry.rateLimitedBackOff = .init(resetHeaders: [.init(name: "retry-after", format: .seconds)])
        action.retryPolicy = retry
        let host = VirtualHost(name: "h", domains: ["*"], routes: [Route(match: match, action: .forward(action))])
        let table = RouteConfiguration(name: "r", virtualHosts: [host])
        #expect(try roundTrip(.route(table)) == .route(table))
    }

    /// The extension form of each policy means what the number means.
    @Test func balancerExtensions() throws {
        typealias LeastRequest = Envoy_Extensions_LoadBalancingPolicies_LeastRequest_V3_LeastRequest
        var policy = LeastRequest()
        policy.selectionMethod = .fullScan
        policy.localityLbConfig.localityWeightedLbConfig = .init()
        var unknown = Envoy_Config_Cluster_V3_LoadBalancingPolicy.Policy()
        unknown.typedExtensionConfig.typedConfig.typeURL = "type.googleapis.com/x.Y"
        var known = Envoy_Config_Cluster_V3_LoadBalancingPolicy.Policy()
        known.typedExtensionConfig.typedConfig = try pack(policy)
        var wire = Envoy_Config_Cluster_V3_Cluster()
        wire.name = "c"
        wire.loadBalancingPolicy.policies = [unknown, known]
        guard case .cluster(let cluster) = try XDSDecoder().decode(pack(wire)).value else { return }
        #expect(cluster.loadBalancer == .leastRequest(choiceCount: 2))
        #expect(cluster.balancing.scansAllHosts)
        #expect(cluster.balancing.locality == .weighted)
        wire.loadBalancingPolicy.policies = [unknown]
        #expect(throws: XDSDecodingError.self) { try XDSDecoder().decode(pack(wire)) }
    }

    @Test func inlineAndFileSecrets() throws {
        var tls = DownstreamTLS()
        tls.common.certificates = [
            SecretReference(
                name: "tls_certificates",
                source: .inline(.certificateFrom(chain: .file("/c.pem"), privateKey: .environment("KEY"))))
        ]
        tls.common.validation = SecretReference(
            name: "trusted_ca", source: .inline(.validationFrom(trustedCA: .inline(PrivateBytes([65])))))
        tls.common.subjectAltNames = [SubjectAltNameMatcher(exact: "spiffe://a/b")]
        var chain = FilterChain(name: "x")
        chain.tls = tls
        var listener = Listener(name: "l", address: .ip("127.0.0.1", port: 1))
        listener.filterChains = [chain]
        #expect(try roundTrip(.listener(listener)) == .listener(listener))
    }

    private func rules() -> ValidationRules {
        var rules = ValidationRules()
        rules.subjectAltNames = [
            SubjectAltNameMatcher(.dns, StringMatcher(.suffix(".test"))),
            SubjectAltNameMatcher(.email, StringMatcher(.exact("a@b"))),
            SubjectAltNameMatcher(.ipAddress, StringMatcher(.prefix("10."))),
            SubjectAltNameMatcher(exact: "spiffe://a/b"),
        ]
        var other = SubjectAltNameMatcher(.otherName, StringMatcher(.contains("x")))
        other.objectIdentifier = "1.2.3"
        rules.subjectAltNames.append(other)
        rules.certificateHashes = [String(repeating: "0a", count: 32)]
        rules.keyHashes = [String(repeating: "f1", count: 32)]
        rules.revokesLeafAlone = true
        rules.maximumDepth = 3
        rules.allowsExpired = true
        rules.acceptsUntrusted = true
        return rules
    }

    @Test func everySettingOfTLS() throws {
        var tls = DownstreamTLS()
        tls.common.certificates = [SecretReference(name: "a", source: .ads), SecretReference(name: "b", source: .ads)]
        tls.common.cipherSuites = ["ECDHE-RSA-AES256-GCM-SHA384"]
        tls.common.curves = ["X25519MLKEM768", "X25519"]
        tls.common.signatureAlgorithms = ["ed25519"]
        tls.common.validation = SecretReference(name: "ca", source: .ads)
        tls.common.rules = rules()
        tls.requiresServerName = true
        tls.disablesSessionCache = true
        tls.sessionTimeoutSeconds = 60
        tls.ticketKeys = SecretReference(name: "keys", source: .ads)
        var chain = FilterChain(name: "x")
        var check = ConnectionAuthorization(statPrefix: "a", service: GRPCServiceTarget(cluster: "authz"))
        check.failureModeAllows = true
        check.includesPeerCertificate = true
        check.includesTLSSession = true
        check.enabledMetadata = DynamicMetadataMatcher(
            filter: "envoy.filters.network.rbac", path: ["policy"], test: .string(StringMatcher(.prefix("p"))))
        chain.filters = [
            .connectionLimit(ConnectionLimit(statPrefix: "c", maximum: 7)), .sniCluster,
            .externalAuthorization(check),
            .connectionRateLimit(
                ConnectionRateLimit(
                    statPrefix: "l",
                    bucket: LocalRateLimit.Bucket(maxTokens: 3, tokensPerFill: 2, fillIntervalMilliseconds: 60))),
            .connectionQuota(
                ConnectionQuota(
                    statPrefix: "q", domain: "d", descriptors: [[.init("a", "b"), .init("c", "%PROTOCOL%")]],
                    service: GRPCServiceTarget(cluster: "limits"))),
            .tcpProxy(TCPProxy(statPrefix: "t", cluster: .cluster("c"))),
        ]
        chain.match.sourceType = .external
        chain.tls = tls
        var listener = Listener(name: "l", address: .unix(path: "/run/l", mode: 0o600))
        listener.filterChains = [chain]
        #expect(try roundTrip(.listener(listener)) == .listener(listener))
        var configuration = ProxyConfiguration()
        configuration.listeners["l"] = listener
        #expect(configuration.references[.secret] == ["a", "b", "ca", "keys"])
        tls.disablesTickets = true
        tls.ticketKeys = nil
        listener.filterChains[0].tls = tls
        #expect(try roundTrip(.listener(listener)) == .listener(listener))
    }

    @Test func routeTablesByScope() throws {
        let table = RouteConfiguration(name: "t", virtualHosts: [VirtualHost(name: "h", domains: ["*"], routes: [])])
        let scopes = [
            RouteScope(name: "one", key: ["a", "b"], table: .inline(table)),
            RouteScope(name: "two", key: ["a", "c"], table: .rds("named")),
        ]
        for scope in scopes { #expect(try roundTrip(.scope(scope)) == .scope(scope)) }
        let key: [ScopedRoutes.KeyPart] = [
            .init(header: "x-scope", elementSeparator: ",", piece: .index(2)),
            .init(header: "x-more", elementSeparator: ";", piece: .element(separator: "=", key: "zone")),
        ]
        for listed in [scopes, nil] {
            var manager = HTTPConnectionManager(
                statPrefix: "s", routes: .scoped(ScopedRoutes(name: "r", key: key, scopes: listed)),
                filters: [HTTPFilter(name: "router", kind: .router)])
            manager.routesFile = listed == nil ? nil : "/routes.yaml"
            var listener = Listener(name: "l", address: .ip("0.0.0.0", port: 80))
            listener.filterChains = [FilterChain(name: "c", filters: [.httpConnectionManager(manager)])]
            guard case .listener(let back) = try roundTrip(.listener(listener)) else { return #expect(Bool(false)) }
            #expect(back.managers.first?.routes == manager.routes)
            #expect(back.managers.first?.routesFile == manager.routesFile)
        }
    }

    @Test func badScopesAreRefused() throws {
        func refusal(_ change: (inout WireScope) -> Void) -> String? {
            var wire = WireScope()
            wire.name = "one"
            wire.routeConfigurationName = "r"
            wire.key.fragments = [.with { $0.stringKey = "a" }]
            change(&wire)
            do {
                _ = try XDSDecoder().decode(pack(wire))
                return nil
            } catch { return "\(error)" }
        }
        #expect(refusal { _ in } == nil)
        #expect(refusal { $0.key.fragments = [] }?.contains("key.fragments are missing") == true)
        #expect(refusal { $0.key.fragments[0].type = nil }?.contains("string_key is missing") == true)
        #expect(refusal { $0.routeConfigurationName = "" }?.contains("exactly one") == true)
        #expect(refusal { $0.routeConfiguration.name = "x" }?.contains("exactly one") == true)
        let same = [
            RouteScope(name: "x", key: ["k"], table: .rds("r")), RouteScope(name: "y", key: ["k"], table: .rds("r")),
        ]
        #expect(RouteScope.repeatedKey(same) == "scopes x and y have the same key [\"k\"]")
        #expect(RouteScope.repeatedKey(same.prefix(1)) == nil)
    }

    @Test func everyKindOfSecret() throws {
        let keys = [PrivateBytes([UInt8](repeating: 1, count: 80))]
        for content in [
            Secret.Content.ticketKeys(keys), .ticketKeysFrom([.file("/k")]),
            .validation(trustedCAPEM: "CA", revocationsPEM: "CRL", rules: rules()),
            .validationFrom(trustedCA: .file("/ca"), revocations: .file("/crl"), rules: rules()),
        ] {
            let secret = Secret(name: "s", content: content)
            #expect(try roundTrip(.secret(secret)) == .secret(secret))
        }
    }

    @Test func headersOfUpstreamConnections() throws {
        var cluster = Cluster(name: "c", discovery: .static)
        var header = UpstreamProxyProtocol(version: .v2)
        header.passThrough = .all
        header.added = [ProxyProtocolTLV(type: 0xE1, value: [1, 2])]
        cluster.proxyProtocol = header
        cluster.tls = UpstreamTLS()
        cluster.tls?.maximumSessions = 0
        var match = Cluster.TransportSocketMatch(name: "m", match: ["a": "b"], tls: nil)
        match.proxyProtocol = UpstreamProxyProtocol(version: .v1)
        cluster.transportSocketMatches = [match, .init(name: "plain", match: [:], tls: nil)]
        #expect(try roundTrip(.cluster(cluster)) == .cluster(cluster))
        #expect(cluster.proxyProtocol(for: ["a": "b"])?.version == .v1)
        #expect(cluster.proxyProtocol(for: [:]) == nil)
    }

    private struct Missing: Error {}
}
