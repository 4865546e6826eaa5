import Testing
import WeftCore
import WeftIR
import WeftProto

@testable import WeftXDS

/// What goes over the wire and comes back is what went in.
struct RoundTripTests {
    private func roundTrip(_ resource: DecodedResource, _ target: Target = .weft) throws -> XDSDecoder.Result {
        try XDSDecoder().decode(XDSEncoder(target: target).encode(resource))
    }

    private var provenance: Provenance {
        Provenance(
            ResourceReference(kind: "VirtualService", namespace: "dev", name: "backend"), rule: 2, ruleName: "canary")
    }

    private var rbac: RBAC {
        let name = "ns[dev]-policy[viewer]-rule[0]"
        var rbac = RBAC(
            action: .allow,
            policies: [
                .init(
                    name: name,
                    permissions: [
                        .and([.any, .or([.destinationPort(80), .destinationIP(CIDR("10.0.0.0", prefixLength: 8))])]),
                        .not(.urlPath(StringMatcher(.prefix("/admin")))),
                        .requestedServerName(StringMatcher(.exact("a.b"))),
                        .header(HeaderMatcher(name: ":method", test: .string(StringMatcher(.exact("GET"))))),
                    ],
                    principals: [
                        .authenticated(StringMatcher(.exact("spiffe://cluster.local/ns/a/sa/b"))), .authenticated(nil),
                        .directRemoteIP(CIDR("fd00::", prefixLength: 64)), .remoteIP(CIDR("1.2.3.4", prefixLength: 32)),
                        .not(.any), .or([.and([.any])]),
                    ], provenance: Provenance(policyName: name))
            ])
        rbac.shadowAction = .log
        rbac.statPrefix = "viewer"
        return rbac
    }

    @Test func routes() throws {
        var retry = RetryPolicy(retryOn: ["5xx", "connect-failure"])
        retry.retriableStatusCodes = [503]
        retry.numRetries = 3
        retry.perTryTimeoutMilliseconds = 2_000
        retry.backOffMaxMilliseconds = 250
        retry.avoidPreviousHosts = true
        var weighted = WeightedCluster(name: "outbound|80|v1|backend.dev", weight: 90)
        weighted.requestHeaders = HeaderMutations(
            append: [.init(name: "x-a", value: "1", action: .overwriteIfExists)], remove: ["x-b"])
        var action = RouteAction(cluster: .weighted([weighted, WeightedCluster(name: "v2", weight: 0)]))
        action.pathRewrite = .regex(pattern: "^/a(.*)", substitution: "\\1")
        action.hostRewrite = .auto
        action.timeoutMilliseconds = 0
        action.idleTimeoutMilliseconds = 1_500
        action.grpcTimeoutHeaderMaxMilliseconds = 0
        action.retryPolicy = retry
        action.mirrors = [Mirror(cluster: "shadow", fraction: FractionalPercent(percent: 12.5))]
        action.hashPolicies = [
            .header("x-user", terminal: true),
            .cookie(
                name: "c", ttlMilliseconds: 0, path: "/", terminal: false,
                attributes: [.init(name: "SameSite", value: "Lax"), .init(name: "Secure", value: "")]),
            .sourceIP(terminal: false), .queryParameter("q", terminal: false),
        ]
        action.upgrades = [.init(type: "websocket", enabled: false)]
        action.clusterNotFoundStatus = 404
        var match = RouteMatch(path: .pathSeparatedPrefix("/api"))
        match.caseSensitive = false
        match.headers = [
            HeaderMatcher(name: "x-canary", test: .present(true), invert: true),
            HeaderMatcher(name: "n", test: .range(start: -1, end: 5)),
        ]
        match.queryParameters = [.init(name: "q", test: .string(StringMatcher(.regex("a+"))))]
        match.runtimeFraction = FractionalPercent(percent: 50)
        var route = Route(name: "r", match: match, action: .forward(action))
        route.provenance = provenance
        route.operation = "op"
        var fault = Fault()
        fault.delayMilliseconds = 7_000
        fault.delayPercentage = .all
        fault.abort = .grpc(status: 14)
        fault.provenance = provenance
        route.perFilter = ["rbac": .rbac(nil), "fault": .fault(fault), "cors": .cors(CORSPolicy()), "x": .disabled]
        var redirect = Redirect()
        redirect.scheme = "https"
        redirect.port = 8443
        redirect.status = 308
        redirect.path = .prefix("/n")
        var host = VirtualHost(
            name: "backend", domains: ["backend.dev", "*"],
            routes: [
                route, Route(match: RouteMatch(path: .connect), action: .redirect(redirect)),
                Route(
                    match: RouteMatch(path: .exact("/x")),
                    action: .directResponse(DirectResponse(status: 418, body: "tea"))),
            ])
        host.requireTLS = .externalOnly
        host.retryPolicy = retry
        host.includeRequestAttemptCount = true
        var table = RouteConfiguration(name: "80", virtualHosts: [host])
        table.ignorePortInHostMatching = true
        table.validateClusters = true
        let result = try roundTrip(.route(table))
        #expect(result.value == .route(table))
        // What has no effect here is in the table of fields, and nothing else is said.
        #expect(result.warnings.count == result.ignoredFields.count)
    }

