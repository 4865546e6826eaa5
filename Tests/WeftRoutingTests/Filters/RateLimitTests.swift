import Synchronization
import Testing
import WeftHTTP
import WeftIR
import WeftRouting

private let second: Int64 = 1_000_000_000

private func view(_ headers: [(String, String)] = [], ip: String = "192.0.2.77", path: String = "/p?q=1")
    -> RateLimitView
{
    RateLimitView(
        head: RequestHead(.get, path, authority: "h", headers: headers), remoteIP: ip, destinationCluster: "reviews",
        sourceCluster: "page")
}

private func limit(_ max: UInt32, perSecond: UInt32 = 1) -> LocalRateLimit {
    var limit = LocalRateLimit()
    limit.bucket = .init(maxTokens: max, tokensPerFill: perSecond, fillIntervalMilliseconds: 1_000)
    limit.enabled = .all
    limit.enforced = .all
    return limit
}

@Suite struct RateLimitTests {
    @Test func aBucketEmptiesAndFillsContinuously() {
        let bucket = TokenBucket(.init(maxTokens: 2, tokensPerFill: 1, fillIntervalMilliseconds: 1_000))
        let start = 100 * second
        #expect(bucket.remaining(now: start) == 2)
        #expect(bucket.consume(now: start))
        #expect(bucket.consume(now: start))
        #expect(!bucket.consume(now: start))
        #expect(bucket.secondsUntilFull(now: start) == 2)
        #expect(!bucket.consume(now: start + second - second / 100))
        #expect(bucket.consume(now: start + second))
        #expect(!bucket.consume(now: start + second))
        // A long rest fills it, and no more than that.
        #expect(bucket.remaining(now: start + 1_000 * second) == 2)
        #expect(bucket.consume(now: start + 1_000 * second))
        #expect(bucket.consume(now: start + 1_000 * second))
        #expect(!bucket.consume(now: start + 1_000 * second))
    }

    @Test func absurdBucketsStayDefined() {
        let none = TokenBucket(.init(maxTokens: 0, tokensPerFill: 0, fillIntervalMilliseconds: 0))
        #expect(!none.consume(now: 0))
        #expect(none.remaining(now: 0) == 0)
        let huge = TokenBucket(
            .init(maxTokens: .max, tokensPerFill: .max, fillIntervalMilliseconds: .max))
        #expect(huge.consume(now: .max))
    }

    @Test func limitsAndTellsHowMuchIsLeft() throws {
        var settings = limit(2)
        settings.addsRateLimitHeaders = true
        let limiter = LocalRateLimiter(settings)
        func decide() -> LocalRateLimiter.Decision? {
            limiter.decide([], buckets: limiter.buckets, now: second, draw: { 0 })
        }
        let first = try #require(decide())
        #expect(first.allowed && first.limit == 2 && first.remaining == 1 && first.resetSeconds == 1)
        #expect(decide()?.allowed == true)
        let refused = try #require(decide())
        #expect(!refused.allowed && refused.remaining == 0 && refused.resetSeconds == 2)
        var headers = HeaderBlock()
        refused.add(to: &headers)
        #expect(headers.first("x-ratelimit-limit") == "2")
        #expect(headers.first("x-ratelimit-remaining") == "0")
        #expect(headers.first("x-ratelimit-reset") == "2")
        #expect(limiter.counts.enforced.load(ordering: .relaxed) == 1)
        #expect(limiter.counts.ok.load(ordering: .relaxed) == 2)
    }

    /// Absent shares are nobody, as in Envoy.
    @Test func sharesDecideWhoIsLimited() {
        var settings = limit(0)
        let strict = LocalRateLimiter(settings)
        #expect(strict.decide([], buckets: strict.buckets, now: 0, draw: { 999_999 })?.allowed == false)
        settings.enabled = .zero
        let off = LocalRateLimiter(settings)
        #expect(off.decide([], buckets: off.buckets, now: 0, draw: { 0 }) == nil)
        settings.enabled = .all
        settings.enforced = .zero
        let shadow = LocalRateLimiter(settings)
        let decision = shadow.decide([], buckets: shadow.buckets, now: 0, draw: { 0 })
        #expect(decision?.allowed == true && decision?.isShadow == true)
        #expect(shadow.counts.limited.load(ordering: .relaxed) == 1)
        #expect(shadow.counts.enforced.load(ordering: .relaxed) == 0)
    }

    @Test(arguments: [200, 399, 0]) func statusesThatAreNoErrorsAre429(status: UInt16) {
        var settings = limit(1)
        settings.status = status
        #expect(LocalRateLimiter(settings).status == 429)
        settings.status = 503
        #expect(LocalRateLimiter(settings).status == 503)
    }

