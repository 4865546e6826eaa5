import Testing
import WeftCore
import WeftIR

@testable import WeftXDS

/// IR → xDS → IR is the identity for whatever a route table, cluster or endpoint list can hold. The seed of a failing
/// case is its argument.
struct RandomRoundTripTests {
    @Test(arguments: 0..<150) func routeTables(_ seed: Int) throws {
        var random = Generator(seed)
        try expectIdentity(.route(random.routeTable()))
    }

    @Test(arguments: 0..<150) func clusters(_ seed: Int) throws {
        var random = Generator(seed)
        try expectIdentity(.cluster(random.cluster()))
    }

    @Test(arguments: 0..<100) func endpoints(_ seed: Int) throws {
        var random = Generator(seed)
        try expectIdentity(.endpoints(random.assignment()))
    }

    private func expectIdentity(_ resource: DecodedResource) throws {
        let wire = try XDSEncoder(target: .weft).encode(resource)
        let result = try XDSDecoder().decode(wire)
        #expect(result.value == resource)
        #expect(result.warnings.allSatisfy { text in Self.withoutEffect.contains { text.contains($0) } })
        #expect(try XDSEncoder(target: .weft).encode(result.value) == wire, "equal values give equal bytes")
    }

    /// Fields that the wire carries and the proxy does not obey; each is named in `FieldExceptions`.
    private static let withoutEffect = ["validate_clusters"]

    /// A generator that visits the same values again would prove little.
    @Test func casesDiffer() {
        let tables = (0..<150).map { seed in
            var random = Generator(seed)
            return random.routeTable()
        }
        #expect(Set(tables).count > 140)
    }
}

