import Testing
import WeftCore
import WeftIR

@testable import WeftXDS

/// IR → xDS → IR is the identity for access logs, tracing, compression and sessions.
struct ObservabilityRoundTripTests {
    private func through(_ listener: Listener) throws -> XDSDecoder.Result {
        try XDSDecoder().decode(XDSEncoder(target: .weft).encode(.listener(listener)))
    }

    private func expectIdentity(
        filters: [HTTPFilter.Kind] = [], route: (inout Route) -> Void = { _ in },
        change: (inout HTTPConnectionManager) -> Void = { _ in }
    ) throws {
        var only = Route(
            name: "r", match: RouteMatch(path: .prefix("/")), action: .forward(RouteAction(cluster: .cluster("c"))))
        route(&only)
        var manager = HTTPConnectionManager(
            statPrefix: "s",
            routes: .inline(
                RouteConfiguration(
                    name: "t", virtualHosts: [VirtualHost(name: "v", domains: ["*"], routes: [only])])),
            filters: filters.enumerated().map { HTTPFilter(name: "f\($0)", kind: $1) } + [
                HTTPFilter(name: "router", kind: .router)
            ])
        change(&manager)
        var listener = Listener(name: "l", address: .ip("0.0.0.0", port: 80))
        listener.filterChains = [FilterChain(name: "c", filters: [.httpConnectionManager(manager)])]
        let result = try through(listener)
        #expect(result.value == .listener(listener))
        let isUsual = { (text: String) in text.contains("validate_clusters") || text.contains("runtime_key") }
        #expect(result.warnings.filter { !isUsual($0) } == [])
    }

    private func expectManager(_ change: (inout HTTPConnectionManager) -> Void) throws {
        try expectIdentity(route: { _ in }, change: change)
    }

    private static let filters: [AccessLogFilter] = [
        .status(.atLeast, 500), .status(.equal, 404), .status(.atMost, 1), .status(.notEqual, 2),
        .duration(.atLeast, 1_000), .notHealthCheck, .traceable,
        .runtime(FractionalPercent(percent: 12), isIndependent: true),
        .and([.notHealthCheck, .or([.traceable, .notHealthCheck])]),
        .header(HeaderMatcher(name: "x", test: .present(true))), .responseFlags([]), .responseFlags(["UH", "UF"]),
        .grpcStatus([0, 14], excludes: true), .logType([.downstreamEnd], excludes: false),
        .metadata(DynamicMetadataMatcher(filter: "f", path: ["a"], test: .present(true)), orMissing: false),
        .expression("response.code >= 400 && 'x' in request.headers"),
    ]

    @Test func changedMetrics() throws {
        var stats = StatsFilter(reporter: .destination)
        var requests = MetricOverride(metric: "istio_requests_total")
        requests.removedTags = ["source_version"]
        requests.tags = ["host": "request.host", "class": "response.code < 400 ? 'good' : 'bad'"]
        var sizes = MetricOverride(metric: "istio_request_bytes")
        sizes.isDropped = true
        stats.overrides = [sizes, requests]
        try expectManager { $0.filters.insert(HTTPFilter(name: "istio.stats", kind: .stats(stats)), at: 0) }
    }

    @Test(arguments: ["response.code", "nobody.knows == 'x'", "true &&"])
    func expressionsThatCannotBeUsedAreRefused(_ text: String) throws {
        var log = AccessLog(path: "/dev/stdout")
        log.filter = .expression(text)
        #expect(throws: (any Error).self) { try expectManager { $0.accessLogs = [log] } }
    }

    @Test(arguments: filters) func logFilters(_ filter: AccessLogFilter) throws {
        var log = AccessLog(path: "/dev/stdout")
        log.filter = filter
        try expectManager { $0.accessLogs = [log] }
    }

    private static let tags = [
        CustomTag(tag: "a", source: .literal("x")), CustomTag(tag: "b", source: .environment(name: "E", default: "d")),
        CustomTag(tag: "c", source: .requestHeader(name: "x-h", default: "")),
        CustomTag(tag: "d", source: .requestMetadata(filter: "f", path: ["p", "q"], default: "n")),
        CustomTag(tag: "e", source: .format("%PROTOCOL%")),
    ]