    @Test func descriptorsHaveBucketsOfTheirOwn() {
        var settings = limit(100)
        settings.actions = [RateLimitRule(actions: [.requestHeader(name: "x-user", key: "user", skipIfAbsent: false)])]
        let one = LocalRateLimit.Bucket(maxTokens: 1, fillIntervalMilliseconds: 60_000)
        settings.descriptors = [
            .init(entries: [.init("user", "ann")], bucket: one),
            .init(entries: [.init("user", "")], bucket: .init(maxTokens: 2, fillIntervalMilliseconds: 60_000)),
        ]
        settings.maxDynamicDescriptors = 2
        let limiter = LocalRateLimiter(settings)
        func allowed(_ user: String?) -> Bool {
            let view = view(user.map { [("x-user", $0)] } ?? [])
            return limiter.decide(
                limiter.rules.descriptors(view), buckets: limiter.buckets, now: second, draw: { 0 })?.allowed ?? true
        }
        #expect(allowed("ann"))
        #expect(!allowed("ann"))
        #expect(allowed("bob") && allowed("bob"))
        #expect(!allowed("bob"))
        #expect(allowed("eve"))
        #expect(allowed(nil))
        // Users beyond the bound push the oldest out: memory is bounded, not the count exact.
        #expect(allowed("kim"))
        #expect(allowed("bob"))
    }

    @Test func actionsMakeEntries() {
        let match = HeaderMatcher(name: "x-a", test: .present(true))
        let cases: [(RateLimitRule.Action, RateLimitDescriptor.Entry?)] = [
            (.sourceCluster, .init("source_cluster", "page")),
            (.destinationCluster, .init("destination_cluster", "reviews")),
            (.remoteAddress, .init("remote_address", "192.0.2.77")),
            (.maskedRemoteAddress(v4Bits: 24, v6Bits: 64), .init("masked_remote_address", "192.0.2.0/24")),
            (.genericKey(key: "", value: "v"), .init("generic_key", "v")),
            (.requestHeader(name: ":path", key: "path", skipIfAbsent: false), .init("path", "/p?q=1")),
            (.requestHeader(name: "nope", key: "k", skipIfAbsent: false), nil),
            (.queryParameter(name: "q", key: "k", skipIfAbsent: false), .init("k", "1")),
            (.headerValueMatch(key: "", value: "v", expectsMatch: true, headers: [match]), nil),
            (
                .headerValueMatch(key: "", value: "v", expectsMatch: false, headers: [match]),
                .init("header_match", "v")
            ),
            (
                .queryParameterMatch(
                    key: "", value: "v", expectsMatch: true, parameters: [.init(name: "q", test: .present(true))]),
                .init("query_match", "v")
            ),
        ]
        for (action, expected) in cases {
            let rules = CompiledRateLimitRules([RateLimitRule(actions: [action])])
            #expect(rules.descriptors(view()).first?.entries.first == expected, "\(action)")
        }
        var staged = RateLimitRule(actions: [.remoteAddress])
        staged.stage = 1
        #expect(CompiledRateLimitRules([staged]).isEmpty)
    }

    /// A header that is there may be skipped over; one that is missing takes the whole descriptor along.
    @Test func missingHeadersEitherSkipOrDrop() {
        let skip = RateLimitRule(actions: [
            .remoteAddress, .requestHeader(name: "x", key: "x", skipIfAbsent: true),
        ])
        let drop = RateLimitRule(actions: [
            .remoteAddress, .requestHeader(name: "x", key: "x", skipIfAbsent: false),
        ])
        let rules = CompiledRateLimitRules([skip, drop])
        #expect(rules.descriptors(view()).map(\.entries.count) == [1])
        #expect(rules.descriptors(view([("x", "1")])).map(\.entries.count) == [2, 2])
        // Every value counts, not the first alone.
        #expect(
            rules.descriptors(view([("x", "1"), ("x", "2")])).first?.entries.last == .init("x", "1,2"))
    }

    @Test(arguments: [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("::1", "::/64"), ("198.51.100.9", "198.51.100.0/24"),
        ("no address", nil),
    ])
    func networksOfAddresses(ip: String, expected: String?) {
        let rules = CompiledRateLimitRules([
            RateLimitRule(actions: [.maskedRemoteAddress(v4Bits: 24, v6Bits: 64)])
        ])
        #expect(rules.descriptors(view(ip: ip)).first?.entries.first?.value == expected)
    }
}