/// Fills every field that the wire carries, or leaves it at its default, by the throw of a seeded dice.
private struct Generator {
    /// SplitMix64: small, and the same on every machine.
    private struct Dice: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
            return value ^ value >> 31
        }
    }
    private var dice: Dice

    init(_ seed: Int) { dice = Dice(state: UInt64(seed)) }

    private mutating func coin() -> Bool { Bool.random(using: &dice) }
    private mutating func number(_ range: ClosedRange<Int> = 1...9_000) -> Int { Int.random(in: range, using: &dice) }
    private mutating func word() -> String { "w\(number(0...999))" }
    private mutating func pick<Value>(_ values: [Value]) -> Value { values[number(0...values.count - 1)] }
    private mutating func maybe<Value>(_ make: (inout Generator) -> Value) -> Value? { coin() ? make(&self) : nil }
    private mutating func some<Value>(_ make: (inout Generator) -> Value) -> [Value] {
        (0..<number(0...3)).map { _ in make(&self) }
    }
    private mutating func milliseconds() -> UInt64 { UInt64(number(0...100_000)) }

    private mutating func string() -> StringMatcher {
        let text = word()
        let patterns: [StringMatcher.Pattern] = [.exact(text), .prefix(text), .suffix(text), .contains(text)]
        return coin() ? StringMatcher(.regex(text)) : StringMatcher(pick(patterns), ignoreCase: coin())
    }

    private mutating func header() -> HeaderMatcher {
        let tests: [HeaderMatcher.Test] = [
            .string(string()), .present(coin()), .range(start: Int64(-number()), end: Int64(number())),
        ]
        return HeaderMatcher(name: word(), test: pick(tests), invert: coin(), treatMissingAsEmpty: coin())
    }

    private mutating func mutations() -> HeaderMutations {
        HeaderMutations(
            append: some { random in
                .init(
                    name: random.word(), value: random.word(),
                    action: random.pick([
                        .appendIfExistsOrAdd, .addIfAbsent, .overwriteIfExistsOrAdd, .overwriteIfExists,
                    ]))
            }, remove: some { $0.word() })
    }

    private mutating func provenance() -> Provenance {
        Provenance(
            .init(kind: "VirtualService", namespace: word(), name: word()), rule: maybe { $0.number(0...9) },
            ruleName: maybe { $0.word() })
    }

    private mutating func retry() -> RetryPolicy {
        var policy = RetryPolicy(retryOn: ["5xx", word()])
        policy.retriableStatusCodes = some { UInt16($0.number(400...599)) }
        policy.retriableHeaders = some { $0.header() }
        policy.numRetries = UInt32(number(0...9))
        policy.perTryTimeoutMilliseconds = maybe { $0.milliseconds() }
        policy.perTryIdleTimeoutMilliseconds = maybe { $0.milliseconds() }
        policy.backOffBaseMilliseconds = UInt64(number())
        policy.backOffMaxMilliseconds = maybe { UInt64($0.number()) }
        policy.hostSelectionRetryMaxAttempts = Int64(number(1...9))
        policy.avoidPreviousHosts = coin()
        return policy
    }

    private mutating func weighted() -> WeightedCluster {
        var cluster = WeightedCluster(name: word(), weight: UInt32(number(0...100)))
        cluster.requestHeaders = mutations()
        cluster.responseHeaders = mutations()
        return cluster
    }

    private mutating func hashPolicy() -> HashPolicy {
        let terminal = coin()
        return pick([
            .header(word(), terminal: terminal), .sourceIP(terminal: terminal),
            .queryParameter(word(), terminal: terminal),
            .cookie(name: word(), ttlMilliseconds: maybe { $0.milliseconds() }, path: word(), terminal: terminal),
        ])
    }

    private mutating func forward() -> RouteAction {
        let clusters = [weighted(), weighted()]
        var action = RouteAction(cluster: pick([.cluster(word()), .header(word()), .weighted(clusters)]))
        action.pathRewrite = pick([nil, .prefix("/" + word()), .regex(pattern: word(), substitution: word())])
        action.hostRewrite = pick([nil, .auto, .literal(word()), .header(word())])
        action.timeoutMilliseconds = milliseconds()
        action.idleTimeoutMilliseconds = maybe { $0.milliseconds() }
        action.grpcTimeoutHeaderMaxMilliseconds = maybe { $0.milliseconds() }
        action.retryPolicy = maybe { $0.retry() }
        action.mirrors = some {
            Mirror(
                cluster: $0.word(), fraction: FractionalPercent(partsPerMillion: UInt32($0.number(0...1_000_000))))
        }
        action.hashPolicies = some { $0.hashPolicy() }
        action.upgrades = some { .init(type: $0.word(), enabled: $0.coin()) }
        action.appendXForwardedHost = coin()
        action.clusterNotFoundStatus = pick([404, 500, 503])
        return action
    }

    private mutating func redirect() -> Redirect {
        var redirect = Redirect()
        // One of the two: the wire has a single place for both.
        if coin() { redirect.httpsRedirect = coin() } else { redirect.scheme = maybe { $0.word() } }
        redirect.host = maybe { $0.word() }
        redirect.port = maybe { UInt16($0.number(1...65_535)) }
        redirect.path = pick([
            nil, .full("/" + word()), .prefix("/" + word()), .regex(pattern: word(), substitution: word()),
        ])
        redirect.status = pick([301, 302, 303, 307, 308])
        redirect.stripQuery = coin()
        return redirect
    }

    private mutating func route() -> Route {
        let text = "/" + word()
        var match = RouteMatch(
            path: pick([.prefix(text), .pathSeparatedPrefix(text), .exact(text), .regex(text), .connect]))
        match.caseSensitive = coin()
        match.headers = some { $0.header() }
        match.queryParameters = some {
            .init(name: $0.word(), test: $0.coin() ? .present($0.coin()) : .string($0.string()))
        }
        match.grpcOnly = coin()
        match.runtimeFraction = maybe { FractionalPercent(partsPerMillion: UInt32($0.number(0...1_000_000))) }
        let response = DirectResponse(status: UInt16(number(200...599)), body: coin() ? word() : "")
        var route = Route(
            name: word(), match: match,
            action: pick([.forward(forward()), .redirect(redirect()), .directResponse(response)]))
        route.requestHeaders = mutations()
        route.responseHeaders = mutations()
        route.operation = maybe { $0.word() }
        route.statPrefix = coin() ? word() : ""
        route.provenance = maybe { $0.provenance() }
        return route
    }

    mutating func routeTable() -> RouteConfiguration {
        var table = RouteConfiguration(
            name: word(),
            virtualHosts: some { random in
                var host = VirtualHost(
                    name: random.word(), domains: [random.word()], routes: random.some { $0.route() })
                host.requireTLS = random.pick([.none, .externalOnly, .all])
                host.retryPolicy = random.maybe { $0.retry() }
                host.requestHeaders = random.mutations()
                host.responseHeaders = random.mutations()
                host.includeRequestAttemptCount = random.coin()
                host.includeAttemptCountInResponse = random.coin()
                return host
            })
        table.requestHeaders = mutations()
        table.responseHeaders = mutations()
        table.validateClusters = coin()
        table.ignorePortInHostMatching = coin()
        return table
    }

    mutating func cluster() -> Cluster {
        var cluster = Cluster(
            name: word(), discovery: pick([.static, .eds(serviceName: word()), .strictDNS, .logicalDNS]))
        cluster.loadBalancer = pick([
            .roundRobin, .leastRequest(choiceCount: UInt32(number(2...9))), .random,
            .ringHash(minimumRingSize: UInt64(number())), .maglev(tableSize: 65_537),
        ])
        cluster.connectTimeoutMilliseconds = UInt64(number())
        cluster.circuitBreakers.maxConnections = UInt32(number())
        cluster.circuitBreakers.maxPendingRequests = UInt32(number())
        cluster.circuitBreakers.maxRequests = UInt32(number())
        cluster.circuitBreakers.maxRetries = UInt32(number())
        cluster.outlierDetection = maybe { random in
            var detection = OutlierDetection()
            detection.consecutive5xx = UInt32(random.number())
            detection.consecutiveGatewayFailure = UInt32(random.number())
            detection.enforcingConsecutiveGatewayFailurePercent = UInt32(random.number(0...100))
            detection.splitExternalLocalOriginErrors = random.coin()
            detection.intervalMilliseconds = UInt64(random.number())
            detection.baseEjectionMilliseconds = UInt64(random.number())
            detection.maxEjectionPercent = UInt32(random.number(0...100))
            return detection
        }
        cluster.httpProtocol = pick([.http1, .http2, .useDownstream, .auto])
        if cluster.httpProtocol != .http1 {
            cluster.http2MaxConcurrentStreams = maybe { UInt32($0.number()) }
            cluster.http2 = maybe { $0.http2Options() }
        }
        cluster.automaticServerName = maybe { random in
            var name = Cluster.AutomaticServerName()
            name.setsServerName = random.coin()
            name.validatesName = !name.setsServerName || random.coin()
            name.header = random.coin() ? random.word() : ""
            return name
        }
        cluster.maxStreamDurationMilliseconds = maybe { $0.milliseconds() }
        cluster.maxResponseHeadersKilobytes = maybe { UInt32($0.number()) }
        cluster.maxResponseHeadersCount = maybe { UInt32($0.number()) }
        cluster.maxRequestsPerConnection = maybe { UInt32($0.number()) }
        cluster.idleTimeoutMilliseconds = maybe { $0.milliseconds() }
        cluster.healthyPanicThresholdPercent = Double(number(0...100))
        cluster.altStatName = coin() ? word() : ""
        cluster.provenance = maybe { $0.provenance() }
        return cluster
    }

    /// Never without any value: that reads back as none at all.
    mutating func http2Options() -> HTTP2ProtocolOptions {
        var options = HTTP2ProtocolOptions()
        options.keepAliveIntervalMilliseconds = milliseconds()
        options.keepAliveTimeoutMilliseconds = maybe { $0.milliseconds() }
        options.maxOutboundFrames = maybe { UInt32($0.number()) }
        options.maxOutboundControlFrames = maybe { UInt32($0.number()) }
        options.maxConsecutiveEmptyFrames = maybe { UInt32($0.number()) }
        options.maxPriorityFramesPerStream = maybe { UInt32($0.number()) }
        options.maxWindowUpdatesPerDataFrame = maybe { UInt32($0.number()) }
        return options
    }

    mutating func assignment() -> ClusterLoadAssignment {
        var assignment = ClusterLoadAssignment(
            clusterName: word(),
            localities: some { random in
                var group = LocalityEndpoints(
                    locality: Locality(region: random.word(), zone: random.word(), subZone: random.word()),
                    endpoints: random.some { random in
                        var endpoint = Endpoint(
                            address: .ip("10.0.0.\(random.number(1...254))", port: UInt16(random.number(1...65_535))))
                        endpoint.hostname = random.coin() ? random.word() : ""
                        endpoint.health = random.pick([
                            .unknown, .healthy, .unhealthy, .draining, .timeout, .degraded,
                        ])
                        endpoint.weight = UInt32(random.number())
                        if random.coin() { endpoint.transportSocketMatch = ["tlsMode": random.word()] }
                        return endpoint
                    })
                group.priority = UInt32(random.number(0...3))
                group.weight = random.maybe { UInt32($0.number()) }
                return group
            })
        assignment.overprovisioningFactor = UInt32(number())
        assignment.emptyReason = maybe { $0.word() }
        assignment.provenance = maybe { $0.provenance() }
        return assignment
    }
}
