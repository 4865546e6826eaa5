import NIOCore
import Testing
import WeftHTTP
import WeftIR

@testable import WeftRouting

/// What the filters that ask others decide by themselves.
@Suite struct CallingFilterTests {
    // MARK: What a service may change

    @Test(arguments: [
        ("x-a", false, true), ("x-a", true, true), ("x-envoy-a", false, false), (":path", false, true),
        (":method", false, false),
        ("host", false, false), ("host", true, false), (":status", false, true), ("", false, false),
    ])
    func headersAreRestrictedByDefault(_ name: String, removes: Bool, allowed: Bool) {
        let rules = CompiledMutationRules(HeaderMutationRules())
        #expect(rules.verdict(name, removes: removes) == (allowed ? .allowed : .ignored))
    }

    @Test func rulesOverrideEachOther() {
        var rules = HeaderMutationRules()
        rules.disallowsAll = true
        rules.allowExpression = "x-(a|envoy-b)"
        rules.disallowExpression = "x-.*z|x-a"
        rules.disallowIsError = true
        let compiled = CompiledMutationRules(rules)
        #expect(compiled.verdict("x-envoy-b") == .allowed)
        #expect(compiled.verdict("x-a") == .failure)
        #expect(compiled.verdict("x-c") == .failure)
        var open = HeaderMutationRules()
        open.allowsAllRouting = true
        open.allowsEnvoy = true
        #expect(CompiledMutationRules(open).verdict(":path") == .allowed)
        #expect(CompiledMutationRules(open).verdict(":path", removes: true) == .ignored)
        #expect(CompiledMutationRules(open).verdict("x-envoy-a") == .allowed)
        open.disallowsSystem = true
        #expect(CompiledMutationRules(open).verdict(":path") == .ignored)
        var broken = HeaderMutationRules()
        broken.disallowExpression = "("
        #expect(CompiledMutationRules(broken).problems.count == 1)
        #expect(CompiledMutationRules(broken).verdict("x-a") == .ignored)
    }

    @Test func selectionShowsWhatIsAllowed() {
        var selection = HeaderSelection()
        #expect(CompiledHeaderSelection(selection).shows("cookie"))
        selection.allowed = [StringMatcher(.prefix("x-"))]
        selection.disallowed = [StringMatcher(.exact("x-secret"))]
        let compiled = CompiledHeaderSelection(selection)
        #expect(compiled.shows("x-a") && !compiled.shows("x-secret") && !compiled.shows("cookie"))
        selection.disallowed = [StringMatcher(.regex("("))]
        #expect(!CompiledHeaderSelection(selection).shows("x-a"))
    }

    @Test func changesOfHeaders() {
        func result(_ change: HeaderChange, _ fields: [(String, String)]) -> [String] {
            var headers = HeaderBlock(fields)
            headers.apply(change)
            return headers.fields.map { "\($0.name)=\($0.value)" }
        }
        #expect(result(HeaderChange("A", "2", .set), [("a", "0"), ("a", "1")]) == ["a=2"])
        #expect(result(HeaderChange("a", "2", .add), [("a", "1")]) == ["a=1", "a=2"])
        #expect(result(HeaderChange("a", "2", .appendToExisting), [("a", "1")]) == ["a=1,2"])
        #expect(result(HeaderChange("a", "2", .appendToExisting), []) == [])
        #expect(result(HeaderChange("a", "2", .addIfAbsent), [("a", "1")]) == ["a=1"])
        #expect(result(HeaderChange("a", "2", .setIfPresent), []) == [])
        #expect(!HeaderChange("a b", "1", .set).isValid && !HeaderChange("a", "1\r\nb: 2", .set).isValid)
        #expect(HeaderChange(":path", "/", .set).isValid)
        var headers = HeaderBlock([("set-cookie", "a"), ("x", "1")])
        headers.replace(with: HeaderBlock([("set-cookie", "b"), ("Set-Cookie", "c")]))
        #expect(headers.fields.map(\.value) == ["1", "b", "c"])
    }

    // MARK: Authorization by HTTP

    private func compiled(
        _ settings: (inout ExternalAuthorization, inout ExternalAuthorization.HTTPService) -> Void = { _, _ in }
    ) -> CompiledHTTPService? {
        var service = ExternalAuthorization.HTTPService(uri: "http://auth/x", cluster: "auth")
        service.pathPrefix = "/check"
        service.upstreamHeaders = [StringMatcher(.exact("x-up"))]
        service.appendedUpstreamHeaders = [StringMatcher(.exact("x-app"))]
        service.clientHeadersOnSuccess = [StringMatcher(.exact("x-down"))]
        var authorization = ExternalAuthorization(service: .http(service))
        settings(&authorization, &service)
        authorization.service = .http(service)
        return ExternalAuthorizer(authorization).compiled(nil)
    }

