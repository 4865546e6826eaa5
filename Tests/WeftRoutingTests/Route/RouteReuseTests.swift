import NIOCore
import Testing
import WeftHTTP
import WeftIR

@testable import WeftRouting

/// A table that follows another takes from it what did not change.
@Suite struct RouteReuseTests {
    private func host(_ name: String, _ paths: [String], limit: UInt32? = nil) -> VirtualHost {
        var host = VirtualHost(
            name: name, domains: ["\(name).example"],
            routes: paths.map {
                Route(
                    name: $0, match: RouteMatch(path: .prefix($0)),
                    action: .forward(RouteAction(cluster: .cluster("c"))))
            })
        if let limit {
            var settings = LocalRateLimit()
            settings.bucket = LocalRateLimit.Bucket(maxTokens: limit, fillIntervalMilliseconds: 3_600_000)
            settings.enabled = .all
            settings.enforced = .all
            host.routes[0].perFilter["limit"] = .localRateLimit(settings)
        }
        return host
    }

    private func table(_ hosts: [VirtualHost], reusing previous: RouteTable? = nil) -> RouteTable {
        RouteTable(RouteConfiguration(name: "t", virtualHosts: hosts), reusing: previous)
    }

    private func decision(_ table: RouteTable, _ host: String, _ path: String) -> RouteDecision? {
        table.route(RequestHead(.get, path, authority: "\(host).example"), random: 0)
    }

    @Test func whatDidNotChangeIsTheSameObject() throws {
        let hosts = [host("a", ["/1", "/2"]), host("b", ["/1"]), host("c", ["/1"])]
        let first = table(hosts)
        var changed = hosts
        changed[0].routes[1].statPrefix = "changed"
        let second = table(changed, reusing: first)
        let kept = try #require(decision(first, "a", "/1"))
        #expect(decision(second, "a", "/1") === kept, "its host changed, but neither it nor what the host says of it")
        #expect(decision(second, "a", "/2") !== decision(first, "a", "/2"))
        #expect(decision(second, "a", "/2")?.route.statPrefix == "changed")
        #expect(decision(second, "b", "/1") === decision(first, "b", "/1"))
        let moved = table([hosts[2], hosts[0]], reusing: second)
        #expect(decision(moved, "c", "/1") === decision(first, "c", "/1"), "order is of no importance")
        #expect(decision(moved, "b", "/1") == nil, "gone is gone")
    }

    @Test func whatTheHostSaysReachesItsRoutes() throws {
        let first = table([host("a", ["/1"])])
        var changed = host("a", ["/1"])
        changed.includeRequestAttemptCount = true
        let second = table([changed], reusing: first)
        #expect(decision(second, "a", "/1")?.virtualHost.includeRequestAttemptCount == true)
    }

    @Test func aNewDomainIsFound() {
        let first = table([host("a", ["/1"]), host("b", ["/1"])])
        var renamed = host("b", ["/1"])
        renamed.domains = ["c.example"]
        let second = table([host("a", ["/1"]), renamed], reusing: first)
        #expect(decision(second, "c", "/1") != nil)
        #expect(decision(second, "b", "/1") == nil)
        #expect(decision(first, "b", "/1") != nil)
    }

    /// A change next to a rate limit does not fill its bucket.
    @Test func tokenBucketsSurvive() throws {
        func limiter(_ table: RouteTable) throws -> LocalRateLimiter {
            guard case .localRateLimit(let limiter)? = decision(table, "a", "/1")?.filters["limit"] else {
                throw CancellationError()
            }
            return limiter
        }
        func isAllowed(_ limiter: LocalRateLimiter) -> Bool? {
            limiter.decide([], buckets: limiter.buckets, now: 1, draw: { 0 })?.allowed
        }
        let first = table([host("a", ["/1", "/2"], limit: 1)])
        #expect(isAllowed(try limiter(first)) == true)
        #expect(isAllowed(try limiter(first)) == false)
        var changed = host("a", ["/1", "/2"], limit: 1)
        changed.requestHeaders.remove = ["x"]
        changed.routes[1].statPrefix = "changed"
        let second = table([changed], reusing: first)
        #expect(decision(second, "a", "/1") !== decision(first, "a", "/1"))
        #expect(isAllowed(try limiter(second)) == false)
        let third = table([host("a", ["/1"], limit: 2)], reusing: second)
        #expect(isAllowed(try limiter(third)) == true, "another limit starts full")
    }

    @Test func problemsAreToldWhetherReusedOrNot() {
        var broken = host("a", ["/1"])
        broken.routes[0].match.path = .regex("(")
        let first = table([broken, host("b", ["/1"])])
        #expect(first.problems.count == 1)
        #expect(table([broken, host("b", ["/2"])], reusing: first).problems == first.problems)
    }

    private func retrying(_ path: String, on condition: String, _ change: (inout RouteAction) -> Void = { _ in })
        -> VirtualHost
    {
        var action = RouteAction(cluster: .cluster("c"))
        action.retryPolicy = RetryPolicy(retryOn: [condition])
        change(&action)
        var changed = host("a", [path])
        changed.routes[0].action = .forward(action)
        return changed
    }

    /// Of a route that changed, what did not is kept: conditions by the requests they take, retries by identity.
    @Test func partsOfAChangedRouteStay() throws {
        let first = table([retrying("/1", on: "5xx")])
        let second = table([retrying("/1", on: "5xx") { $0.timeoutMilliseconds = 7 }], reusing: first)
        let decided = try #require(decision(second, "a", "/1")?.forward)
        #expect(decided.action.timeoutMilliseconds == 7)
        #expect(decided.retry === decision(first, "a", "/1")?.forward?.retry)
        let moved = table([retrying("/2", on: "5xx")], reusing: second)
        #expect(decision(moved, "a", "/1") == nil && decision(moved, "a", "/2") != nil)
        let other = table([retrying("/2", on: "reset")], reusing: moved)
        #expect(decision(other, "a", "/2")?.forward?.retry?.policy.retryOn == ["reset"])
    }

    @Test func aRouteThatBreaksAndIsMendedTakesNothingAndThenAll() {
        let good = table([retrying("/1", on: "5xx")])
        let broken = retrying("/1", on: "5xx") { $0.pathRewrite = .regex(pattern: "(", substitution: "") }
        let second = table([broken], reusing: good)
        #expect(decision(second, "a", "/1") == nil && second.problems.count == 1)
        let third = table([broken, host("b", ["/1"])], reusing: second)
        #expect(decision(third, "a", "/1") == nil && third.problems == second.problems)
        #expect(decision(table([retrying("/1", on: "5xx")], reusing: third), "a", "/1") != nil)
    }

    @Test func aDomainThatIsServedTwiceIsNamed() {
        var twin = host("b", ["/1"])
        twin.domains = ["x.example", "A.example"]
        #expect(table([host("a", ["/1"]), host("c", [])]).repeatedDomain == nil)
        #expect(
            table([host("a", ["/1"]), twin]).repeatedDomain
                == "domain \"A.example\" is in virtual host a and in b")
    }
}