    @Test func logSinks() throws {
        let nested: [String: JSONValue] = ["o": ["a": "%PROTOCOL%", "n": 7, "l": ["x", true]], "t": "plain"]
        var service = AccessLogService(kind: .http, logName: "n", cluster: "als")
        service.authority = "als.mesh"
        service.metadata = ["k": "v"]
        service.flushMilliseconds = 250
        service.bufferBytes = 9
        service.requestHeaders = ["x-a"]
        service.responseHeaders = ["x-b"]
        service.responseTrailers = ["x-c"]
        service.customTags = Self.tags
        var tcp = AccessLogService(kind: .tcp, logName: "n", cluster: "als")
        tcp.bufferBytes = 7
        let sinks: [AccessLog.Sink] = [
            .file(path: "/dev/stderr", format: .standard, omitsEmptyValues: false),
            .file(path: "/l", format: .text("%REQ(A?B):3% x\n"), omitsEmptyValues: true),
            .file(path: "/l", format: .json(nested), omitsEmptyValues: true), .service(service), .service(tcp),
        ]
        try expectManager { $0.accessLogs = sinks.map(AccessLog.init) }
    }

    @Test func tracing() throws {
        var openTelemetry = OpenTelemetryTracing()
        openTelemetry.serviceName = "s"
        openTelemetry.detectsEnvironment = true
        openTelemetry.maxCacheSize = 7
        var providers: [TracingProvider] = [.openTelemetry(openTelemetry)]
        let transports: [OpenTelemetryTracing.Exporter.Transport] = [
            .grpc(authority: "a"), .grpc(authority: nil), .http(uri: "http://otel:4318/v1/traces"),
        ]
        for transport in transports {
            openTelemetry.exporter = .init(cluster: "c", transport: transport, timeoutMilliseconds: 750)
            openTelemetry.exporter?.headers = ["k": "v"]
            providers.append(.openTelemetry(openTelemetry))
        }
        var zipkin = ZipkinTracing(cluster: "z", endpoint: "/api/v2/spans")
        zipkin.hostname = "zipkin"
        zipkin.has128BitTraceIDs = true
        zipkin.sharesSpans = false
        zipkin.alsoPropagatesW3C = true
        zipkin.splitsSpans = true
        for provider in providers + [.zipkin(zipkin)] {
            var tracing = Tracing()
            tracing.clientSampling = 1
            tracing.randomSampling = 0.25
            tracing.overallSampling = 99
            tracing.isVerbose = true
            tracing.maxPathTagLength = 10
            tracing.customTags = Self.tags
            tracing.spawnsUpstreamSpan = true
            tracing.operation = "%REQ(:METHOD)%"
            tracing.provider = provider
            let complete = tracing
            try expectManager { manager in
                manager.tracing = complete
                manager.packsTraceReason = false
            }
        }
    }

    @Test func tracingOfARoute() throws {
        var tracing = RouteTracing()
        tracing.randomSampling = FractionalPercent(percent: 3)
        tracing.customTags = Self.tags
        tracing.upstreamOperation = "up"
        let own = tracing
        try expectIdentity(route: { route in
            route.tracing = own
            route.operation = "o"
            route.propagatesOperation = false
        })
    }

    @Test func bodiesAndSessions() throws {
        var compressor = CompressorFilter()
        compressor.gzip.level = 9
        compressor.gzip.strategy = 2
        compressor.response.minimumLength = 7
        compressor.request = CompressorFilter.Direction()
        compressor.request?.isEnabled = false
        compressor.request?.contentTypes = ["a/b"]
        compressor.skipsResponsesWithETag = true
        compressor.removesAcceptEncoding = true
        compressor.uncompressibleStatuses = [206]
        var decompressor = DecompressorFilter()
        decompressor.maximumRatio = 7
        decompressor.request.isEnabled = false
        decompressor.response.ignoresNoTransform = true
        decompressor.advertisesGzip = false
        var cookie = StatefulSession.Cookie(name: "s")
        cookie.lifetimeSeconds = 60
        cookie.path = "/p"
        cookie.attributes = [.init(name: "SameSite", value: "Lax")]
        var session = StatefulSession(.cookie(cookie))
        session.isStrict = true
        var overrides = CompressorOverrides()
        overrides.removesAcceptEncoding = false
        let other = overrides
        try expectIdentity(
            filters: [
                .compressor(compressor), .decompressor(decompressor), .statefulSession(session),
                .statefulSession(StatefulSession(nil)),
            ],
            route: {
                $0.perFilter = ["f0": .compressor(other), "f2": .statefulSession(StatefulSession(.header("x")))]
            })
    }

    @Test(arguments: [
        ("%NO_SUCH%", "does not exist"), ("%DOWNSTREAM_TLS_GROUP%", "not implemented"), ("%REQ(%", "does not end"),
    ])
    func badFormatsAreRefused(_ text: String, _ reason: String) throws {
        for format in [AccessLog.Format.text(text), .json(["a": ["b": .string(text)]])] {
            let error = #expect(throws: XDSDecodingError.self) {
                try expectManager { $0.accessLogs = [AccessLog(path: "/l", format: format)] }
            }
            #expect(error.map { "\($0)".contains(reason) } == true)
        }
    }
}
