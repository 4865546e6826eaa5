import NIOCore
import Testing
import WeftHTTP
import WeftIR
import WeftRouting

private func head(
    _ method: HTTPMethod = .get, _ path: String = "/", _ headers: [(String, String)] = []
) -> RequestHead { RequestHead(method, path, authority: "h", headers: headers) }

@Suite struct HeaderMutatorTests {
    private func mutate(_ steps: [HeaderMutationFilter.Step], _ before: [(String, String)]) -> [String] {
        var filter = HeaderMutationFilter()
        filter.request = steps
        var head = head(.get, "/", before)
        HeaderMutator(filter).apply(toRequest: &head) { value, _ in value == "%BAD%" ? "a\r\nb: c" : value }
        return head.headers.fields.map { "\($0.name)=\($0.value)" }
    }

    private func set(
        _ name: String, _ value: String, _ action: HeaderMutations.AppendAction, keepsEmpty: Bool = false
    ) -> HeaderMutationFilter.Step {
        .set(.init(name: name, value: value, action: action), keepsEmpty: keepsEmpty)
    }

    @Test func stepsAreTakenInOrder() {
        let before = [("a", "1"), ("A", "2"), ("b", "3")]
        #expect(mutate([.remove("a"), set("a", "9", .addIfAbsent)], before) == ["b=3", "a=9"])
        #expect(mutate([set("a", "9", .addIfAbsent), .remove("b")], before) == ["a=1", "A=2"])
        #expect(mutate([set("a", "9", .overwriteIfExistsOrAdd)], before) == ["a=9", "b=3"])
        #expect(mutate([set("c", "9", .overwriteIfExists)], before) == ["a=1", "A=2", "b=3"])
        #expect(mutate([set("b", "9", .appendIfExistsOrAdd)], before) == ["a=1", "A=2", "b=3", "b=9"])
        #expect(mutate([.removeMatching(StringMatcher(.prefix("a")))], before) == ["b=3"])
    }

    @Test func emptyAndUnsafeValuesChangeNothing() {
        #expect(mutate([set("a", "", .overwriteIfExistsOrAdd)], [("a", "1")]) == ["a=1"])
        #expect(mutate([set("a", "", .overwriteIfExistsOrAdd, keepsEmpty: true)], [("a", "1")]) == ["a="])
        #expect(mutate([set("a", "%BAD%", .overwriteIfExistsOrAdd)], [("a", "1")]) == ["a=1"])
    }

    @Test(arguments: [
        ("/p", "/p?n=x%20y"), ("/p?a=1&n=2&b=3", "/p?a=1&b=3&n=x%20y"), ("/p?gone&a=1#f", "/p?a=1&n=x%20y#f"),
    ])
    func queriesAreEdited(path: String, expected: String) {
        var filter = HeaderMutationFilter()
        filter.query = [.remove("gone"), .append(name: "n", value: "x y", action: .overwriteIfExistsOrAdd)]
        var head = head(.get, path)
        HeaderMutator(filter).apply(toRequest: &head) { value, _ in value }
        #expect(head.pathString == expected)
    }
}

@Suite struct CORSEngineTests {
    private func engine(_ edit: (inout CORSPolicy) -> Void = { _ in }) -> CORSEngine {
        var policy = CORSPolicy()
        policy.allowOrigins = [
            StringMatcher(.exact("https://shop.example")), StringMatcher(.suffix(".trusted.example")),
        ]
        policy.allowMethods = "GET,PUT"
        policy.allowHeaders = "x-a"
        policy.exposeHeaders = "x-b"
        policy.maxAge = "60"
        policy.allowCredentials = true
        policy.allowPrivateNetworkAccess = true
        edit(&policy)
        return CORSEngine(policy)
    }
    private let ask = ("access-control-request-method", "PUT")

    private func describe(_ decision: CORSEngine.Decision) -> String {
        switch decision {
        case .pass: "pass"
        case .unknownOrigin: "unknown"
        case .shadow(let valid): "shadow \(valid)"
        case .allow(let headers): "allow " + headers.fields.map(\.name).joined(separator: " ")
        case .preflight(let headers): "preflight " + headers.fields.map(\.name).joined(separator: " ")
        }
    }

    @Test func decides() {
        let shop = ("origin", "https://shop.example")
        let simple = head(.get, "/", [shop])
        let preflight = head(.options, "/", [shop, ask, ("access-control-request-private-network", "true")])
        let prefix = "access-control-"
        #expect(
            describe(engine().decide(simple) { 0 })
                == "allow \(prefix)allow-origin \(prefix)allow-credentials \(prefix)expose-headers")
        #expect(
            describe(engine().decide(preflight) { 0 })
                == "preflight \(prefix)allow-origin \(prefix)allow-credentials \(prefix)expose-headers "
                + "\(prefix)allow-methods \(prefix)allow-headers \(prefix)max-age \(prefix)allow-private-network")
        #expect(describe(engine().decide(head()) { 0 }) == "pass")
        #expect(describe(engine().decide(head(.options, "/", [shop])) { 0 }).hasPrefix("allow"))
        #expect(describe(engine { $0.enabled = .zero }.decide(simple) { 0 }) == "pass")
        let shadow = engine {
            $0.enabled = .zero
            $0.shadow = .all
        }
        #expect(describe(shadow.decide(simple) { 0 }) == "shadow true")
    }

    /// An origin that only looks like a known one is unknown: no header may tell the browser otherwise.
    @Test(arguments: [
        "https://shop.example.evil", "null", "HTTPS://SHOP.EXAMPLE", "https://shop.example/",
        "https://xtrusted.example",
        "https://shop.example, https://evil",
    ])
    func lookalikesAreUnknown(origin: String) {
        #expect(describe(engine().decide(head(.get, "/", [("origin", origin)])) { 0 }) == "unknown")
        let asking = head(.options, "/", [("origin", origin), ask])
        #expect(describe(engine().decide(asking) { 0 }) == "unknown")
        let own = engine { $0.forwardNotMatchingPreflights = false }
        #expect(describe(own.decide(asking) { 0 }) == "preflight ")
    }
}

