import NIOCore
import NIOPosix
import Testing
import WeftIR

@testable import WeftProxy

/// Sends `request` and returns everything until the other side closes.
private func exchange(_ port: UInt16, _ request: String) async throws -> String {
    final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        var text = ""
        let done: EventLoopPromise<String>
        init(_ done: EventLoopPromise<String>) { self.done = done }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) { text += String(buffer: unwrapInboundIn(data)) }
        func channelInactive(context: ChannelHandlerContext) { done.succeed(text) }
    }
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let done = loop.makePromise(of: String.self)
    let channel = try await ClientBootstrap(group: loop)
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Collector(done)) }
        }.connect(host: "127.0.0.1", port: Int(port)).get()
    try await channel.writeAndFlush(ByteBuffer(string: request))
    return try await done.futureResult.get()
}

/// Filters on a real listener whose route answers by itself.
@Suite(.timeLimit(.minutes(1))) struct FilterChainTests {
    private func ask(
        _ filters: [HTTPFilter.Kind], _ request: String, perFilter: [String: PerRouteFilter] = [:],
        action: Route.Action = .directResponse(DirectResponse(status: 200, body: "fine"))
    ) async throws -> String {
        var route = Route(match: RouteMatch(path: .prefix("/")), action: action)
        route.perFilter = perFilter
        let host = VirtualHost(name: "all", domains: ["*"], routes: [route])
        let named = filters.enumerated().map { HTTPFilter(name: "f\($0)", kind: $1) }
        let manager = HTTPConnectionManager(
            statPrefix: "in", routes: .inline(RouteConfiguration(name: "r", virtualHosts: [host])),
            filters: named + [HTTPFilter(name: "router", kind: .router)])
        var listener = Listener(name: "in", address: .ip("127.0.0.1", port: 0))
        listener.filterChains = [FilterChain(name: "c", filters: [.httpConnectionManager(manager)])]
        var configuration = ProxyConfiguration()
        configuration.listeners["in"] = listener
        let plane = DataPlane()
        let (bound, problems) = await plane.start(configuration)
        #expect(problems.isEmpty)
        let port = try #require(bound["in"]?.first?.port)
        let text = try await exchange(UInt16(port), request)
        await plane.shutdown(grace: .zero)
        return text
    }

    private func get(_ path: String = "/", _ headers: String = "", last: Bool = true) -> String {
        "GET \(path) HTTP/1.1\r\nHost: h\r\n\(headers)\(last ? "Connection: close\r\n" : "")\r\n"
    }

    @Test func limitsRates() async throws {
        var limit = LocalRateLimit()
        limit.bucket = .init(maxTokens: 1, fillIntervalMilliseconds: 600_000)
        limit.enabled = .all
        limit.enforced = .all
        limit.addsRateLimitHeaders = true
        limit.responseHeaders = HeaderMutations(append: [
            .init(name: "x-limited", value: "yes", action: .overwriteIfExistsOrAdd)
        ])
        let text = try await ask([.localRateLimit(limit)], get(last: false) + get())
        #expect(text.hasPrefix("HTTP/1.1 200 "))
        #expect(text.contains("HTTP/1.1 429 "))
        #expect(text.contains("x-limited: yes"))
        #expect(text.contains("x-ratelimit-limit: 1"))
        #expect(text.hasSuffix("local_rate_limited"))
        let off = try await ask([.localRateLimit(limit)], get(last: false) + get(), perFilter: ["f0": .disabled])
        #expect(!off.contains("429"))
    }

    @Test func holdsBodiesWithinTheirLimit() async throws {
        let post = "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        let buffer = HTTPFilter.Kind.buffer(BufferFilter(maxRequestBytes: 4))
        let small = try await ask([buffer], post + "Content-Length: 4\r\n\r\nabcd")
        #expect(small.hasPrefix("HTTP/1.1 200 "))
        let large = try await ask([buffer], post + "Content-Length: 5\r\n\r\nabcde")
        #expect(large.hasPrefix("HTTP/1.1 413 "))
        let chunked = try await ask(
            [buffer], post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")
        #expect(chunked.hasPrefix("HTTP/1.1 413 "))
    }

    @Test func changesResponses() async throws {
        var filter = HeaderMutationFilter()
        filter.response = [.set(.init(name: "x-a", value: "1", action: .overwriteIfExistsOrAdd), keepsEmpty: false)]
        var own = HeaderMutationFilter()
        own.response = [.set(.init(name: "x-a", value: "2", action: .overwriteIfExistsOrAdd), keepsEmpty: false)]
        let text = try await ask([.headerMutation(filter)], get())
        #expect(text.contains("x-a: 1\r\n"))
        let text2 = try await ask([.headerMutation(filter)], get(), perFilter: ["f0": .headerMutation(own)])
        #expect(text2.contains("x-a: 2\r\n") && !text2.contains("x-a: 1"))
    }

    @Test func refusesWithoutToken() async throws {
        let provider = JWTAuthentication.Provider(
            name: "p", keys: .remote(.init(uri: "http://keys/jwks", cluster: "missing")))
        let rule = JWTAuthentication.Rule(
            match: RouteMatch(path: .prefix("/")), need: .requirement(.provider("p")))
        let filter = HTTPFilter.Kind.jwt(JWTAuthentication(providers: [provider], rules: [rule]))
        let text = try await ask([filter], get("/a?b"))
        #expect(text.hasPrefix("HTTP/1.1 401 "))
        #expect(text.contains(#"www-authenticate: Bearer realm="http://h/a""# + "\r\n"))
        #expect(text.hasSuffix("Jwt is missing"))
        // The key server is not there: the request waits for it and is refused, with the reason.
        let token = "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"
        let unknown = try await ask([filter], get("/", "Authorization: Bearer \(token)\r\n"))
        #expect(unknown.hasPrefix("HTTP/1.1 401 "))
        #expect(unknown.hasSuffix("Jwks remote fetch is failed"))
    }

    @Test func answersHealthChecksAndPreflights() async throws {
        var check = HealthCheckFilter()
        check.headers = [HeaderMatcher(name: ":path", test: .string(StringMatcher(.exact("/healthz"))))]
        let health = try await ask([.healthCheck(check)], get("/healthz"))
        #expect(health.hasPrefix("HTTP/1.1 200 ") && !health.hasSuffix("fine"))
        #expect(try await ask([.healthCheck(check)], get("/")).hasSuffix("fine"))
        var policy = CORSPolicy()
        policy.allowOrigins = [StringMatcher(.exact("https://a"))]
        policy.allowMethods = "PUT"
        let asking =
            "OPTIONS / HTTP/1.1\r\nHost: h\r\nOrigin: https://a\r\nAccess-Control-Request-Method: PUT\r\n"
            + "Connection: close\r\n\r\n"
        let forwarding = Route.Action.forward(RouteAction(cluster: .cluster("nowhere")))
        let own: [String: PerRouteFilter] = ["f0": .cors(policy)]
        let preflight = try await ask([.cors], asking, perFilter: own, action: forwarding)
        #expect(preflight.hasPrefix("HTTP/1.1 200 ") && preflight.contains("access-control-allow-methods: PUT"))
        let simple = try await ask([.cors], get("/", "Origin: https://a\r\n"), perFilter: own, action: forwarding)
        #expect(simple.hasPrefix("HTTP/1.1 503 ") && simple.contains("access-control-allow-origin: https://a"))
        // A route that answers by itself shares nothing.
        let direct = try await ask([.cors], get("/", "Origin: https://a\r\n"), perFilter: own)
        #expect(direct.hasSuffix("fine") && !direct.contains("access-control"))
    }

    @Test func delaysThenAborts() async throws {
        var fault = Fault()
        fault.delayMilliseconds = 1
        fault.delayPercentage = .all
        fault.abort = .http(status: 418)
        fault.abortPercentage = .all
        #expect(try await ask([.fault(fault)], get()).hasPrefix("HTTP/1.1 418 "))
        fault.abort = nil
        #expect(try await ask([.fault(fault)], get()).hasSuffix("fine"))
    }
}
