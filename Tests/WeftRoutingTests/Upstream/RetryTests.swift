import Synchronization
import Testing
import WeftHTTP
import WeftIR

@testable import WeftRouting

private func state(
    _ on: [String], request: [(String, String)] = [], edit: (inout RetryPolicy) -> Void = { _ in }
) -> RetryState? {
    var policy = RetryPolicy(retryOn: on)
    edit(&policy)
    var head = RequestHead(.get, "/", authority: "h", headers: request)
    return RetryState(CompiledRetryPolicy(policy), head: &head)
}

private func response(_ status: UInt16, _ headers: [(String, String)] = []) -> ResponseHead {
    ResponseHead(status: status, headers: HeaderBlock(headers))
}

@Suite struct RetryTests {
    @Test(arguments: [
        ("5xx", 500 as UInt16, [] as [String], true), ("5xx", 499, [], false), ("gateway-error", 503, [], true),
        ("gateway-error", 500, [], false), ("retriable-4xx", 409, [], true), ("retriable-4xx", 404, [], false),
        ("retriable-status-codes", 418, [], true), ("retriable-status-codes", 419, [], false),
        ("retriable-headers", 200, ["x-again"], true), ("retriable-headers", 200, [], false),
        ("envoy-ratelimited", 429, ["x-envoy-ratelimited"], true), ("5xx", 503, ["x-envoy-ratelimited"], false),
        ("5xx", 503, ["x-envoy-overloaded"], false), ("reset", 503, [], false), ("cancelled", 200, ["1"], true),
        ("deadline-exceeded", 200, ["4"], true), ("internal", 200, ["13"], true),
        ("resource-exhausted", 200, ["8"], true), ("unavailable", 200, ["14"], true),
        ("unavailable", 200, ["13"], false), ("unavailable, 5xx", 500, [], true), ("nonsense", 500, [], false),
    ])
    func responses(on: String, status: UInt16, headers: [String], isRetried: Bool) {
        var retry = state(on.split(separator: ",").map(String.init)) {
            $0.retriableStatusCodes = [418]
            $0.retriableHeaders = [HeaderMatcher(name: "x-again", test: .present(true))]
        }
        let fields = headers.map { Int($0) == nil ? ($0, "1") : ("grpc-status", $0) }
        var random = RandomStream(seed: 1)
        let verdict = retry?.verdict(on: response(status, fields), now: 0, random: &random) ?? .no
        #expect((verdict != .no) == isRetried)
    }

    @Test(arguments: [
        ("5xx", RetryState.Failure.reset, true, true), ("5xx", .connect, false, true), ("5xx", .overflow, false, false),
        ("gateway-error", .perTryTimeout, true, true), ("connect-failure", .connect, false, true),
        ("connect-failure", .reset, true, false), ("refused-stream", .refusedStream, true, true),
        ("refused-stream", .reset, true, false), ("reset", .reset, true, true), ("reset", .perTryTimeout, true, true),
        ("reset-before-request", .connect, false, true), ("reset-before-request", .reset, true, false),
        ("retriable-4xx", .reset, true, false), ("connect-failure", .perTryTimeout, true, false),
    ])
    func failures(on: String, failure: RetryState.Failure, started: Bool, isRetried: Bool) {
        var retry = state([on])
        var random = RandomStream(seed: 1)
        let verdict = retry?.verdict(on: failure, requestStarted: started, random: &random)
        #expect((verdict != .no) == isRetried)
    }

    @Test func retriesRunOut() {
        var retry = state(["5xx"]) { $0.numRetries = 2 }
        var random = RandomStream(seed: 1)
        let verdicts = (0..<3).map { _ in retry?.verdict(on: response(500), now: 0, random: &random) }
        #expect(verdicts[2] == .limitExceeded)
        #expect(verdicts.prefix(2).allSatisfy { if case .retry? = $0 { true } else { false } })
    }

    /// A random part of 25, 50, 100, 200, 250, 250 milliseconds.
    @Test func backOffDoublesUpToItsMaximum() {
        var longest = [UInt64](repeating: 0, count: 6)
        for seed in 0..<300 {
            var retry = state(["5xx"]) { $0.numRetries = 10 }
            var random = RandomStream(seed: UInt64(seed))
            for attempt in 0..<6 {
                guard case .retry(let pause)? = retry?.verdict(on: response(500), now: 0, random: &random) else {
                    Issue.record("no retry \(attempt)")
                    return
                }
                longest[attempt] = max(longest[attempt], pause)
            }
        }
        for (most, limit) in zip(longest, [25, 50, 100, 200, 250, 250] as [UInt64]) {
            #expect(most < limit && most >= limit * 9 / 10, "\(longest)")
        }
    }

    @Test func theUpstreamSaysHowLongToWait() {
        func pause(_ headers: [(String, String)]) -> UInt64? {
            var retry = state(["5xx"]) {
                $0.rateLimitedBackOff = .init(resetHeaders: [
                    .init(name: "retry-after", format: .seconds),
                    .init(name: "x-ratelimit-reset", format: .unixTimestamp),
                ])
                $0.rateLimitedBackOff?.maxMilliseconds = 60_000
            }
            var random = RandomStream(seed: 3)
            let verdict = retry?.verdict(on: response(503, headers), now: 1_000, random: &random)
            guard case .retry(let pause)? = verdict else { return nil }
            return pause
        }
        #expect((2_000..<3_000).contains(pause([("retry-after", "2")]) ?? 0))
        #expect((30_000..<45_000).contains(pause([("x-ratelimit-reset", "1030")]) ?? 0))
        // Too long, past or unreadable: the ordinary back-off.
        for headers in [[("retry-after", "61")], [("x-ratelimit-reset", "999")], [("retry-after", "soon")], []] {
            #expect((pause(headers) ?? 99) < 25)
        }
    }