    @Test func questionHasWhatTheServiceMaySee() throws {
        let service = try #require(compiled { $1.headersToAdd = [HeaderField("x-key", "%K%")] })
        let head = RequestHead(
            .post, "/a?b", authority: "host",
            headers: [("authorization", "Bearer t"), ("cookie", "c"), ("content-length", "9"), ("x-up", "forged")])
        let question = service.question(head, body: nil) { $0 == "%K%" ? "key" : "" }
        #expect(question.method == .post && question.pathString == "/check/a?b" && question.authorityString == "host")
        #expect(question.headers.first("authorization") == "Bearer t" && question.headers.first("cookie") == nil)
        #expect(question.headers.first("content-length") == "0" && question.headers.first("x-key") == "key")
        let whole = service.question(head, body: (ByteBuffer(string: "abc"), true)) { $0 }
        #expect(whole.headers.first("content-length") == "3")
        #expect(whole.headers.first("x-envoy-auth-partial-body") == "true")
    }

    @Test func answersOfHTTPServices() throws {
        let service = try #require(compiled())
        func verdict(_ status: UInt16, _ fields: [(String, String)], _ body: String = "") -> ExternalAuthorizer.Verdict
        {
            service.verdict(ResponseHead(status: status, headers: HeaderBlock(fields)), body: body)
        }
        let fields = [
            ("x-up", "1"), ("x-app", "2"), ("x-down", "3"), ("x-other", "4"),
            ("x-envoy-auth-headers-to-remove", "x-a, x-b"),
        ]
        guard case .allow(let changes) = verdict(200, fields) else { throw Unexpected() }
        #expect(changes.requestHeaders == [HeaderChange("x-up", "1", .set), HeaderChange("x-app", "2", .add)])
        #expect(changes.responseHeaders == [HeaderChange("x-down", "3", .add)])
        #expect(changes.removedHeaders == ["x-a", "x-b"] && changes.touchesRequest)
        guard case .deny(let refusal) = verdict(401, [("www-authenticate", "Basic"), ("content-length", "2")], "no")
        else {
            throw Unexpected()
        }
        #expect(refusal.status == 401 && refusal.body == "no" && refusal.headers.map(\.name) == ["www-authenticate"])
        guard case .failure(nil) = verdict(503, []) else { throw Unexpected() }
        let narrow = try #require(compiled { $1.clientHeaders = [StringMatcher(.exact("x-why"))] })
        let denied = ResponseHead(
            status: 403, headers: HeaderBlock([("x-why", "1"), ("x-no", "2"), ("location", "/")]))
        guard case .deny(let few) = narrow.verdict(denied, body: "") else { throw Unexpected() }
        #expect(few.headers.map(\.name) == ["x-why", "location"])
    }

    @Test func permissionsAreScreened() {
        var changes = ExternalAuthorizer.Changes()
        changes.requestHeaders = [HeaderChange("x-a", "1", .set), HeaderChange("x b", "1", .set)]
        changes.removedHeaders = ["Host", ":path", "x-c"]
        var settings = ExternalAuthorization(service: .grpc(GRPCServiceTarget(cluster: "c")))
        let plain = ExternalAuthorizer(settings).screened(changes)
        #expect(plain?.requestHeaders.map(\.name) == ["x-a"] && plain?.removedHeaders == ["x-c"])
        settings.validatesMutations = true
        #expect(ExternalAuthorizer(settings).screened(changes) == nil)
        settings.validatesMutations = false
        settings.mutationRules = HeaderMutationRules()
        settings.mutationRules?.disallowExpression = "x-a"
        #expect(ExternalAuthorizer(settings).screened(changes)?.requestHeaders.isEmpty == true)
        settings.mutationRules?.disallowIsError = true
        #expect(ExternalAuthorizer(settings).screened(changes) == nil)
    }

    @Test func routesChangeTheQuestion() {
        var settings = ExternalAuthorization(service: .grpc(GRPCServiceTarget(cluster: "c")))
        settings.body = .init(maxRequestBytes: 5)
        let authorizer = ExternalAuthorizer(settings)
        var route = ExternalAuthorization.CheckSettings()
        route.disablesBody = true
        #expect(authorizer.with(route).body == nil)
        route = .init()
        route.body = .init(maxRequestBytes: 7)
        route.service = .grpc(GRPCServiceTarget(cluster: "d"))
        #expect(authorizer.with(route).body?.maxRequestBytes == 7)
        #expect(authorizer.with(route).service == route.service)
    }

    // MARK: Rate limits

    private func rule(_ value: String, stage: UInt32 = 0, hits: UInt64? = nil) -> RateLimitRule {
        var rule = RateLimitRule(actions: [.genericKey(key: "k", value: value)])
        rule.stage = stage
        rule.hits = hits
        return rule
    }

    private func asked(
        _ limiter: GlobalRateLimiter, _ limits: RouteRateLimits?, own: GlobalRateLimit.PerRoute? = nil
    ) -> [String] {
        let view = RateLimitView(head: RequestHead(.get, "/", authority: "h"), remoteIP: "10.0.0.1")
        return limiter.descriptors(own.map { ($0, CompiledRateLimitRules($0.rules)) }, limits) { view }
            .flatMap(\.entries).map(\.value)
    }