    @Test func clusters() throws {
        let discoveries: [Cluster.Discovery] = [
            .static, .eds(serviceName: "s"), .strictDNS, .logicalDNS, .originalDestination(useHTTPHeader: true),
        ]
        let balancers: [Cluster.LoadBalancer] = [
            .roundRobin, .leastRequest(choiceCount: 3), .random, .ringHash(minimumRingSize: 5), .maglev(tableSize: 7),
            .clusterProvided,
        ]
        let protocols: [Cluster.HTTPProtocol] = [.http1, .http2, .useDownstream, .auto, .http1, .http2]
        for (index, balancer) in balancers.enumerated() {
            var cluster = Cluster(name: "c\(index)", discovery: discoveries[index % discoveries.count])
            if case .originalDestination = cluster.discovery {
                cluster.loadBalancer = .clusterProvided
            } else {
                cluster.loadBalancer = balancer
            }
            cluster.httpProtocol = protocols[index]
            cluster.maxRequestsPerConnection = 9
            cluster.idleTimeoutMilliseconds = 0
            if cluster.httpProtocol != .http1 { cluster.http2MaxConcurrentStreams = 10 }
            cluster.bindAddress = "127.0.0.6"
            var tls = UpstreamTLS()
            tls.sni = "outbound_.80_._.backend"
            tls.common.certificates = [.workloadCertificate]
            tls.common.validation = .workloadTrustBundle
            tls.common.subjectAltNames = [SubjectAltNameMatcher(exact: "spiffe://cluster.local/ns/dev/sa/default")]
            tls.common.alpnProtocols = ["istio"]
            cluster.transportSocketMatches = [
                .init(name: "tlsMode-istio", match: ["tlsMode": "istio"], tls: tls),
                .init(name: "plain", match: [:], tls: nil),
            ]
            cluster.outlierDetection = OutlierDetection()
            cluster.outlierDetection?.baseEjectionMilliseconds = 15_000
            cluster.circuitBreakers.maxPendingRequests = 1
            cluster.healthyPanicThresholdPercent = 0
            cluster.services = [.init(host: "backend.dev.svc", name: "backend", namespace: "dev")]
            cluster.provenance = Provenance(
                ResourceReference(kind: "DestinationRule", namespace: "dev", name: "backend"))
            let result = try roundTrip(.cluster(cluster))
            #expect(result.value == .cluster(cluster))
            // What has no effect here is in the table of fields, and nothing else is said.
            #expect(result.warnings.count == result.ignoredFields.count)
        }
    }

    @Test func endpoints() throws {
        var endpoint = Endpoint(address: .ip("10.244.0.7", port: 8080))
        endpoint.health = .healthy
        endpoint.weight = 3
        endpoint.transportSocketMatch = ["tlsMode": "istio"]
        endpoint.workload = WorkloadMetadata()
        endpoint.workload?.name = "backend"
        var group = LocalityEndpoints(locality: Locality(region: "r", zone: "z"), endpoints: [endpoint])
        group.priority = 1
        var assignment = ClusterLoadAssignment(clusterName: "c", localities: [group])
        #expect(try roundTrip(.endpoints(assignment)).value == .endpoints(assignment))
        assignment.localities = []
        assignment.emptyReason = "subset v1 selects no pod"
        assignment.provenance = provenance
        #expect(try roundTrip(.endpoints(assignment)).value == .endpoints(assignment))
        assignment.emptyReason = nil
        assignment.provenance = nil
        #expect(try roundTrip(.endpoints(assignment), .envoy).value == .endpoints(assignment))
    }