    @Test func theRequestMayAskForRetries() {
        var head = RequestHead(
            .get, "/", authority: "h",
            headers: [
                ("x-envoy-retry-on", "5xx"), ("x-envoy-max-retries", "3"), ("x-envoy-retriable-status-codes", "418"),
                ("x-envoy-retry-grpc-on", "unavailable"), ("x-other", "1"),
            ])
        let retry = RetryState(nil, head: &head)
        #expect(retry?.remaining == 3)
        #expect(retry?.conditions == [.serverError, .unavailable])
        #expect(head.headers.fields.map(\.name) == ["x-other"])
        var plain = RequestHead(.get, "/", authority: "h", headers: [("x-envoy-max-retries", "3")])
        #expect(RetryState(nil, head: &plain) == nil)
        #expect(plain.headers.isEmpty)
    }

    @Test func onlyCertainRequestsAreRetried() {
        let edit: (inout RetryPolicy) -> Void = {
            $0.retriableRequestHeaders = [HeaderMatcher(name: "x-safe", test: .string(.init(.exact("yes"))))]
        }
        #expect(state(["5xx"], edit: edit) == nil)
        #expect(state(["5xx"], request: [("x-safe", "yes")], edit: edit) != nil)
        #expect(state([]) == nil)
    }

    @Test func hedgingTakesRetries() {
        var retry = state(["connect-failure"]) { $0.numRetries = 1 }
        #expect(retry?.takeHedge() == true)
        #expect(retry?.takeHedge() == false)
    }

    @Test(arguments: [
        ("1H", 3_600_000 as UInt64?), ("2M", 120_000), ("3S", 3_000), ("4m", 4), ("1500u", 2), ("1n", 1), ("0S", 0),
        ("", nil), ("5", nil), ("x", nil), ("-1S", nil), ("123456789S", nil),
    ])
    func gRPCTimeouts(text: String, expected: UInt64?) {
        #expect(GRPCTimeout.milliseconds(Array(text.utf8)) == expected)
    }

    @Test func timeoutsOfRouteAndRequest() {
        func timeouts(_ headers: [(String, String)], _ edit: (inout RouteAction) -> Void = { _ in }) -> RequestTimeouts
        {
            var action = RouteAction(cluster: .cluster("c"))
            edit(&action)
            var policy = RetryPolicy(retryOn: ["5xx"])
            policy.perTryTimeoutMilliseconds = 2_000
            var head = RequestHead(.post, "/", authority: "h", headers: headers)
            action.retryPolicy = policy
            let forwarding = CompiledForward(
                action, match: RouteMatch(path: .prefix("/")), virtualHost: VirtualHost(name: "h", domains: ["*"]))
            let result = RequestTimeouts(forwarding, head: &head)
            #expect(!head.headers.fields.contains { $0.name.hasPrefix("x-envoy-upstream-rq") })
            return result
        }
        #expect(timeouts([]).request == 15_000)
        #expect(timeouts([]).expected == 2_000)
        #expect(timeouts([("x-envoy-upstream-rq-timeout-ms", "100")]).request == 100)
        // A try may not take longer than the whole.
        #expect(timeouts([("x-envoy-upstream-rq-timeout-ms", "100")]).perTry == 0)
        #expect(timeouts([("x-envoy-upstream-rq-per-try-timeout-ms", "50")]).perTry == 50)
        let grpc = [("content-type", "application/grpc"), ("grpc-timeout", "30S")]
        #expect(timeouts(grpc).request == 15_000)
        #expect(timeouts(grpc) { $0.grpcTimeoutHeaderMaxMilliseconds = 0 }.request == 30_000)
        #expect(timeouts(grpc) { $0.grpcTimeoutHeaderMaxMilliseconds = 5_000 }.request == 5_000)
    }

    @Test func breakersLimitRequestsAndRetries() {
        var cluster = Cluster(name: "c", discovery: .static)
        cluster.circuitBreakers.maxRequests = 2
        cluster.circuitBreakers.retryBudget = .init()
        cluster.circuitBreakers.retryBudget?.minimumRetryConcurrency = 1
        cluster.circuitBreakers.retryBudget?.budgetPercent = 50
        let shared = SharedCluster()
        let breaker = CircuitBreaker(cluster, shared: shared, priority: .default)
        #expect(breaker.acquireRequest() && breaker.acquireRequest() && !breaker.acquireRequest())
        #expect(breaker.acquireRetry() && !breaker.acquireRetry())
        shared.requests.store(6, ordering: .relaxed)
        #expect(breaker.acquireRetry() && breaker.acquireRetry() && !breaker.acquireRetry())
        #expect(shared.retryOverflow.load(ordering: .relaxed) == 2)
        // The high priority has counts of its own.
        let high = CircuitBreaker(cluster, shared: shared, priority: .high)
        #expect(high.acquireRequest() && high.acquireRetry())
        high.releaseRequest()
        high.releaseRetry()
        #expect(shared.highPriority.requests.load(ordering: .relaxed) == 0)
    }
}