    @Test func whoseDescriptorsCount() {
        var settings = GlobalRateLimit(domain: "d", service: GRPCServiceTarget(cluster: "c"))
        let limiter = GlobalRateLimiter(settings)
        let both = RouteRateLimits(route: [rule("r"), rule("s", stage: 1)], host: [rule("h")], includesHost: false)
        #expect(asked(limiter, both) == ["r"])
        #expect(asked(limiter, RouteRateLimits(route: [], host: [rule("h")], includesHost: false)) == ["h"])
        #expect(
            asked(limiter, RouteRateLimits(route: [rule("r")], host: [rule("h")], includesHost: true)) == ["r", "h"])
        #expect(asked(limiter, nil) == [])
        var own = GlobalRateLimit.PerRoute()
        own.virtualHostLimits = .include
        #expect(asked(limiter, both, own: own) == ["r", "h"])
        own.virtualHostLimits = .ignore
        #expect(asked(limiter, RouteRateLimits(route: [], host: [rule("h")], includesHost: false), own: own) == [])
        own.rules = [rule("o")]
        own.domain = "other"
        #expect(asked(limiter, both, own: own) == ["o"])
        #expect(limiter.domain(own) == "other" && limiter.domain(nil) == "d")
        settings.stage = 1
        #expect(asked(GlobalRateLimiter(settings), both) == ["s"])
        settings.stage = 0
        settings.rules = [rule("f")]
        #expect(asked(GlobalRateLimiter(settings), both) == ["f"])
        settings.status = 200
        #expect(GlobalRateLimiter(settings).status == 429)
    }

    @Test func descriptorsFromMetadata() {
        var view = RateLimitView(head: RequestHead(.get, "/", authority: "h"), remoteIP: "10.0.0.1")
        view.metadata = ["f": .object(["a": .object(["b": .string("v"), "n": .number(1)])])]
        func values(_ path: [String], _ fallback: String = "", skips: Bool = false) -> [String] {
            let action = RateLimitRule.Action.metadata(
                key: "m", filter: "f", path: path, fallback: fallback, skipIfAbsent: skips)
            var rule = RateLimitRule(actions: [.genericKey(key: "", value: "g"), action])
            rule.hits = 3
            let found = CompiledRateLimitRules([rule]).descriptors(view)
            #expect(found.allSatisfy { $0.hits == 3 })
            return found.flatMap(\.entries).map(\.value)
        }
        #expect(values(["a", "b"]) == ["g", "v"])
        #expect(values(["a", "n"]) == [])
        #expect(values(["a", "x"], "d") == ["g", "d"])
        #expect(values(["x"], skips: true) == ["g"])
    }

    @Test func quotaHeaders() {
        let statuses = [
            QuotaStatus(requestsPerUnit: 10, windowSeconds: 60, remaining: 4, resetSeconds: 33),
            QuotaStatus(requestsPerUnit: 5, windowSeconds: 3_600, name: "n", remaining: 3, resetSeconds: 4),
            QuotaStatus(requestsPerUnit: 7, windowSeconds: nil, remaining: 8, resetSeconds: 1),
        ]
        #expect(
            statuses.headers.fields.map { "\($0.name): \($0.value)" } == [
                "x-ratelimit-limit: 5, 10;w=60, 5;w=3600;name=\"n\"", "x-ratelimit-remaining: 3",
                "x-ratelimit-reset: 4",
            ])
        #expect([QuotaStatus]().headers.isEmpty)
    }

    private struct Unexpected: Error {}
}

/// Messages of gRPC in pieces.
@Suite struct GRPCFrameTests {
    @Test(arguments: 1...9) func messagesComeInAnyPieces(_ size: Int) throws {
        var whole = GRPCFrame.frame(Array("one".utf8))
        whole.writeImmutableBuffer(GRPCFrame.frame([]))
        whole.writeImmutableBuffer(GRPCFrame.frame(Array("three".utf8)))
        var deframer = GRPCDeframer(limit: 5)
        var found: [String] = []
        while whole.readableBytes > 0 {
            deframer.append(whole.readSlice(length: min(size, whole.readableBytes)) ?? ByteBuffer())
            while let message = try deframer.next() { found.append(String(buffer: message)) }
        }
        #expect(found == ["one", "", "three"] && !deframer.isInsideMessage)
    }

    @Test func badFramesAreRefused() {
        var large = GRPCDeframer(limit: 2)
        large.append(GRPCFrame.frame(Array("abc".utf8)))
        #expect(throws: GRPCDeframer.Failure.tooLarge(3)) { try large.next() }
        var compressed = GRPCDeframer(limit: 2)
        compressed.append(ByteBuffer(bytes: [1, 0, 0, 0, 0]))
        #expect(throws: GRPCDeframer.Failure.compressed) { try compressed.next() }
        var half = GRPCDeframer(limit: 2)
        half.append(ByteBuffer(bytes: [0, 0, 0]))
        #expect(half.isInsideMessage)
    }
}