    @Test func listeners() throws {
        var manager = HTTPConnectionManager(
            statPrefix: "inbound", routes: .rds("80"),
            filters: [
                HTTPFilter(name: "rbac", kind: .rbac(rbac)), HTTPFilter(name: "cors", kind: .cors),
                HTTPFilter(name: "istio.stats", kind: .stats(StatsFilter(reporter: .destination))),
                HTTPFilter(name: "router", kind: .router),
            ])
        manager.forwardClientCert = .appendForward
        manager.clientCertDetails.uri = true
        manager.serverHeader = .passThrough
        manager.normalizePath = true
        manager.upgradeTypes = ["websocket"]
        manager.preserveHeaderCase = true
        manager.streamIdleTimeoutMilliseconds = 0
        manager.accessLogs = [
            AccessLog(path: "/dev/stdout", format: .text("x\n")),
            AccessLog(path: "/log", format: .json(["a": "%PROTOCOL%"])),
        ]
        var chain = FilterChain(name: "mtls", filters: [.rbac(rbac), .httpConnectionManager(manager)])
        chain.match.destinationPort = 8080
        chain.match.transportProtocol = "tls"
        chain.match.applicationProtocols = ["istio"]
        chain.match.prefixRanges = [CIDR("0.0.0.0", prefixLength: 0)]
        chain.tls = DownstreamTLS()
        chain.tls?.requireClientCertificate = true
        chain.tls?.common.certificates = [SecretReference(name: "kubernetes://web", source: .ads)]
        chain.tls?.common.minimumVersion = .v1_2
        var proxy = TCPProxy(statPrefix: "p", cluster: .weighted([WeightedCluster(name: "a", weight: 1)]))
        var tunnel = TCPProxy.Tunnel(hostname: "far.example:443")
        tunnel.usesPost = true
        tunnel.postPath = "/in"
        tunnel.headers.append = [.init(name: "x-a", value: "b", action: .overwriteIfExists)]
        proxy.tunnel = tunnel
        proxy.provenance = provenance
        var listener = Listener(name: "virtualInbound", address: .ip("0.0.0.0", port: 15006))
        var proxyProtocol = ProxyProtocolFilter()
        proxyProtocol.allowsPlainConnections = true
        proxyProtocol.disallowedVersions = [.v1]
        proxyProtocol.passThrough = .types([0xEA])
        listener.listenerFilters = [
            .originalDestination, .tlsInspector, .httpInspector, .proxyProtocol(proxyProtocol),
        ]
        listener.filterChains = [chain]
        listener.defaultFilterChain = FilterChain(
            name: "rest", filters: [.stats(StatsFilter(reporter: .source)), .tcpProxy(proxy)])
        listener.trafficDirection = .inbound
        listener.bindToPort = false
        listener.provenance = provenance
        let result = try roundTrip(.listener(listener))
        #expect(result.value == .listener(listener))
        // What has no effect here is in the table of fields, and nothing else is said.
        #expect(result.warnings.count == result.ignoredFields.count)
        guard case .listener(let forEnvoy) = try roundTrip(.listener(listener), .envoy).value else { return }
        #expect(forEnvoy.defaultFilterChain?.filters == [.tcpProxy(proxy)])
    }

    @Test func secretsKeepTheirBytes() throws {
        let secret = Secret(
            name: "web", content: .certificate(chainPEM: "CERT", privateKey: PrivateBytes([1, 2, 255])))
        #expect(try roundTrip(.secret(secret)).value == .secret(secret))
        let bundle = Secret(name: "ROOTCA", content: .validation(trustedCAPEM: "ROOT"))
        #expect(try roundTrip(.secret(bundle)).value == .secret(bundle))
    }

    @Test func errorsNameResourceAndField() throws {
        let listener = Listener(name: "bad", address: .ip("0.0.0.0", port: 1))
        var wire = try listener.wire(.weft)
        wire.filterChains = [.init()]
        wire.filterChains[0].filters = [.init()]
        wire.filterChains[0].filters[0].name = "lua"
        let any = try pack(wire)
        #expect(
            throws: XDSDecodingError(
                resource: "bad", field: "filter_chains[0].filters[0]", reason: "network filter lua () is not supported")
        ) { try XDSDecoder().decode(any) }
    }
}