@Suite struct FaultEngineTests {
    private func fault(_ edit: (inout Fault) -> Void) -> FaultEngine {
        var fault = Fault()
        edit(&fault)
        return FaultEngine(fault)
    }

    @Test func headersAskWithinWhatIsConfigured() {
        let engine = fault {
            $0.delayFromHeader = true
            $0.delayPercentage = FractionalPercent(percent: 50)
            $0.abort = .header
            $0.abortPercentage = .all
        }
        func decide(_ headers: [(String, String)], _ draw: UInt32 = 0) -> FaultEngine.Injection {
            let result = engine.decide(head(.get, "/", headers), cluster: "", draw: { draw })
            if !result.isEmpty { engine.release() }
            return result
        }
        #expect(decide([]).isEmpty)
        #expect(decide([("x-envoy-fault-delay-request", "20")]).delayMilliseconds == 20)
        #expect(decide([("x-envoy-fault-delay-request", "20")], 500_000).isEmpty)
        let more = [("x-envoy-fault-delay-request", "20"), ("x-envoy-fault-delay-request-percentage", "100")]
        #expect(decide(more, 499_999).delayMilliseconds == 20)
        #expect(decide(more, 500_000).isEmpty)
        #expect(decide([("x-envoy-fault-abort-request", "503")]).abort == .http(status: 503))
        #expect(decide([("x-envoy-fault-abort-grpc-request", "7")]).abort == .grpc(status: 7))
        for bad in ["", "-1", "20x", "0x10", "99999999999999999999999"] {
            #expect(decide([("x-envoy-fault-delay-request", bad), ("x-envoy-fault-abort-request", bad)]).isEmpty)
        }
        for bad in ["199", "600", "1000"] { #expect(decide([("x-envoy-fault-abort-request", bad)]).isEmpty) }
    }

    @Test func headersAreIgnoredUnlessConfigured() {
        let engine = fault { $0.delayPercentage = .all }
        let asking = head(.get, "/", [("x-envoy-fault-delay-request", "20"), ("x-envoy-fault-abort-request", "500")])
        #expect(engine.decide(asking, cluster: "", draw: { 0 }).isEmpty)
    }

    @Test func onlySomeRequestsAreMeant() {
        let engine = fault {
            $0.abort = .http(status: 500)
            $0.abortPercentage = .all
            $0.upstreamCluster = "reviews"
            $0.headers = [HeaderMatcher(name: "x-test", test: .present(true))]
        }
        let marked = head(.get, "/", [("x-test", "1")])
        #expect(engine.decide(marked, cluster: "reviews", draw: { 0 }).abort == .http(status: 500))
        #expect(engine.decide(marked, cluster: "ratings", draw: { 0 }).isEmpty)
        #expect(engine.decide(head(), cluster: "reviews", draw: { 0 }).isEmpty)
    }

    @Test func activeFaultsAreBounded() {
        let engine = fault {
            $0.delayMilliseconds = 1
            $0.delayPercentage = .all
            $0.maxActiveFaults = 2
        }
        func inject() -> Bool { !engine.decide(head(), cluster: "", draw: { 0 }).isEmpty }
        #expect(inject() && inject())
        #expect(!inject())
        engine.release()
        #expect(inject())
    }
}

@Suite struct HealthCheckResponderTests {
    private let matcher = HeaderMatcher(name: ":path", test: .string(StringMatcher(.exact("/healthz"))))

    @Test func answersFromTheHealthOfClusters() {
        var filter = HealthCheckFilter()
        filter.headers = [matcher]
        filter.minimumHealthyPercent = ["a": 50]
        let responder = HealthCheckResponder(filter)
        func decide(_ path: String, _ health: HealthCheckResponder.ClusterHealth?, draining: Bool = false)
            -> HealthCheckResponder.Decision
        {
            responder.decide(head(.get, path), isDraining: draining, now: 0) { _ in health }
        }
        let ok = HealthCheckResponder.Decision.answer(status: 200, details: "health_check_ok")
        let bad = HealthCheckResponder.Decision.answer(status: 503, details: "health_check_failed_cluster_unhealthy")
        #expect(decide("/other", nil) == .pass)
        #expect(decide("/healthz", .init(healthy: 1, total: 2)) == ok)
        #expect(decide("/healthz", .init(healthy: 1, total: 3)) == bad)
        #expect(decide("/healthz", .init(healthy: 0, total: 0)) == bad)
        #expect(decide("/healthz", nil) == bad)
        #expect(
            decide("/healthz", .init(healthy: 2, total: 2), draining: true)
                == .answer(status: 503, details: "health_check_failed"))
    }

    @Test func remembersTheApplicationsAnswer() {
        var filter = HealthCheckFilter()
        filter.headers = [matcher]
        filter.passesThrough = true
        filter.cacheMilliseconds = 1_000
        let responder = HealthCheckResponder(filter)
        func decide(_ now: Int64) -> HealthCheckResponder.Decision {
            responder.decide(head(.get, "/healthz"), isDraining: false, now: now) { _ in nil }
        }
        #expect(decide(0) == .forward(remembers: true))
        responder.remember(204, now: 0)
        #expect(decide(999_999_999) == .answer(status: 204, details: "health_check_cached"))
        #expect(decide(1_000_000_000) == .forward(remembers: true))
    }
}
